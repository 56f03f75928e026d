// CartPole alone: N worlds under random actions, resets and draws included.
use classic

const E = classic.cartpole

train cartpoles(envs = 1_024, turns = 1_000, rounds = 100) {
  state w = zeros(E.state[envs])
  state ended = 0
  step {
    for _ in 0..turns {
      let out = each (&s, a) in (w, randint(key, [envs], 0, 2)) { E.step(&s, a, key) }
      let end = out.terminated or out.truncated
      ended += sum(i32(end))
      each (&s, e) in (w, end) { if e { E.reset(&s, key) } }
    }
    log episodes = f32(ended)
  }
  stop when iter >= rounds
}
