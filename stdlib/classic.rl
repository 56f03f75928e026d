// Classic control, with the dynamics of Gymnasium's environments of the same names.

// CartPole-v1. Barto, Sutton, Anderson 1983. Units: m, kg, N, s, rad.
env cartpole(gravity = 9.8, m_cart = 1.0, m_pole = 0.1, half = 0.5, force = 10.0, dt = 0.02, limit = 500) {
  state x, dx, th, dth: f32
  state t: i32 = 0
  action = discrete(2)
  obs = [x, dx, th, dth]

  fn reset(key) {
    [x, dx, th, dth] = uniform(key, [4], -0.05, 0.05)
  }

  fn step(a) {
    let total = m_cart + m_pole
    let push = if a == 1 { force } else { -force }
    let lean = (push + m_pole * half * dth^2 * sin(th)) / total
    let ddth = (gravity * sin(th) - cos(th) * lean) / (half * (4 / 3 - m_pole * cos(th)^2 / total))
    let ddx = lean - m_pole * half * ddth * cos(th) / total
    (x, dx, th, dth) = (x + dt * dx, dx + dt * ddx, th + dt * dth, dth + dt * ddth)
    t += 1
    (reward = 1.0, terminated = abs(x) > 2.4 or abs(th) > 12 * pi / 180, truncated = t >= limit)
  }
}

// Pendulum-v1: swing up a rod by a torque in [-2, 2] N m. Angle 0 is upright.
env pendulum(g = 10.0, m = 1.0, l = 1.0, dt = 0.05, limit = 200) {
  state th, dth: f32
  state t: i32 = 0
  action = box(1, -2.0, 2.0)
  obs = [cos(th), sin(th), dth]

  fn reset(key) {
    let u = uniform(key, [2], -1.0, 1.0)
    (th, dth) = (pi * u[0], u[1])
  }

  fn step(a) {
    let u = clamp(a[0], -2.0, 2.0)
    let angle = (th + pi) % (2 * pi) - pi
    let cost = angle^2 + 0.1 * dth^2 + 0.001 * u^2
    dth = clamp(dth + dt * (3 * g / (2 * l) * sin(th) + 3 / (m * l^2) * u), -8.0, 8.0)
    th += dt * dth
    t += 1
    (reward = -cost, terminated = false, truncated = t >= limit)
  }
}
