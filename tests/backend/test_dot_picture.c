// Pictures: text that Graphviz reads, in which every op is found, whatever the graph and the names in it.
#include <cgraph.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "passes/passes.h"
#include "tests/ir/gen.h"
#include "tests/test.h"

static Arena arena;
static jmp_buf oom;
static void begin(void) {
  if (setjmp(oom)) {
    fputs("out of memory\n", stderr);
    exit(2);
  }
  arena = (Arena){ .oom = &oom };
}

static IrGraph *read_graph(const char *text) {
  Diags d = { .arena = &arena };
  IrGraph *g = ir_read(&arena, &d, source_text(&arena, "picture.ir", text));
  if (!g) diag_print(&d, stderr);
  CU_ASSERT_PTR_NOT_NULL_FATAL(g);
  return g;
}

static void run_passes(IrGraph *g) {
  Diags d = { .arena = &arena };
  PassContext c = { &arena, &d };
  CU_ASSERT_TRUE(pass_run(&c, g, NULL, NULL, NULL));
}

static Plan *plan_of(const IrGraph *g) {
  PlanPort *in = arena_array(&arena, PlanPort, g->top->narg + 1), *out = arena_array(&arena, PlanPort, g->top->nyield + 1);
  int64_t at = 0, end = 0;
  for (int k = 0; k < g->top->narg; k++) {
    in[k] = (PlanPort){ RT_STATE, at };
    at += (ir_bytes(&g->top->arg[k]->type) + 63) / 64 * 64;
  }
  for (int k = 0; k < g->top->nyield; k++) {
    out[k] = (PlanPort){ RT_OUT, end };
    end += (ir_bytes(&g->top->yield[k]->type) + 63) / 64 * 64;
  }
  PlanTarget target = { .vector_bits = 256, .fma = true, .fork_ns = PLAN_FORK_NS };
  PlanConsts *consts = arena_new(&arena, PlanConsts);
  consts->data.arena = &arena;
  return plan_build(&arena, g, &(PlanInterface){ in, out }, &target, consts, "main");
}

// ---- what the text says -----------------------------------------------------------------------------
typedef struct Seen { int node, edge, count[IR_NCODE]; } Seen;

static void see_tooltip(Seen *s, const char *text) {
  char word[64];
  int n = 0, used = 0;
  for (; sscanf(text, "%63s%n", word, &used) == 1 && strcmp(word, "|"); text += used) {
    char *star = strchr(word, '*');
    n = star ? atoi(star + 1) : 1;
    if (star) *star = 0;
    int code = ir_code_find(word);
    if (code >= 0) s->count[code] += n;
  }
}

// Whether Graphviz reads it without a message, and what is in it.
static bool complained;
static int complain(char *text) {
  fputs(text, stderr);
  complained = true;
  return 0;
}

static bool see(const char *dot, Seen *s) {
  *s = (Seen){ 0 };
  complained = false;
  agusererrf before = agseterrf(complain);
  Agraph_t *g = agmemread(dot);
  agseterrf(before);
  if (!g) return false;
  for (Agnode_t *n = agfstnode(g); n; n = agnxtnode(g, n)) {
    char *tip = agget(n, "tooltip");
    s->node++;
    if (tip) see_tooltip(s, tip);
    for (Agedge_t *e = agfstout(g, n); e; e = agnxtout(g, e)) s->edge++;
  }
  agclose(g);
  return !complained;
}

static bool is_counted(const IrOp *op) {
  switch (op->code) {
  case IR_CONST: case IR_IOTA: case IR_CAST: case IR_BITCAST: case IR_STOP_GRAD: case IR_RESHAPE: case IR_BROADCAST:
  case IR_TRANSPOSE: case IR_SLICE: case IR_REVERSE: return false;
  default: return op->nregion == 0;
  }
}

static void count_ops(const IrRegion *r, int *count) {
  ir_each_op(r, op) {
    count[op->code] += is_counted(op);
    for (int k = 0; k < op->nregion; k++) count_ops(op->sub[k], count);
  }
}

// Valid, the same each time, and without a plan every op is in it.
static char *check(const IrGraph *g, const Plan *p) {
  char *dot = dot_emit(&arena, g, p);
  Seen s;
  CU_ASSERT_TRUE(see(dot, &s));
  CU_ASSERT_STRING_EQUAL(dot, dot_emit(&arena, g, p));
  int count[IR_NCODE] = { 0 };
  if (!p) count_ops(g->top, count);
  for (int c = 0; c < IR_NCODE; c++) {
    CU_ASSERT(s.count[c] >= count[c]);
    if (s.count[c] < count[c]) printf("%s: %d of %d\n", ir_info[c].name, s.count[c], count[c]);
  }
  return dot;
}

// Spaces of labels are written as &#160;.
static bool has(const char *dot, const char *part) {
  Str plain = { .arena = &arena };
  for (const char *c = dot; *c; c++) {
    bool space = !strncmp(c, "&#160;", 6);
    str_put(&plain, space ? " " : c, 1);
    if (space) c += 5;
  }
  const char *text = plain.s;
  bool found = strstr(text, part);
  if (!found) printf("not in the picture: %s\n%s\n", part, text);
  return found;
}

// ---- tests --------------------------------------------------------------------------------------------
static const char mlp[] =
  "graph mlp(%0 x: f32[8, 4], %1 p.a.w: f32[4, 16], %2 p.a.b: f32[16], %3 p.c.w: f32[16, 1]) {\n"
  "  %4: f32[8, 16] = dot %0, %1 in a\n"
  "  %5: f32[8, 16] = broadcast %2 {axes = [1]} in a\n"
  "  %6: f32[8, 16] = add %4, %5 in a\n"
  "  %7.h: f32[8, 16] = tanh %6 in a\n"
  "  %8: f32[8, 1] = dot %7, %3 in c\n"
  "  %9: f32 = reduce_sum %8 {axes = [0, 1]}\n"
  "  yield %9 -> \"loss\"\n"
  "}\n";

static void test_formulas(void) {
  begin();
  IrGraph *g = read_graph(mlp);
  char *dot = check(g, NULL);
  CU_ASSERT_TRUE(has(dot, "h = tanh(x @ w + b)"));
  CU_ASSERT_TRUE(has(dot, "f32[8, 16&#93;"));
  CU_ASSERT_TRUE(has(dot, "label=<loss>"));
  dot = check(g, plan_of(g));
  CU_ASSERT_TRUE(has(dot, "tanh(x @ w + b)"));
  arena_free(&arena);
}

static const char loops[] =
  "graph loops(%0 x: f32[3], %1 xs: f32[5, 3], %2 n: i32) {\n"
  "  %3: f32[3], %4: f32[5, 3] = scan %0, %1 {n = 5, reverse = 1, ncarry = 1} (%5: i32, %6.acc: f32[3], %7: f32[3]) {\n"
  "    %8: f32[3] = add %6, %7\n"
  "    %9: f32[3] = mul %8, %0\n"
  "    yield %8, %9\n"
  "  }\n"
  "  %10: i32 = while %2 (%11: i32) {\n"
  "    %12: i32 = const 9\n"
  "    %13: bool = lt %11, %12\n"
  "    yield %13\n"
  "  } (%14: i32) {\n"
  "    %15: i32 = const 1\n"
  "    %16: i32 = add %14, %15\n"
  "    yield %16\n"
  "  }\n"
  "  %17: i32 = const 3\n"
  "  %18: bool = gt %10, %17\n"
  "  %19: f32[3] = cond %18 () {\n"
  "    %20: f32[3] = exp %3\n"
  "    yield %20\n"
  "  } () {\n"
  "    %21: f32[3] = sin %3\n"
  "    yield %21\n"
  "  }\n"
  "  %22: f32[5, 3] = map %4 {n = 5} (%23: i32, %24: f32[3]) {\n"
  "    %25: f32[3] = cos %24\n"
  "    yield %25\n"
  "  }\n"
  "  yield %19 -> \"out\", %22 -> \"rows\"\n"
  "}\n";

static void test_loops(void) {
  begin();
  IrGraph *g = read_graph(loops);
  char *dot = check(g, NULL);
  CU_ASSERT_TRUE(has(dot, "scan × 5</B>, from the last turn to the first"));
  CU_ASSERT_TRUE(has(dot, "map × 5"));
  CU_ASSERT_TRUE(has(dot, ">acc"));
  CU_ASSERT_TRUE(has(dot, "label=<then>"));
  CU_ASSERT_TRUE(has(dot, "label=<else>"));
  CU_ASSERT_TRUE(has(dot, "style=dashed, constraint=false"));
  run_passes(g);
  check(g, plan_of(g));
  arena_free(&arena);
}

static void test_names(void) {
  begin();
  static const char nasty[] = "a\"b<i>&]}\\|\n";
  IrGraph *g = ir_graph(&arena, nasty);
  IrBuilder b = { .graph = g, .at = g->top, .scope = nasty };
  IrValue *x = ir_input(g, ir_scalar(IR_F32), nasty), *y = ir_un(&b, IR_EXP, x), *z = ir_un(&b, IR_SIN, y);
  y->hint = nasty;
  ir_output(g, z, nasty);
  ir_output(g, ir_fill(&b, ir_scalar(IR_F64), 0.25), "quarter");
  char *dot = check(g, NULL), *why = NULL;
  CU_ASSERT_TRUE(has(dot, "a&quot;b&lt;i&gt;&amp;&#93;}\\| "));
  CU_ASSERT_TRUE(has(dot, "quarter = 0.25"));
  size_t n = 0;
  CU_ASSERT_PTR_NOT_NULL(dot_render(&arena, dot, "svg", &n, &why));
  arena_free(&arena);
}

// An optimizer over many parameters is one box; what is written back bears the state's name.
static void test_alike(void) {
  begin();
  IrGraph *g = ir_graph(&arena, "step");
  IrBuilder b = { .graph = g, .at = g->top };
  const Source *src = source_text(&arena, "optim.rl", "p -= 0.1 * g\n");
  IrValue *next[16];
  for (int k = 0; k < 16; k++) {
    IrType t = ir_type(IR_F32, 1, (int64_t[]){ k + 2 });
    IrValue *p = ir_input(g, t, arena_printf(&arena, "p.%d.w", k));
    b.loc = (Loc){ src, 1, 8, 1 };
    IrValue *change = ir_bin(&b, IR_MUL, p, ir_fill(&b, t, 0.1));
    b.loc = (Loc){ src, 1, 1, 1 };
    next[k] = ir_bin(&b, IR_SUB, p, change);
  }
  for (int k = 0; k < 16; k++) ir_output(g, next[k], arena_printf(&arena, "p.%d.w", k));
  char *dot = check(g, NULL);
  CU_ASSERT_TRUE(has(dot, "× 16"));
  CU_ASSERT_TRUE(has(dot, "p.*.w' "));
  arena_free(&arena);
}

// Products that are adjoints of earlier ones stand in a cluster of their own.
static void test_derivative(void) {
  begin();
  IrGraph *g = ir_graph(&arena, "grad");
  IrBuilder b = { .graph = g, .at = g->top };
  const Source *src = source_text(&arena, "net.rl", "sum((tanh(x @ w) @ u)^2)\n");
  IrValue *x = ir_input(g, ir_type(IR_F32, 2, (int64_t[]){ 8, 4 }), "x");
  IrType tw = ir_type(IR_F32, 2, (int64_t[]){ 4, 16 }), tu = ir_type(IR_F32, 2, (int64_t[]){ 16, 2 });
  IrValue *in[3] = { ir_input(g, tw, "w"), ir_input(g, tu, "u"), ir_fill(&b, ir_scalar(IR_F32), 1) };
  IrRegion *r = ir_region(g);
  IrValue *w = ir_arg(r, tw), *u = ir_arg(r, tu);
  IrBuilder body = { .graph = g, .at = r };
  body.loc = (Loc){ src, 1, 13, 1 };
  IrValue *h = ir_dot(&body, x, w, 0, false, false);
  body.loc = (Loc){ src, 1, 6, 4 };
  h = ir_un(&body, IR_TANH, h);
  body.loc = (Loc){ src, 1, 18, 1 };
  IrValue *y = ir_dot(&body, h, u, 0, false, false);
  body.loc = (Loc){ src, 1, 23, 1 };
  y = ir_bin(&body, IR_MUL, y, y);
  body.loc = (Loc){ src, 1, 1, 3 };
  ir_yield(r, ir_reduce(&body, IR_SUM, y, 2, (int64_t[]){ 0, 1 }));
  IrAttr attr[] = { ir_attr_int(&arena, A_NX, 2), ir_attr_int(&arena, A_NY, 1) };
  IrOp *vjp = ir_build(&b, IR_VJP, 3, in, NULL, 2, attr, 1, &r);
  ir_output(g, vjp->out[0], "loss");
  ir_output(g, vjp->out[1], "dw");
  ir_output(g, vjp->out[2], "du");
  CU_ASSERT_TRUE(has(check(g, NULL), "<B>vjp</B>"));
  run_passes(g);
  CU_ASSERT_TRUE(has(check(g, NULL), "<B>derivative</B>"));
  CU_ASSERT_TRUE(has(check(g, plan_of(g)), "<B>derivative</B>"));
  arena_free(&arena);
}

// A loop with more in it than can be looked at is one box.
static void test_closed(void) {
  begin();
  IrGraph *g = ir_graph(&arena, "long");
  IrBuilder b = { .graph = g, .at = g->top };
  IrValue *x = ir_input(g, ir_scalar(IR_F32), "x"), *y = ir_un(&b, IR_EXP, x);
  IrRegion *r = ir_region(g);
  ir_arg(r, ir_scalar(IR_I32));
  IrValue *v = ir_arg(r, ir_scalar(IR_F32));
  IrBuilder body = { .graph = g, .at = r };
  for (int k = 0; k < 300; k++) {
    v = ir_bin(&body, IR_ADD, ir_un(&body, IR_SIN, v), y);
    v->hint = "v";
  }
  ir_yield(r, v);
  IrAttr attr[] = { ir_attr_int(&arena, A_N, 3), ir_attr_int(&arena, A_REVERSE, 0), ir_attr_int(&arena, A_NCARRY, 1) };
  IrOp *scan = ir_build(&b, IR_SCAN, 1, &x, NULL, 3, attr, 1, &r);
  ir_output(g, scan->out[0], "z");
  char *dot = dot_emit(&arena, g, NULL);
  Seen s;
  CU_ASSERT_TRUE(see(dot, &s));
  CU_ASSERT_EQUAL(s.node, 4);                   // x, exp, the loop, z
  CU_ASSERT_EQUAL(s.edge, 4);                   // the loop captures what exp gives
  CU_ASSERT_TRUE(has(dot, "scan × 3 of 600 ops"));
  arena_free(&arena);
}

static void test_random(void) {
  for (uint64_t seed = 0; seed < 60; seed++) {
    begin();
    IrGraph *g = gen_graph(&arena, seed, &(GenOptions){ .nop = 24, .depth = 2, .kinds = GEN_ALL });
    check(g, NULL);
    run_passes(g);
    check(g, NULL);
    check(g, plan_of(g));
    arena_free(&arena);
  }
}

static void test_large(void) {
  begin();
  IrGraph *g = gen_graph(&arena, 7, &(GenOptions){ .nop = 120, .depth = 1, .kinds = GEN_ALL });
  Seen s;
  CU_ASSERT_TRUE(see(dot_emit(&arena, g, NULL), &s));
  size_t n = 0;
  char *why = NULL, *svg = dot_render(&arena, dot_emit(&arena, g, NULL), "svg", &n, &why);
  CU_ASSERT_PTR_NOT_NULL(svg);
  arena_free(&arena);
}

static void test_render(void) {
  begin();
  size_t n = 0;
  char *why = NULL, *svg = dot_render(&arena, dot_emit(&arena, read_graph(mlp), NULL), "svg", &n, &why);
  CU_ASSERT_PTR_NOT_NULL_FATAL(svg);
  CU_ASSERT_EQUAL(strlen(svg), n);
  CU_ASSERT_TRUE(has(svg, "<svg") && has(svg, "</svg>") && has(svg, "loss"));
  CU_ASSERT_PTR_NULL(dot_render(&arena, "digraph {", "svg", &n, &why));
  CU_ASSERT_TRUE(has(why, "no Graphviz graph"));
  CU_ASSERT_PTR_NULL(dot_render(&arena, "digraph { a -> b }", "nonsense", &n, &why));
  CU_ASSERT_TRUE(has(why, "nonsense"));
  arena_free(&arena);
}

void suite_picture(void) {
  CU_pSuite s = test_suite("picture");
  test_add(s, "formulas", test_formulas);
  test_add(s, "loops", test_loops);
  test_add(s, "names", test_names);
  test_add(s, "alike", test_alike);
  test_add(s, "derivative", test_derivative);
  test_add(s, "closed loops", test_closed);
  test_add(s, "random graphs", test_random);
  test_add(s, "large", test_large);
  test_add(s, "render", test_render);
}
