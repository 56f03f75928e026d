// expect 1:1: there is no declaration in this file
// nothing but this
