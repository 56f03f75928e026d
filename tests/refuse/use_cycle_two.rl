// expect 2:5: the modules use one another in a circle: `use_cycle_two`
use use_cycle_one
const b = 2
