// Model-agnostic meta-learning: initial parameters from which one gradient step on five points of a new sinusoid fits
// it. The step inside is itself differentiated: exact second order. Finn, Abbeel, Levine 2017. Takes four seconds.
// --set inner=0 is plain training on all tasks at once, --set order=1 drops the second derivatives.
use nn, optim

// y = amp * sin(x - phase)
record task { amp, phase: f32 }

fn tasks(N: dim, key) -> task[N] = task(uniform(key, [N], 0.1, 5.0), uniform(key, [N], 0.0, pi))

fn points(t: task, K: dim, key) -> (x: f32[K, 1], y: f32[K, 1]) {
  let x = uniform(key, [K, 1], -5.0, 5.0)
  (x, t.amp * sin(x - t.phase))
}

model net(x: f32[B, 1]) -> f32[B, 1] = x |> nn.mlp([40, 40], relu) |> nn.dense(1)

loss mse(p: net.params, d: (x: f32[B, 1], y: f32[B, 1])) -> f32 = mean((net(p, d.x) - d.y)^2)

fn adapt(p: net.params, d, steps, order, rate = 0.01) -> net.params {
  var q = p
  for _ in 0..steps {
    let g = grad(mse)(q, d)
    q -= rate * if order == 1 { stop_grad(g) } else { g }
  }
  q
}

loss meta(p: net.params, ts: task[N], inner, order, key) -> f32 =
  mean(each t in ts { mse(adapt(p, points(t, 5, key), inner, order), points(t, 10, key)) })

train maml(order = 2, inner = 1, batch = 25, lr = 1e-3, steps = 15_000) {
  state p = net.init(key)
  state opt = optim.adam.init(p)

  step {
    let (l, g) = value_and_grad(meta)(p, tasks(batch, key), inner, order, key)
    p -= lr * optim.adam(&opt, g)
    log loss = l
    every 500 { log error_before = meta(p, tasks(600, key), 0, 1, key), error_after = meta(p, tasks(600, key), 1, 1, key) }
  }
  stop when iter >= steps
}

// The step on five points leaves less than 0.3 of the error that plain training leaves, and the gradient of what takes a gradient
// step is right: in float64 against differences.
experiment adapts(seeds = 3) {
  let (second, plain) = (maml.run(), maml.run(inner = 0))
  claim max(second.error_after) < 0.3 * min(plain.error_after)
  let (ts, k) = (tasks(4, key), split(key, 1)[0])
  claim check_grad(meta, net.init(key), ts, 1, 2, k) < 1e-4
}
