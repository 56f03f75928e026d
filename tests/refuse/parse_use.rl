// expect 5:4: expected a module's name, found the end of the line
// expect 6:5: expected a module's name, found a string
// expect 7:8: expected a module's name, found the end of the line
// expect 8:8: expected the end of the line after a declaration, found `as`
use
use "nn"
use nn.
use nn as n
