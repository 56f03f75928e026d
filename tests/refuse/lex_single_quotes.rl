// expect 2:25: stray character `'d.csv'`
data d: f32[N] from csv('d.csv')
