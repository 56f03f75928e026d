// A linear recurrence over T rows of B x N complex numbers with its derivative, and nothing else: by associative_scan, or with
// --set parallel=false by a loop over the rows.
const B = 16
const N = 32

fn scanned(a: complex64[N], u: complex64[T, B, N]) -> complex64[T, B, N] =
  associative_scan(|(a1, h1), (a2, h2)| (a1 * a2, a2 * h1 + h2), (broadcast(a, [T, 1, N]), u)).1

fn in_turn(a: complex64[N], u: complex64[T, B, N]) -> complex64[T, B, N] {
  var h = zeros(u[0])
  scan v in u {
    h = a * h + v
    h
  }
}

train recurrence(T = 8_192, parallel = true) {
  state re = normal(key, [T, B, N])
  state im = normal(key, [T, B, N])
  state decay = uniform(key, [N], -1.0, -0.1)
  state angle = uniform(key, [N], 0.0, pi)

  step {
    let f = |p| {
      let a = exp(complex(p.decay, p.angle))
      let h = if parallel { scanned(a, complex(p.re, p.im)) } else { in_turn(a, complex(p.re, p.im)) }
      mean(real(h) * imag(h))
    }
    let (l, g) = value_and_grad(f)((re = re, im = im, decay = decay, angle = angle))
    re -= 1e-6 * g.re
    im -= 1e-6 * g.im
    decay -= 1e-6 * g.decay
    angle -= 1e-6 * g.angle
    log loss = l
  }
}
