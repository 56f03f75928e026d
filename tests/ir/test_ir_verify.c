// The verifier: every rule broken once by hand.
#include "ir/ir.h"
#include "tests/test.h"

#include <string.h>

static jmp_buf out_of_memory;

static const char *text =
  "graph g(%0 x: f32[3], %1 n: i32) {\n"
  "  %2: f32[3] = sin %0 @ a.rl:7:3\n"
  "  %3: f32[3], %4: f32[2, 3] = scan %2 {n = 2, ncarry = 1} (%5: i32, %6: f32[3]) {\n"
  "    %7: f32[3] = mul %6, %0\n"
  "    %8: f32[3] = tanh %7\n"
  "    yield %7, %8\n"
  "  }\n"
  "  %9: f32[3, 1] = reshape %3\n"
  "  %10: i32[2] = map {n = 2} (%11: i32) {\n"
  "    %12: i32 = add %11, %1\n"
  "    yield %12\n"
  "  }\n"
  "  yield %9, %4, %10\n"
  "}\n";

typedef struct Parts { IrGraph *g; IrOp *sin, *scan, *mul, *tanh, *reshape, *map, *add; } Parts;
typedef void Break(Parts *p);

static void check(Break *make, const char *reason) {
  Arena a = {.oom = &out_of_memory};
  if (setjmp(out_of_memory)) CU_FAIL_FATAL("out of memory");
  Diags d = {.arena = &a};
  Parts p = {.g = ir_read(&a, &d, source_text(&a, "t", text))};
  diag_print(&d, stdout);
  CU_ASSERT_FATAL(p.g != NULL);
  CU_ASSERT(ir_verify(p.g) == NULL);
  p.sin = p.g->top->first;
  p.scan = p.sin->next;
  p.mul = p.scan->sub[0]->first;
  p.tanh = p.mul->next;
  p.reshape = p.scan->next;
  p.map = p.reshape->next;
  p.add = p.map->sub[0]->first;
  make(&p);
  const char *why = ir_verify(p.g);
  bool ok = why && strstr(why, reason);
  if (!ok) printf("\n%s\n  not %s\n", why ? why : "fine", reason);
  CU_ASSERT(ok);
  arena_free(&a);
}

static void before(Parts *p) { p->sin->in[0] = p->scan->out[0]; }
static void itself(Parts *p) { p->sin->in[0] = p->sin->out[0]; }
static void sibling(Parts *p) { p->add->in[0] = p->scan->sub[0]->arg[0]; }
static void out_of_region(Parts *p) { p->reshape->in[0] = p->tanh->out[0]; }
static void yield_inner(Parts *p) { p->g->top->yield[0] = p->tanh->out[0]; }
static void twice(Parts *p) { p->tanh->out[0]->id = p->mul->out[0]->id; }
static void beyond(Parts *p) { p->sin->out[0]->id = p->g->nvalue; }
static void missing(Parts *p) { p->mul->in[1] = NULL; }
static void wrong_type(Parts *p) { p->tanh->out[0]->type.dim[0] = 4; }
static void wrong_operand(Parts *p) { p->reshape->in[0] = p->scan->out[1]; }
static void wrong_yield(Parts *p) { p->scan->sub[0]->yield[1] = p->scan->sub[0]->arg[0]; }
static void few_yields(Parts *p) { p->scan->sub[0]->nyield = 1; }
static void no_attribute(Parts *p) { p->scan->nattr--; }
static void wrong_count(Parts *p) {
  static const int64_t three = 3;
  p->map->attr->i = &three;
}
static void no_region(Parts *p) { p->map->nregion = 0; }
static void owner(Parts *p) { p->map->sub[0]->owner = p->scan; }
static void parent(Parts *p) { p->mul->parent = p->g->top; }
static void link_back(Parts *p) { p->tanh->prev = NULL; }
static void last(Parts *p) { p->scan->sub[0]->last = p->mul; }
static void knows_op(Parts *p) { p->mul->out[0]->op = p->tanh; }
static void knows_region(Parts *p) { p->scan->sub[0]->arg[1]->index = 0; }
static void other_graph(Parts *p) {
  IrGraph *g = ir_graph(p->g->arena, "other");
  p->sin->in[0] = ir_input(g, p->sin->in[0]->type, NULL);
}
static void code(Parts *p) { p->sin->code = IR_NCODE; }
static void other_code(Parts *p) { p->sin->code = IR_ADD; }

static void test_broken(void) {
  check(before, "used before it is defined");
  check(before, "sin (value id 2) at a.rl:7:3");
  check(itself, "used before it is defined");
  check(sibling, "does not reach to here");
  check(out_of_region, "does not reach to here");
  check(yield_inner, "yielded value 1");
  check(twice, "given twice");
  check(beyond, "value id 13 of 13");
  check(missing, "operand 2 is missing");
  check(wrong_type, "result 1 is f32[4], not f32[3]");
  check(wrong_operand, "has not the elements");
  check(wrong_yield, "result 2 is f32[2, 3], not i32[2]");
  check(few_yields, "2 results, not 1");
  check(no_attribute, "is missing");
  check(wrong_count, "result 1 is i32[2], not i32[3]");
  check(no_region, "takes 1 regions, not 0");
  check(owner, "does not know its op");
  check(parent, "does not know its region");
  check(link_back, "the op before it is another");
  check(last, "last op is another");
  check(knows_op, "result 1 does not know its op");
  check(knows_region, "argument 2 does not know its region");
  check(other_graph, "belongs to another graph");
  check(code, "no such op code");
  check(other_code, "takes 2 operands, not 1");
}

void suite_ir_verify(void) {
  CU_pSuite s = test_suite("ir_verify");
  test_add(s, "broken graphs", test_broken);
}
