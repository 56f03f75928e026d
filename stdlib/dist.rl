// Distributions: records of parameters with methods. Leading axes are a batch; the last is the event. log_prob, entropy
// and kl are in nats.

// KL(p || q) of two distributions of one kind.
fn kl(p, q) = p.kl(q)

// Over A classes, by unnormalised log-probabilities.
record categorical[A] {
  logits: f32[A]
  fn log_prob(a) = take(log_softmax(logits), i32(a))
  fn entropy() {
    let lp = log_softmax(logits)
    -sum(exp(lp) * lp, axis = -1)
  }
  fn kl(q) {
    let lp = log_softmax(logits)
    sum(exp(lp) * (lp - log_softmax(q.logits)), axis = -1)
  }
  fn mode() = argmax(logits)
  fn sample(key) = argmax(logits + gumbel(key, logits.shape))
}

// A categorical whose draws are one-hot vectors [..., A]. A draw passes the gradient of its probabilities straight
// through. Hafner et al. 2021.
record one_hot[A] {
  logits: f32[A]
  fn hot(i) = f32(i[..., _] == iota(A))
  fn log_prob(x) = sum(log_softmax(logits) * x, axis = -1)
  fn entropy() = categorical(logits).entropy()
  fn kl(q) = categorical(logits).kl(q)
  fn mode() = hot(argmax(logits))
  fn sample(key) {
    let p = softmax(logits)
    hot(categorical(logits).sample(key)) + p - stop_grad(p)
  }
}

// Independent normals of A components.
record gaussian[A] {
  mean: f32[A]
  std: f32[A]
  fn log_prob(a) = sum(-0.5 * ((a - mean) / std)^2 - log(std) - 0.5 * log(2 * pi), axis = -1)
  fn entropy() = sum(log(std) + 0.5 * log(2 * pi) + 0.5 + 0 * mean, axis = -1)
  fn kl(q) = sum(log(q.std / std) + (std^2 + (mean - q.mean)^2) / (2 * q.std^2) - 0.5, axis = -1)
  fn mode() = mean
  fn sample(key) = mean + std * normal(key, mean.shape)
}

// low + (high - low) * (tanh(u) + 1) / 2 with u of independent normals: actions of a box. Densities are those of the
// action, not of u. Haarnoja et al. 2018.
record tanh_normal[A] {
  mean, std: f32[A]
  low: f32 = -1.0
  high: f32 = 1.0
  fn squash(u) = low + (high - low) * (tanh(u) + 1) / 2
  fn mode() = squash(mean)
  fn sample(key) = squash(mean + std * normal(key, mean.shape))
  fn sample_log_prob(key) {
    let e = normal(key, mean.shape)
    let u = mean + std * e
    let slope = 2 * (log(2) - u - softplus(-2 * u)) + log((high - low) / 2)  // log da/du
    (squash(u), sum(-0.5 * e^2 - log(std) - 0.5 * log(2 * pi) - slope, axis = -1))
  }
}
