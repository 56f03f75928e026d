// Semi-supervised classification with graph convolutions: Zachary's karate club, where only the instructor and the
// officer are labelled. Kipf, Welling 2017, appendix A; data/README.md names the data. Takes a fifth of a second.
use nn, optim

data friends: i32[M, 2] from csv("data/karate_edges.csv")
data club: i32[N] from csv("data/karate_club.csv", column = "club")

const src = concat([friends[:, 0], friends[:, 1], iota(N)])  // both directions and self-loops
const dst = concat([friends[:, 1], friends[:, 0], iota(N)])

// Messages are weighted by 1 / sqrt(degree of sender * degree of receiver).
layer gcn(x: f32[N, D], O: dim) -> f32[N, O] {
  param b: f32[O] = zeros
  let degree = segment_sum(ones([2 * M + N]), dst, N)
  let weight = rsqrt(degree[src] * degree[dst])
  let message = nn.dense(x, O, bias = false)[src] * weight[:, _]
  segment_sum(message, dst, N) + b
}

model net(x: f32[N, N]) -> f32[N, 2] = x |> gcn(16) |> tanh |> gcn(16) |> tanh |> gcn(2)

loss xent(p: net.params) -> f32 {
  let logits = net(p, eye(N))
  log score = accuracy(logits, club)
  nn.cross_entropy(logits[[0, N - 1]], club[[0, N - 1]])
}

train karate(lr = 1e-2, steps = 200) {
  state p = net.init(key)
  state opt = optim.adam.init(p)

  step {
    let (l, g) = value_and_grad(xent)(p)
    p -= lr * optim.adam(&opt, g)
    log loss = l
  }
  stop when iter >= steps
}

// 95 in a hundred members are told apart with two labels, whatever the first weights.
experiment tells_apart(seeds = 3) {
  claim min(karate.run().score) >= 0.95
}
