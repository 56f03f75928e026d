// The elaborator: what expressions and programs come out as. A case is an
// expression and its value as text: each leaf as `path type numbers`, leaves
// parted by " | "; numbers are rounded to five digits. The graph goes through
// the passes and the reference evaluator.
#include "frontend/elab.h"
#include "passes/passes.h"
#include "tests/frontend/tree.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Case { const char *expr, *want; } Case;

static void put_number(Str *s, const IrArray *x, int64_t i) {
  if (x->type.dtype == IR_BOOL) str_printf(s, x->i[i] ? " true" : " false");
  else if (ir_is_complex(x->type.dtype)) str_printf(s, " %.5g%+.5gi", x->f[2 * i] + 0.0, x->f[2 * i + 1] + 0.0);
  else if (ir_is_float(x->type.dtype)) str_printf(s, " %.5g", x->f[i] + 0.0);
  else str_printf(s, " %lld", (long long)x->i[i]);
}

static void put_arrays(Arena *a, Str *s, const IrGraph *g, const IrArray *out) {
  for (int k = 0; k < g->top->nyield; k++) {
    const char *name = g->out_name ? g->out_name[k] : NULL;
    str_printf(s, "%s%s%s%s", k ? " | " : "", name && *name ? name : "", name && *name ? " " : "", ir_type_text(a, &out[k].type));
    for (int64_t i = 0; i < ir_count(&out[k].type); i++) put_number(s, &out[k], i);
  }
}

// The value of a graph without inputs, or the errors.
static const char *value_of(Arena *a, Diags *d, IrGraph *g) {
  if (!g) return tree_diags(a, d);
  char *wrong = ir_verify(g);
  if (wrong) return wrong;
  PassContext c = {a, d};
  if (!pass_run(&c, g, NULL, NULL, stderr)) return tree_diags(a, d);
  IrArray *out = arena_array(a, IrArray, g->top->nyield + 1);
  IrEval how = {.typed = true, .max_turns = 100000};
  const char *why = ir_eval(a, &how, g, NULL, out);
  if (why) return why;
  Str s = {.arena = a};
  put_arrays(a, &s, g, out);
  return s.s ? s.s : "";
}

static void check(const char *file, const Case *c, size_t n) {
  jmp_buf oom;
  Arena a = {.oom = &oom};
  if (setjmp(oom)) abort();
  for (size_t k = 0; k < n; k++) {
    Diags d = {.arena = &a};
    Elab *e = elab_new(&a, &d, file ? source_text(&a, "test.rl", file) : NULL, &(ElabOptions){0});
    if (!e) printf("\n%s", tree_diags(&a, &d));
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    const char *got = value_of(&a, &d, elab_expr(e, source_text(&a, "(expression)", c[k].expr), NULL));
    if (strcmp(got, c[k].want)) printf("\n  %s\n    gives %s\n    not   %s\n", c[k].expr, got, c[k].want);
    CU_ASSERT_STRING_EQUAL(got, c[k].want);
  }
  arena_free(&a);
}
#define CHECK(file, cases) check(file, cases, sizeof cases / sizeof *cases)

// ---- numbers known while compiling ---------------------------------------------------------

static void numbers(void) {
  static const Case cases[] = {
    {"1 + 2 * 3", "i32 7"},
    {"2^3^2", "i32 512"},
    {"-2^2", "i32 -4"},
    {"7 % 3", "i32 1"},
    {"-7 % 3", "i32 2"},
    {"7 / 2", "f32 3.5"},
    {"6 / 2", "i32 3"},
    {"1 / 3 * 3", "f32 1"},
    {"2^-1", "f32 0.5"},
    {"div(-7, 2)", "i32 -4"},
    {"1e3", "f32 1000"},
    {"10_000", "i32 10000"},
    {"5_000_000_000", "i64 5000000000"},
    {"[3_000_000_000, 1]", "i64[2] 3000000000 1"},
    {"i64(0) + [3_000_000_000, 1]", "i64[2] 3000000000 1"},
    {"abs((f64(0) + [0.1, [0.2][0]]) - [f64(1) / 10, f64(1) / 5]) < 1e-16", "bool[2] true true"},
    {"f64([0.1]) == f64(0.1)", "bool[1] true"},
    {"(-9_223_372_036_854_775_807 - 1) / -1 > 9e18", "bool true"},
    {"sqrt(2) * sqrt(2)", "f32 2"},
    {"exp(0) + cos(0)", "f32 2"},
    {"floor(2.7) + ceil(2.1) + round(2.5)", "i32 7"},
    {"1 < 2 and not (3 == 4)", "bool true"},
    {"2 >= 3 or 2 != 2", "bool false"},
    {"inf", "f32 inf"},
    {"-inf", "f32 -inf"},
    {"nan", "f32 nan"},
    {"pi", "f32 3.1416"},
    {"max(2, 3) - min(2, 3)", "i32 1"},
    {"sum([1, 2, 3])", "i32 6"},
    {"prod([2, 3, 4])", "i32 24"},
    {"max([1, 5, 2])", "i32 5"},
    {"len([1, 2, 3])", "i32 3"},
    {"[1, 2, 3][-1]", "i32 3"},
    {"[1, 2, 3][1:]", "i32[2] 2 3"},
    {"[1, 2, 3, 4][1 +: 2]", "i32[2] 2 3"},
    {"\"ab\" + \"c\" == \"abc\"", "bool true"},
    {"sin == sin and sin != cos and f32[3] == f32[3] and not (sin == 3)", "bool true"},
    {"ends_with(\"dense.w\", \"w\") and starts_with(\"dense.w\", \"dense\") and contains(\"dense.w\", \"se.\")", "bool true"},
    {"if 1 < 2 { 3 } else { undefined_but_parsed_only(4) }", "i32 3"},
    {"match 3 { 1 => 10; 3 => 30; _ => 0 }", "i32 30"},
    {"match \"b\" { \"a\" => 1; \"b\" => 2; _ => 3 }", "i32 2"},
  };
  CHECK(NULL, cases);
}

// ---- arrays: types, broadcasting, operators ---------------------------------------------------

static void arrays(void) {
  static const Case cases[] = {
    {"[1, 2, 3]", "i32[3] 1 2 3"},
    {"[1, 2.5]", "f32[2] 1 2.5"},
    {"[[1, 2], [3, 4]]", "i32[2, 2] 1 2 3 4"},
    {"[true, false]", "bool[2] true false"},
    {"[iota(2), 5]", "i32[2, 2] 0 1 5 5"},
    {"[1.0, f64(2)]", "f64[2] 1 2"},
    {"f64([0.1, 0.7]) == [f64(0.1), f64(0.7)]", "bool[2] true true"},
    {"f64(1) + [[0.1], [0.7]] == [[f64(1) + 0.1], [f64(1) + 0.7]]", "bool[2, 1] true true"},
    {"{ let x = f64(1); [[x, 0.1], [0.7, 2]] == [[x, f64(0.1)], [f64(0.7), 2 * x]] }", "bool[2, 2] true true true true"},
    {"[1, 5_000_000_000]", "i64[2] 1 5000000000"},
    {"[1, 2] + [10, 20]", "i32[2] 11 22"},
    {"[1, 2] + 0.5 * f32([1, 1])", "f32[2] 1.5 2.5"},
    {"f32([1, 2]) + 0.5", "f32[2] 1.5 2.5"},
    {"iota(2)[:, _] * 10 + iota(3)", "i32[2, 3] 0 1 2 10 11 12"},
    {"f32([1, 2]) / [2, 4]", "f32[2] 0.5 0.5"},
    {"[7, -7] % 3", "i32[2] 1 2"},
    {"div([7, -7], 2)", "i32[2] 3 -4"},
    {"f32([1, 2, 3])^2", "f32[3] 1 4 9"},
    {"f32([4, 9])^0.5", "f32[2] 2 3"},
    {"2^f32([1, 2])", "f32[2] 2 4"},
    {"0.5^iota(3)", "f32[3] 1 0.5 0.25"},
    {"f32([2])^-2", "f32[1] 0.25"},
    {"-iota(3)", "i32[3] 0 -1 -2"},
    {"not [true, false]", "bool[2] false true"},
    {"iota(3) == 1", "bool[3] false true false"},
    {"iota(3) != 1", "bool[3] true false true"},
    {"iota(3) < 1 or iota(3) > 1", "bool[3] true false true"},
    {"iota(3) >= 1 and iota(3) <= 1", "bool[3] false true false"},
    {"true and iota(2) > 0", "bool[2] false true"},
    {"f32([[1, 2], [3, 4]]) @ [1, 1]", "f32[2] 3 7"},
    {"f32([1, 1]) @ [[1, 2], [3, 4]]", "f32[2] 4 6"},
    {"f32([1, 2]) @ [3, 4]", "f32 11"},
    {"f32([[1, 2], [3, 4]]) @ [[1, 0], [0, 2]]", "f32[2, 2] 1 4 3 8"},
    {"ones([2, 1, 3]) @ ones([3, 2])", "f32[2, 1, 2] 3 3 3 3"},
    {"ones([2, 2, 3]) @ ones([2, 3, 1])", "f32[2, 2, 1] 3 3 3 3"},
    {"[[1, 2], [3, 4]].T", "i32[2, 2] 1 3 2 4"},
    {"zeros([2, 3]).shape", "i32[2] 2 3"},
    {"i64(iota(2)) + iota(2)", "i64[2] 0 2"},
    {"f64(ones([2])) + ones([2])", "f64[2] 2 2"},
    {"bf16(1.0) + ones([1])", "f32[1] 2"},
    {"u8([250]) + 10", "u8[1] 4"},
    {"i8(3.7)", "i8 3"},
    {"i32([2.9, -2.9])", "i32[2] 2 -2"},
    {"f32(true) + f32([false])", "f32[1] 1"},
    {"bool([0, 2])", "bool[2] false true"},
    {"complex(1, 2) * complex(0, 1)", "c64 -2+1i"},
    {"complex([1, 2], 1) + 1", "c64[2] 2+1i 3+1i"},
    {"real(complex(1, 2)) + imag(complex(1, 2))", "f32 3"},
    {"conj(complex(1, 2))", "c64 1-2i"},
    {"abs(complex(3, 4))", "f32 5"},
    {"exp(complex(0, pi))", "c64 -1-8.7423e-08i"},
  };
  CHECK(NULL, cases);
}

// ---- index forms -------------------------------------------------------------------------------------

static void indices(void) {
  static const char *file = "const x = reshape(iota(12), [3, 4])\n";
  static const Case cases[] = {
    {"x[1]", "i32[4] 4 5 6 7"},
    {"x[-1, -1]", "i32 11"},
    {"x[:, 1]", "i32[3] 1 5 9"},
    {"x[1:, :2]", "i32[2, 2] 4 5 8 9"},
    {"x[:-1, -2:]", "i32[2, 2] 2 3 6 7"},
    {"x[..., 0]", "i32[3] 0 4 8"},
    {"x[0, ...]", "i32[4] 0 1 2 3"},
    {"x[_, 0]", "i32[1, 4] 0 1 2 3"},
    {"x[0][:, _]", "i32[4, 1] 0 1 2 3"},
    {"x[0, _, :2, _]", "i32[1, 2, 1] 0 1"},
    {"x[1 +: 2, 0]", "i32[2] 4 8"},
    {"x[1:1]", "i32[0, 4]"},
    {"{ let i = iota(3)[2]; x[i] }", "i32[4] 8 9 10 11"},
    {"{ let i = iota(3)[2]; x[i, i] }", "i32 10"},
    {"{ let i = iota(3)[1]; x[0, i +: 2] }", "i32[2] 1 2"},
    {"{ let i = iota(3)[2]; x[i +: 2, 0] }", "i32[2] 4 8"},
    {"x[[2, 0]]", "i32[2, 4] 8 9 10 11 0 1 2 3"},
    {"x[:, [3, 0]]", "i32[3, 2] 3 0 7 4 11 8"},
    {"x[[0, 1], [1, 2]]", "i32[2] 1 6"},
    {"x[[[0], [2]], [0, 3]]", "i32[2, 2] 0 3 8 11"},
    {"x[[7, -1]][:, 0]", "i32[2] 8 0"},
    {"(a = x, b = x + 100)[1, 2]", "a i32 6 | b i32 106"},
  };
  CHECK(file, cases);
}

// ---- assignment -----------------------------------------------------------------------------------------

static void assignment(void) {
  static const Case cases[] = {
    {"{ var a = 1; a = 2; a += 3; a *= 4; a -= 1; a }", "i32 19"},
    {"{ var a = 1.0; a /= 4; a }", "f32 0.25"},
    {"{ var (a, b) = (1, 2); (a, b) = (b, a); (a, b) }", "0 i32 2 | 1 i32 1"},
    {"{ var a = 0; var b = 0; [a, b] = iota(2) + 5; a * 10 + b }", "i32 56"},
    {"{ var x = zeros([3]); x[1] = 2; x }", "f32[3] 0 2 0"},
    {"{ var x = zeros([3]); x[-1] += 2; x[0:2] = [5, 6]; x }", "f32[3] 5 6 2"},
    {"{ var x = zeros([2, 2]); x[:, 1] = [3, 4]; x[0] += 1; x }", "f32[2, 2] 1 4 0 4"},
    {"{ var x = zeros([4]); let i = iota(4)[2]; x[i +: 2] = [7, 8]; x[i] += 1; x }", "f32[4] 0 0 8 8"},
    {"{ var x = zeros([4]); x[[1, 3, 1]] = [1, 2, 3]; x }", "f32[4] 0 3 0 2"},
    {"{ var x = zeros([3]); x[[1, 9]] = 5; x }", "f32[3] 0 5 0"},
    {"{ var x = zeros([2, 2]); x[[1, 0], [0, 1]] = [5, 6]; x }", "f32[2, 2] 0 6 5 0"},
    {"{ var x = zeros([2, 2]); x[[1]] = 9; x }", "f32[2, 2] 0 0 9 9"},
    {"{ var r = (a = 1.0, b = (c = [1, 2], d = 3)); r.b.c[1] = 7; r.a = 2; r }", "a f32 2 | b.c i32[2] 1 7 | b.d i32 3"},
    {"{ var t = (1, 2); t.1 = 5; t }", "0 i32 1 | 1 i32 5"},
    {"{ var r = (a = zeros([2]), b = zeros([2])); r[0] = (a = 1, b = 2); r }", "a f32[2] 1 0 | b f32[2] 2 0"},
    {"{ var x = 1; { x = 2 }; x }", "i32 2"},
    {"{ var x = 1.0; x = 2; for i in 0..2 { x += 0.5 }; x }", "f32 3"},
    {"{ var x = i64(iota(2)); x[0] = 3; x }", "i64[2] 3 1"},
    {"{ var _ = 1; 2 }", "i32 2"},
  };
  CHECK(NULL, cases);
}

// ---- branches and loops ------------------------------------------------------------------------------------

static void branches(void) {
  static const Case cases[] = {
    {"{ let c = iota(2)[1] == 1; if c { 1.0 } else { 2 } }", "f32 1"},
    {"{ let c = iota(2)[0] == 1; if c { (a = 1, b = 2.5) } else { (a = 3, b = 4) } }", "a i32 3 | b f32 4"},
    {"{ var x = 1.0; let c = iota(2)[1] == 1; if c { x = 5 }; x }", "f32 5"},
    {"{ var x = 1.0; var y = 2; let c = iota(2)[1] == 0; if c { x = 5 } else { y = 7 }; (x, y) }", "0 f32 1 | 1 i32 7"},
    {"{ var x = zeros([2]); if x[0] == 0 { x[1] = 3 } else if x[0] == 1 { x[1] = 4 } else { x[1] = 5 }; x }", "f32[2] 0 3"},
    {"each i in 0..4 { match i { 0 => 10; 2 => 30; _ => -1 } }", "i32[4] 10 -1 30 -1"},
    {"{ var n = 0; let i = iota(3)[2]; match i { 1 => { n = 1 }; 2 => { n = 2 }; _ => { n = 3 } }; n }", "i32 2"},
    {"each i in 0..3 { if i == 1 { f32(i) } else { 0 } }", "f32[3] 0 1 0"},
  };
  CHECK(NULL, cases);
}

static void loops(void) {
  static const Case cases[] = {
    {"{ var s = 0; for i in 0..5 { s += i }; s }", "i32 10"},
    {"{ var s = 0.0; for v in [1.0, 2, 3] { s = 2 * s + v }; s }", "f32 11"},
    {"{ var s = 0; for i in 2..5 { s = 10 * s + i }; s }", "i32 234"},
    {"{ var s = 0; for i in 0..0 { s += 1 }; s }", "i32 0"},
    {"{ var s = 0; for (i, v) in (0..3, [5, 6, 7]) { s += i * v }; s }", "i32 20"},
    {"{ var s = 0; for (a, b) in ([1, 2], [3, 4]) { s += a * b }; s }", "i32 11"},
    {"scan i in 0..4 { i * i }", "i32[4] 0 1 4 9"},
    {"{ var s = 0; scan v in [1, 2, 3] { s += v; s } }", "i32[3] 1 3 6"},
    {"{ var s = 0; scan v in [1, 2, 3] reversed { s += v; s } }", "i32[3] 6 5 3"},
    {"scan v in [1, 2] { (a = v, b = [v, v]) }", "a i32[2] 1 2 | b i32[2, 2] 1 1 2 2"},
    {"{ var s = (a = 0.0, n = 0); for v in [1.5, 2.5] { s.a += v; s.n += 1 }; s }", "a f32 4 | n i32 2"},
    {"each v in [1, 2, 3] { v * v }", "i32[3] 1 4 9"},
    {"each (a, b) in ([1, 2], [10, 20]) { a + b }", "i32[2] 11 22"},
    {"each i in 0..2 { each j in 0..3 { 10 * i + j } }", "i32[2, 3] 0 1 2 10 11 12"},
    {"{ var x = [1, 2, 3]; each &v in x { v += 10 }; x }", "i32[3] 11 12 13"},
    {"{ var x = [1, 2, 3]; each (&v, w) in (x, [1, 0, 1]) { if w == 1 { v = 0 } }; x }", "i32[3] 0 2 0"},
    {"{ var x = zeros([2, 2]); let y = each (&r, i) in (x, 0..2) { r[i] = 1; sum(r) + f32(i) }; (x, y) }", "0 f32[2, 2] 1 0 0 1 | 1 f32[2] 1 2"},
    {"{ var r = (a = iota(2), b = iota(2)); each &s in r { s.a += s.b + 1 }; r }", "a i32[2] 1 3 | b i32[2] 0 1"},
    {"{ var x = 100; while x > 7 { x = div(x, 2) }; x }", "i32 6"},
    {"{ var x = 1.0; var n = 0; while x < 10 and n < 100 { x *= 2; n += 1 }; (x, n) }", "0 f32 16 | 1 i32 4"},
    {"{ var x = [3, 5, 7]; var n = 0; while any(x > 0) { x = max(x - 2, 0); n += 1 }; n }", "i32 4"},
    {"{ var s = 0; unroll n in [1, 2, 3] { s += n }; s }", "i32 6"},
    {"{ var s = ones([1]); unroll n in 2..4 { s = broadcast(s[0], [n]) * n }; s }", "f32[3] 6 6 6"},
    {"{ var s = 0; unroll (a, b) in ([1, 2], [3, 4]) { s += a * b }; s }", "i32 11"},
    {"{ var s = 0.0; unroll f in [sin, cos] { s += f(0.0) }; s }", "f32 1"},
    {"{ var x = [1, 2]; let i = scan k in 0..2 { x[k] += 5; k }; (x, i) }", "0 i32[2] 6 7 | 1 i32[2] 0 1"},
  };
  CHECK(NULL, cases);
}

// ---- functions -----------------------------------------------------------------------------------------------

static void functions(void) {
  static const char *file =
    "fn f(x, y = 2.0) = x * y\n"
    "fn g(x, y = x + 1, z = y) = (x, y, z)\n"
    "fn named(a, b, c = 3) = [a, b, c]\n"
    "fn halves(x: f32[2 * K], K: dim) = x[:K] + x[K:]\n"
    "fn same(a: f32[N], b: f32[N]) -> f32[N] = a + b\n"
    "fn rows(x: f32[B, ..., W]) -> f32[W] = mean(flatten(x, 2), axis = 0)\n"
    "fn grow(x: f32[N]) -> f32[2 * N + 1] = concat([x, x, [0]])\n"
    "fn size(x: float[..., W]) = W\n"
    "fn half(x: float[N]) -> float[N] = x / 2\n"
    "fn twice(t: P) -> P = 2 * t\n"
    "fn swap(&a, &b) { (a, b) = (b, a) }\n"
    "fn push(&s: f32[N], v) { s[0] = v; sum(s) }\n"
    "fn count(&n = 0) { n += 1; n }\n"
    "fn apply(h, x) = h(x)\n"
    "fn compose(p, q) = |x| p(q(x))\n"
    "fn outer(x) { let k = 10; |y| x + k * y }\n"
    "fn widths(w: list) = prod(w)\n"
    "fn pair(x: f32[N]) -> (lo: f32, hi: f32) = (min(x), max(x))\n"
    "fn with[M](x: f32[N]) = N * M\n"
    "fn later() = defined_below(3)\n"
    "fn defined_below(x) = x + C\n"
    "const C = D * 2, D = 21\n"
    "fn shadow(sum) = sum + 1\n";
  static const Case cases[] = {
    {"f(3)", "f32 6"},
    {"f(3, 4)", "i32 12"},
    {"f(y = 5, x = 2)", "i32 10"},
    {"g(1)", "0 i32 1 | 1 i32 2 | 2 i32 2"},
    {"g(1, z = 7)", "0 i32 1 | 1 i32 2 | 2 i32 7"},
    {"named(1, c = 9, b = 2)", "i32[3] 1 2 9"},
    {"named(...(4, 5))", "i32[3] 4 5 3"},
    {"named(1, ...(b = 4, c = 5))", "i32[3] 1 4 5"},
    {"3 |> f", "f32 6"},
    {"3 |> f(4)", "i32 12"},
    {"3 |> f(y = 4) |> f(10)", "i32 120"},
    {"[1.0, 2] |> sum |> f", "f32 6"},
    {"halves([1.0, 2, 3, 4], 2)", "f32[2] 4 6"},
    {"same([1, 2], [3, 4])", "f32[2] 4 6"},
    {"rows(ones([2, 3, 4]))", "f32[4] 1 1 1 1"},
    {"grow([1, 2])", "f32[5] 1 2 1 2 0"},
    {"size(ones([2, 7]))", "i32 7"},
    {"half(f64([1, 2]))", "f64[2] 0.5 1"},
    {"twice((a = 1.0, b = [2, 3]))", "a f32 2 | b i32[2] 4 6"},
    {"{ var a = 1; var b = 2; swap(&a, &b); (a, b) }", "0 i32 2 | 1 i32 1"},
    {"{ var s = zeros([2]); let t = push(&s, 5); (s, t) }", "0 f32[2] 5 0 | 1 f32 5"},
    {"{ var r = (a = zeros([2]), b = 1); push(&r.a, 5); r }", "a f32[2] 5 0 | b i32 1"},
    {"{ var m = zeros([2, 2]); push(&m[1], 5); m }", "f32[2, 2] 0 0 5 0"},
    {"count()", "i32 1"},
    {"{ var n = 5; count(&n); count(&n); n }", "i32 7"},
    {"apply(|x| x + 1, 3)", "i32 4"},
    {"apply(tanh, 0.0)", "f32 0"},
    {"compose(|x| x * 2, |x| x + 1)(3)", "i32 8"},
    {"outer(1)(2)", "i32 21"},
    {"(|(a, b), c| a * b + c)((2, 3), 4)", "i32 10"},
    {"{ let k = 3; let h = |x| x + k; h(1) + h(2) }", "i32 9"},
    {"widths([2, 3])", "i32 6"},
    {"pair([3.0, 1, 2]).hi", "f32 3"},
    {"with[5](zeros([2]))", "i32 10"},
    {"later()", "i32 45"},
    {"shadow(1)", "i32 2"},
  };
  CHECK(file, cases);
}

// ---- records and trees ---------------------------------------------------------------------------------------------

static void records(void) {
  static const char *file =
    "record point { x, y: f32 = 0; fn norm() = sqrt(x^2 + y^2); fn scaled(k) = point(k * x, k * y); fn unit() = scaled(1 / norm()) }\n"
    "record ring[N] { items: f32[N]; at: i32 = 0; fn size() = N }\n"
    "record deep { p: point; r: ring[2] }\n"
    "fn move(p: point, by = 1.0) -> point = (p.x + by, p.y)\n"
    "fn size_of(r: ring[K]) = K\n"
    "fn both(p: (x: f32[N], y: f32)) = p.x * p.y\n"
    "fn lead(p: point[B]) = B\n";
  static const Case cases[] = {
    {"point(3, 4)", "x f32 3 | y f32 4"},
    {"point(3).y", "f32 0"},
    {"point(y = 3, x = 4).norm()", "f32 5"},
    {"point(3, 4).scaled(2)", "x f32 6 | y f32 8"},
    {"point(3, 4).unit().x", "f32 0.6"},
    {"move(point(1, 2))", "x f32 2 | y f32 2"},
    {"move((1, 2), by = 5)", "x f32 6 | y f32 2"},
    {"move((y = 1, x = 2))", "x f32 3 | y f32 1"},
    {"zeros(ring[3])", "items f32[3] 0 0 0 | at i32 0"},
    {"ring([1, 2]).size()", "i32 2"},
    {"size_of(ring(zeros([4])))", "i32 4"},
    {"zeros(deep).r.items", "f32[2] 0 0"},
    {"zeros(point[2])", "x f32[2] 0 0 | y f32[2] 0 0"},
    {"zeros(ring[2, 3]).items", "f32[2, 3] 0 0 0 0 0 0"},
    {"lead(zeros(point[7]))", "i32 7"},
    {"both(([1, 2], 3))", "f32[2] 3 6"},
    {"(a = 1, b = 2).b", "i32 2"},
    {"(1, 2).1", "i32 2"},
    {"{ let a = 1; (a, b = 2) }", "a i32 1 | b i32 2"},
    {"{ let r = (a = 1, b = 2); (...r, c = 3) }", "a i32 1 | b i32 2 | c i32 3"},
    {"{ let r = (a = 1, b = 2); (a = 9, ...r) }", "a i32 9 | b i32 2"},
    {"(a = 1, b = 2.0) + (a = 10, b = 20)", "a i32 11 | b f32 22"},
    {"2 * (a = 1, b = (2, 3))", "a i32 2 | b.0 i32 4 | b.1 i32 6"},
    {"sqrt((a = [4.0], b = 9.0))", "a f32[1] 2 | b f32 3"},
    {"(1, 2) < (2, 1)", "0 bool true | 1 bool false"},
    {"where(iota(2) > 0, (a = [1, 2]), (a = [3, 4]))", "a i32[2] 3 2"},
    {"map((a = 1.0, b = [2.0, 3]), |x| sum(x) + 1)", "a f32 2 | b f32 6"},
    {"map((a = 1.0, w = 2.0), |x, path| if path == \"w\" { x } else { 0 * x })", "a f32 0 | w f32 2"},
    {"fold((a = 1.0, b = [2.0, 3]), 0.0, |s, x| s + sum(x))", "f32 6"},
    {"fold((a = 1.0, w = 2.0), 0.0, |s, x, path| if path == \"w\" { s + x } else { s })", "f32 2"},
    {"fold([1, 2, 3], 10, |s, x| s + x)", "i32 16"},
    {"zeros((a = [1, 2], b = 3.0))", "a i32[2] 0 0 | b f32 0"},
    {"ones(point)", "x f32 1 | y f32 1"},
    {"concat([(a = [1], b = [2]), (a = [3], b = [4])])", "a i32[2] 1 3 | b i32[2] 2 4"},
    {"reshape((a = iota(4), b = ones([4])), [2, 2]).a", "i32[2, 2] 0 1 2 3"},
    {"len((a = [1, 2, 3], b = zeros([3, 2])))", "i32 3"},
  };
  CHECK(file, cases);
}

// ---- builtins -------------------------------------------------------------------------------------------------------

static void elementwise(void) {
  static const Case cases[] = {
    {"abs([-1.5, 2])", "f32[2] 1.5 2"},
    {"sign([-2, 0, 3])", "i32[3] -1 0 1"},
    {"exp([0.0, 1])", "f32[2] 1 2.7183"},
    {"log([1.0, 10])", "f32[2] 0 2.3026"},
    {"expm1([1e-8]) * 1e8", "f32[1] 1"},
    {"log1p([1e-8]) * 1e8", "f32[1] 1"},
    {"sin([0.0, pi / 2])", "f32[2] 0 1"},
    {"cos([0.0, pi])", "f32[2] 1 -1"},
    {"tanh([0.0, 0.5])", "f32[2] 0 0.46212"},
    {"sigmoid([0.0, 2])", "f32[2] 0.5 0.8808"},
    {"sqrt([4.0, 2])", "f32[2] 2 1.4142"},
    {"rsqrt([4.0, 16])", "f32[2] 0.5 0.25"},
    {"erf([0.5])", "f32[1] 0.5205"},
    {"erfinv([0.5205])", "f32[1] 0.5"},
    {"lgamma([5.0])", "f32[1] 3.1781"},
    {"digamma([1.0])", "f32[1] -0.57722"},
    {"polygamma(1, [1.0, 2])", "f32[2] 1.6449 0.64493"},
    {"polygamma(3, (a = 1, b = [10.0])).a", "f32 6.4939"},
    {"floor([-1.5, 1.5])", "f32[2] -2 1"},
    {"ceil([-1.5, 1.5])", "f32[2] -1 2"},
    {"round([0.5, 1.5, -2.5])", "f32[3] 0 2 -2"},
    {"isfinite([1.0, inf, nan])", "bool[3] true false false"},
    {"stop_grad([1.0])", "f32[1] 1"},
    {"copy([1.0, nan])", "f32[2] 1 nan"},
    {"copy([1, 2])", "i32[2] 1 2"},
    {"copy(3)", "i32 3"},
    {"real(copy(complex([1.0], [2.0])))", "f32[1] 1"},
    {"copy((a = [1, 2], b = (true, 3)))", "a i32[2] 1 2 | b.0 bool true | b.1 i32 3"},
    {"{ let k = key; uniform(copy(k), [2]) == uniform(k, [2]) }", "bool[2] true true"},
    {"grad(|x| copy(x)^2)(3.0)", "f32 6"},
    {"jvp(|x| copy(x)^2, 1.0)(3.0)", "0 f32 9 | 1 f32 6"},
    {"vmap(|x| copy(x) + 1)([1, 2])", "i32[2] 2 3"},
    {"atan2([1.0], [-1.0])", "f32[1] 2.3562"},
    {"max([1, 5], [3, 2])", "i32[2] 3 5"},
    {"min([1.0, 5], 2)", "f32[2] 1 2"},
    {"bit_and([12], 10) + bit_or([12], 10) * 100 + bit_xor([12], 10) * 10_000", "i32[1] 61408"},
    {"shift_left([3], 2) + shift_right([-8], 1)", "i32[1] 8"},
    {"where([true, false], [1, 2], 9)", "i32[2] 1 9"},
    {"where(iota(2) > 0, 1.5, [[1], [2]])", "f32[2, 2] 1 1.5 2 1.5"},
    {"clamp([-2.0, 0.5, 2], -1, 1)", "f32[3] -1 0.5 1"},
    {"relu([-1.0, 2])", "f32[2] 0 2"},
    {"silu([1.0])", "f32[1] 0.73106"},
    {"gelu([1.0])", "f32[1] 0.84134"},
    {"softplus([0.0, 100])", "f32[2] 0.69315 100"},
    {"softmax([0.0, 0, 0, 0])", "f32[4] 0.25 0.25 0.25 0.25"},
    {"log_softmax([1000.0, 1000])", "f32[2] -0.69315 -0.69315"},
    {"logsumexp([[0.0, 0], [1000, 0]])", "f32[2] 0.69315 1000"},
    {"mix(1.0, 3.0, 0.25)", "f32 1.5"},
    {"one_hot([2, 0], 3)", "f32[2, 3] 0 0 1 1 0 0"},
    {"accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])", "f32 0.5"},
    {"eye(2)", "f32[2, 2] 1 0 0 1"},
    {"outer([1, 2], [3, 4])", "i32[2, 2] 3 4 6 8"},
    {"bit(5, 2) * 10 + bit(5, 1)", "i32 10"},
    {"(tan([0.5]), atan([1.0, -1]), asin([0.5]), acos([-0.5]))", "0 f32[1] 0.5463 | 1 f32[2] 0.7854 -0.7854 | 2 f32[1] 0.5236 | 3 f32[1] 2.0944"},
    {"(sinh([1.0]), cosh([1.0]), log2([8.0]), log10([100.0]), isnan([nan, 1]))", "0 f32[1] 1.1752 | 1 f32[1] 1.5431 | 2 f32[1] 3 | 3 f32[1] 2 | 4 bool[2] true false"},
    {"logaddexp([1000.0, 0, -inf], [1000.0, 0, -inf])", "f32[3] 1000.7 0.69315 -inf"},
    {"cumlogsumexp([[0.0, 0, 0], [1, -inf, 1000]])", "f32[2, 3] 0 0.69315 1.0986 1 1 1000"},
    {"standardize([1.0, 3])", "f32[2] -1 1"},
    {"variance([1.0, 3])", "f32 1"},
    {"standardize([[1.0, 3], [2, 6]], axis = 1)", "f32[2, 2] -1 1 -1 1"},
    {"centered_rank([5.0, 1, 9])", "f32[3] 0 -0.5 0.5"},
  };
  CHECK(NULL, cases);
}

static void reductions(void) {
  static const char *file = "const x = f32([[1, 2, 3], [4, 5, 6]])\n";
  static const Case cases[] = {
    {"sum(x)", "f32 21"},
    {"sum(x, axis = 0)", "f32[3] 5 7 9"},
    {"sum(x, axis = -1, keep = true)", "f32[2, 1] 6 15"},
    {"sum(x, axis = [0, 1])", "f32 21"},
    {"mean(x, axis = 1)", "f32[2] 2 5"},
    {"prod(x, axis = 1)", "f32[2] 6 120"},
    {"max(x, axis = 0)", "f32[3] 4 5 6"},
    {"min(x)", "f32 1"},
    {"any(x > 5)", "bool true"},
    {"all(x > 1, axis = 1)", "bool[2] false true"},
    {"argmax([1.0, 3, 3, 2])", "i32 1"},
    {"argmin(x, axis = 0)", "i32[3] 0 0 0"},
    {"argsort([3.0, 1, 2])", "i32[3] 1 2 0"},
    {"sort([3.0, 1, 2])", "f32[3] 1 2 3"},
    {"sort([[3.0, 1], [2, 5]])", "f32[2, 2] 1 3 2 5"},
    {"cumsum(x)", "f32[2, 3] 1 3 6 4 9 15"},
    {"cumsum(x, axis = 0)", "f32[2, 3] 1 2 3 5 7 9"},
    {"cumsum([1.0, 2, 3], reversed = true)", "f32[3] 6 5 3"},
    {"cumprod([1, 2, 3, 4])", "i32[4] 1 2 6 24"},
    {"cummax([1.0, 3, 2])", "f32[3] 1 3 3"},
    {"sum((a = x, b = [1.0]))", "a f32 21 | b f32 1"},
    {"segment_sum([1.0, 2, 3, 4], [0, 1, 0, 1], 2)", "f32[2] 4 6"},
    {"segment_max([1.0, 2, 3, 4], [0, 1, 0, 1], 2)", "f32[2] 3 4"},
    {"take(x, [2, 0])", "f32[2] 3 4"},
    {"scatter_add(zeros([3]), [0, 2, 0], [1.0, 2, 3])", "f32[3] 4 0 2"},
    {"scatter_add(zeros([2, 2]), [1, 1], [[1, 2], [3, 4]])", "f32[2, 2] 0 0 4 6"},
    {"scatter_max(zeros([3]), [0, 2, 0], [1.0, -2, 3])", "f32[3] 3 0 0"},
    {"topk([[3.0, 1, 5, 4], [1, 2, 3, 3]], 2)", "values f32[2, 2] 5 4 3 3 | index i32[2, 2] 2 3 2 3"},
    {"roll(iota(5), 2)", "i32[5] 3 4 0 1 2"},
    {"roll(iota(5), -6)", "i32[5] 1 2 3 4 0"},
    {"roll([[1, 2, 3], [4, 5, 6]], 1, axis = -1)", "i32[2, 3] 3 1 2 6 4 5"},
  };
  CHECK(file, cases);
}

static void shapes(void) {
  static const Case cases[] = {
    {"zeros([2], i32)", "i32[2] 0 0"},
    {"ones([2])", "f32[2] 1 1"},
    {"full([2], 7)", "i32[2] 7 7"},
    {"iota(3)", "i32[3] 0 1 2"},
    {"reshape(iota(6), [2, -1])", "i32[2, 3] 0 1 2 3 4 5"},
    {"flatten(zeros([2, 3, 4]), 2).shape", "i32[2] 6 4"},
    {"flatten(zeros([2, 3])).shape", "i32[1] 6"},
    {"transpose(reshape(iota(6), [1, 2, 3]), [2, 0, 1])[:, 0]", "i32[3, 2] 0 3 1 4 2 5"},
    {"broadcast([1, 2], [2, 2])", "i32[2, 2] 1 2 1 2"},
    {"flip([1, 2, 3])", "i32[3] 3 2 1"},
    {"flip([[1, 2], [3, 4]], axis = 1)", "i32[2, 2] 2 1 4 3"},
    {"concat([[1, 2], [3]])", "i32[3] 1 2 3"},
    {"concat([[[1], [2]], [[3], [4]]], axis = -1)", "i32[2, 2] 1 3 2 4"},
    {"concat([[1], [2.5]])", "f32[2] 1 2.5"},
    {"tile([1, 2], 2)", "i32[4] 1 2 1 2"},
    {"repeat([1, 2], 2)", "i32[4] 1 1 2 2"},
    {"repeat([1, 2, 3], [0, 2, 1])", "i32[3] 2 2 3"},
    {"parts([1, 2, 3, 4], 2)", "0 i32[2] 1 2 | 1 i32[2] 3 4"},
    {"parts([1, 2, 3], [1, 2]).1", "i32[2] 2 3"},
    {"pad([1, 2], [1], [2])", "i32[5] 0 1 2 0 0"},
    {"len(zeros([5, 2]))", "i32 5"},
    {"einsum(\"i j, j k -> i k\", f32([[1, 2], [3, 4]]), f32([[1, 0], [0, 2]]))", "f32[2, 2] 1 4 3 8"},
    {"einsum(\"b i, b i -> b\", ones([2, 3]), ones([2, 3]))", "f32[2] 3 3"},
    {"einsum(\"i j -> j i\", [[1, 2], [3, 4]])", "i32[2, 2] 1 3 2 4"},
    {"einsum(\"i j -> \", [[1, 2], [3, 4]])", "i32 10"},
    {"einsum(\"i, j -> i j\", [1, 2], [3, 4])", "i32[2, 2] 3 4 6 8"},
    {"einsum(\"b t h, b s h -> h b t s\", ones([1, 2, 3]), ones([1, 4, 3])).shape", "i32[4] 3 1 2 4"},
    {"conv2d(ones([1, 3, 3, 1]), ones([2, 2, 1, 1]))", "f32[1, 2, 2, 1] 4 4 4 4"},
    {"conv2d(ones([1, 3, 3, 1]), ones([3, 3, 1, 1]), pad = \"same\")[0, :, :, 0]", "f32[3, 3] 4 6 4 6 9 6 4 6 4"},
    {"conv2d(ones([1, 4, 4, 2]), ones([2, 2, 1, 2]), stride = 2, groups = 2).shape", "i32[4] 1 2 2 2"},
    {"qr([[3.0, 0], [4, 5]]).r", "f32[2, 2] 5 4 0 3"},
    {"cholesky([[4.0, 2], [2, 5]])", "f32[2, 2] 2 0 1 2"},
    {"triangular_solve([[2.0, 0], [1, 2]], [[2.0], [5]])", "f32[2, 1] 1 2"},
    {"triangular_solve([[2.0, 0], [1, 2]], [[4.0], [4]], transpose = true)", "f32[2, 1] 1 2"},
  };
  CHECK(NULL, cases);
}

// ---- keys ---------------------------------------------------------------------------------------------------------------
//
// Equality of draws says which keys are one and which are fresh.

static void keys(void) {
  static const char *file =
    "fn draw(key) = random_bits(key, [])\n"
    "fn two(key) = (draw(key), draw(key))\n"
    "fn three(key) { let k = key; (random_bits(k, []), random_bits(k, []), random_bits(key, [])) }\n"
    "fn loop(key) = scan _ in 0..3 { random_bits(key, []) }\n"
    "fn lanes(key) = each _ in 0..3 { random_bits(key, []) }\n"
    "fn named(key) { let k = key; each _ in 0..3 { random_bits(k, []) } }\n"
    "fn until(key) { var n = 0; var x = random_bits(key, []); let y = x; while n < 2 { x = random_bits(key, []); n += 1 }; (x, y) }\n"
    "fn differ(t) = t.0 != t.1\n";
  static const Case cases[] = {
    {"{ let k = key; draw(k) == draw(k) }", "bool true"},
    {"differ(two(key))", "bool true"},
    {"{ let t = three(key); (t.0 == t.1, t.0 != t.2) }", "0 bool true | 1 bool true"},
    {"{ let x = loop(key); x[0] != x[1] and x[1] != x[2] }", "bool true"},
    {"{ let x = lanes(key); x[0] != x[1] and x[1] != x[2] }", "bool true"},
    {"{ let x = named(key); x[0] == x[1] and x[1] == x[2] }", "bool true"},
    {"{ let k = key; all(loop(k) == lanes(k)) }", "bool true"},
    {"differ(until(key))", "bool true"},
    {"{ let k = key; draw(k) != draw(fold_in(k, 1)) }", "bool true"},
    {"{ let k = split(key, 3); draw(k[0]) != draw(k[1]) }", "bool true"},
    {"{ let k = split(key, 3); let x = each q in k { random_bits(q, []) }; x[1] == random_bits(k[1], []) }", "bool true"},
    {"random_bits(seed_key(0), [2])", "u32[2] 4070199207 4202968722"},
    {"uniform(seed_key(0), [3])", "f32[3] 0.94767 0.97858 0.33229"},
    {"normal(seed_key(0), [3])", "f32[3] 1.6226 2.0253 -0.43359"},
    {"all(uniform(key, [100], 2, 3) >= 2)", "bool true"},
    {"{ let p = permutation(key, 50); all(sort(f32(p)) == f32(iota(50))) }", "bool true"},
    {"{ let x = randint(key, [1000], 3, 6); (min(x), max(x)) }", "0 i32 3 | 1 i32 5"},
    {"{ let x = mean(f32(bernoulli(key, [4000], 0.25))); abs(x - 0.25) < 0.03 }", "bool true"},
    {"{ let x = normal(key, (a = [1.0, 2], b = 1.0)); x.a[0] != x.b }", "bool true"},
    {"abs(mean(gumbel(key, [4000])) - 0.5772) < 0.07", "bool true"},
  };
  CHECK(file, cases);
}

// ---- models ---------------------------------------------------------------------------------------------------------------

static const char *const models_file =
  "use nn, optim, dist\n"
  "model plain(x: f32[B, 2]) -> f32[B, 3] = nn.dense(x, 3)\n"
  "model paths(x: f32[B, 2]) {\n"
  "  let f = |y| nn.dense(y, 2)\n"
  "  let a = f(f(x))\n"
  "  let b = nn.dense(a, 2) + nn.dense(a, 2)\n"
  "  unroll n in [3, 4] { let c = nn.dense(a, n); log s = sum(c) }\n"
  "  nn.mlp(b, [3, 2])\n"
  "}\n"
  "model starts(x: f32[B, 2]) {\n"
  "  param w: f32[2] = 0.5\n"
  "  param v: f32[2] = ones\n"
  "  param u: f32[2, 2] = |key, shape| f32(iota(2)) + zeros(shape)\n"
  "  x * w + v @ u\n"
  "}\n"
  "model tied(x: f32[B, 2]) {\n"
  "  param e: f32[2, 2] = |key, shape| eye(2) + 1\n"
  "  (x @ e) @ e.T\n"
  "}\n"
  "model sized[H](x: f32[B, 2]) = x |> nn.dense(H) |> nn.dense(1)\n"
  "model tower(x: f32[B, 2]) -> f32[B, 2] {\n"
  "  var h = x\n"
  "  for l in layers(3) { h = tanh(nn.dense(h, 2)) }\n"
  "  h\n"
  "}\n"
  "fn by_hand(p, x) {\n"
  "  var h = x\n"
  "  for k in 0..3 { h = tanh(h @ p.layers.dense.w[k] + p.layers.dense.b[k]) }\n"
  "  h\n"
  "}\n"
  "model nested(x: f32[B, 2]) {\n"
  "  var h = x\n"
  "  for l in layers(2) {\n"
  "    for m in layers(3) { h = tanh(nn.dense(h, 2)) }\n"
  "    h = nn.layer_norm(h)\n"
  "  }\n"
  "  h |> nn.dense(1)\n"
  "}\n"
  "fn nested_by_hand(p, x) {\n"
  "  var h = x\n"
  "  for k in 0..2 {\n"
  "    for j in 0..3 { h = tanh(h @ p.layers.layers.dense.w[k, j] + p.layers.layers.dense.b[k, j]) }\n"
  "    let c = h - mean(h, axis = -1, keep = true)\n"
  "    h = c * rsqrt(mean(c^2, axis = -1, keep = true) + 1e-5) * p.layers.layer_norm.scale[k] + p.layers.layer_norm.shift[k]\n"
  "  }\n"
  "  h @ p.dense.w + p.dense.b\n"
  "}\n"
  "layer twice(x: float[..., I], h) = h(h(x))\n"
  "model taking(x: f32[B, 2]) = twice(x, |y| nn.dense(y, 2))\n"
  "layer memory[S = T](x: f32[T], &m: f32[S] = zeros) {\n"
  "  m = m + x[0]\n"
  "  sum(m)\n"
  "}\n"
  "model remember(x: f32[3]) = memory(x)\n"
  "model stateful(x: f32[2], &s: f32) {\n"
  "  param w: f32[2] = ones\n"
  "  s += sum(w * x)\n"
  "  s\n"
  "}\n"
  "model picky(x: f32[3], pick) {\n"
  "  param w: f32[3] = ones\n"
  "  let h = x * w\n"
  "  let at = pick(h)\n"
  "  let y = h[at]\n"
  "  sum(nn.dense(h[_], 2, init = |key, shape| ones(shape))) + y\n"
  "}\n"
  "fn shapes(t) = map(t, |x| sum(f32(x.shape)))\n";

static void models(void) {
  static const Case cases[] = {
    {"shapes(plain.init(key))", "dense.w f32 5 | dense.b f32 3"},
    {"plain(plain.init(key), ones([4, 2])).shape", "i32[2] 4 3"},
    {"shapes(paths.init(key))", "f.dense.w f32 4 | f.dense.b f32 2 | b.dense.w f32 4 | b.dense.b f32 2 | b.dense_2.w f32 4 | b.dense_2.b f32 2 | "
                                "0.c.dense.w f32 5 | 0.c.dense.b f32 3 | 1.c.dense.w f32 6 | 1.c.dense.b f32 4 | mlp.0.dense.w f32 5 | mlp.0.dense.b f32 3 | mlp.1.dense.w f32 5 | mlp.1.dense.b f32 2"},
    {"starts.init(key)", "w f32[2] 0.5 0.5 | v f32[2] 1 1 | u f32[2, 2] 0 1 0 1"},
    {"starts(starts.init(key), [[1, 2]])", "f32[1, 2] 0.5 3"},
    {"tied(tied.init(key), [[1.0, 0]])", "f32[1, 2] 5 4"},
    {"shapes(sized[5].init(key))", "dense.w f32 7 | dense.b f32 5 | dense_2.w f32 6 | dense_2.b f32 1"},
    {"sized[5](sized[5].init(key), ones([1, 2])).shape", "i32[2] 1 1"},
    {"sized(sized[4].init(key), ones([3, 2])).shape", "i32[2] 3 1"},
    {"shapes(tower.init(key))", "layers.dense.w f32 7 | layers.dense.b f32 5"},
    {"{ let w = tower.init(key).layers.dense.w; any(w[0] != w[1]) and any(w[1] != w[2]) }", "bool true"},
    {"{ let p = tower.init(key); let x = normal(key, [4, 2]); max(abs(tower(p, x) - by_hand(p, x))) < 1e-6 }", "bool true"},
    {"{ let p = tower.init(key); let x = normal(key, [4, 2]); let g = grad(|q| sum(tower(q, x)^2))(p) - grad(|q| sum(by_hand(q, x)^2))(p); optim.norm(g) < 1e-6 }", "bool true"},
    {"shapes(nested.init(key))", "layers.layers.dense.w f32 9 | layers.layers.dense.b f32 7 | layers.layer_norm.scale f32 4 | layers.layer_norm.shift f32 4 | dense.w f32 3 | dense.b f32 1"},
    {"{ let p = nested.init(key); let x = normal(key, [4, 2]); max(abs(nested(p, x) - nested_by_hand(p, x))) < 1e-5 }", "bool true"},
    {"{ let p = nested.init(key); let x = normal(key, [4, 2]); let g = grad(|q| sum(nested(q, x)^2))(p) - grad(|q| sum(nested_by_hand(q, x)^2))(p); optim.norm(g) < 1e-4 }", "bool true"},
    {"shapes(taking.init(key))", "dense.w f32 4 | dense.b f32 2"},
    {"{ let k = key; let a = plain.init(k); let b = plain.init(k); all(a.dense.w == b.dense.w) }", "bool true"},
    {"remember(remember.init(key), [1, 2, 3])", "f32 3"},
    {"{ let p = stateful.init(key); var s = 1.0; stateful(p, [1, 2], &s); stateful(p, [1, 2], &s); s }", "f32 7"},
    {"{ let p = each k in split(key, 2) { plain.init(k) }; (each q in p { plain(q, ones([1, 2])) }).shape }", "i32[3] 2 1 3"},
    {"shapes(picky.init(key))", "w f32 3 | dense.w f32 5 | dense.b f32 2"},
    {"picky(picky.init(key), [1, 5, 2], |h| argmax(h))", "f32 21"},
    {"zeros(plain.params[2]).dense.w.shape", "i32[3] 2 2 3"},
    {"optim.norm(plain.init(key) - plain.init(key)) > 0.1", "bool true"},
  };
  CHECK(models_file, cases);
}

// ---- rules, environments, distributions ---------------------------------------------------------------------------------------

static void rules_and_environments(void) {
  static const char *file =
    "use optim, classic, dist, rl\n"
    "rule decayed(g: P, d = 0.5) -> P {\n"
    "  state m = zeros(g)\n"
    "  state n: i32\n"
    "  m = d * m + g\n"
    "  n += 1\n"
    "  m\n"
    "}\n"
    "rule inner(g: P) -> P {\n"
    "  state s = decayed.init(g)\n"
    "  2 * decayed(&s, g)\n"
    "}\n"
    "env walk(step_size = 1.0, limit = 3) {\n"
    "  state x: f32\n"
    "  state t: i32 = 0\n"
    "  action = discrete(2)\n"
    "  obs = [x, far(x)]\n"
    "  fn far(v) = abs(v) / step_size\n"
    "  fn reset(key) { x = 5.0 }\n"
    "  fn step(a) {\n"
    "    x += if a == 1 { step_size } else { -step_size }\n"
    "    t += 1\n"
    "    (reward = x, terminated = abs(x) > 6, truncated = t >= limit)\n"
    "  }\n"
    "}\n"
    "const big = walk(step_size = 2.0)\n";
  static const Case cases[] = {
    {"{ var s = decayed.init([0.0]); decayed(&s, [1.0]); let d = decayed(&s, [1.0]); (d, s) }", "0 f32[1] 1.5 | 1.m f32[1] 1.5 | 1.n i32 2"},
    {"{ var s = decayed.init((a = 0.0)); decayed(&s, (a = 1.0), d = 0.0).a }", "f32 1"},
    {"{ var s = inner.init([0.0]); inner(&s, [1.0]); inner(&s, [1.0]) }", "f32[1] 3"},
    {"{ var s = optim.adam.init([0.0]); optim.adam(&s, [3.0]) > 0.9999 }", "bool[1] true"},
    {"{ var s = zeros(walk.state); walk.reset(&s, key); s }", "x f32 5 | t i32 0"},
    {"{ var s = zeros(walk.state); walk.reset(&s, key); let r = walk.step(&s, 1, key); (s, r) }",
     "0.x f32 6 | 0.t i32 1 | 1.reward f32 6 | 1.terminated bool false | 1.truncated bool false"},
    {"{ var s = zeros(big.state); big.reset(&s, key); big.step(&s, 1); big.obs(s) }", "f32[2] 7 3.5"},
    {"zeros(walk.obs)", "f32[2] 0 0"},
    {"zeros(walk.obs[3]).shape", "i32[2] 3 2"},
    {"walk.action.n", "i32 2"},
    {"big.obs.n", "i32 2"},
    {"{ var w = zeros(walk.state[3]); each &s in w { walk.reset(&s, key) }; w.x }", "f32[3] 5 5 5"},
    {"dist.categorical([0.0, 0, 0, 0]).entropy()", "f32 1.3863"},
    {"dist.categorical([[0.0, 10], [10, 0]]).mode()", "i32[2] 1 0"},
    {"dist.categorical([0.0, 0]).log_prob(1)", "f32 -0.69315"},
    {"{ let x = dist.categorical(broadcast([0.0, log(3)], [4000, 2])).sample(key); abs(mean(f32(x)) - 0.75) < 0.03 }", "bool true"},
  };
  CHECK(file, cases);
}

// ---- derivatives -----------------------------------------------------------------------------------------------------------------

static void derivatives(void) {
  static const char *file =
    "fn square(x) = sum(x^2)\n"
    "fn cube(x) = x^3\n"
    "fn two(x, y) = sum(x * y^2)\n"
    "fn more(x) = (sum(x^2), x + 1, name = 3)\n"
    "fn pair(x) = (sum(x^2), 2 * x)\n"
    "loss l(p: (w: f32[2], b: f32), x: f32[2]) -> f32 = sum(p.w * x) * p.b\n"
    "fn scanned(x) { var s = x; for i in 0..3 { s = s * x }; s }\n"
    "fn branched(x) = if x > 0 { x^2 } else { -x }\n"
    "fn logged(x) { log seen = x; x^2 }\n"
    "model net(x: f32[2]) -> f32 {\n"
    "  param w: f32[2] = ones\n"
    "  sum(w * x^2)\n"
    "}\n";
  static const Case cases[] = {
    {"grad(square)([1.0, 2])", "f32[2] 2 4"},
    {"grad(net, wrt = \"x\")(net.init(key), [1.0, 3.0])", "f32[2] 2 6"},
    {"grad(square)(3.0)", "f32 6"},
    {"grad(cube)(2.0)", "f32 12"},
    {"grad(grad(cube))(2.0)", "f32 12"},
    {"grad(|x| grad(cube)(x))(2.0)", "f32 12"},
    {"value_and_grad(square)([1.0, 2])", "0 f32 5 | 1 f32[2] 2 4"},
    {"grad(two)([1.0], [3.0])", "f32[1] 9"},
    {"grad(two, wrt = \"y\")([1.0], [3.0])", "f32[1] 6"},
    {"grad(pair)([1.0])", "0 f32[1] 2 | 1 f32[1] 2"},
    {"value_and_grad(pair)([1.0])", "0.0 f32 1 | 0.1 f32[1] 2 | 1 f32[1] 2"},
    {"grad(l)((w = [1.0, 2], b = 3.0), [4.0, 5])", "w f32[2] 12 15 | b f32 14"},
    {"grad(l)(([1.0, 2], 3.0), [4.0, 5]).0", "f32[2] 12 15"},
    {"grad(scanned)(2.0)", "f32 32"},
    {"grad(grad(scanned))(2.0)", "f32 48"},
    {"each x in [-2.0, 3] { grad(branched)(x) }", "f32[2] -1 6"},
    {"grad(|x| sum(each v in x { v^3 }))([1.0, 2])", "f32[2] 3 12"},
    {"grad(|x| stop_grad(x) * x)(3.0)", "f32 3"},
    {"grad(|x| sum(x[[0, 0, 1]]))([1.0, 2, 3])", "f32[3] 2 1 0"},
    {"jvp(cube, 1.0)(2.0)", "0 f32 8 | 1 f32 12"},
    {"vjp(|x| 2 * x, [1.0, 10])([1.0, 2])", "0 f32[2] 2 4 | 1 f32[2] 2 20"},
    {"jvp(|x| (x, x^2), 1.0)(3.0)", "0.0 f32 3 | 0.1 f32 9 | 1.0 f32 1 | 1.1 f32 6"},
    {"vmap(cube)([1.0, 2])", "f32[2] 1 8"},
    {"vmap(|a, b| a * b, axes = [0, false])([1.0, 2], [3.0, 4])", "f32[2, 2] 3 4 6 8"},
    {"vmap(|a| sum(a), axes = [1])([[1.0, 2], [3, 4]])", "f32[2] 4 6"},
    {"vmap(grad(cube))([1.0, 2])", "f32[2] 3 12"},
    {"grad(|x| sum(vmap(cube)(x)))([1.0, 2])", "f32[2] 3 12"},
    {"each x in [1.0, 2] { each y in [1.0, 3] { grad(two)(x, y) } }", "f32[2, 2] 1 9 1 9"},
    {"grad(logged)(3.0)", "f32 6"},
  };
  CHECK(file, cases);
}

// ---- transforms and layers that have more to them ---------------------------------------------------------------------------------------

static void transforms(void) {
  static const char *file =
    "use nn\n"
    "fn rounded(x: f32[...], scale: f32) -> f32[...] {\n"
    "  scale * clamp(round(x / scale), -127, 127)\n"
    "} backward(dy) {\n"
    "  (x = where(abs(x) <= 127 * scale, dy, 0), scale = 0)\n"
    "}\n"
    "fn two(x, y) { (x * y, x + y) } backward(da, db) { (x = 100 * da + db, y = da) }\n"
    "fn whole(p: (a: f32[2], b: f32), n) { sum(p.a) * p.b * n } backward(dy) { (p = (a = [dy, 2 * dy], b = 3 * dy)) }\n"
    "model net(x: f32[B, 2]) {\n"
    "  param w: f32[2] = ones\n"
    "  let h = x * w\n"
    "  let deep = inner(h)\n"
    "  sum(deep)\n"
    "}\n"
    "layer inner(x) { let mid = x + 1; let end = 2 * mid; end }\n"
    "fn logaddexp2(x) = associative_scan(logaddexp, x)\n"
    "fn linear(a, u: f32[T, B, N]) = associative_scan(|(a1, h1), (a2, h2)| (a1 * a2, a2 * h1 + h2), (broadcast(a, [T, 1, N]), u)).1\n"
    "fn in_turn(a, u) { var h = zeros(u[0]); scan v in u { h = a * h + v; h } }\n"
    "fn scaled(s, x) = associative_scan(|a, b| logaddexp(s * a, s * b) / s, x)\n"
    "fn scaled_in_turn(s, x: f32[T, N]) { var h = x[0]; let r = scan v in x[1:] { h = logaddexp(s * h, s * v) / s; h }; concat([x[0][_], r]) }\n"
    "fn softly(x) = associative_scan(|(m, s), (n, t)| { let k = max(m, n); (k, s * exp(m - k) + t * exp(n - k)) }, (x, ones(x)))\n"
    "fn softly_in_turn(x: f32[T, N]) { var (m, s) = (x[0], ones(x[0])); let (ms, ss) = scan v in x[1:] { let k = max(m, v); "
    "s = s * exp(m - k) + exp(v - k); m = k; (m, s) }; (concat([x[0][_], ms]), concat([ones(x[0])[_], ss])) }\n"
    "fn runs(new, x) = associative_scan(|(n, v), (m, w)| (n or m, if m { w } else { v + w }), (new, x)).1\n";
  static const Case cases[] = {
    {"rounded([1.3, 2.6], 1.0)", "f32[2] 1 3"},
    {"grad(|x| sum(rounded(x, 0.5)^2))([1.3, 600.0])", "f32[2] 3 0"},
    {"grad(|x, y| { let t = two(x, y); t.0 + 3 * t.1 })(2.0, 5.0)", "f32 103"},
    {"grad(|y, x| { let t = two(x, y); t.0 + 3 * t.1 })(5.0, 2.0)", "f32 1"},
    {"grad(|z| grad(|x| two(x, x * z).0)(2.0))(3.0)", "f32 1"},
    {"grad(whole)((a = [1.0, 1], b = 2.0), 4)", "a f32[2] 1 2 | b f32 3"},
    {"each s in [0.5, 1.0] { grad(|x| sum(rounded(x, s)^2))([1.3, 600.0]) }", "f32[2, 2] 3 0 2 0"},
    {"associative_scan(|a, b| a + b, iota(7))", "i32[7] 0 1 3 6 10 15 21"},
    {"associative_scan(|a, b| a + b, iota(6), reversed = true)", "i32[6] 15 15 14 12 9 5"},
    {"associative_scan(|(a1, h1), (a2, h2)| (a1 * a2, a2 * h1 + h2), (2 * ones([5]), ones([5]))).1", "f32[5] 1 3 7 15 31"},
    {"associative_scan(|a, b| a @ b, tile([[[1, 1], [0, 1]]], 4))[3]", "i32[2, 2] 1 4 0 1"},
    {"associative_scan(max, [[1.0, 5], [3, 2], [2, 9]])", "f32[3, 2] 1 5 3 5 3 9"},
    {"associative_scan(max, [7])", "i32[1] 7"},
    {"grad(|x| sum(associative_scan(|a, b| a * b, x)))([2.0, 3, 4])", "f32[3] 16 10 6"},
    {"{ let a = f32(iota(9)) / 4 - 1; let x = (a, 1 - a); let s = associative_scan(|(p, q), (r, t)| (p * r, r * q + t), x).1; var h = 0.0; "
     "max(abs(s - scan (p, q) in x { h = p * h + q; h })) < 1e-6 }", "bool true"},
    // Chunks and what is left over; rows that are the same in all; rows so wide that chunks stay in a map; chunks' own derivatives.
    {"{ let x = iota(71) % 7; all(associative_scan(|a, b| a + b, x) == cumsum(x)) }", "bool true"},
    {"{ let x = iota(64); all(associative_scan(|a, b| a + b, x, reversed = true) == cumsum(x, reversed = true)) }", "bool true"},
    {"each d in [1, 2] { associative_scan(|a, b| a + b, d * iota(1025))[1024] }", "i32[2] 524800 1049600"},
    {"{ let a = broadcast(0.5 * ones([3]), [200, 1, 3]); let u = normal(key, [200, 2, 3]); var h = zeros([2, 3]); "
     "let s = associative_scan(|(p, q), (r, t)| (p * r, r * q + t), (a, u)).1; max(abs(s - scan v in u { h = 0.5 * h + v; h })) < 1e-5 }", "bool true"},
    {"{ let x = normal(key, [70, 600]); max(abs(associative_scan(|a, b| a + b, x) - cumsum(x, axis = 0))) < 1e-4 }", "bool true"},
    {"{ let x = 1 + 0.01 * normal(key, [70, 600]); let w = normal(key, [70, 600]); let f = |y| sum(w * associative_scan(|a, b| a * b, y)); "
     "let g = |y| sum(w * cumprod(y, axis = 0)); max(abs(grad(f)(x) - grad(g)(x))) < 1e-3 and "
     "{ let h = grad(|y| sum(grad(g)(y)^2))(x); max(abs(grad(|y| sum(grad(f)(y)^2))(x) - h)) < 1e-4 * max(abs(h)) } }", "bool true"},
    {"{ let x = 1 + 0.1 * normal(key, [70, 3]); let w = normal(key, [70, 3]); let f = |y| sum(w * associative_scan(|a, b| a * b, y)); "
     "let g = |y| sum(w * cumprod(y, axis = 0)); max(abs(grad(f)(x) - grad(g)(x))) < 1e-3 and "
     "max(abs(jvp(grad(f), w)(x).1 - jvp(grad(g), w)(x).1)) < 1e-2 }", "bool true"},
    // The rule for the way back: of one row for all, of what f reads from around it, of leaves that hang together and of such
    // that do not; forward mode, second derivatives and lanes; leaves without derivatives have no rule.
    {"{ let p = (a = uniform(key, [1, 20], 0.5, 1.0), u = normal(key, [70, 30, 20])); let w = normal(key, [70, 30, 20]); "
     "let f = |p| sum(w * linear(p.a, p.u)); let g = |p| sum(w * in_turn(p.a, p.u)); let (d, h) = (grad(f)(p), grad(g)(p)); "
     "max(abs(d.a - h.a)) < 1e-4 * max(abs(h.a)) and max(abs(d.u - h.u)) < 1e-5 and "
     "{ let q = (a = 0.1 * ones([1, 20]), u = w); let (t, r) = (jvp(f, q)(p).1, jvp(g, q)(p).1); abs(t - r) < 1e-4 * abs(r) } and "
     "{ let (t, r) = (grad(|p| sum(grad(f)(p).u^2))(p).a, grad(|p| sum(grad(g)(p).u^2))(p).a); max(abs(t - r)) < 1e-4 * max(abs(r)) } }", "bool true"},
    {"{ let a = uniform(key, [4, 1, 3], 0.5, 1.0); let u = normal(key, [4, 70, 1, 3]); "
     "let d = each (a, u) in (a, u) { grad(|a| sum(linear(a, u)^2))(a) }; let h = each (a, u) in (a, u) { grad(|a| sum(in_turn(a, u)^2))(a) }; "
     "max(abs(d - h)) < 1e-4 * max(abs(h)) }", "bool true"},
    {"{ let x = normal(key, [70, 3]); let w = normal(key, [70, 3]); let f = |p| sum(w * scaled(p.s, p.x)); let g = |p| sum(w * scaled_in_turn(p.s, p.x)); "
     "let p = (s = 1.5, x = x); let (d, h) = (grad(f)(p), grad(g)(p)); abs(d.s - h.s) < 1e-4 * abs(h.s) and max(abs(d.x - h.x)) < 1e-5 and "
     "max(abs(vmap(|s| grad(|s| f((s = s, x = x)))(s))([1.0, 1.5]) - [grad(|s| g((s = s, x = x)))(1.0), h.s])) < 1e-3 }", "bool true"},
    {"{ let x = normal(key, [70, 2]); let f = |x| { let (m, s) = softly(x); sum(m) + 2 * sum(s) }; let g = |x| { let (m, s) = softly_in_turn(x); sum(m) + 2 * sum(s) }; "
     "max(abs(grad(f)(x) - grad(g)(x))) < 1e-5 * max(abs(grad(g)(x))) }", "bool true"},
    {"{ let x = normal(key, [70]); let new = iota(70) % 9 == 0; let f = |x| sum(runs(new, x)^2); let g = |x| { var h = 0.0; sum((scan (n, v) in (new, x) { h = if n { v } else { h + v }; h })^2) }; "
     "abs(f(x) - g(x)) < 1e-3 and max(abs(grad(f)(x) - grad(g)(x))) < 1e-3 }", "bool true"},
    {"grad(|x| sum(x * relu(x)))([-1.0, 0.0, 2.0])", "f32[3] 0 0 4"},
    {"grad(|x| grad(|x| relu(x)^3)(x))(2.0)", "f32 12"},
    {"remat(sin)(0.0)", "f32 0"},
    {"capture(net, \"h\")(net.init(key), [[1.0, 2]])", "f32[1, 2] 1 2"},
    {"capture(net, \"deep.inner.mid\")(net.init(key), [[1.0, 2]])", "f32[1, 2] 2 3"},
    {"patch(net, \"deep.inner.mid\", |v| 0 * v)(net.init(key), [[1.0, 2]])", "f32 0"},
    {"patch(net, \"h\", |v| 1.0)(net.init(key), [[1.0, 2]])", "f32 8"},
    {"capture(|p, x| 2 * net(p, x), \"deep\")(net.init(key), [[1.0, 2]])", "f32[1, 2] 4 6"},
    {"grad(|x| capture(net, \"deep\")(net.init(key), x)[0, 0])([[1.0, 2]])", "f32[1, 2] 2 0"},
    {"capture(patch(net, \"h\", |v| 0 * v), \"deep\")(net.init(key), [[1.0, 2]])", "f32[1, 2] 2 2"},
  };
  CHECK(file, cases);
}

// ---- axes with a bound ----------------------------------------------------------------------------------------

// What a function of x[:n] gives for a length n that is known at run time only, and for one known while compiling.
static void bounded_axes(void) {
  static const char *file =
    "const x = f32(iota(24)) / 7 - 1.3\n"
    "const m = sin(reshape(f32(iota(24)), [8, 3]))\n"
    "fn attend(q: f32[T, D], k: f32[S <= 8, D], v: f32[S, D]) -> f32[T, D] = softmax(q @ k.T / sqrt(D)) @ v\n"
    "fn heads(h: f32[B, T, D]) { let y = transpose(reshape(h, [B, T, 3, D / 3]), [0, 2, 1, 3]); sum(y[:, 1]^2) + y.shape[2] }\n"
    "fn norm(h: f32[..., D]) { let d = h - mean(h, axis = -1, keep = true); d / sqrt(mean(d^2, axis = -1, keep = true) + 1e-5) }\n"
    "layer wide(h: f32[..., I]) -> f32[..., 2] { param w: f32[I, 2] = ones; tanh(h @ w) }\n"
    "model net(h: f32[T <= 8, 3]) -> f32[2] = h |> wide |> mean(axis = 0)\n"
    "fn fold(v) { var s = 1.0; for e in v { s = s * e + 0.5 }; s }\n"
    "fn prefix(v) = sum(scan e in v { e * 2 })\n";
  static const char *const cases[] = {
    "sum(x[:N])", "mean(m[:N])", "mean(m[:N], axis = 0)", "max(x[:N]) + min(x[:N])", "prod(x[:N] + 2)", "all(x[:N] < 0)", "any(x[:N] > -1)",
    "argmax(cos(x[:N]))", "argmin(m[:N], axis = 0)", "sum(cumsum(x[:N]) * x[:N])", "sum(cumsum(x[:N], reversed = true) * x[:N])", "sum(cumprod(x[:N]))", "sum(cummax(x[:N], reversed = true))",
    "sum(where(x[:N] > -1, x[:N]^2, 1 / x[:N]))", "sum(i32(x[:N] * 10))", "std(x[:N])", "softmax(x[:N])[0]", "logsumexp(x[:N])", "sum(log_softmax(m[:N].T)[0])",
    "attend(m, m[:N], m[:N])", "sum(attend(m[:N], m, m) * m[:N])", "m[:N].T @ m[:N]", "x[:N] @ m[:N]", "m.T[:, :N] @ x[:N]", "einsum(\"t d, t e -> d e\", m[:N], cos(m[:N]))", "sum(einsum(\"t d, e d -> t e\", m[:N], m)^2)",
    "x[:N][-1]", "x[:N][0]", "x[:N][i32(1)]", "sum((x[:N][1:] - x[:N][:-1])^2)", "sum(m[:N, 1])", "sum(m[:N][:, _, 1:]^2)", "sum(m[iota(N) % 3])", "sum(x[iota(8)[:N]] * x[:N])",
    "heads(broadcast(m[_, :N], [2, N, 3]) * x[3])", "sum(norm(m[:N]) * m[:N])", "{ let p = net.init(key); net(p, m[:N]) }",
    "fold(x[:N])", "prefix(x[:N])", "sum(each r in m[:N] { sum(r) * r[0] })", "{ var s = 0; for i in 0..N { s += i * i }; s }", "{ var s = 0.0; for (i, v) in (0..N, x[:N]) { s += v * f32(i) }; s }",
    "{ var s = 0.0; for i in 2..N { s += f32(i) }; s }", "sum(x[:N]) / N + sqrt(N) + 1 / len(x[:N]) + 0.5 * N", "{ var y = 0 * m[:N]; for i in 0..3 { y += f32(i) * m[:N] }; sum(y) }", "sum(ones([N, 2]))", "sum(full([N], 2.0) * x[:N])", "sum(broadcast(x[1], [N]))", "len(m[:N]) + len(m.T[0, :N])",
    "grad(|y| sum(log(y[:N] + 3)))(x)", "grad(|y| mean(softmax(y[:N]) * x[:N]))(x)", "grad(|y| sum(attend(y, y[:N], y[:N])^2))(m)", "grad(fold)(x[:N])[0]", "grad(|w| sum(log(x[:N] + 2) * w))(3.0)",
    "grad(|y| sum(scan e in y[:N] { sin(e) }))(x)", "grad(|y| grad(|z| sum(z[:N]^3))(y) |> sum)(x)", "jvp(|y| sum(exp(y[:N])), ones([24]))(x)", "each k in iota(3) { sum(x[:N] * f32(k)) }",
    "if N > 3 { sum(x[:N]) } else { max(x[:N]) }", "remat(|y| sum(y^2))(x[:N])", "sum(padded(x[:N]))"};
  jmp_buf oom;
  Arena a = {.oom = &oom};
  if (setjmp(oom)) abort();
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
    for (int n = 1; n <= 8; n++) {
      const char *got[2];
      for (int late = 0; late < 2; late++) {
        Str s = {.arena = &a};
        str_printf(&s, late ? "{ let count = min(i32(%d), 8); " : "{ let count = %d; ", n);
        for (const char *c = cases[k]; *c; c++) str_printf(&s, *c == 'N' ? "count" : "%c", *c);
        str_printf(&s, " }");
        Diags d = {.arena = &a};
        Elab *e = elab_new(&a, &d, source_text(&a, "test.rl", file), &(ElabOptions){0});
        CU_ASSERT_PTR_NOT_NULL_FATAL(e);
        got[late] = value_of(&a, &d, elab_expr(e, source_text(&a, "(expression)", s.s), NULL));
      }
      if (strcmp(got[0], got[1])) printf("\n  %s, N = %d\n    gives %s\n    not   %s\n", cases[k], n, got[1], got[0]);
      CU_ASSERT_STRING_EQUAL(got[1], got[0]);
      CU_ASSERT_PTR_NULL(strstr(got[0], "error"));
    }
  arena_free(&a);
}

static void statistics(void) {
  static const char *file =
    "layer norm(x: float[B, C], train = true, rate = 0.5) -> float[B, C] {\n"
    "  param scale: float[C] = ones\n"
    "  state m: float[C] = zeros\n"
    "  state n: f32 = 0\n"
    "  if train {\n"
    "    let mu = mean(x, axis = 0)\n"
    "    m = mix(m, mu, rate)\n"
    "    n += 1\n"
    "    (x - mu) * scale\n"
    "  } else { (x - m) * scale }\n"
    "}\n"
    "model net(x: f32[B, 2], train = true) = x |> norm(train) |> norm(train)\n"
    "model shared(x: f32[B, 2]) { let f = |y| norm(y); f(f(x)) }\n"
    "loss l(p: net.params, x) { var q = p; let y = net(&q, x); (mean(y^2), q) }\n"
    "record note { x: f32; more: f32[N] = (); flag: bool = () }\n"
    "fn read(s: note) = if s.more == () { s.x } else { s.x + sum(s.more) }\n";
  static const Case cases[] = {
    {"net.init(key).norm", "scale f32[2] 1 1 | m f32[2] 0 0 | n f32 0"},
    {"{ var p = net.init(key); net(&p, [[1, 2], [3, 6]]); net(&p, [[1, 2], [3, 6]]); (p.norm.m, p.norm_2.n) }", "0 f32[2] 1.5 3 | 1 f32 2"},
    {"{ let p = net.init(key); net(p, [[1, 2], [3, 6]]) |> sum; p.norm.n }", "f32 0"},
    {"{ var p = net.init(key); net(&p, [[1, 2], [3, 6]]); net(p, [[1, 2]], train = false) }", "f32[1, 2] 0 0"},
    {"{ var p = shared.init(key); shared(&p, [[1, 2], [3, 6]]); p.f.norm }", "scale f32[2] 1 1 | m f32[2] 0.5 1 | n f32 2"},
    {"{ let (g, q) = grad(l)(net.init(key), [[1, 2], [3, 6]]); (g.norm, q.norm.m) }", "0.scale f32[2] 1 4 | 0.m f32[2] 0 0 | 0.n f32 0 | 1 f32[2] 1 2"},
    {"read(note(1))", "f32 1"},
    {"read(note(1, [2, 3]))", "f32 6"},
    {"read((x = 2.0))", "f32 2"},
    {"zeros(note)", "x f32 0"},
    {"note(1, flag = true)", "x f32 1 | flag bool true"},
    {"note(1).flag != ()", "bool false"},
  };
  CHECK(file, cases);
}

// ---- draws ------------------------------------------------------------------------------------------------------------------------------
//
// At a fixed seed: the greatest distance between the empirical and the true distribution function
// (Kolmogorov, Smirnov: 1.63 / sqrt(n) at 1 %), or chi-square over counts; moments; derivatives.

static void draws(void) {
  static const char *file =
    "fn apart(x, cdf) {\n"
    "  let (s, n) = (sort(x), len(x))\n"
    "  max(abs(cdf(s) - (f32(iota(n)) + 0.5) / n)) < 1.63 / sqrt(n)\n"
    "}\n"
    "fn counts(k, n) = segment_sum(ones(k.shape), k, n)\n"
    "fn chi2(k, p) { let c = counts(k, len(p)); sum((c - len(k) * p)^2 / (len(k) * p)) }\n"
    "fn mass(n, rate) { let k = f32(iota(n)); exp(k * log(rate) - rate - lgamma(k + 1)) }\n"
    "fn phi(x) = 0.5 + 0.5 * erf(x / sqrt(2))\n"
    "const n = 3000\n";
  static const Case cases[] = {
    {"apart(uniform(key, [n]), |x| x)", "bool true"},
    {"apart(normal(key, [n]), phi)", "bool true"},
    {"apart(gumbel(key, [n]), |x| exp(-exp(-x)))", "bool true"},
    {"apart(truncated_normal(key, [n]), |x| (phi(x) - phi(-2.0)) / (phi(2.0) - phi(-2.0)))", "bool true"},
    {"apart(truncated_normal(key, [n], 1.0, 3.0), |x| (phi(x) - phi(1.0)) / (phi(3.0) - phi(1.0)))", "bool true"},
    {"apart(exponential(key, [n]), |x| 1 - exp(-x))", "bool true"},
    {"apart(gamma(key, [n], 1), |x| 1 - exp(-x))", "bool true"},
    {"apart(gamma(key, [n], 3), |x| 1 - exp(-x) * (1 + x + x^2 / 2))", "bool true"},
    {"apart(gamma(key, [n], 0.5), |x| erf(sqrt(x)))", "bool true"},
    {"apart(beta(key, [n], 2, 3), |x| x^2 * (6 - 8 * x + 3 * x^2))", "bool true"},
    {"apart(beta(key, [n], 0.5, 0.5), |x| 2 / pi * asin(sqrt(x)))", "bool true"},
    {"chi2(poisson(key, [n], 3), mass(12, 3)) < 26", "bool true"},
    {"chi2(poisson(key, [n], 12), mass(30, 12)) < 52", "bool true"},
    {"chi2(randint(key, [n], 0, 10), full([10], 0.1)) < 21.7", "bool true"},
    {"chi2(each k in split(key, n) { choice(k, 5, 1, log([0.1, 0.1, 0.2, 0.2, 0.4]))[0] }, [0.1, 0.1, 0.2, 0.2, 0.4]) < 13.3", "bool true"},
    {"chi2(each k in split(key, n) { permutation(k, 4)[0] }, full([4], 0.25)) < 11.3", "bool true"},
    {"{ let x = f32(sort(choice(key, 20, 20))); all(x == f32(iota(20))) }", "bool true"},
    {"{ let x = f32(poisson(key, [n], 100)); abs(mean(x) - 100) < 0.6 and abs(variance(x) - 100) < 9 }", "bool true"},
    {"{ let x = gamma(key, [n], 50); abs(mean(x) - 50) < 0.4 and abs(variance(x) - 50) < 5 }", "bool true"},
    {"abs(grad(|a| mean(gamma(key, [n], a)))(3.0) - 1) < 0.03", "bool true"},
    {"abs(grad(|a| mean(gamma(key, [n], a)^2))(3.0) - 7) < 0.4", "bool true"},
    {"abs(grad(|a| mean(gamma(key, [n], a)))(60.0) - 1) < 0.01", "bool true"},
    {"{ let k = key; let f = |a| mean(gamma(k, [200], a)); abs(grad(f)(2.0) - (f(2.01) - f(1.99)) / 0.02) < 0.05 }", "bool true"},
    {"abs(grad(|a| mean(beta(key, [n], a, 2)))(2.0) - 0.125) < 0.01", "bool true"},
  };
  CHECK(file, cases);
}

// ---- trainers ------------------------------------------------------------------------------------------------------------------------

typedef struct Run { ElabTrainer *t; IrArray *state, *out; } Run;

static ElabTrainer *trainer_of(Arena *a, Diags *d, const char *file, int nset, ElabOverride *set) {
  Elab *e = elab_new(a, d, source_text(a, "test.rl", file), &(ElabOptions){.noverride = nset, .override = set});
  ElabTrainer *t = e ? elab_trainer(e, NULL) : NULL;
  if (!t) printf("\n%s", tree_diags(a, d));
  CU_ASSERT_PTR_NOT_NULL_FATAL(t);
  CU_ASSERT_PTR_NULL(ir_verify(t->init));
  CU_ASSERT_PTR_NULL(ir_verify(t->step));
  PassContext c = {a, d};
  CU_ASSERT_FATAL(pass_run(&c, t->init, NULL, NULL, stderr) && pass_run(&c, t->step, NULL, NULL, stderr));
  return t;
}

static void set_settings(Arena *a, const ElabTrainer *t, IrArray *to) {
  for (int k = 0; k < t->nsetting; k++) {
    to[k] = ir_array(a, ir_scalar(t->setting[k].dtype));
    if (to[k].f) to[k].f[0] = t->setting[k].value;
    else to[k].i[0] = (int64_t)t->setting[k].value;
  }
}

static Run start(Arena *a, ElabTrainer *t) {
  Run r = {t, arena_array(a, IrArray, t->nstate + t->nsetting), arena_array(a, IrArray, t->step->top->nyield)};
  IrArray *in = arena_array(a, IrArray, t->nsetting);
  set_settings(a, t, in);
  IrEval how = {.typed = true};
  CU_ASSERT_PTR_NULL(ir_eval(a, &how, t->init, in, r.state));
  set_settings(a, t, r.state + t->nstate);
  return r;
}

static void step(Arena *a, Run *r) {
  IrEval how = {.typed = true};
  CU_ASSERT_PTR_NULL(ir_eval(a, &how, r->t->step, r->state, r->out));
  for (int k = 0; k < r->t->nstate; k++) r->state[k] = r->out[k];
}

static double state(const Run *r, const char *name) {
  for (int k = 0; k < r->t->nstate; k++)
    if (strcmp(r->t->state[k].name, name) == 0) return r->state[k].f ? r->state[k].f[0] : (double)r->state[k].i[0];
  printf("\n  no state %s", name);
  CU_FAIL("no such state");
  return NAN;
}

// stop, solved, ok and progress stand at the end of the outputs, behind the metrics' counts
static double flag(const Run *r, const char *name) {
  for (int k = 0; k < r->t->step->top->nyield; k++)
    if (strcmp(r->t->step->out_name[k], name) == 0) return r->out[k].f ? r->out[k].f[0] : (double)r->out[k].i[0];
  CU_FAIL("no such output");
  return NAN;
}

static const char *const counting =
  "train count(by = 2, rate = 0.5, steps = 3, label = \"a\") {\n"
  "  let half = by / 2\n"
  "  state x = zeros([2])\n"
  "  state n: i64\n"
  "  state r = (a = 1.0, b = ones([half]))\n"
  "  step {\n"
  "    x += rate\n"
  "    n += by\n"
  "    for i in 0..4 {\n"
  "      log turn = f32(i)\n"
  "      if i > 1 { log late = f32(i) }\n"
  "    }\n"
  "    let lanes = each v in x { log lane = v; v }\n"
  "    every 2 { log rare = f32(n) }\n"
  "    log total = sum(x) + sum(lanes)\n"
  "  }\n"
  "  stop when total >= 6 or iter >= steps\n"
  "}\n";

static void trainers(void) {
  jmp_buf oom;
  Arena a = {.oom = &oom};
  if (setjmp(oom)) abort();
  Diags d = {.arena = &a};
  Run r = start(&a, trainer_of(&a, &d, counting, 0, NULL));
  CU_ASSERT_EQUAL(state(&r, "x"), 0);
  CU_ASSERT_EQUAL(state(&r, "r.a"), 1);
  CU_ASSERT(isnan(state(&r, "log.total")));
  step(&a, &r);
  CU_ASSERT_EQUAL(state(&r, "x"), 0.5);
  CU_ASSERT_EQUAL(state(&r, "n"), 2);
  CU_ASSERT_EQUAL(state(&r, "iter"), 1);
  CU_ASSERT_EQUAL(state(&r, "log.turn"), 1.5);
  CU_ASSERT_EQUAL(state(&r, "log.late"), 2.5);
  CU_ASSERT_EQUAL(state(&r, "log.lane"), 0.5);
  CU_ASSERT_EQUAL(state(&r, "log.total"), 2);
  CU_ASSERT(isnan(state(&r, "log.rare")));
  CU_ASSERT_EQUAL(flag(&r, "count.rare"), 0);
  CU_ASSERT_EQUAL(flag(&r, "count.turn"), 4);
  CU_ASSERT_EQUAL(flag(&r, "stop"), 0);
  CU_ASSERT_EQUAL(flag(&r, "ok"), 1);
  CU_ASSERT_DOUBLE_EQUAL(flag(&r, "progress"), 1.0 / 3, 1e-6);
  step(&a, &r);
  CU_ASSERT_EQUAL(state(&r, "log.rare"), 4);
  step(&a, &r);
  CU_ASSERT_EQUAL(state(&r, "log.rare"), 4);       // the last value stays
  CU_ASSERT_EQUAL(flag(&r, "count.rare"), 0);
  CU_ASSERT_EQUAL(state(&r, "log.total"), 6);
  CU_ASSERT_EQUAL(flag(&r, "stop"), 1);
  CU_ASSERT_EQUAL(flag(&r, "solved"), 1);
  arena_free(&a);
}

static void settings(void) {
  jmp_buf oom;
  Arena a = {.oom = &oom};
  if (setjmp(oom)) abort();
  Diags d = {.arena = &a};
  ElabOverride set[] = {{.name = "by", .value = source_text(&a, "--set", "6")}, {.name = "rate", .value = source_text(&a, "--set", "1")}, {.name = "steps", .value = source_text(&a, "--set", "1")}};
  Run r = start(&a, trainer_of(&a, &d, counting, 3, set));
  for (int k = 0; k < 3; k++) CU_ASSERT(set[k].used);
  step(&a, &r);
  CU_ASSERT_EQUAL(state(&r, "n"), 6);
  CU_ASSERT_EQUAL(state(&r, "x"), 1);
  CU_ASSERT_EQUAL(flag(&r, "stop"), 1);
  CU_ASSERT_EQUAL(flag(&r, "solved"), 0);          // a spent budget is no solution
  Run plain = start(&a, trainer_of(&a, &d, counting, 0, NULL));
  CU_ASSERT_NOT_EQUAL(plain.t->hash, r.t->hash);
  ElabOverride only[] = {{.name = "rate", .value = source_text(&a, "--set", "1")}};
  Run same = start(&a, trainer_of(&a, &d, counting, 1, only));
  CU_ASSERT_EQUAL(plain.t->hash, same.t->hash);    // a setting of run time is no other program
  int runtime = 0;
  for (int k = 0; k < plain.t->nsetting; k++) runtime += !strcmp(plain.t->setting[k].name, "rate") || !strcmp(plain.t->setting[k].name, "steps");
  CU_ASSERT_EQUAL(runtime, 2);
  arena_free(&a);
}

static void bad_values(void) {
  jmp_buf oom;
  Arena a = {.oom = &oom};
  if (setjmp(oom)) abort();
  Diags d = {.arena = &a};
  Run r = start(&a, trainer_of(&a, &d, "train t() {\n  state x = 1.0\n  step { x -= 1; log y = 1 / x }\n  stop when iter >= 9\n}\n", 0, NULL));
  step(&a, &r);
  CU_ASSERT_EQUAL(flag(&r, "ok"), 0);
  arena_free(&a);
}

void suite_elab(void) {
  CU_pSuite s = test_suite("elab");
  test_add(s, "numbers while compiling", numbers);
  test_add(s, "arrays", arrays);
  test_add(s, "indices", indices);
  test_add(s, "assignment", assignment);
  test_add(s, "branches", branches);
  test_add(s, "loops", loops);
  test_add(s, "functions", functions);
  test_add(s, "records and trees", records);
  test_add(s, "elementwise builtins", elementwise);
  test_add(s, "reductions", reductions);
  test_add(s, "shapes and products", shapes);
  test_add(s, "keys and draws", keys);
  test_add(s, "models", models);
  test_add(s, "rules and environments", rules_and_environments);
  test_add(s, "derivatives", derivatives);
  test_add(s, "transforms", transforms);
  test_add(s, "axes with a bound", bounded_axes);
  test_add(s, "running statistics and optional fields", statistics);
  test_add(s, "draws", draws);
  test_add(s, "trainers", trainers);
  test_add(s, "settings", settings);
  test_add(s, "values that go bad", bad_values);
}
