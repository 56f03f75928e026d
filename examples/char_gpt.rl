// A small causal transformer that writes text letter by letter: pre-norm blocks, rotary positions, one text for training
// and for decoding under a key-value cache. Vaswani et al. 2017; Radford et al. 2019.
use nn, optim

data text: u8[N] from text("data/genesis_exodus.txt")

const D = 96, H = 4, L = 4, CHARS = 128, STOP = 10
const TEST = 20_000

record caches[B, S] { of: nn.kv[B, S, H, D / H][L] }

model gpt[S = T](i: i32[B, T], &mem: caches[B, S] = zeros) -> f32[B, T, CHARS] {
  var h = i |> nn.embedding(CHARS, D, scale = 0.02)
  unroll l in 0..L {
    h += h |> nn.layer_norm |> nn.attention(H, &mem.of[l])
    h += h |> nn.layer_norm |> nn.dense(4 * D) |> gelu |> nn.dense(D)
  }
  h |> nn.layer_norm |> nn.dense(CHARS)
}

// T letters and the ones behind them, from B places of the part [from, to).
fn pieces(B: dim, T: dim, from: dim, to: dim, key) {
  let at = randint(key, [B], from, to - T - 1)
  let all = i32(text)
  let w = each s in at { all[s +: T + 1] }
  (x = w[:, :-1], y = w[:, 1:])
}

loss xent(p: gpt.params, x: i32[B, T], y: i32[B, T]) -> f32 = nn.cross_entropy(gpt(p, x), y)

// Letters drawn after a beginning until a line ends, 0 behind that; at most M.
fn write(p: gpt.params, begin: i32[K], M: dim, key) -> i32[M] {
  var mem = zeros(caches[1, K + M])
  var logits = gpt(p, begin[_], &mem)[0, -1]
  var out = zeros([M], i32)
  var n = 0
  var going = true
  while going and n < M {
    let c = argmax(logits + gumbel(key, [CHARS]))
    out[n] = c
    n += 1
    going = c != STOP
    logits = gpt(p, broadcast(c, [1, 1]), &mem)[0, -1]
  }
  out
}

train learn(batch = 16, T = 96, lr = 2e-3, max_steps = 600) {
  state p = gpt.init(key)
  state opt = optim.adamw.init(p)

  step {
    let b = pieces(batch, T, 0, N - TEST, key)
    let (l, g) = value_and_grad(xent)(p, b.x, b.y)
    p -= lr * optim.warmup_cosine(f32(iter + 1), 50, max_steps) * optim.adamw(&opt, optim.clip_norm(g, 1.0), p)
    log loss = l
    every 100 {
      let t = pieces(64, T, N - TEST, N, key)
      log score = -xent(p, t.x, t.y)
    }
  }
  stop when iter >= max_steps
}

// A beginning written on and a letter at a time through the cache: the logits are those of the whole at once.
fn cache_agrees(key) -> bool {
  let p = gpt.init(key)
  let x = randint(key, [1, 12], 0, CHARS)
  var mem = zeros(caches[1, 12])
  let a = gpt(p, x[:, :5], &mem)
  let b = scan c in x[0, 5:] { gpt(p, c[_, _], &mem)[0, 0] }
  let out = write(p, x[0], 40, key)
  let end = argmax(f32(out == STOP))
  let stopped = not any(out == STOP) or sum(i32(iota(40) > end and out != 0)) == 0
  max(abs(gpt(p, x) - concat([a, b[_]], axis = 1))) < 1e-4 and stopped
}
