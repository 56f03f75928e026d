// expect 2:5: the modules use one another in a circle: `use_cycle_one`
use use_cycle_two
const a = 1
