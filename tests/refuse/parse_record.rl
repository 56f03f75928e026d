// expect 5:17: expected `:` and a type, found `}`
// expect 6:14: expected `:` and a type, found `f32`
// expect 7:12: expected a field's name, found the reserved word `let`
// expect 8:8: expected the record's name, found `{`
record r { x, y }
record s { x f32 }
record t { let x = 1 }
record { x: f32 }
