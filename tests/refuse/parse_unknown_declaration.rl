// expect 7:1: expected a declaration, found `modle`
// expect 8:1: expected a declaration, found `def`
// expect 9:1: expected a declaration, found `import`
// expect 10:1: expected a declaration, found `x`
// expect 11:1: expected a declaration, found the reserved word `let`
// expect 12:1: expected a declaration, found `print`
modle net(x) = x
def f(x) = x
import nn
x = 3
let y = 4
print(x)
