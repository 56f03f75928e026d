// expect 5:13: stray character `$`
// expect 6:13: stray character `?`
// expect 7:13: stray character `#`
// expect 8:13: stray character `~`
fn f(x) = x $ 2
fn g(x) = x ? 1 : 2
fn h(x) = x # note
fn i(x) = x ~ 2
