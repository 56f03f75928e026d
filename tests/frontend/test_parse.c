// The parser: trees of every construct, newline rules, recovery, bad files, and
// what happens when memory runs out.
#include "tests/frontend/tree.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Case { const char *text, *tree; } Case;

static void check_same(const char *got, const char *want, const char *of) {
  if (strcmp(got, want)) printf("\n  %s\n  gave %s\n  not  %s\n", of, got, want);
  CU_ASSERT_STRING_EQUAL(got, want);
}

static void check_expr(const char *text, const char *tree) {
  jmp_buf oom;
  Arena a = { .oom = &oom };
  if (setjmp(oom)) abort();
  Diags d = { .arena = &a };
  Ast *n = ast_parse_expr(&a, &d, source_text(&a, "test", text));
  if (d.count) printf("\n%s", tree_diags(&a, &d));
  CU_ASSERT_EQUAL(d.count, 0);
  check_same(tree_text(&a, n), tree, text);
  arena_free(&a);
}

// The declarations of a file, without (file …) around them.
static void check_file(const char *text, const char *tree) {
  jmp_buf oom;
  Arena a = { .oom = &oom };
  if (setjmp(oom)) abort();
  Diags d = { .arena = &a };
  Ast *n = ast_parse(&a, &d, source_text(&a, "test", text));
  if (d.count) printf("\n%s", tree_diags(&a, &d));
  CU_ASSERT_EQUAL(d.count, 0);
  char *got = tree_text(&a, n);
  got[strlen(got) - 1] = 0;
  check_same(got + strlen("(file "), tree, text);
  arena_free(&a);
}

static void check_body(const char *text, const char *tree) {
  char whole[2048], want[2048];
  snprintf(whole, sizeof whole, "fn f() {\n%s\n}\n", text);
  snprintf(want, sizeof want, "(fn f () (block %s))", tree);
  check_file(whole, want);
}

#define CHECK_ALL(check, cases) \
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check(cases[i].text, cases[i].tree)

static void operators(void) {
  static const Case cases[] = {
    { "a + b * c", "(+ a (* b c))" },
    { "a - b - c", "(- (- a b) c)" },
    { "a * b / c % d @ e", "(@ (% (/ (* a b) c) d) e)" },
    { "-x^2", "(- (^ x 2))" },
    { "2^-x^y", "(^ 2 (- (^ x y)))" },
    { "a * -b", "(* a (- b))" },
    { "- -a", "(- (- a))" },
    { "a or b and not c == d", "(or a (and b (not (== c d))))" },
    { "not not a < b + 1", "(not (not (< a (+ b 1))))" },
    { "a != b", "(!= a b)" },
    { "a <= b or a >= b or a > b", "(or (or (<= a b) (>= a b)) (> a b))" },
    { "0..n - 1", "(.. 0 (- n 1))" },
    { "a or b..c", "(.. (or a b) c)" },
    { "x |> f |> g(a) |> m.h", "(|> (|> (|> x f) (call g a)) (. m h))" },
    { "x + 1 |> acts[i]", "(|> (+ x 1) (index acts i))" },
    { "|a, b| a + b |> f", "(lambda a b (|> (+ a b) f))" },
    { "|| 3", "(lambda 3)" },
    { "|(a, h), [b, _]| (a * b, h)", "(lambda (tuple a h) (list b _) (tuple (* a b) h))" },
    { "|x| |y| x", "(lambda x (lambda y x))" },
  };
  CHECK_ALL(check_expr, cases);
}

static void primaries(void) {
  static const Case cases[] = {
    { "10_000", "10_000" },
    { "2.5e-4", "2.5e-4" },
    { "true", "true" },
    { "\"a\\n\\t\\\"\\\\b\"", "\"a\n\t\"\\b\"" },
    { "\"\"", "\"\"" },
    { "()", "(tuple)" },
    { "(a)", "(paren a)" },
    { "(a,)", "(tuple a)" },
    { "(a, b,)", "(tuple a b)" },
    { "(x = 1)", "(tuple x=1)" },
    { "(...r)", "(tuple ...r)" },
    { "(advantage, returns = a + v, ...r)", "(tuple advantage returns=(+ a v) ...r)" },
    { "(in = 1, for = 2)", "(tuple in=1 for=2)" },
    { "[]", "(list)" },
    { "[1, 2,]", "(list 1 2)" },
    { "f()", "(call f)" },
    { "f(a, &b.c, k = 1, match = &d[0], ...e,)", "(call f a &(. b c) k=1 match=&(index d 0) ...e)" },
    { "f(a)(b).c.0.1.state", "(. (. (. (. (call (call f a) b) c) 0) 1) state)" },
    { "m.in(x)", "(call (. m in) x)" },
    { "a[i, :, 1:-1, :n, n:, i +: t, _, ..., idx]", "(index a i (: nil nil) (: 1 (- 1)) (: nil n) (: n nil) (+: i t) (new) ... idx)" },
    { "a[_][b.._]", "(index (index a (new)) (.. b _))" },
    { "if a { b } else if c { d } else { e }", "(if a (block b) (if c (block d) (block e)))" },
    { "2 * if a { b } else { c }", "(* 2 (if a (block b) (block c)))" },
    { "match n { 0 => a; \"x\" => b; _ => c }", "(match n (case 0 a) (case \"x\" b) (case _ c))" },
    { "while not done { x }", "(while (not done) (block x))" },
    { "for x in xs { x }", "(for x xs (block x))" },
    { "scan (d, e) in (ds, es) reversed { d }", "(scan reversed (tuple d e) (tuple ds es) (block d))" },
    { "each (&s, a) in (w.s, b) { s }", "(each (tuple &s a) (tuple (. w s) b) (block s))" },
    { "each &s in w { s } |> flatten(2)", "(|> (each &s w (block s)) (call flatten 2))" },
    { "unroll i in 0..n { i }", "(unroll i (.. 0 n) (block i))" },
    { "{ a; b }", "(block a b)" },
    { "{}", "(block)" },
    { "reversed + step + log + obs + env", "(+ (+ (+ (+ reversed step) log) obs) env)" },
  };
  CHECK_ALL(check_expr, cases);
}

static void statements(void) {
  static const Case cases[] = {
    { "let x = 1", "(let x nil 1)" },
    { "var (a, [b, c]): f32[2] = d", "(var (tuple a (list b c)) (index f32 2) d)" },
    { "let (a) = 1", "(let a nil 1)" },
    { "let (a,) = t", "(let (tuple a) nil t)" },
    { "x = 1; x.f += 2; x[i].g[:, j +: n] -= 3; m.k *= 4; x.0 /= 5",
      "(set x 1) (set+ (. x f) 2) (set- (index (. (index x i) g) (: nil nil) (+: j n)) 3) (set* (. m k) 4) (set/ (. x 0) 5)" },
    { "(a, b[i]) = (b[i], a)", "(set (tuple a (index b i)) (tuple (index b i) a))" },
    { "[x, y] = f()", "(set (list x y) (call f))" },
    { "state a, b: f32 = 0", "(state a b f32 0)" },
    { "state m = zeros(g)", "(state m nil (call zeros g))" },
    { "state x, dx: f32", "(state x dx f32 nil)" },
    { "param w: float[I, O] = init", "(param w (index float I O) init)" },
    { "every 1_000 { log a = 1, in = 2 }", "(every 1_000 (block (log a=1 in=2)))" },
    { "log(x)", "(call log x)" },
    { "log = 3", "(set log 3)" },
    { "let log = log + 1", "(let log nil (+ log 1))" },
    { "let env = 1; var stop = env", "(let env nil 1) (var stop nil env)" },
  };
  CHECK_ALL(check_body, cases);
}

static void newlines(void) {
  static const Case cases[] = {
    { "a\n-b", "a (- b)" },
    { "a -\nb", "(- a b)" },
    { "a\n+ b", "(+ a b)" },
    { "a\n(b)", "a (paren b)" },
    { "a\n[b]", "a (list b)" },
    { "(a\n-b)", "(paren (- a b))" },
    { "f(a\n[b], c\n(d))", "(call f (index a b) (call c d))" },
    { "a\n|> f\n|> g", "(|> (|> a f) g)" },
    { "a\n.b\n.c", "(. (. a b) c)" },
    { "a\nor b\nand c", "(or a (and b c))" },
    { "let x =\n1", "(let x nil 1)" },
    { "x +=\n1", "(set+ x 1)" },
    { "if a { b }\nelse { c }", "(if a (block b) (block c))" },
    { "(if a { b\n-c } else\n{ d })", "(paren (if a (block b (- c)) (block d)))" },
    { "f(|x| {\na\n-b\n}, c)", "(call f (lambda x (block a (- b))) c)" },
    { "log a = 1,\nb = 2", "(log a=1 b=2)" },
    { "a;;b;", "a b" },
    { "a // c - \n// (\nb", "a b" },
    { "a\r\nb\r", "a b" },
    { "[1,\n 2\n, 3\n]", "(list 1 2 3)" },
    { "not\na", "(not a)" },
    { "0\n..n", "(.. 0 n)" },
    { "log\nx = 1", "log (set x 1)" },
  };
  CHECK_ALL(check_body, cases);
}

static void declarations(void) {
  static const Case cases[] = {
    { "use nn, a.b", "(use nn) (use a.b)" },
    { "const A = 1, B = A", "(const A 1) (const B A)" },
    { "data d: (x: u8[M, 4], y: i32[M]) from csv(\"d.csv\", column = \"x\")",
      "(data d (type (part x (index u8 M 4)) (part y (index i32 M))) (call csv \"d.csv\" column=\"x\"))" },
    { "fn f(x, n: dim = 3, &s: kv[B, D / 2] = zeros) -> (f32, y: f32[..., N]) = x",
      "(fn f ((static x nil nil) (static n dim 3) (static &s (index kv B (/ D 2)) zeros)) -> (type (part f32) (part y (index f32 ... N))) = x)" },
    { "fn f() = { a }", "(fn f () = (block a))" },
    { "fn f(x: f32) -> f32 from c(\"f.h\")", "(fn f ((static x f32 nil)) -> f32 from (call c \"f.h\"))" },
    { "layer a[S = T, E: env](p: critic.params[2]) -> (f32) { p }",
      "(layer a [(static S nil T) (static E env nil)] ((static p (index (. critic params) 2) nil)) -> f32 (block p))" },
    { "model m(x) -> f32[B][2] = x", "(model m ((static x nil nil)) -> (index (index f32 B) 2) = x)" },
    { "loss l(p) { p } backward(dy, dz) { (x = dy) }", "(loss l ((static p nil nil)) (block p) backward dy dz (block (tuple x=dy)))" },
    { "rule r(g: P) -> P { state m = zeros(g); m }", "(rule r ((static g P nil)) -> P (block (state m nil (call zeros g)) m))" },
    { "record r[N, T] { items: T[N]; next, count: i32 = 0\n fn top() = items[0] }",
      "(record r (static N nil nil) (static T nil nil) (member items (index T N) nil) (member next i32 0) (member count i32 0) (fn top () = (index items 0)))" },
    { "env e(g = 1) { state x: f32; obs = [x]; action = discrete(2); fn reset(key) { x = 0 }\nfn step(a) { x } }",
      "(env e (static g nil 1) (state x f32 nil) (obs nil (list x)) (action (call discrete 2)) (fn reset ((static key nil nil)) (block (set x 0)))"
      " (fn step ((static a nil nil)) (block x)))" },
    { "env g from gymnasium(\"A-v1\") { obs: f32[4]; action = discrete(2) }",
      "(env g from (call gymnasium \"A-v1\") (obs (index f32 4) nil) (action (call discrete 2)))" },
    { "train t(lr = 1e-3) { let n = a; state p = n; step { p }; stop when n >= 3; export act(o: f32) -> f32 = o }",
      "(train t (static lr nil 1e-3) (let n nil a) (state p nil n) (step (block p)) (stop (>= n 3)) (export act (fn act ((static o f32 nil)) -> f32 = o)))" },
    { "experiment x(seeds = 3) { let a = t.run(); claim mean(a.y) < 1 }",
      "(experiment x (static seeds nil 3) (let a nil (call (. t run))) (claim (< (call mean (. a y)) 1)))" },
    { "// far\n\n// one\n//two\nfn f() = 1 // not this\nfn g() = 2", "<one\ntwo>(fn f () = 1) (fn g () = 2)" },
    { "\xEF\xBB\xBFuse nn", "(use nn)" },
    { "env x {\nfn step(a) { a }\n}", "(env x (fn step ((static a nil nil)) (block a)))" },
  };
  CHECK_ALL(check_file, cases);
}

static void places(void) {
  jmp_buf oom;
  Arena a = { .oom = &oom };
  if (setjmp(oom)) abort();
  Diags d = { .arena = &a };
  Ast *f = ast_parse(&a, &d, source_text(&a, "test", "// doc\nfn foo(x) {\n  let y = x.bar +\n    x[1](2)\n}\n"));
  CU_ASSERT_EQUAL_FATAL(f->nkid, 1);
  const Ast *fn = f->kid[0];
  CU_ASSERT(fn->loc.line == 2 && fn->loc.col == 4 && fn->loc.width == 3 && fn->end_line == 5);
  const Ast *let = fn->fn->body->kid[0], *sum = let->kid[2];
  CU_ASSERT(let->loc.line == 3 && let->loc.col == 3 && let->end_line == 4);
  CU_ASSERT(sum->loc.line == 3 && sum->loc.col == 17);
  CU_ASSERT(sum->kid[0]->loc.col == 13 && sum->kid[0]->loc.width == 3);
  CU_ASSERT(sum->kid[1]->loc.line == 4 && sum->kid[1]->loc.col == 9);
  CU_ASSERT(sum->kid[1]->kid[0]->loc.col == 6);
  Ast *n = ast_parse_expr(&a, &d, source_text(&a, "n", "9_223_372_036_854_775_807"));
  CU_ASSERT(n->is_int && n->i == INT64_MAX);
  n = ast_parse_expr(&a, &d, source_text(&a, "n", "2.5e-4"));
  CU_ASSERT(!n->is_int && n->f == 2.5e-4);
  CU_ASSERT_EQUAL(d.count, 0);
  arena_free(&a);
}

// ---- depth, recovery -------------------------------------------------------------

static int errors_in(const char *text, char *shown, size_t size) {
  jmp_buf oom;
  Arena a = { .oom = &oom };
  if (setjmp(oom)) abort();
  Diags d = { .arena = &a };
  ast_parse(&a, &d, source_text(&a, "test", text));
  if (shown) snprintf(shown, size, "%s", tree_diags(&a, &d));
  int n = d.count;
  arena_free(&a);
  return n;
}

static void deep(void) {
  static const char *const parts[] = { "(", "[", "{\n", "f(", "-", "1+", "not ", "a.b[", "|x| ", "if a { b } else ", "2^", "x |> f(", "if ", "a.", "a |> f |> ", "let x = {", "(a, ", "f(x = " };
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    size_t n = strlen(parts[i]), most = 10000;
    char *text = malloc(n * most + 32), *s = text + sprintf(text, "fn f() = ");
    for (size_t k = 0; k < most; k++, s += n) memcpy(s, parts[i], n);
    strcpy(s, "1\n");
    char shown[512];
    int errors = errors_in(text, shown, sizeof shown);
    if (errors != 1) printf("\n  10,000 times %s: %d errors\n", parts[i], errors);
    CU_ASSERT_EQUAL(errors, 1);
    free(text);
  }
  char hundred[512] = "fn f() = ";
  for (int i = 0; i < 100; i++) strcat(hundred, "((");
  strcat(hundred, "1");
  for (int i = 0; i < 100; i++) strcat(hundred, "))");
  CU_ASSERT_EQUAL(errors_in(hundred, NULL, 0), 0);
}

static void recovery(void) {
  char shown[4096];
  int n = errors_in(
    "use nn\n"
    "fn f(x) {\n"
    "  let y =\n"
    "  let z = g(x, y\n"
    "  let w = (1 + ) * 3\n"
    "  let ok = 1\n"
    "}\n"
    "modle m(x) { x }\n"
    "train t() {\n"
    "  stete x = 1\n"
    "  step { a b }\n"
    "  stop iter\n"
    "}\n"
    "fn g(x) { x }\n", shown, sizeof shown);
  CU_ASSERT_EQUAL(n, 7);
  static const char *const want[] = { "test:3:10: ", "test:5:3: ", "test:5:16: ", "test:8:1: ", "test:10:3: ", "test:11:12: ", "test:12:8: " };
  for (size_t i = 0; i < sizeof want / sizeof *want; i++) CU_ASSERT_PTR_NOT_NULL(strstr(shown, want[i]));
  n = errors_in("fn f() {\n  if a {\n    b\n}\n\nfn g() = 1\n", shown, sizeof shown);
  CU_ASSERT_EQUAL(n, 1);
  CU_ASSERT_PTR_NOT_NULL(strstr(shown, "test:2:8: error: this `{` is not closed"));
  CU_ASSERT_PTR_NOT_NULL(strstr(shown, "before line 6"));
}

// Errors without end neither fill the memory nor take long to sort.
static void garbage(void) {
  static const char *const lines[] = { "x\n", "fn f() { )\n", "fn f() {\n  x x\n}\n", "$" };
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    size_t n = strlen(lines[i]), most = 100000;
    char *text = malloc(n * most + 1), shown[16384];
    for (size_t k = 0; k < most; k++) memcpy(text + k * n, lines[i], n);
    text[n * most] = 0;
    int errors = errors_in(text, shown, sizeof shown);
    CU_ASSERT(errors > 0 && errors <= 20 * DIAG_MOST);
    free(text);
  }
}

static void memory(void) {
  static const char text[] = "fn f(x) { let y = x[1, 2] + g(a = 3) }\n// c\nfn g(a) = [1, 2, 3]\n";
  for (volatile long n = 1; n < 200; n++) {
    jmp_buf oom;
    Arena a = { .oom = &oom };
    base_fail_allocation(n);
    volatile bool finished = false;
    if (!setjmp(oom)) {
      Diags d = { .arena = &a };
      Ast *f = NULL;
      for (int i = 0; i < 8; i++) f = ast_parse(&a, &d, source_text(&a, "test", text));
      CU_ASSERT_EQUAL(f->nkid, 2);
      CU_ASSERT_PTR_NOT_NULL(ast_format(&a, f));
      finished = true;
    }
    base_fail_allocation(0);
    arena_free(&a);
    if (finished) {
      CU_ASSERT(n > 1);
      return;
    }
  }
  CU_FAIL("parsing a small file takes more than 200 allocations");
}

// ---- files --------------------------------------------------------------------------

static char folder[64];

static void write_file(const char *path, const char *bytes, size_t n) {
  FILE *f = fopen(path, "wb");
  CU_ASSERT_PTR_NOT_NULL_FATAL(f);
  CU_ASSERT_EQUAL(fwrite(bytes, 1, n, f), n);
  fclose(f);
}

// Reads and, if that works, parses; returns how many errors were shown.
static int read_errors(const char *path, char *shown, size_t size) {
  jmp_buf oom;
  Arena a = { .oom = &oom };
  if (setjmp(oom)) abort();
  Diags d = { .arena = &a };
  const Source *s = source_read(&a, &d, path);
  if (s) ast_parse(&a, &d, s);
  snprintf(shown, size, "%s", tree_diags(&a, &d));
  int n = d.count;
  arena_free(&a);
  return n;
}

static void check_bad_file(const char *bytes, size_t n, const char *want) {
  char path[128], shown[2048];
  snprintf(path, sizeof path, "%s/bad.rl", folder);
  write_file(path, bytes, n);
  CU_ASSERT_EQUAL(read_errors(path, shown, sizeof shown), 1);
  if (!strstr(shown, want)) printf("\n  %s  lacks %s\n", shown, want);
  CU_ASSERT_PTR_NOT_NULL(strstr(shown, want));
  unlink(path);
}

static void bad_files(void) {
  char shown[2048];
  strcpy(folder, "/tmp/rlc_parse_XXXXXX");
  CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
  check_bad_file("", 0, "no declaration");
  check_bad_file(" \n// only a comment\n", 20, "no declaration");
  check_bad_file("use nn\0x", 8, "byte 6, in line 1, is NUL");
  check_bad_file("use nn\n// \xff", 11, "byte 10, in line 2, is 0xff");
  check_bad_file("// \xc0\x80", 5, "0xc0");                  // overlong
  check_bad_file("// \xed\xa0\x80", 6, "0xed");              // a surrogate
  check_bad_file("// \xf4\x90\x80\x80", 7, "0xf4");          // above U+10FFFF
  check_bad_file("// \xe2\x82", 5, "0xe2");                  // cut short
  size_t n = 10 * 1000 * 1000;
  char *line = malloc(n);
  memset(line, 'a', n);
  check_bad_file(line, n, "line 1 is longer than");
  free(line);

  CU_ASSERT_EQUAL(read_errors(folder, shown, sizeof shown), 1);
  CU_ASSERT_PTR_NOT_NULL(strstr(shown, "a directory, not a file"));
  CU_ASSERT_EQUAL(read_errors("/dev/null", shown, sizeof shown), 1);
  CU_ASSERT_PTR_NOT_NULL(strstr(shown, "not a regular file"));
  CU_ASSERT_EQUAL(read_errors("/nowhere/x.rl", shown, sizeof shown), 1);
  CU_ASSERT_PTR_NOT_NULL(strstr(shown, "/nowhere/x.rl: error: there is no such file"));
  char path[128];
  snprintf(path, sizeof path, "%s/secret.rl", folder);
  write_file(path, "use nn\n", 7);
  chmod(path, 0);
  if (access(path, R_OK)) {
    CU_ASSERT_EQUAL(read_errors(path, shown, sizeof shown), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(shown, "cannot be read: Permission denied"));
  }
  unlink(path);
  rmdir(folder);
}

// A NUL that comes by another way than a file.
static void nul_inside(void) {
  jmp_buf oom;
  Arena a = { .oom = &oom };
  if (setjmp(oom)) abort();
  Diags d = { .arena = &a };
  Source s = { "test", "const a = 1 \0 2\n", 16 };
  ast_parse(&a, &d, &s);
  CU_ASSERT_EQUAL(d.count, 1);
  CU_ASSERT_PTR_NOT_NULL(strstr(d.first->message, "stray control character 0x00"));
  arena_free(&a);
}

static void parse_one(const char *path) {
  char shown[4096];
  int n = read_errors(path, shown, sizeof shown);
  if (n) printf("\n%s", shown);
  CU_ASSERT_EQUAL(n, 0);
}

static void wishes(void) { CU_ASSERT(tree_files(test_root(), "tests/frontend/wishes", parse_one) >= 15); }

void suite_parse(void) {
  CU_pSuite s = test_suite("parse");
  test_add(s, "operators", operators);
  test_add(s, "primaries", primaries);
  test_add(s, "statements", statements);
  test_add(s, "newlines", newlines);
  test_add(s, "declarations", declarations);
  test_add(s, "places", places);
  test_add(s, "deep nesting", deep);
  test_add(s, "recovery", recovery);
  test_add(s, "garbage", garbage);
  test_add(s, "memory runs out", memory);
  test_add(s, "bad files", bad_files);
  test_add(s, "NUL inside", nul_inside);
  test_add(s, "wish programs parse", wishes);
}
