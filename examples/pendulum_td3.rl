// Pendulum with TD3: two critics, targets with clipped noise, an actor that moves every other step. Fujimoto, van Hoof,
// Meger 2018. One update of the critics at every step of one environment; replay for a million steps, written in place.
// Returns about -150 after 10,000 steps, in two seconds.
use nn, rl, optim, classic

const E = classic.pendulum, A = E.action.n, HIGH = E.action.high

model actor(s: E.obs[B]) -> f32[B, A] = HIGH * tanh(s |> nn.mlp([64, 64], relu) |> nn.dense(A))

model critic(s: E.obs[B], a: f32[B, A]) -> f32[B] {
  let q = concat([s, a], axis = -1) |> nn.mlp([64, 64], relu) |> nn.dense(1)
  q[:, 0]
}

// Two of everything, side by side: threads take one each.
record pair {
  one, two: critic.params
}

fn twin(q: pair, s: E.obs[B], a: f32[B, A]) -> f32[2, B] = [critic(q.one, s, a), critic(q.two, s, a)]

loss bellman(q: pair, b: rl.transition[E][B], y: f32[B]) -> f32 =
  2 * mean((twin(q, b.obs, b.action) - y)^2)

loss improve(p: actor.params, q: pair, s: E.obs[B]) -> f32 = -mean(twin(q, s, actor(p, s))[0])

// a with normal noise of this deviation, itself within +-most, inside of the box.
fn noisy(a: f32[B, A], std, most, key) -> f32[B, A] {
  let noise = clamp(std * normal(key, [B, A]), -most, most)
  clamp(a + HIGH * noise, -HIGH, HIGH)
}

train td3(
  capacity = 1_000_000, batch = 100, gamma = 0.98, tau = 0.01, lr = 1e-3, delay = 2, warm = 1_000, explore = 0.1,
  eval_every = 1_000, max_steps = 10_000
) {
  state env = rl.vec(E, 1, key)
  state seen = zeros(rl.ring[capacity, rl.transition[E]])
  state p = actor.init(key)
  state q = pair(critic.init(key), critic.init(key))
  state target = (p, q)
  state opt = (p = optim.adam.init(p), q = optim.adam.init(q))

  step {
    let policy = |s, key| (
      action = if iter < warm { uniform(key, [1, A], -HIGH, HIGH) } else { noisy(actor(p, s), explore, 1, key) }
    )
    rl.push(&seen, rl.transitions(rl.rollout(&env, 1, policy, key)))
    let b = rl.draw(seen, batch, key)
    let a = noisy(actor(target.0, b.next_obs), 0.2, 0.5, key)
    let y = b.reward + gamma * where(b.terminated, 0, min(twin(target.1, b.next_obs, a), axis = 0))
    let (l, g) = value_and_grad(bellman)(q, b, y)
    q -= lr * optim.adam(&opt.q, g)
    every delay {
      p -= lr * optim.adam(&opt.p, grad(improve)(p, q, b.obs))
      target += tau * ((p, q) - target)
    }
    log loss = l
    every eval_every { log score = rl.evaluate(E, |s| actor(p, s), key, episodes = 100) }
  }
  stop when env.steps >= max_steps
}

// 10,000 steps of the environment are enough.
experiment swings_up(seeds = 3) {
  let r = td3.run()
  claim mean(r.score) > -200 and max(r.iter) <= 10_000
}
