// CartPole with a deep Q-network: replay, a target network, epsilon-greedy exploration. Mnih et al. 2015, with
// the double estimate of van Hasselt et al. 2016; --set dueling=true for the head of Wang et al. 2016. Takes a second.
use nn, rl, optim, classic

const E = classic.cartpole, A = E.action.n

model plain(s: f32[B, 4]) -> f32[B, A] = s |> nn.mlp([64, 64], relu) |> nn.dense(A)

model duel(s: f32[B, 4]) -> f32[B, A] {
  let h = s |> nn.mlp([64, 64], relu)
  let value = h |> nn.dense(1)
  let advantage = h |> nn.dense(A)
  value + advantage - mean(advantage, axis = -1, keep = true)
}

loss bellman(p, q, b: rl.transition[E][B], y: f32[B]) -> f32 = mean(nn.huber(take(q(p, b.obs), b.action) - y))

train dqn(
  dueling = false, envs = 8, capacity = 50_000, batch = 64, updates = 4, sync = 50, lr = 1e-3, gamma = 0.99,
  explore = 10_000, max_steps = 500_000
) {
  let q = if dueling { duel } else { plain }
  state p = q.init(key)
  state target = p
  state opt = optim.adam.init(p)
  state env = rl.vec(E, envs, key)
  state seen = zeros(rl.ring[capacity, rl.transition[E]])

  step {
    let eps = max(0.05, 1 - f32(env.steps) / explore)
    let roll = rl.rollout(&env, 1, |s, key| (action = rl.epsilon_greedy(q(p, s), eps, key)), key)
    rl.push(&seen, rl.transitions(roll))
    for _ in 0..updates {
      let b = rl.draw(seen, batch, key)
      let y = b.reward + gamma * where(b.terminated, 0, take(q(target, b.next_obs), argmax(q(p, b.next_obs))))
      let (l, g) = value_and_grad(bellman)(p, q, b, y)
      p -= lr * optim.adam(&opt, g)
      log loss = l
    }
    every sync { target = p }
    every 500 { log score = rl.evaluate(E, |s| argmax(q(p, s)), key, episodes = 100) }
  }
  stop when score >= 475 or env.steps >= max_steps
}
