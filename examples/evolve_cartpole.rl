// CartPole by evolution strategies: each generation tries pairs of opposite perturbations, and the parameters move
// along them, weighted by the rank of the difference they made. Salimans et al. 2017. No gradient is taken. An episode
// is written for one world and one policy; `each` makes it a population, in which every episode ends on its own.
// Solved in a fifth of a second.
use nn, rl, optim, classic

const E = classic.cartpole

model policy(s: E.obs) -> f32[2] = s |> nn.mlp([16], tanh) |> nn.dense(2)

// The return of one episode.
fn episode(p: policy.params, key) -> f32 {
  var s = zeros(E.state)
  E.reset(&s, key)
  var total = 0.0
  var alive = true
  while alive {
    let out = E.step(&s, argmax(policy(p, E.obs(s))))
    total += out.reward
    alive = not (out.terminated or out.truncated)
  }
  total
}

train evolve(pairs = 32, sigma = 0.2, lr = 0.1, generations = 200) {
  state p = policy.init(key)
  state opt = optim.adam.init(p)

  step {
    let noise = each _ in 0..pairs { normal(key, p) }
    let worlds = split(key, pairs)  // named once: both of a pair meet the same world
    let (up, down) = each (e, k) in (noise, worlds) { (episode(p + sigma * e, k), episode(p - sigma * e, k)) }
    let weight = optim.centered_rank(up - down)
    let g = mean(each (f, e) in (weight, noise) { f * e }, axis = 0) / sigma
    p += lr * optim.adam(&opt, g)
    log episode_return = mean(up + down) / 2
    log score = mean(each _ in 0..100 { episode(p, key) })
  }
  stop when score >= 475 or iter >= generations
}
