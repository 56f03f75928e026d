// expect 6:8: expected `=` and a value, found the end of the line
// expect 7:13: expected `=` and a value, found the end of the line
// expect 8:10: expected a value, found the end of the line
// expect 9:8: expected `=` and a value, found `,`
// A module with mistakes of its own.
use parse_let_without_value
