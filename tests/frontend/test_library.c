// What the library computes, and its derivatives: expressions, beside numbers known from elsewhere
// (JAX, SciPy, closed forms), to a tolerance of 2e-5 relative.
#include "frontend/elab.h"
#include "passes/passes.h"
#include "tests/test.h"

#include <math.h>
#include <stdio.h>

#define MOST 32

typedef struct Known {
  const char *expression;
  int n;
  double value[MOST];
} Known;
#define NUMBERS(...) sizeof((double[]){__VA_ARGS__}) / sizeof(double), {__VA_ARGS__}

static int numbers(const IrArray *a) { return (int)ir_count(&a->type) * (ir_is_complex(a->type.dtype) ? 2 : 1); }

static double number(const IrArray *a, int k) { return a->f ? a->f[k] : (double)a->i[k]; }

static void check(Arena *a, const char *file, const Known *known) {
  Diags d = {.arena = a};
  Elab *e = elab_new(a, &d, file ? source_text(a, "test", file) : NULL, &(ElabOptions){0});
  IrGraph *g = e ? elab_expr(e, source_text(a, "(expression)", known->expression), NULL) : NULL;
  PassContext c = {a, &d};
  if (!g || d.count || !pass_run(&c, g, NULL, NULL, stderr)) {
    fprintf(stderr, "%s: %s\n", known->expression, d.first ? d.first->message : "no graph");
    CU_FAIL("it does not compile");
    return;
  }
  IrArray out[MOST];
  IrEval how = {.typed = true};
  CU_ASSERT_PTR_NULL_FATAL(ir_eval(a, &how, g, NULL, out));
  int at = 0;
  for (int k = 0; k < g->top->nyield; k++)
    for (int i = 0; i < numbers(&out[k]); i++, at++) {
      double got = number(&out[k], i), want = at < known->n ? known->value[at] : NAN;
      bool good = fabs(got - want) <= 2e-5 * (1 + fabs(want));
      if (!good) fprintf(stderr, "%s: number %d is %.9g, not %.9g\n", known->expression, at, got, want);
      CU_ASSERT(good);
    }
  CU_ASSERT_EQUAL(at, known->n);
}

static void check_one(const char *file, const Known *known) {
  Arena a = {0};
  jmp_buf oom;
  a.oom = &oom;
  if (setjmp(oom)) CU_FAIL_FATAL("out of memory");
  check(&a, file, known);
  arena_free(&a);
}

static void check_all(const char *file, int n, const Known *known) {
  for (int k = 0; k < n; k++) check_one(file, &known[k]);
}
#define CHECK(file, ...) do { \
  static const Known known_[] = {__VA_ARGS__}; \
  check_all(file, (int)(sizeof known_ / sizeof *known_), known_); \
} while (0)

static const char *const matrices =
  "use linalg\n"
  "const a = [[2.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.1, 0.7, 1.5]]\n"
  "fn det(x: f32[3, 3]) = linalg.det(x)\n"
  "fn log_det(x: f32[3, 3]) = linalg.slogdet(x).log\n"
  "fn solution(x: f32[3, 3]) = sum(linalg.solve(x, [1.0, 2, 3])^2)\n"
  "fn moduli(x: f32[3, 3]) = sum(abs(eigvals(x)))\n"
  "fn nuclear(x: f32[3, 3]) = sum(svd(x).s)\n"
  "fn exponential(x: f32[3, 3]) = sum(linalg.expm(x))\n";

static void test_linear_algebra(void) {
  CHECK(matrices,
    {"linalg.solve(a, [1.0, 2, 3])", NUMBERS(-0.2473118, 0.6344086, 1.72043)},
    {"linalg.solve([a, a.T], [[1.0, 2, 3], [1, 2, 3]])", NUMBERS(-0.2473118, 0.6344086, 1.72043, 0.3494624, 0.1142473, 1.868279)},
    {"grad(solution)(a)", NUMBERS(-0.08835629, 0.22665314, 0.61465245, -0.00536138, 0.01375311, 0.03729656, 0.5974771, -1.5326589, -4.1563625)},
    {"a @ linalg.inv(a)", NUMBERS(1, 0, 0, 0, 1, 0, 0, 0, 1)},
    {"linalg.inv([a[:2, :2], [[0.0, 1], [1, 0]]])", NUMBERS(0.6, -0.2, -0.2, 0.4, 0, 1, 1, 0)},
    {"linalg.det([a, a.T, a[[1, 0, 2]]])", NUMBERS(7.44, 7.44, -7.44)},
    {"grad(det)(a)", NUMBERS(4.36, -1.48, 0.4, -1.15, 2.95, -1.3, -1.3, 0.1, 5)},
    {"linalg.slogdet(-a)", NUMBERS(-1, 2.0068708488)},
    {"grad(log_det)(a)", NUMBERS(0.5860215, -0.19892474, 0.05376343, -0.1545699, 0.3965054, -0.17473117, -0.17473117, 0.01344086, 0.67204297)},
    {"linalg.lstsq([[1.0, 0], [1, 1], [1, 2]], [1.0, 2, 2])", NUMBERS(7.0 / 6, 0.5)},
    {"linalg.lstsq([[1.0, 1, 1]], [3.0])", NUMBERS(1, 1, 1)},
    {"linalg.pinv([[1.0, 2], [2, 4]])", NUMBERS(0.04, 0.08, 0.08, 0.16)},
    {"linalg.expm(f64(a))", NUMBERS(14.0467994917, 17.2269094546, 4.8890644034, 15.5316697407, 29.9380655341, 5.1406216829, 4.3682923230, 9.5159768727, 5.7672556069)},
    {"grad(exponential)(a)", NUMBERS(32.910126, 40.986572, 22.589699, 47.857117, 58.944427, 33.525005, 22.082657, 28.065979, 14.570118)},
    {"linalg.trace(a)", NUMBERS(6.5)},
    {"eigvals([[0.0, 1], [-1, 0]])", NUMBERS(0, -1, 0, 1)},
    {"grad(moduli)(a)", NUMBERS(0.9937413, -0.03177391, 0.16098018, 0.06708008, 0.9829364, -0.10132471, -0.1836392, 0.11227012, 0.979672)},
    {"grad(nuclear)(a)", NUMBERS(0.98747504, -0.01114229, 0.15738215, 0.03396234, 0.98913085, -0.14306256, -0.15407738, 0.14661565, 0.9771204)},
    {"svd([[1.0, 2, 3], [4, 5, 6]]).s", NUMBERS(9.508032, 0.77286964)},
    {"eigh([[2.0, 9], [1, 2]]).w", NUMBERS(1, 3)});
}

static void test_fourier(void) {
  CHECK("use signal\n",
    {"fft([1.0, 2, 3, 4])", NUMBERS(10, 0, -2, 2, -2, 0, -2, -2)},
    {"signal.rfft([1.0, 2, 3])", NUMBERS(6, 0, -1.5, 0.8660254)},
    {"signal.irfft(signal.rfft([1.0, 2, 3, 4, 5]), 5)", NUMBERS(1, 2, 3, 4, 5)},
    {"signal.irfft(signal.rfft([[1.0, 2, 3, 4], [4, 3, 2, 1]]), 4)", NUMBERS(1, 2, 3, 4, 4, 3, 2, 1)},
    {"signal.fft2([[1.0, 2], [3, 5]])", NUMBERS(11, 0, -3, 0, -5, 0, 1, 0)},
    {"real(signal.ifft2(signal.fft2([[1.0, 2, 3], [4, 5, 7]])))", NUMBERS(1, 2, 3, 4, 5, 7)},
    {"signal.rfft_frequencies(5)", NUMBERS(0, 0.2, 0.4)},
    {"grad(|x| sum(abs(fft(x))^2))([1.0, 2, 3])", NUMBERS(6, 12, 18)});
}

static void test_einsum(void) {
  CHECK(NULL,
    {"einsum(\"i j, j k, k l -> i l\", [[1.0, 2]], [[3.0, 1], [4, 0]], [[1.0], [10]])", NUMBERS(21)},
    {"einsum(\"i, j, k -> k j i\", [1.0, 2], [3.0], [4.0, 5])", NUMBERS(12, 24, 15, 30)},
    {"einsum(\"a b, b, a -> \", [[1.0, 2], [3, 4]], [1.0, 1], [1.0, 10])", NUMBERS(73)},
    {"grad(|x| einsum(\"a b, b, a -> \", [[1.0, 2], [3, 4]], x, x))([1.0, 10])", NUMBERS(52, 85)});
}

static void test_order(void) {
  CHECK(NULL,
    {"topk([3.0, 1, 4, 1, 5], 2)", NUMBERS(5, 4, 4, 2)},
    {"topk([[3, 1, 4], [1, 5, 1]], 2)", NUMBERS(4, 3, 5, 1, 2, 0, 1, 0)},
    {"grad(|x| sum(topk(x, 2).values))([3.0, 1, 4])", NUMBERS(1, 0, 1)},
    {"cummin([3.0, 4, 1, 2])", NUMBERS(3, 3, 1, 1)},
    {"segment_mean([[1.0, 2], [3, 4], [5, 9]], [0, 2, 0], 3)", NUMBERS(3, 5.5, 0, 0, 3, 4)},
    {"segment_min([3.0, 1, 2], [1, 0, 1], 2)", NUMBERS(1, 2)},
    {"grad(|x| sum(sort(x) * [1.0, 2, 3]))([3.0, 1, 4])", NUMBERS(2, 1, 3)});
}

static const char *const images =
  "use nn\n"
  "const x = [[[[1.0], [2], [3], [4]], [[5], [6], [7], [8]], [[9], [8], [7], [6]], [[5], [4], [3], [2]]]]\n";

static void test_images(void) {
  CHECK(images,
    {"nn.max_pool(x)", NUMBERS(6, 8, 9, 7)},
    {"nn.max_pool(-x, 3, stride = 2, pad = 1)", NUMBERS(-1, -2, -4, -2)},
    {"nn.sum_pool(x, 3, stride = 1)", NUMBERS(48, 51, 54, 51)},
    {"nn.mean_pool(x)", NUMBERS(3.5, 5.5, 6.5, 4.5)},
    {"grad(|x| sum(nn.max_pool(x)^2))(x)[0, :, :, 0]", NUMBERS(0, 0, 0, 0, 0, 12, 0, 16, 18, 0, 14, 0, 0, 0, 0, 0)},
    {"nn.resize_nearest(x, 2, 8)[0, :, :, 0]", NUMBERS(5, 5, 6, 6, 7, 7, 8, 8, 5, 5, 4, 4, 3, 3, 2, 2)},
    {"nn.resize_bilinear(x, 2, 8)[0, :, :, 0]", NUMBERS(3, 3.25, 3.75, 4.25, 4.75, 5.25, 5.75, 6, 7, 6.75, 6.25, 5.75, 5.25, 4.75, 4.25, 4)},
    {"conv1d([[[1.0], [2], [3], [4]]], [[[1.0]], [[10]], [[100]]], pad = \"same\")", NUMBERS(210, 321, 432, 43)},
    {"conv1d([[[1.0], [2], [3], [4]]], [[[1.0]], [[10]]], dilation = 2)", NUMBERS(31, 42)},
    {"conv1d([[[1.0, 2], [3, 4]]], [[[1.0, 10]]], groups = 2)", NUMBERS(1, 20, 3, 40)},
    {"conv1d_transpose([[[1.0], [2]]], [[[1.0]], [[10]], [[100]]], stride = 2)", NUMBERS(1, 10, 102, 20, 200)},
    {"conv2d_transpose(x[:, :2, :1], [[[[1.0]], [[2]]]], stride = [1, 2], pad = \"same\")", NUMBERS(1, 2, 5, 10)},
    {"grad(|w| sum(conv1d_transpose([[[1.0], [2]]], w, stride = 2) * [1.0, 2, 3, 4, 5][_, :, _]))([[[1.0]], [[10]], [[100]]])", NUMBERS(7, 10, 13)});
}

void suite_library(void) {
  CU_pSuite s = test_suite("library");
  test_add(s, "linear algebra", test_linear_algebra);
  test_add(s, "Fourier transforms", test_fourier);
  test_add(s, "einsum of several", test_einsum);
  test_add(s, "order", test_order);
  test_add(s, "images", test_images);
}
