// expect 4:19: a list or record of more than 1048576 items
// expect 6:20: a list or record of more than 1048576 items
// Tuples of tuples that double.
fn twice(x) = (x, x)
fn f(x: f32) = twice(twice(twice(twice(twice(twice(twice(twice(twice(twice(twice(twice(twice(twice(twice(twice(twice(twice(twice(twice(twice(twice(x))))))))))))))))))))))
fn listed(x) = [x, x]
fn g(x: f32) = listed(listed(listed(listed(listed(listed(listed(listed(listed(listed(listed(listed(listed(listed(listed(listed(listed(listed(listed(listed(listed(listed(x))))))))))))))))))))))
