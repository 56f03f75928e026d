// What can be listed: passes and ops.
#include <string.h>

#include "driver/driver.h"
#include "ir/embed.h"

static void print_pass(int n, const char *name, const char *needs, const char *gives, const char *why) {
  printf("%2d  %s\n      needs  %s\n      gives  %s\n      why    %s\n", n, name, needs, gives, why);
}

int command_passes(Driver *d, int argc, char **argv) {
  (void)d;
  if (argc > 1) return usage("passes", "it takes no argument: %s", argv[1]);
  int n = 0;
  puts("passes over the graph (`rlc opt --passes=NAME,NAME` runs them on its text):");
  for (const Pass *p = pass_pipeline; p->name; p++) print_pass(++n, p->name, p->needs, p->gives, p->why);
  puts("stages of planning (`rlc emit --plan` prints what they make):");
  for (int k = 0; plan_stage(k); k++) {
    const PlanStage *s = plan_stage(k);
    print_pass(++n, s->name, s->needs, s->gives, s->why);
  }
  return RT_FINE;
}

static void operands(const IrInfo *o, char *to, size_t room) {
  const char *in = o->nin < 0 ? "any" : o->nin == 0 ? "none" : o->nin == 1 ? "x" : o->nin == 2 ? "x, z" : "x, y, z";
  snprintf(to, room, "%s", in);
}

static void attributes(const IrInfo *o, char *to, size_t room) {
  size_t n = 0;
  *to = 0;
  for (int k = 0; k < A_NKEY; k++)
    if (o->attrs >> k & 1) n += (size_t)snprintf(to + n, n < room ? room - n : 0, "%s%s", n ? ", " : "", ir_key_name((IrKey)k));
}

// A cell of a table.
static void piece(const char *s, const char *end) {
  for (; s < end; s++) {
    if (*s == '|') putchar('\\');
    putchar(*s);
  }
}

static void cell(const char *s) { piece(s, s + strlen(s)); }

static void print_op(const IrInfo *o, bool markdown) {
  char in[32], attrs[200];
  operands(o, in, sizeof in);
  attributes(o, attrs, sizeof attrs);
  if (!markdown) {
    printf("%-17s %s%s%s%s\n", o->name, o->doc, *attrs ? "  {" : "", attrs, *attrs ? "}" : "");
    return;
  }
  printf("| `%s` | %s | %s | ", o->name, in, attrs);
  cell(o->doc);
  puts(" |");
}

static int builtins(bool markdown) {
  const char *signature, *doc;
  if (markdown)
    puts("# What needs no import\n\nWhat the compiler itself knows, printed by `rlc ops --builtins --markdown`; "
         "[the prelude](../stdlib/prelude.rl) adds to it.\n\n| call | meaning |\n|---|---|");
  for (int k = 0; elab_builtin(k, &signature, &doc); k++) {
    if (!markdown) {
      printf("%-44s  %s\n", signature, doc);
      continue;
    }
    printf("| `");
    cell(signature);
    printf("` | ");
    cell(doc);
    puts(" |");
  }
  return RT_FINE;
}

// ---- the library: each declaration of stdlib/*.rl that a comment describes --------------------------

static bool begins(const char *line, const char *end, const char *word) {
  size_t n = strlen(word);
  return (size_t)(end - line) > n && !memcmp(line, word, n);
}

static bool is_declaration(const char *line, const char *end) {
  static const char *const word[] = { "fn ", "layer ", "model ", "loss ", "rule ", "record ", "env ", "const " };
  for (size_t k = 0; k < sizeof word / sizeof *word; k++)
    if (begins(line, end, word[k])) return true;
  return false;
}

// Up to the body: the first ` =` or ` {` outside of brackets.
static const char *signature_end(const char *s, const char *end) {
  for (int depth = 0; s < end; s++) {
    depth += (*s == '(' || *s == '[') - (*s == ')' || *s == ']');
    if (!depth && *s == ' ' && (s[1] == '{' || (s[1] == '=' && (s[2] == ' ' || s + 2 == end)))) return s;
  }
  return end;
}

// Comment lines from `s` to the declaration at `end`, as one line of text.
static void comment(const char *s, const char *end) {
  for (bool first = true; s < end; first = false) {
    const char *stop = memchr(s, '\n', (size_t)(end - s));
    s += 2;
    if (!first) putchar(' ');
    piece(*s == ' ' ? s + 1 : s, stop);
    s = stop + 1;
  }
}

static void module(const Embed *m) {
  printf("\n## %.*s\n\n| declaration | |\n|---|---|\n", (int)strcspn(m->name, "."), m->name);
  const char *said = NULL;   // where the comment above this line began
  for (const char *line = m->data, *end; line < m->end; line = end + 1) {
    end = memchr(line, '\n', (size_t)(m->end - line));
    if (!end) break;
    if (said && is_declaration(line, end)) {
      printf("| `");
      piece(line, signature_end(line, end));
      printf("` | ");
      comment(said, line);
      puts(" |");
    }
    bool talks = begins(line, end, "// ") && !begins(line, end, "// ----");
    said = !talks ? NULL : said ? said : line;
  }
}

static int library(void) {
  puts("# The library\n\nPrinted by `rlc ops --library` from [stdlib/](../stdlib). The prelude needs no `use`.");
  for (const Embed *m = embed_stdlib; m->name; m++) module(m);
  return RT_FINE;
}

int command_ops(Driver *d, int argc, char **argv) {
  (void)d;
  bool markdown = false, some = false, language = false, modules = false;
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--markdown")) markdown = true;
    else if (!strcmp(argv[i], "--builtins")) language = true;
    else if (!strcmp(argv[i], "--library")) modules = true;
    else if (is_option(argv[i])) return usage("ops", "there is no option %s", argv[i]);
    else if (ir_code_find(argv[i]) < 0) return complain("there is no op `%s`; `rlc ops` lists them", argv[i]);
    else some = true;
  }
  if (modules) return library();
  if (language) return builtins(markdown);
  if (markdown)
    puts("# Operations of the IR\n\nPrinted by `rlc ops --markdown` from [ir/ops.def](../ir/ops.def). Laws (L1 to L10) are "
         "at the head of [ir/ir.h](../ir/ir.h).\n\n| op | operands | attributes | meaning |\n|---|---|---|---|");
  if (!some)
    for (int c = 0; c < IR_NCODE; c++) print_op(&ir_info[c], markdown);
  for (int i = 1; some && i < argc; i++)
    if (!is_option(argv[i])) print_op(&ir_info[ir_code_find(argv[i])], markdown);
  return RT_FINE;
}
