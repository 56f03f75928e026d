// The formatter: its layout, that it is idempotent, that it keeps comments, and
// that what it prints is the same program.
#include "tests/frontend/tree.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

typedef struct Case { const char *text, *want; } Case;

// The formatted text, checked to mean the same and to stay as it is; NULL where
// the source does not parse.
static char *formatted(Arena *a, const Source *src) {
  Diags d = { .arena = a };
  Ast *file = ast_parse(a, &d, src);
  if (d.count) return NULL;
  char *once = ast_format(a, file);
  Ast *again = ast_parse(a, &d, source_text(a, "formatted", once));
  if (d.count) printf("\n%s\n%s", once, tree_diags(a, &d));
  CU_ASSERT_EQUAL(d.count, 0);
  bool same = !strcmp(tree_text(a, file), tree_text(a, again));
  bool still = !strcmp(once, ast_format(a, again));
  if (!same || !still) printf("\n  %s: formatting %s\n%s", src->path, same ? "twice differs" : "changes the program", once);
  CU_ASSERT(same);
  CU_ASSERT(still);
  CU_ASSERT_EQUAL(file->ncomment, again->ncomment);
  for (int i = 0; i < file->ncomment && i < again->ncomment; i++) CU_ASSERT_STRING_EQUAL(file->comment[i].text, again->comment[i].text);
  return once;
}

static void check(const char *text, const char *want) {
  jmp_buf oom;
  Arena a = { .oom = &oom };
  if (setjmp(oom)) abort();
  const char *got = formatted(&a, source_text(&a, "test", text));
  CU_ASSERT_PTR_NOT_NULL_FATAL(got);
  if (strcmp(got, want)) printf("\n--- gave\n%s--- not\n%s", got, want);
  CU_ASSERT_STRING_EQUAL(got, want);
  arena_free(&a);
}

#define CHECK_ALL(cases) \
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check(cases[i].text, cases[i].want)

static void blanks(void) {
  static const Case cases[] = {
    { "use  nn ,rl;const A=1 , B = 2", "use nn, rl\nconst A = 1, B = 2\n" },
    { "fn f ( x:f32[ B,4 ],& y , n = 3 )->(a:f32 , f32)=x", "fn f(x: f32[B, 4], &y, n = 3) -> (a: f32, f32) = x\n" },
    { "fn f(x)=x [1 : - 1 , : ,_,...,i+:n ] ^ - 2 * ( a+b ) . c . 0", "fn f(x) = x[1:-1, :, _, ..., i +: n]^-2 * (a + b).c.0\n" },
    { "fn f(x) = | a,( b , & c ) |a|>g( ... r , & s,k=1, )", "fn f(x) = |a, (b, &c)| a |> g(...r, &s, k = 1)\n" },
    { "fn f(x) = (a,)", "fn f(x) = (a,)\n" },
    { "fn f(x) = (a, b ,)", "fn f(x) = (a, b)\n" },
    { "fn f(x) = [a,]", "fn f(x) = [a]\n" },
    { "fn f(x,) = g(x,)", "fn f(x) = g(x)\n" },
    { "fn f(x) = 0 .. n-1", "fn f(x) = 0..n - 1\n" },
    { "fn f(x) = not-x<- y", "fn f(x) = not -x < -y\n" },
    { "fn f(x) = - - x", "fn f(x) = --x\n" },
    { "fn f(x) = ||x", "fn f(x) = || x\n" },
    { "fn f(x) {x;y}", "fn f(x) { x; y }\n" },
    { "fn f(x) {\n\n}", "fn f(x) {}\n" },
    { "layer a [ S=T ,E:env ]( x ){x}", "layer a[S = T, E: env](x) { x }\n" },
    { "rule r(g) { state a ,b:f32=0 }backward ( dy ){dy}", "rule r(g) { state a, b: f32 = 0 } backward(dy) { dy }\n" },
    { "fn f(x) = \"a\\n\" ", "fn f(x) = \"a\\n\"\n" },
    { "\xEF\xBB\xBFuse nn\r\n", "use nn\n" },
  };
  CHECK_ALL(cases);
}

static void lines(void) {
  static const Case cases[] = {
    { "fn f(x) { let a = 1\n let b = 2; a\n +b }\n", "fn f(x) {\n  let a = 1\n  let b = 2\n  a\n    + b\n}\n" },
    { "fn f(x) =\n x\n |> g\n", "fn f(x) =\n  x\n  |> g\n" },
    { "fn f(x) {\n  if a { b }\n  else { c }\n}", "fn f(x) {\n  if a { b } else { c }\n}\n" },
    { "fn f(x) {\n  if a {\n b }\n  else\n if c { d } else {\n e\n }\n}",
      "fn f(x) {\n  if a {\n    b\n  } else if c { d } else {\n    e\n  }\n}\n" },
    { "fn f(x) = mean(each t in ts {\n t\n -t\n})", "fn f(x) = mean(each t in ts {\n  t\n  -t\n})\n" },
    { "fn f(x) = g(a,\nb,\n  h(c,\n d\n), e,\n)", "fn f(x) = g(a,\n  b,\n  h(c,\n    d\n  ), e,\n)\n" },
    { "fn f(x) = [\n1, 2,\n3, 4\n]", "fn f(x) = [\n  1, 2,\n  3, 4\n]\n" },
    { "fn f(x) {\n\n\n  a\n\n\n\n  b\n\n}\n\n\n\nfn g(x) = x\n\n\n", "fn f(x) {\n  a\n\n  b\n}\n\nfn g(x) = x\n" },
    { "fn f(x) {\n let y = {\n a\n }\n y\n}", "fn f(x) {\n  let y = {\n    a\n  }\n  y\n}\n" },
    { "fn f(x)=\n scan x in xs {\n h\n }", "fn f(x) =\n  scan x in xs {\n    h\n  }\n" },
    { "fn f(x) = match x {\n0 => a\n _ => b }", "fn f(x) = match x {\n  0 => a\n  _ => b\n}\n" },
    { "train t(a = 1) { state p = 1\n step { p }\n\n stop when p\n export g(x) -> f32 = x }",
      "train t(a = 1) {\n  state p = 1\n  step { p }\n\n  stop when p\n  export g(x) -> f32 = x\n}\n" },
    { "record r { a, b: f32; c: i32 }", "record r { a, b: f32; c: i32 }\n" },
  };
  CHECK_ALL(cases);
}

static void comments(void) {
  static const Case cases[] = {
    { "//a\n\n\n// b  \nuse nn// c\n// d\n", "//a\n\n// b\nuse nn  // c\n// d\n" },
    { "fn f(x) { // one\n// two\na // three\n// four\n\n// five\n}", "fn f(x) {  // one\n  // two\n  a  // three\n  // four\n\n  // five\n}\n" },
    { "fn f(x) { // only\n}", "fn f(x) {  // only\n}\n" },
    { "fn f(x) {\n// only\n}", "fn f(x) {\n  // only\n}\n" },
    { "fn f(x) = g(a, // first\n// own\nb // last\n)", "fn f(x) = g(a,  // first\n  // own\n  b  // last\n)\n" },
    { "fn f(x) {\nif a { b } // why\nelse { c }\n}", "fn f(x) {\n  if a { b }  // why\n  else { c }\n}\n" },
    { "fn f(x) {\nif a { b }\n// why\nelse { c }\n}", "fn f(x) {\n  if a { b }\n  // why\n  else { c }\n}\n" },
    { "fn f(x) {\n a; b // both\n}", "fn f(x) {\n  a\n  b  // both\n}\n" },
    { "fn f(x) {\n a // x\n ; // y\n b\n}", "fn f(x) {\n  a  // x\n  // y\n  b\n}\n" },
    { "fn f(x) = x // a\n |> g // b\n // c\n |> h", "fn f(x) = x  // a\n  |> g  // b\n  // c\n  |> h\n" },
    { "fn f(x) = [\n // in\n]", "fn f(x) = [\n  // in\n]\n" },
    { "const a = // why\n 1", "const a =  // why\n  1\n" },
  };
  CHECK_ALL(cases);
}

static int unparsed;

static void format_one(const char *path) {
  jmp_buf oom;
  Arena a = { .oom = &oom };
  if (setjmp(oom)) abort();
  Diags d = { .arena = &a };
  const Source *s = source_read(&a, &d, path);
  CU_ASSERT_PTR_NOT_NULL_FATAL(s);
  if (!formatted(&a, s)) unparsed++;
  arena_free(&a);
}

// Formats a folder's files; `broken` says that some of them may not parse.
static void format_all(const char *path, bool broken) {
  unparsed = 0;
  tree_files(test_root(), path, format_one);
  if (!broken && unparsed) printf("\n  %d files of %s do not parse\n", unparsed, path);
  CU_ASSERT(broken || !unparsed);
}

static void all_files(void) {
  format_all("tests/frontend", false);
  format_all("stdlib", false);
  format_all("examples", false);
  format_all("tests/refuse", true);
}

void suite_format(void) {
  CU_pSuite s = test_suite("format");
  test_add(s, "blanks", blanks);
  test_add(s, "lines", lines);
  test_add(s, "comments", comments);
  test_add(s, "every file of the repository", all_files);
}
