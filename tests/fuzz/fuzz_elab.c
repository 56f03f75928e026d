// Mutated programs through the elaborator: no crash, no hang, no memory that grows with a number in
// the text; every mistake has a way out, and what has none gives graphs that obey the rules.
// The mutator works on words and lines, so that most mutants still parse. Start it from the
// examples and from tests/refuse.
#include "frontend/elab.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t most, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t most);

#define MEMORY_MOST (size_t)(512 << 20)

static void need(bool held, const char *what, const char *text) {
  if (held) return;
  fprintf(stderr, "%s:\n%s\n", what, text);
  abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  if (memchr(bytes, 0, size)) return 0;
  jmp_buf oom;
  Arena a = {.oom = &oom};
  if (setjmp(oom)) abort();
  Diags d = {.arena = &a};
  Source *s = arena_new(&a, Source);
  *s = (Source){"fuzz/program.rl", arena_strn(&a, (const char *)bytes, size), size};
  Elab *e = elab_new(&a, &d, s, &(ElabOptions){0});
  bool fine = e && elab_check(e, NULL, NULL);
  for (const Diag *g = d.first; g; g = g->next) need(g->help != NULL, "no way out", g->message);
  if (!fine) need(d.count > 0, "refused without a word", s->text);
  const char **trainers;
  if (fine && elab_names(e, AST_TRAIN, &trainers) > 0) {
    ElabTrainer *t = elab_trainer(e, NULL);
    need(t != NULL, "checked, but not elaborated", s->text);
    char *wrong[2] = {ir_verify(t->init), ir_verify(t->step)};
    for (int k = 0; k < 2; k++) need(!wrong[k], wrong[k] ? wrong[k] : "", s->text);
  }
  need(a.total < MEMORY_MOST, "too much memory", s->text);
  arena_free(&a);
  return 0;
}

// ---- mutants --------------------------------------------------------------------------------------

static unsigned state;

static size_t below(size_t n) {
  state = state * 1664525u + 1013904223u;
  return n ? (state >> 8) % n : 0;
}

typedef struct Span { size_t at, n; } Span;

static bool is_word(int c) { return isalnum(c) || c == '_' || c >= 128; }

// A random word, number, operator or bracket of the text; n = 0 if there is none.
static Span a_word(const uint8_t *s, size_t size) {
  size_t at = below(size);
  while (at < size && isspace(s[at])) at++;
  while (at > 0 && at < size && is_word(s[at]) && is_word(s[at - 1])) at--;
  Span w = {at, 0};
  if (at >= size) return w;
  if (!is_word(s[at])) { w.n = 1; return w; }
  while (at + w.n < size && is_word(s[at + w.n])) w.n++;
  return w;
}

// Another word like this one, not far from it: names for names, numbers for numbers.
static Span like(const uint8_t *s, size_t size, Span w) {
  size_t from = w.at > 600 ? w.at - 600 : 0, to = w.at + 600 < size ? w.at + 600 : size;
  for (int k = 0; k < 20 && w.n; k++) {
    Span v = a_word(s + from, to - from);
    v.at += from;
    if (v.n && is_word(s[v.at]) == is_word(s[w.at]) && !isdigit(s[v.at]) == !isdigit(s[w.at])) return v;
  }
  return w;
}

static Span a_line(const uint8_t *s, size_t size) {
  size_t at = below(size), end = at;
  while (at > 0 && s[at - 1] != '\n') at--;
  while (end < size && s[end] != '\n') end++;
  return (Span){at, end + (end < size) - at};
}

// s with what stands in `out` replaced by n bytes; the same s if there is no room.
static size_t replace(uint8_t *s, size_t size, size_t most, Span out, const uint8_t *in, size_t n) {
  if (size - out.n + n > most) return size;
  memmove(s + out.at + n, s + out.at + out.n, size - out.at - out.n);
  memcpy(s + out.at, in, n);
  return size - out.n + n;
}

static const char *const words[] = {
  "0", "1", "-1", "2", "3", "0.5", "1_000_000_000", "9223372036854775807", "1e300", "[]", "()", "(1, 2)", "[1, 2]", "[[1], [2, 3]]", "x", "key", "_", "...", "N", "f32", "i32", "f32[N]", "f32[3]", "f32[..., N]",
  "&", "for i in 0..3 { x }", "scan v in x { v }", "each v in x { v }", "unroll v in [1, 2] { v }", "while true { x }", "if x { 1 } else { 2 }", "match x { 0 => 1; _ => 2 }", "|a| a", "|a, b| a + b", "zeros", "zeros([3])",
  "normal(key, [3])", "grad(f)(x)", "vmap(f)(x)", "sum(x)", "x.T", "x.shape", "x[0]", "x[_]", "x[1:]", "x[i +: 2]", "reshape(x, [-1])", "concat([x, x])", "layers(3)", "associative_scan(|a, b| a + b, x)", "capture(f, \"h\")",
  "x += 1", "x[0] = 1", "log a = 1.0", "let y = x", "var y = x", "param w: f32[3] = zeros", "state s = zeros(x)", "nn.dense(x, 3)", "einsum(\"i j -> j\", x)", "backward(dy) { (x = dy) }", "->", "..", "|>", "@", "^", "%", "==", "not"};

static size_t mutate_once(uint8_t *s, size_t size, size_t most) {
  uint8_t kept[4096];
  Span w = a_word(s, size), v = a_word(s, size), l = a_line(s, size), m = a_line(s, size);
  size_t n = 0;
  switch (below(12)) {
  case 0: return replace(s, size, most, w, s, 0);
  case 1: return replace(s, size, most, l, s, 0);
  case 2: case 3: case 8: case 9: case 10:                 // one word in place of another
    if (below(6)) v = like(s, size, w);
    n = v.n < sizeof kept ? v.n : sizeof kept;
    memcpy(kept, s + v.at, n);
    return replace(s, size, most, w, kept, n);
  case 4: case 5: {                                        // a known word in place of one, or before it
    const char *k = words[below(sizeof words / sizeof *words)];
    if (below(3) == 0) w.n = 0;
    return replace(s, size, most, w, (const uint8_t *)k, strlen(k));
  }
  case 6: case 7:                                          // a line once more, elsewhere
    n = l.n < sizeof kept ? l.n : sizeof kept;
    memcpy(kept, s + l.at, n);
    if (below(2)) m.n = 0;
    return replace(s, size, most, m, kept, n);
  default: return below(8) ? size : LLVMFuzzerMutate(s, size, most);
  }
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t most, unsigned seed) {
  state = seed;
  if (!size) return LLVMFuzzerMutate(bytes, size, most);
  for (size_t k = 1 + below(3); k; k--) size = mutate_once(bytes, size, most);
  return size;
}
