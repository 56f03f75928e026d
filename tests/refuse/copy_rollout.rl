// expect 18:8: this update copies `world.s.map`, 1.2 MB, in each turn of a loop
// note 20:23: the old value is read here, behind the update
// A world with a large map, stepped in a rollout: its observation is of the map as it was.
use rl

env walk(size = 300_000) {
  state map: f32[size]
  state t: i32 = 0
  action = discrete(2)
  obs = [map[0], map[1]]

  fn reset(key) {
    map = uniform(key, [size])
  }

  fn step(a) {
    let old = map
    map[t] = f32(a)
    t += 1
    (reward = sum(map * old), terminated = t >= 10)
  }
}

train keep() {
  state world = rl.vec(walk, 1, key)
  step {
    let roll = rl.rollout(&world, 4, |obs, key| (action = randint(key, [1], 0, 2)), key)
    log reward = mean(roll.reward)
  }
  stop when iter >= 10
}
