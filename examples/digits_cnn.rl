// Handwritten digits with a convolutional net: 8 x 8 images, four in five to train on. LeCun et al. 1998.
use nn, optim, batches

data digits: (pixels: f32[N, 64], label: i32[N]) from csv("data/digits.csv")
const TEST = 360

model net(x: f32[B, 64]) -> f32[B, 10] =
  reshape(x / 16, [B, 8, 8, 1]) |> nn.conv(32, 3) |> relu |> nn.conv(32, 3) |> relu |> nn.max_pool
  |> nn.conv(64, 3) |> relu |> reshape([B, 1024]) |> nn.dense(10)

loss xent(p: net.params, b) -> f32 = nn.cross_entropy(net(p, b.pixels), b.label)

train classify(size = 64, lr = 1e-3, epochs = 20) {
  state p = net.init(key)
  state opt = optim.adamw.init(p)

  step {
    let all = digits[permutation(seed_key(0), N)]  // the same split for every seed
    for b in batches.shuffled(all[TEST:], size, key) {
      let (l, g) = value_and_grad(xent)(p, b)
      p -= lr * optim.adamw(&opt, g, p)
      log loss = l
    }
    let test = all[:TEST]
    log score = accuracy(net(p, test.pixels), test.label)
  }
  stop when iter >= epochs
}
