data friends: i32[M, 2] from csv("edges.csv")
data club:    i32[N]    from csv("club.csv", column = "club")

const src = concat([friends[:, 0], friends[:, 1], iota(N)])
const dst = concat([friends[:, 1], friends[:, 0], iota(N)])

layer gcn(x: f32[N, D], O: dim) -> f32[N, O] {
  param b: f32[O] = zeros
  let degree = segment_sum(ones([2 * M + N]), dst, N)
  segment_sum(nn.dense(x, O, bias = false)[src] * rsqrt(degree)[:, _], dst, N) + b
}

loss xent(p: net.params) -> f32 {
  let logits = net(p, eye(N))
  log accuracy = accuracy(logits, club)
  -mean(take(log_softmax(logits), club)[[0, N - 1]])
}
