// Distributions: records of parameters with methods. Leading axes are a batch; the last is the event.

// Over A classes, by unnormalised log-probabilities.
record categorical[A] {
  logits: f32[A]
  fn log_prob(a) = take(log_softmax(logits), i32(a))
  fn entropy() {
    let lp = log_softmax(logits)
    -sum(exp(lp) * lp, axis = -1)
  }
  fn mode() = argmax(logits)
  fn sample(key) = argmax(logits + gumbel(key, logits.shape))
}

// Independent normals of A components.
record gaussian[A] {
  mean: f32[A]
  std: f32[A]
  fn log_prob(a) = sum(-0.5 * ((a - mean) / std)^2 - log(std) - 0.5 * log(2 * pi), axis = -1)
  fn entropy() = sum(log(std) + 0.5 * log(2 * pi) + 0.5 + 0 * mean, axis = -1)
  fn mode() = mean
  fn sample(key) = mean + std * normal(key, mean.shape)
}
