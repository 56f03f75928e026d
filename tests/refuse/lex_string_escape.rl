// expect 2:27: unknown escape in a string
const a = "one\two", b = "\x41"
