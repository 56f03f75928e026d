// Batches of a data set held in memory.

// The rows of every field [N, ...] in a new order, as [N / size, size, ...]; the last N % size rows of
// that order are left out.
fn shuffled(data, size: dim, key) {
  let n = len(data)
  let count = (n - n % size) / size
  if count == 0 { error("batches.shuffled: a batch is larger than the data") }
  let order = permutation(key, n)[:count * size]
  data[reshape(order, [count, size])]
}
