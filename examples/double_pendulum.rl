// The masses and lengths of a double pendulum, found from a recording of its angles: the gradient runs through an
// adaptive solver of Dormand and Prince. The recording is simulated with m = (1, 0.6), l = (1, 0.7), and the observer's
// angles bear noise of a hundredth of a radian; since motion tells ratios of masses only, the first is known.
use ode, optim

const G = 9.81, STEPS = 40, SPAN = 2.0, RUNS = 4

record body { m, l: f32[2] }

// Angles a and their rates w of two bobs on rods without mass, from the lowest point; y = (a, w), both [2].
fn motion(b: body, y) {
  let (a, w) = y
  let d = a[0] - a[1]
  let (m1, m2, l1, l2) = (b.m[0], b.m[1], b.l[0], b.l[1])
  let s = m1 + m2 * sin(d)^2
  let pull = m2 * sin(d) * (w[0]^2 * l1 * cos(d) + w[1]^2 * l2)
  let dw1 = (m2 * G * sin(a[1]) * cos(d) - (m1 + m2) * G * sin(a[0]) - pull) / (l1 * s)
  let drive = (m1 + m2) * (w[0]^2 * l1 * sin(d) + G * sin(a[0]) * cos(d) - G * sin(a[1]))
  let dw2 = (drive + m2 * w[1]^2 * l2 * sin(d) * cos(d)) / (l2 * s)
  (a = w, w = [dw1, dw2])
}

// The angles at STEPS times, let go at rest from a0.
fn swing(b: body, a0: f32[2]) -> f32[STEPS, 2] {
  let ts = f32(iota(STEPS + 1)) * (SPAN / STEPS)
  ode.dopri5(|t, y| motion(b, y), (a = a0, w = zeros(a0)), ts, rtol = 1e-5, atol = 1e-6, max_steps = 6).y.a
}

fn starts() = [[1.0, 0.5], [-0.8, 1.2], [1.5, 1.5], [0.4, -1.3]]
fn truth() = body([1.0, 0.6], [1.0, 0.7])

// Logarithms keep what is sought positive: the second mass and both lengths.
fn guess(p: f32[3]) -> body = body([1.0, exp(p[0])], exp(p[1:]))

loss misfit(p: f32[3], seen: f32[RUNS, STEPS, 2]) -> f32 {
  let b = guess(p)
  mean((each a in starts() { swing(b, a) } - seen)^2)
}

train fit(lr = 3e-2, max_steps = 400) {
  let seen = each a in starts() { swing(truth(), a) + 0.01 * normal(seed_key(0), [STEPS, 2]) }
  state p = 0.4 * normal(key, [3])
  state opt = optim.adam.init(p)

  step {
    let (l, g) = value_and_grad(misfit)(p, seen)
    p -= lr * optim.warmup_cosine(f32(iter + 1), 10, max_steps) * optim.adam(&opt, optim.clip_norm(g, 1.0))
    let b = guess(p)
    log loss = l, m2 = b.m[1], l1 = b.l[0], l2 = b.l[1]
    log score = -max(max(abs(b.m - truth().m)), max(abs(b.l - truth().l)))
  }
  stop when iter >= max_steps
}

// Masses in kg and lengths in m, from recordings with an error of 0.01 rad.
experiment recovers(seeds = 3) {
  claim min(fit.run().score) > -0.005
}
