// A maze walked by a quantum Q-network: the action values are expectations of a variational circuit of five qubits,
// simulated on its 32 complex amplitudes; the gradient goes through the simulation. Skolik, Jerbi, Dunjko 2022. On
// quantum hardware the same gradient is the difference of two runs (the parameter-shift rule): see shift_rule_holds.
use nn, rl, optim

const Q = 5, LAYERS = 5, SIDE = 5, ACTIONS = 4

// From the top left to the bottom right: 1 is a wall.
const WALLS = [[0, 1, 0, 0, 0], [0, 1, 0, 1, 0], [0, 0, 0, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 1, 0]]

env maze(limit = 50) {
  state y, x: i32
  state t: i32 = 0
  action = discrete(4)
  obs = [2 * f32(y) / (SIDE - 1) - 1, 2 * f32(x) / (SIDE - 1) - 1]

  fn reset(key) {
    (y, x) = (0, 0)
  }

  fn step(a) {
    let to_y = clamp(y + i32(a == 0) - i32(a == 1), 0, SIDE - 1)
    let to_x = clamp(x + i32(a == 2) - i32(a == 3), 0, SIDE - 1)
    let free = broadcast(WALLS, [SIDE, SIDE])[to_y, to_x] == 0
    (y, x) = (where(free, to_y, y), where(free, to_x, x))
    t += 1
    let home = y == SIDE - 1 and x == SIDE - 1
    (reward = where(home, 1.0, -0.02), terminated = home, truncated = t >= limit)
  }
}

// Amplitudes [2^Q] under rotations of qubit q by the angle a: about y, about z.
fn split_at(s, q) = reshape(s, [2^q, 2, 2^(Q - 1 - q)])
fn joined(u, v) = reshape(concat([u[:, _], v[:, _]], axis = 1), [2^Q])

fn ry(s, q, a) {
  let (u, v) = (split_at(s, q)[:, 0], split_at(s, q)[:, 1])
  joined(cos(a / 2) * u - sin(a / 2) * v, sin(a / 2) * u + cos(a / 2) * v)
}

fn rz(s, q, a) {
  let w = complex(cos(a / 2), sin(a / 2))
  joined(conj(w) * split_at(s, q)[:, 0], w * split_at(s, q)[:, 1])
}

// 1 or -1 for each basis state: the eigenvalue of Z on qubit q.
fn z(q) = f32(1 - 2 * bit(iota(2^Q), Q - 1 - q))

// Controlled Z between neighbours on a ring.
fn entangled(s) {
  var sign = ones([2^Q])
  unroll q in 0..Q { sign *= f32(1 - 2 * bit(iota(2^Q), Q - 1 - q) * bit(iota(2^Q), Q - 1 - (q + 1) % Q)) }
  s * sign
}

// <Z_q Z_q+1> for each action's pair of qubits: angles [LAYERS + 1, Q, 2], encodings [LAYERS, Q] -> [ACTIONS].
fn circuit(turns: float[LAYERS + 1, Q, 2], inputs: float[LAYERS, Q]) -> float[ACTIONS] {
  var s = complex(turns[0, 0, 0] * 0 + f32(iota(2^Q) == 0), zeros([2^Q]))
  unroll l in 0..LAYERS + 1 {
    unroll q in 0..Q { s = rz(ry(s, q, turns[l, q, 0]), q, turns[l, q, 1]) }
    if l < LAYERS {
      s = entangled(s)
      unroll q in 0..Q { s = ry(s, q, inputs[l, q]) }
    }
  }
  let p = real(s)^2 + imag(s)^2
  each a in 0..ACTIONS { sum(p * z(a) * z(a + 1)) }
}

model net(s: f32[B, 2]) -> f32[B, ACTIONS] {
  param turns: f32[LAYERS + 1, Q, 2] = |key, shape| uniform(key, shape, 0, 2 * pi)
  param scale: f32[LAYERS, Q, 2] = ones
  param gain: f32[ACTIONS] = ones
  each x in s { gain * circuit(turns, pi * tanh(scale @ x)) }
}

loss bellman(p: net.params, b: rl.transition[maze][B], y: f32[B]) -> f32 = mean(nn.huber(take(net(p, b.obs), b.action) - y))

train dqn(
  envs = 8, capacity = 10_000, batch = 64, sync = 50, lr = 1e-2, gamma = 0.95, explore = 8_000, max_steps = 40_000
) {
  state p = net.init(key)
  state target = p
  state opt = optim.adam.init(p)
  state env = rl.vec(maze, envs, key)
  state seen = zeros(rl.ring[capacity, rl.transition[maze]])

  step {
    let eps = max(0.1, 1 - f32(env.steps) / explore)
    rl.push(&seen, rl.transitions(rl.rollout(&env, 1, |s, key| (action = rl.epsilon_greedy(net(p, s), eps, key)), key)))
    let b = rl.draw(seen, batch, key)
    let y = b.reward + gamma * where(b.terminated, 0, max(net(target, b.next_obs), axis = -1))
    let (l, g) = value_and_grad(bellman)(p, b, y)
    p -= lr * optim.adam(&opt, g)
    log loss = l
    every sync { target = p }
    every 100 { log score = rl.evaluate(maze, |s| argmax(net(p, s)), key, episodes = 1) }
  }
  stop when score >= 0.7 or env.steps >= max_steps
}

// d/da f(a) = (f(a + pi / 2) - f(a - pi / 2)) / 2 for every angle of a rotation, in float64 to 1e-6.
fn shift_rule_holds(key) -> bool {
  let turns = f64(uniform(key, [LAYERS + 1, Q, 2], 0, 2 * pi))
  let inputs = f64(normal(key, [LAYERS, Q]))
  let f = |t| sum(circuit(t, inputs) * (1 + iota(ACTIONS)))
  let g = grad(f)(turns)
  let shifts = each i in 0..(LAYERS + 1) * Q * 2 {
    let d = reshape(f64(iota((LAYERS + 1) * Q * 2) == i), turns.shape) * (pi / 2)
    (f(turns + d) - f(turns - d)) / 2
  }
  max(abs(reshape(g, [-1]) - shifts)) < 1e-6
}

experiment learns(seeds = 3) {
  claim shift_rule_holds(key)
  claim min(dqn.run().score) >= 0.7
}
