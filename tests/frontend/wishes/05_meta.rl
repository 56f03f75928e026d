record task { amp, phase: f32 }           // y = amp * sin(x - phase)
fn tasks(N: dim, key) -> task[N] = task(uniform(key, [N], 0.1, 5.0), uniform(key, [N], 0.0, pi))
fn points(t: task, K: dim, key) -> (x: f32[K, 1], y: f32[K, 1]) {
  let x = uniform(key, [K, 1], -5.0, 5.0)
  (x, t.amp * sin(x - t.phase))
}

fn adapt(p: net.params, d, steps, order) -> net.params {
  var q = p
  for _ in 0..steps {
    let g = grad(mse)(q, d)
    q -= 0.01 * if order == 1 { stop_grad(g) } else { g }
  }
  q
}

loss meta(p: net.params, ts: task[N], inner, order, key) -> f32 =
  mean(each t in ts { mse(adapt(p, points(t, 5, key), inner, order), points(t, 10, key)) })

experiment second_order(seeds = 3) {
  let full  = maml.run()
  let first = maml.run(order = 1)
  claim mean(full.mse) < 0.3 * mean(first.mse)
  claim check_grad(meta, net.init(key), tasks(4, key), 1, 2, key) < 1e-4
}
