// The same task from three places
env gym_cartpole from gymnasium("CartPole-v1") {
  obs: f32[4]
  action = discrete(2)
}

env c_cartpole from c("cartpole.h") {     // struct cartpole; cartpole_reset(), cartpole_step()
  obs: f32[4]
  action = discrete(2)
}

fn fast_sin(x: f32[N]) -> f32[N] from c("fast.h")

train ppo(world = classic.cartpole, envs = 8, clip = 0.2) {
  let net   = agent[world]
  state p   = net.init(key)
  state env = rl.vec(world, envs, key)

  step {
    let batch = rl.gae(rl.rollout(&env, 128, |s, key| net(p, s) |> rl.act(key), key), |s| net(p, s).v, gamma = 0.99, lambda = 0.95)
    let (l, g) = value_and_grad(clipped)(p, batch, clip, 0.01)
    every 10 { log score = rl.evaluate(world, |s| net(p, s).pi.mode(), key, episodes = 100) }
  }
  stop when score >= 475 or env.steps >= 500_000
}

experiment same_task(seeds = 3) {
  let (ours, gym) = (ppo.run(), ppo.run(world = gym_cartpole))
  claim min(ours.score) >= 475 and min(gym.score) >= 475
}
