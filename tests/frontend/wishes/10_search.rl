const Depth = 4, K = 3 * Depth
const filters = [8, 16, 24, 32], acts = [relu, tanh, silu, gelu]

model child[Arch](x: f32[B, 8, 8, 1]) -> f32[B, 10] {
  var h = x
  unroll i in 0..Depth {
    let [f, k, a] = Arch[3 * i +: 3]
    h = nn.conv(h, filters[f], k) |> acts[a]
  }
  mean(h, axis = [1, 2]) |> nn.dense(10)
}
loss xent(p: child[Arch].params, b) -> f32 = -mean(take(log_softmax(child[Arch](p, b.x)), b.label))

train search(children = 8, learn = true) {
  state c    = controller.init(key)
  state base, best: f32 = 0.0
  step {
    let arch = write(c, children, key, |pi, t, key| pi.sample(key)).arch
    let kids = each a in arch { fit.run(arch = a) }
    if learn { c -= grad(reinforce)(c, arch, kids.accuracy - base, key) }
    base = mix(base, mean(kids.accuracy), 0.1)
    log top = best, compile_ms = 1_000 * mean(kids.compile_s)
  }
  stop when iter >= 30
}
