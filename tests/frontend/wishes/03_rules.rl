use nn

rule momentum(g: P, mu = 0.9, nesterov = false) -> P {
  state m = zeros(g)
  state t = 0
  t += 1
  m = mu * m + (1 - mu) * g
  if nesterov { g + mu * m } else { m / (1 - mu^t) }
}

fn norm(g: P) -> f32 = sqrt(fold(g, 0.0, |s, x| s + sum(x^2)))
fn matrices(p: P) -> P = map(p, |x, path| if ends_with(path, ".w") { x } else { zeros(x) })

rule slowly(g: P, k, inner) -> P {
  state s     = inner.init(g)
  state total = zeros(g)
  total += g
  if k % 2 == 0 {
    let d = inner(&s, total / k)
    total = zeros(g)
    d
  } else { zeros(g) }
}

model line(x: f32[B, 8]) -> f32[B] = (x |> nn.dense(1))[:, 0]
loss error(p: line.params, x: f32[B, 8], y: f32[B]) -> f32 = mean((line(p, x) - y)^2)

train fit(lr = 3e-3, total = 2_000) {
  state p   = line.init(key)
  state opt = momentum.init(p)
  step {
    let (l, g) = value_and_grad(error)(p, normal(key, [64, 8]), ones([64]))
    p -= lr * momentum(&opt, g)
    log loss = l
  }
  stop when iter >= total
}
