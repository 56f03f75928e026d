// Children of an architecture search: a small convolutional net's training step, compiled for each width and window in one
// process, and run once.
use nn, optim

model net[C, K](x: f32[B, 8, 8, 1]) -> f32[B, 10] =
  x |> nn.conv(C, K) |> relu |> nn.conv(2 * C, 3, stride = 2) |> relu |> nn.conv(2 * C, K) |> relu |> mean(axis = [1, 2]) |> nn.dense(10)

train child(C = 8, K = 3, size = 64, lr = 1e-3) {
  state p = net[C, K].init(key)
  state opt = optim.adam.init(p)
  step {
    let (x, y) = (normal(key, [size, 8, 8, 1]), randint(key, [size], 0, 10))
    let (l, g) = value_and_grad(|p| nn.cross_entropy(net[C, K](p, x), y))(p)
    p -= lr * optim.adam(&opt, g)
    log loss = l
  }
  stop when iter >= 1
}

experiment one(seeds = 1) {
  let a = child.run(C = 8)
  claim all(a.loss > 0)
}

experiment eleven(seeds = 1) {
  let a = child.run(C = 8)
  let (b, c) = (child.run(C = 12), child.run(C = 16))
  let (d, e) = (child.run(C = 20), child.run(C = 24))
  let (f, g) = (child.run(C = 8, K = 5), child.run(C = 12, K = 5))
  let (h, i) = (child.run(C = 16, K = 5), child.run(C = 20, K = 5))
  let (j, k) = (child.run(C = 24, K = 5), child.run(C = 28, K = 5))
  claim all(a.loss > 0)
}
