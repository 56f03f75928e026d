const E = classic.pendulum

model agent(obs: E.obs[...]) -> (pi: dist.normal[..., 1], v: f32[...]) {
  param log_std: f32[1] = -0.5
  let v = obs |> nn.mlp([64, 64], tanh) |> nn.dense(1)
  (dist.normal(v, exp(log_std)), v[..., 0])
}

fn grid(x: f32[...], scale: f32) -> f32[...] {
  scale * clamp(round(x / scale), -127, 127)
} backward(dy) {
  (x = where(abs(x) <= 127 * scale, dy, 0), scale = 0)
}

train control(bits = 8) {
  let net = fake_quant(agent, bits)
  state top = ranges(agent)(p, normal(key, [64, 3]))
  step {
    let roll = rl.rollout(&env, 32, |s, key| net(p, s) |> rl.act(key), key)
    for b in rl.minibatches(roll, key, epochs = 2, size = 256) {
      top += 0.01 * (ranges(agent)(p, b.obs) - top)
    }
  }
  stop when env.steps >= 300_000

  export act(obs: E.obs) -> E.action = quantize(agent, top, bits)(p, obs).pi.mode()
}
