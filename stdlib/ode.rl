// Integration of y' = f(t, y), y an array or a tree of arrays. All of it has derivatives.

// One step of length h of the classical method of fourth order. Kutta 1901.
fn rk4_step(f, t, y, h) {
  let k1 = f(t, y)
  let k2 = f(t + h / 2, y + (h / 2) * k1)
  let k3 = f(t + h / 2, y + (h / 2) * k2)
  let k4 = f(t + h, y + h * k3)
  y + (h / 6) * (k1 + 2 * k2 + 2 * k3 + k4)
}

// y at the times ts[1:], from y0 at ts[0]; `substeps` equal steps between two times: [T - 1, ...].
fn rk4(f, y0, ts: float[T], substeps = 1) {
  var y = y0
  scan (a, b) in (ts[:-1], ts[1:]) {
    let h = (b - a) / substeps
    for i in 0..substeps { y = rk4_step(f, a + f32(i) * h, y, h) }
    y
  }
}

// One step of length h of Dormand, Prince 1980: y of fifth order, and what differs from the fourth.
fn dopri5_step(f, t, y, h) {
  let k1 = f(t, y)
  let k2 = f(t + h / 5, y + h * (k1 / 5))
  let k3 = f(t + 0.3 * h, y + h * (3 / 40 * k1 + 9 / 40 * k2))
  let k4 = f(t + 0.8 * h, y + h * (44 / 45 * k1 - 56 / 15 * k2 + 32 / 9 * k3))
  let k5 = f(t + 8 / 9 * h, y + h * (19372 / 6561 * k1 - 25360 / 2187 * k2 + 64448 / 6561 * k3 - 212 / 729 * k4))
  let k6 = f(t + h, y + h * (9017 / 3168 * k1 - 355 / 33 * k2 + 46732 / 5247 * k3 + 49 / 176 * k4 - 5103 / 18656 * k5))
  let next = y + h * (35 / 384 * k1 + 500 / 1113 * k3 + 125 / 192 * k4 - 2187 / 6784 * k5 + 11 / 84 * k6)
  let k7 = f(t + h, next)
  let error = h * (71 / 57600 * k1 - 71 / 16695 * k3 + 71 / 1920 * k4 - 17253 / 339200 * k5 + 22 / 525 * k6 - 1 / 40 * k7)
  (y = next, error)
}

// Root mean square over a tree of error / (atol + rtol * the greater of |y|, |next|).
fn scaled_error(error, y, next, atol, rtol) {
  let ratio = error / (atol + rtol * max(abs(y), abs(next)))
  let n = fold(ratio, 0.0, |s, x| s + sum(ones(x)))
  sqrt(fold(ratio, 0.0, |s, x| s + sum(x^2)) / n + 1e-20)
}

// y at the times ts[1:], from y0 at ts[0], ts ascending, by steps whose estimated error stays within atol + rtol |y|:
// (y = [T - 1, ...], reached: bool[T - 1]). Between two times at most `max_steps` steps are tried; reached is false
// where they were not enough. The number of turns is fixed, so that the way back is known; a turn after the arrival
// changes nothing. The lengths of the steps are taken as constants by the derivative.
fn dopri5(f, y0, ts: float[T], rtol = 1e-5, atol = 1e-7, max_steps = 16) {
  var y = y0
  var h = ts[1] - ts[0]
  scan (a, b) in (ts[:-1], ts[1:]) {
    var t = a
    for _ in 0..max_steps {
      let left = b - t
      let last = h >= left
      let now = stop_grad(min(h, left))
      let try = dopri5_step(f, t, y, now)
      let e = stop_grad(scaled_error(try.error, y, try.y, atol, rtol))
      let good = e <= 1 and left > 0
      let want = now * clamp(0.9 * exp(-0.2 * log(e)), 0.2, 5)
      h = where(left <= 0, h, where(last and good, max(h, want), want))
      y = where(good, try.y, y)
      t = where(good, where(last, b, t + now), t)
    }
    (y, reached = t >= b)
  }
}
