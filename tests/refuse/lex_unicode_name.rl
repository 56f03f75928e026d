// expect 3:6: stray character `öß`
// expect 4:13: stray character `×`
fn größe(x) = x
fn f(x) = x × 2
