// The picture as Graphviz text.
#include "backend/dot/picture.h"

#include <string.h>

#define MOST_ON_EDGE 3       // values that an edge's label names
#define MOST_STATE 4         // parameters whose shapes a box of a product lists
#define MOST_EDGES 400       // above, Graphviz gets limits: minutes of layout would not untangle such a graph

typedef struct Edge {
  int from, to;              // boxes; -1: `port` and `end`
  const IrValue *port;       // input or carry
  VEC(DotLeaf) value;
} Edge;

typedef struct Writer {
  DotPicture *p;
  Str s;
  int depth;
  VEC(Edge) edge;
} Writer;

#define W(...) str_printf(&w->s, __VA_ARGS__)

static const struct { const char *name, *fill, *line; } kinds[DOT_NKIND] = {
  [DOT_PRODUCT] = { "matrix product, convolution", "#d3e5f7", "#2b6cb0" },
  [DOT_REDUCE] = { "reduction", "#d8efd8", "#3f8a4a" },
  [DOT_ELEMENT] = { "elementwise", "#fdf6d8", "#b8962e" },
  [DOT_RANDOM] = { "random", "#f6dcec", "#b0508c" },
  [DOT_MOVE] = { "moves and indexing", "#ececec", "#7a7a7a" },
  [DOT_ROUTINE] = { "routine", "#fbdfc3", "#c46a1c" },
  [DOT_CONTROL] = { "control", "#ffffff", "#444444" },
};
#define STATE_COLOR "#6b3fa0"
#define FAINT "#777777"

static void indent(Writer *w) {
  for (int k = 0; k < w->depth; k++) W("  ");
}

// ---- text inside labels -------------------------------------------------------------------------------
static void put_html(Writer *w, const char *s) {
  for (; *s; s++) {
    switch (*s) {
    case '&': W("&amp;"); break;
    case '<': W("&lt;"); break;
    case '>': W("&gt;"); break;
    case '"': W("&quot;"); break;
    case ' ': W("&#160;"); break;
    case ']': W("&#93;"); break;               // right before a tag, Graphviz 2.42 takes it for text behind the table
    default: str_put(&w->s, (unsigned char)*s < ' ' ? " " : s, 1);
    }
  }
}

static void put_quoted(Writer *w, const char *s) {
  for (; *s; s++) {
    if (*s == '"' || *s == '\\') W("\\");
    str_put(&w->s, (unsigned char)*s < ' ' ? " " : s, 1);
  }
}

static void put_type(Writer *w, const IrType *t) { put_html(w, ir_type_text(w->p->arena, t)); }

// A run of text in a color of its own. Viewers of SVG drop spaces at the beginning of a run: those that follow s
// belong to its run. Returns what is behind them.
static const char *put_colored(Writer *w, const char *color, const char *s, const char *rest) {
  W("<FONT COLOR=\"%s\">", color);
  put_html(w, s);
  for (; *rest == ' '; rest++) W("&#160;");
  W("</FONT>");
  return rest;
}

// ---- names in a box ----------------------------------------------------------------------------------------
// In the box of pi.dense, p.pi.dense.w is w.
static const char *local_name(const char *name, const char *scope) {
  const char *at = scope ? strstr(name, scope) : NULL;
  size_t n = scope ? strlen(scope) : 0;
  return at && (at == name || at[-1] == '.') && at[n] == '.' && at[n + 1] ? at + n + 1 : name;
}

// One name for several: the components that they begin and end with, and a star. Empty if there are none.
static const char *shared_name(Arena *a, const char *x, const char *y) {
  if (!strcmp(x, y)) return x;
  size_t nx = strlen(x), ny = strlen(y), head = 0, tail = 0;
  for (size_t n = 0; x[n] && x[n] == y[n]; n++)
    if (x[n] == '.') head = n + 1;
  for (size_t n = 1; n <= nx - head && n <= ny - head && x[nx - n] == y[ny - n]; n++)
    if (x[nx - n] == '.' || x[nx - n] == '\'') tail = n;
  return head || tail > 1 ? arena_printf(a, "%.*s*%s", (int)head, x, x + nx - tail) : "";
}

static int like_of(const DotPicture *p, int box, const IrValue *v) {
  for (int k = 0; k < p->box.n; k++)
    for (int i = 0; p->box.at[k]->into == box && i < p->box.at[k]->row.n; i++)
      if (p->box.at[k]->row.at[i].v == v) return p->box.at[k]->row.at[i].like;
  return -1;
}

// The j-th leaf of a row (-1: the row's own value), for all rows shown together with it. Where they share no name:
// the number that their rows have in this box, or a letter.
static const char *leaf_name(Writer *w, int box, const DotRow *r, int j) {
  static const char letter[] = "xyzuvw";
  DotPicture *p = w->p;
  const IrValue *v = j < 0 ? r->v : r->leaf[j].v;
  const char *name = dot_name(p, v);
  if (r->like < 0) return local_name(name, p->box.at[box]->scope);
  for (int k = 0; k < p->box.n; k++)
    for (int i = 0; p->box.at[k]->into == box && i < p->box.at[k]->row.n; i++) {
      const DotRow *y = &p->box.at[k]->row.at[i];
      if (y->like == r->like) name = shared_name(p->arena, name, dot_name(p, j < 0 ? y->v : y->leaf[j].v));
    }
  if (*name) return name;
  int like = like_of(p, box, v);
  return like < 0 ? arena_printf(p->arena, "%cᵢ", letter[j % 6]) : arena_printf(p->arena, "%%%dᵢ", like + 1);
}

static int alike_rows(const DotPicture *p, int box, int like) {
  int n = 0;
  for (int k = 0; k < p->box.n; k++)
    for (int i = 0; p->box.at[k]->into == box && i < p->box.at[k]->row.n; i++) n += p->box.at[k]->row.at[i].like == like;
  return n;
}

static void put_name(Writer *w, const char *name, bool state, const char *rest) {
  if (state) {
    rest = put_colored(w, STATE_COLOR, name, rest);
    put_html(w, rest);
  } else {
    put_html(w, name);
    put_html(w, rest);
  }
}

static void put_formula(Writer *w, int box, const DotRow *r) {
  for (const char *c = r->text; *c;) {
    if (*c != DOT_LEAF && *c != DOT_HIDDEN) {
      put_html(w, (char[]){ *c++, 0 });
      continue;
    }
    bool shown = *c == DOT_LEAF;
    int j = 0;
    for (c++; *c != DOT_END; c++) j = j * 10 + (*c - '0');
    c++;
    if (!shown) continue;
    const char *name = leaf_name(w, box, r, j);
    if (dot_is_state(w->p, r->leaf[j].v)) c = put_colored(w, STATE_COLOR, name, c);
    else put_html(w, name);
  }
}

static void put_row(Writer *w, int box, const DotRow *r) {
  DotPicture *p = w->p;
  const char *written = p->written[r->v->id];
  W("<TR><TD ALIGN=\"LEFT\" BALIGN=\"LEFT\">");
  if (!p->box.at[box]->control) {
    bool more = r->v->op && r->v->op->nout > 1;
    put_name(w, leaf_name(w, box, r, -1), written, more ? ", " : " = ");
    for (int k = 1; more && k < r->v->op->nout; k++) put_name(w, dot_name(p, r->v->op->out[k]), false, k + 1 < r->v->op->nout ? ", " : " = ");
  }
  put_formula(w, box, r);
  int n = r->like < 0 ? 1 : alike_rows(p, box, r->like);
  if (n > 1) {
    W("&#160; <B>× %d</B>", n);
  } else if (written && strncmp(dot_name(p, r->v), written, strlen(written))) {
    W("&#160; →&#160;");
    put_name(w, written, true, "");
  }
  W("</TD></TR>");
}

// ---- boxes --------------------------------------------------------------------------------------------------
static void put_state_shapes(Writer *w, int box) {
  DotPicture *p = w->p;
  const DotBox *b = p->box.at[box];
  const IrValue *seen[MOST_STATE];
  int n = 0;
  for (int i = 0; i < b->row.n; i++)
    for (int j = 0; j < b->row.at[i].nleaf; j++) {
      const IrValue *v = b->row.at[i].leaf[j].v;
      bool again = !dot_is_state(p, v) || n == MOST_STATE;
      for (int k = 0; !again && k < n; k++) again = seen[k] == v;
      if (again) continue;
      W("%s", n ? ", &#160;" : "<TR><TD ALIGN=\"LEFT\"><FONT POINT-SIZE=\"8\" COLOR=\"" STATE_COLOR "\">");
      put_html(w, local_name(dot_name(p, v), b->scope));
      W(" ");
      put_type(w, &v->type);
      seen[n++] = v;
    }
  if (n) W("</FONT></TD></TR>");
}

static void put_heading(Writer *w, const DotBox *b, const char *heading) {
  const PlanNode *n = b->node;
  bool loop = n && (n->kind == PLAN_NEST || n->kind == PLAN_DOT || n->kind == PLAN_CONV) && b->row.n > 1;
  bool timed = n && n->share > 0;
  if (!*heading && !loop && !timed) return;
  W("<TR><TD ALIGN=\"LEFT\">");
  if (timed) W("<B>%.1f%%</B> &#160;", 100 * n->share);
  if (*heading) {
    W("<B>");
    put_html(w, heading);
    W("</B> &#160;");
  }
  if (loop) {
    IrType t = { .rank = n->rank };
    memcpy(t.dim, n->dim, sizeof t.dim);
    const char *dims = strchr(ir_type_text(w->p->arena, &t), '[');
    W("<FONT POINT-SIZE=\"8\" COLOR=\"" FAINT "\">%s%s</FONT>", n->kind == PLAN_NEST ? "one loop " : "one product ", dims ? dims : "");
  }
  W("</TD></TR>");
}

static void put_tooltip(Writer *w, int box) {
  const DotPicture *p = w->p;
  int count[IR_NCODE] = { 0 };
  const Loc *at = NULL;
  for (int k = 0; k < p->box.n; k++) {
    const DotBox *b = p->box.at[k];
    if (b->into != box) continue;
    for (int c = 0; c < IR_NCODE; c++) count[c] += b->count[c];
    for (int i = 0; !at && i < b->row.n; i++)
      if (b->row.at[i].v->op && b->row.at[i].v->op->loc.line) at = &b->row.at[i].v->op->loc;
  }
  W("tooltip=\"");
  for (int c = 0; c < IR_NCODE; c++)
    if (count[c] > 1) W("%s*%d ", ir_info[c].name, count[c]);
    else if (count[c]) W("%s ", ir_info[c].name);
  if (at && at->src) {
    W("| ");
    put_quoted(w, at->src->path);
    W(":%d:%d", at->line, at->col);
  }
  W("\"");
}

// White for nothing to red for a tenth of the time and more, in HSV.
static const char *heat(Writer *w, double share) {
  double hot = share * 10 > 1 ? 1 : share * 10;
  return arena_printf(w->p->arena, "%.3f %.3f 1.0", 0.16 - 0.16 * hot, 0.1 + 0.65 * hot);
}

static void put_box(Writer *w, int box, size_t skip) {
  DotPicture *p = w->p;
  const DotBox *b = p->box.at[box];
  const char *heading = b->scope ? b->scope + (strlen(b->scope) < skip ? strlen(b->scope) : skip) : "";
  indent(w);
  if (b->node && b->node->share > 0) W("b%d [fillcolor=\"%s\", color=\"%s\", ", box, heat(w, b->node->share), kinds[b->kind].line);
  else W("b%d [fillcolor=\"%s\", color=\"%s\", ", box, kinds[b->kind].fill, kinds[b->kind].line);
  put_tooltip(w, box);
  W(", label=<<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"1\">");
  put_heading(w, b, heading);
  VEC(int) shown = { 0 };
  for (int k = box; k < p->box.n; k++)
    for (int i = 0; p->box.at[k]->into == box && i < p->box.at[k]->row.n; i++) {
      const DotRow *r = &p->box.at[k]->row.at[i];
      bool again = false;
      for (int j = 0; r->like >= 0 && j < shown.n; j++) again = again || shown.at[j] == r->like;
      if (again) continue;
      if (r->like >= 0) vec_push(p->arena, &shown, r->like);
      put_row(w, box, r);
    }
  if (b->kind == DOT_PRODUCT) put_state_shapes(w, box);
  W("</TABLE>>];\n");
}

// ---- clusters --------------------------------------------------------------------------------------------------
typedef struct Item {                          // of a region: a box, or an open control op
  int box;
  const IrOp *op;
  const char *scope;
} Item;
typedef VEC(Item) Items;

static void put_region(Writer *w, const IrRegion *r);

static void open_cluster(Writer *w, const char *id, int n, const char *style) {
  indent(w);
  W("subgraph cluster_%s%d {\n", id, n);
  w->depth++;
  indent(w);
  W("%s\n", style);
  indent(w);
}

static void close_cluster(Writer *w) {
  w->depth--;
  indent(w);
  W("}\n");
}

// Carries that formulas name, by the first part of their names: "p.* (12), opt.* (25)".
static void put_state_carries(Writer *w, const IrRegion *r, const char *lead) {
  DotPicture *p = w->p;
  VEC(const char *) shown = { 0 };
  for (int k = 0; k < r->narg; k++) {
    if (!dot_init(r->arg[k]) || !dot_is_state(p, r->arg[k])) continue;
    const char *name = dot_name(p, r->arg[k]);
    int n = (int)strcspn(name, "."), same = 0;
    bool again = false;
    for (int i = 0; i < shown.n; i++) again = again || (!strncmp(shown.at[i], name, (size_t)n) && !shown.at[i][n]);
    if (again) continue;
    for (int i = k; i < r->narg; i++) {
      const char *other = dot_init(r->arg[i]) && dot_is_state(p, r->arg[i]) ? dot_name(p, r->arg[i]) : "";
      same += !strncmp(other, name, (size_t)n) && (int)strcspn(other, ".") == n;
    }
    W("%s<FONT COLOR=\"" STATE_COLOR "\">%s", shown.n ? "" : lead, shown.n ? ",&#160;" : "");
    vec_push(p->arena, &shown, arena_strn(p->arena, name, (size_t)n));
    put_html(w, same > 1 ? shown.at[shown.n - 1] : name);
    W(same > 1 ? ".* (%d)</FONT>" : "</FONT>", same);
  }
}

static void put_carries(Writer *w, const IrRegion *r) {
  DotPicture *p = w->p;
  int n = 0;
  for (int k = 0; k < r->narg; k++) {
    const IrValue *v = r->arg[k], *init = dot_init(v);
    if (!init || dot_is_state(p, v)) continue;
    if (!n++) {
      indent(w);
      W("k%d [shape=plain, style=\"\", tooltip=\"carried from turn to turn\", label=<<TABLE BORDER=\"0\" CELLBORDER=\"1\" CELLSPACING=\"0\" "
        "CELLPADDING=\"3\" COLOR=\"" FAINT "\" BGCOLOR=\"white\"><TR>", r->arg[0]->id);
    }
    W("<TD PORT=\"c%d\">", v->id);
    put_html(w, dot_name(p, v));
    init = dot_follow(p, init);
    if (init->op && init->op->code == IR_CONST) {
      W(" ← ");
      put_html(w, dot_constant(p->arena, init->op));
    }
    W("<BR/><FONT POINT-SIZE=\"8\" COLOR=\"" FAINT "\">");
    put_type(w, &v->type);
    W("</FONT></TD>");
  }
  if (n) W("</TR></TABLE>>];\n");
}

static void put_branch(Writer *w, const IrRegion *r, const char *name) {
  bool any = r->first && r->narg + ir_count_ops(r) > 0, only_const = true;
  ir_each_op(r, op) only_const = only_const && op->code == IR_CONST;
  if (!any || only_const) return;
  open_cluster(w, "r", r->first->nout ? r->first->out[0]->id : r->arg[0]->id, "style=\"dashed,rounded\"; color=\"" FAINT "\";");
  W("label=<%s>;\n", name);
  put_region(w, r);
  close_cluster(w);
}

static void put_loop(Writer *w, const IrOp *op) {
  bool two = op->code == IR_COND || op->code == IR_CUSTOM;
  open_cluster(w, "l", op->nout ? op->out[0]->id : op->in[0]->id, "style=\"rounded,filled\"; color=\"#555555\"; fillcolor=\"#fafafa\"; penwidth=1.4;");
  W("label=<<B>%s", ir_info[op->code].name);
  if (op->code == IR_SCAN) W(" × %lld</B>%s", (long long)ir_int(op, A_N), ir_int(op, A_REVERSE) ? ", from the last turn to the first" : "");
  else if (op->code == IR_MAP) W(" × %lld</B>", (long long)ir_int(op, A_N));
  else W("</B>");
  put_state_carries(w, op->sub[op->nregion - 1], ", carries&#160;");
  W(">;\n");
  for (int k = 0; k < w->p->box.n; k++)
    if (w->p->box.at[k]->control == op && w->p->box.at[k]->region == op->sub[0]) put_box(w, k, 0);
  put_carries(w, op->sub[op->nregion - 1]);
  for (int k = 0; k < op->nregion; k++) {
    if (two) put_branch(w, op->sub[k], op->code == IR_COND ? (k ? "else" : "then") : k ? "its derivative" : "forward");
    else put_region(w, op->sub[k]);
  }
  close_cluster(w);
}

// The end of scope's component that begins at `from`.
static size_t component_end(const char *scope, size_t from) { return from + strcspn(scope + from, "."); }

static bool is_within(const char *scope, const char *module, size_t n) {
  return scope && !strncmp(scope, module, n) && (!scope[n] || scope[n] == '.');
}

static void put_item(Writer *w, const Item *i, size_t skip) {
  if (i->op) put_loop(w, i->op);
  else put_box(w, i->box, skip);
}

// Where the module's name ends that all items have in common, if it ends at `end` or behind.
static size_t common_end(const Items *items, size_t end) {
  const char *first = items->at[0].scope;
  while (first[end] == '.') {
    size_t longer = component_end(first, end + 1);
    for (int k = 1; k < items->n; k++)
      if (!is_within(items->at[k].scope, first, longer)) return end;
    end = longer;
  }
  return end;
}

// Items by module, a cluster each; a module with one item needs none. All scopes agree in what is before `skip`.
static void put_modules(Writer *w, const Items *items, size_t skip) {
  Arena *a = w->p->arena;
  bool *done = arena_array(a, bool, items->n + 1);
  for (int i = 0; i < items->n; i++) {
    const Item *x = &items->at[i];
    Items same = { 0 };
    bool inside = x->scope && strlen(x->scope) > skip;
    size_t end = inside ? component_end(x->scope, skip) : 0;
    if (done[i]) continue;
    for (int k = i; inside && k < items->n; k++) {
      if (!is_within(items->at[k].scope, x->scope, end)) continue;
      vec_push(a, &same, items->at[k]);
      done[k] = true;
    }
    if (same.n < 2) {
      put_item(w, x, skip);
      continue;
    }
    end = common_end(&same, end);
    open_cluster(w, "m", (int)w->s.n, "style=\"rounded,filled\"; color=\"#9db4c8\"; fillcolor=\"#eef3f8\"; penwidth=1;");
    W("label=<<B>");
    put_html(w, arena_strn(a, x->scope + skip, end - skip));
    W("</B>>;\n");
    put_modules(w, &same, end + 1);
    close_cluster(w);
  }
}

static bool goes_back(const DotPicture *p, const IrOp *op) { return op->nout && p->backward[op->out[0]->id]; }

// The item of r that shows box k: the box, or the control op of r with the box in it. False: none.
static bool item_of(const DotPicture *p, const IrRegion *r, int k, Item *item) {
  const DotBox *b = p->box.at[k];
  if (b->into != k) return false;
  const IrOp *test = b->control && b->region->owner == b->control ? b->control : NULL;
  if (b->region == r && !test) {
    *item = (Item){ .box = k, .scope = b->scope };
    return true;
  }
  const IrOp *op = b->region->owner;
  while (op && op->parent != r) op = op->parent->owner;
  if (op) *item = (Item){ .op = op, .scope = op->scope };
  return op;
}

static void put_direction(Writer *w, const IrRegion *r, bool backward) {
  DotPicture *p = w->p;
  Items items = { 0 };
  for (int k = 0; k < p->box.n; k++) {
    Item item = { 0 };
    if (!item_of(p, r, k, &item)) continue;
    bool again = (item.op ? goes_back(p, item.op) : p->box.at[k]->backward) != backward;
    for (int i = 0; item.op && i < items.n; i++) again = again || items.at[i].op == item.op;
    if (!again) vec_push(p->arena, &items, item);
  }
  if (!items.n) return;
  if (backward) {
    open_cluster(w, "d", (int)w->s.n, "style=\"rounded,filled\"; color=\"#d9a066\"; fillcolor=\"#fdf4ea\"; penwidth=1.2;");
    W("label=<<B>derivative</B>>;\n");
  }
  put_modules(w, &items, 0);
  if (backward) close_cluster(w);
}

static void put_region(Writer *w, const IrRegion *r) {
  put_direction(w, r, false);
  put_direction(w, r, true);
}

// ---- edges ------------------------------------------------------------------------------------------------------
static void add_edge(Writer *w, DotSource from, int to, const DotLeaf *leaf) {
  Edge *e = NULL;
  if (from.box == to) return;
  for (int k = 0; !e && k < w->edge.n; k++)
    if (w->edge.at[k].to == to && w->edge.at[k].from == from.box && w->edge.at[k].port == from.port) e = &w->edge.at[k];
  if (!e) {
    vec_push(w->p->arena, &w->edge, ((Edge){ .from = from.box, .to = to, .port = from.port }));
    e = &w->edge.at[w->edge.n - 1];
  }
  for (int k = 0; k < e->value.n; k++)
    if (e->value.at[k].v == leaf->v) return;
  vec_push(w->p->arena, &e->value, *leaf);
}

static void collect_edges(Writer *w) {
  DotPicture *p = w->p;
  DotSource s[DOT_SOURCES];
  for (int k = 0; k < p->box.n; k++)
    for (int i = 0; i < p->box.at[k]->row.n; i++)
      for (int j = 0; j < p->box.at[k]->row.at[i].nleaf; j++) {
        const DotLeaf *leaf = &p->box.at[k]->row.at[i].leaf[j];
        for (int q = dot_sources(p, leaf->v, s) - 1; q >= 0; q--) add_edge(w, s[q], p->box.at[k]->into, leaf);
      }
}

static void put_port(Writer *w, const IrValue *v) {
  if (v->region->owner) W("k%d:c%d", v->region->arg[0]->id, v->id);
  else W("i%d", v->index);
}

static void put_end(Writer *w, int box, const IrValue *port) {
  if (box >= 0) W("b%d", box);
  else put_port(w, port);
}

static bool same_types(const DotLeaf *v, int n) {
  for (int k = 1; k < n; k++)
    if (!ir_type_eq(&v[0].type, &v[k].type)) return false;
  return true;
}

// With the value's name where the box it comes from has others.
static void put_edge_label(Writer *w, int from, const DotLeaf *v, int n) {
  DotPicture *p = w->p;
  W("label=<");
  bool many = n > MOST_ON_EDGE;
  if (many && same_types(v, n)) {
    W("%d × ", n);
    put_type(w, &v[0].type);
  } else if (many) {
    W("%d arrays", n);
  }
  for (int k = 0; !many && k < n; k++) {
    if (k) W("<BR/>");
    if (from >= 0 && p->box.at[from]->row.n > 1) {
      put_html(w, local_name(dot_name(p, v[k].v), p->box.at[from]->scope));
      W("&#160;");
    }
    put_type(w, &v[k].type);
  }
  W(">");
}

// Boxes of one region, and of one direction in it, stand close together; edges from afar are long instead.
static int weight(const DotPicture *p, const Edge *e) {
  if (e->from < 0) return 1;
  const DotBox *x = p->box.at[e->from], *y = p->box.at[e->to];
  return x->region != y->region ? 1 : x->backward != y->backward ? 2 : 6;
}

static void put_edges(Writer *w) {
  for (int k = 0; k < w->edge.n; k++) {
    const Edge *e = &w->edge.at[k];
    indent(w);
    put_end(w, e->from, e->port);
    W(" -> b%d [", e->to);
    put_edge_label(w, e->from, e->value.at, e->value.n);
    W(", weight=%d];\n", weight(w->p, e));
  }
}

// An `if` stands at the head of what it guards, not where its condition is computed.
static void put_head_edges(Writer *w) {
  DotPicture *p = w->p;
  for (int k = 0; k < p->box.n; k++) {
    const DotBox *b = p->box.at[k];
    if (!b->control || b->control->code != IR_COND || dot_is_closed(p, b->control)) continue;
    for (int i = 0, n = 0; i < p->box.n && n < 2; i++) {
      const IrOp *op = p->box.at[i]->region->owner;
      if (i == k || p->box.at[i]->into != i || op != b->control) continue;
      indent(w);
      W("b%d -> b%d [style=invis, weight=6];\n", k, i);
      n++;
    }
  }
}

// Into a loop's carries, and back to them.
static void put_carry_edges(Writer *w, const IrRegion *r) {
  DotPicture *p = w->p;
  DotSource s[DOT_SOURCES];
  for (int k = 0; k < r->narg; k++) {
    const IrValue *v = r->arg[k];
    if (!dot_init(v) || dot_is_state(p, v)) continue;
    for (int back = 0; back < 2; back++) {
      const IrValue *from = dot_follow(p, back ? dot_next(v) : dot_init(v));
      for (int q = dot_sources(p, from, s) - 1; q >= 0; q--) {
        if (s[q].port == v) continue;
        indent(w);
        put_end(w, s[q].box, s[q].port);
        W(" -> ");
        put_port(w, v);
        if (back) W(" [style=dashed, constraint=false, color=\"#999999\", tooltip=\"next turn\"];\n");
        else {
          W(" [");
          put_edge_label(w, s[q].box, &(DotLeaf){ from, v->type }, 1);
          W("];\n");
        }
      }
    }
  }
}

static void put_all_carry_edges(Writer *w, const IrRegion *r) {
  ir_each_op(r, op) {
    if (!dot_is_control(op) || dot_is_closed(w->p, op)) continue;
    for (int k = 0; k < op->nregion; k++) {
      if (op->code == IR_SCAN || (op->code == IR_WHILE && k == 1)) put_carry_edges(w, op->sub[k]);
      put_all_carry_edges(w, op->sub[k]);
    }
  }
}

// ---- the outer frame ----------------------------------------------------------------------------------------------
static void put_inputs(Writer *w) {
  DotPicture *p = w->p;
  for (int k = 0; !p->quiet && k < p->graph->top->narg; k++) {
    const IrValue *v = p->graph->top->arg[k];
    indent(w);
    W("i%d [shape=box, style=\"rounded,filled\", fillcolor=\"#ece4f5\", color=\"" STATE_COLOR "\", label=<", k);
    put_html(w, dot_name(p, v));
    W("<BR/><FONT POINT-SIZE=\"8\" COLOR=\"" FAINT "\">");
    put_type(w, &v->type);
    W("</FONT>>];\n");
  }
}

static bool is_input_name(const DotPicture *p, const char *name) {
  for (int k = 0; name && k < p->graph->top->narg; k++)
    if (!strcmp(p->name[p->graph->top->arg[k]->id], name)) return true;
  return false;
}

static void put_outputs(Writer *w) {
  DotPicture *p = w->p;
  const IrGraph *g = p->graph;
  DotSource s[DOT_SOURCES];
  for (int k = 0; k < g->top->nyield; k++) {
    const char *name = g->out_name && g->out_name[k] ? g->out_name[k] : arena_printf(p->arena, "output %d", k + 1);
    const IrValue *v = dot_follow(p, g->top->yield[k]);
    if (p->quiet && is_input_name(p, name)) continue;
    indent(w);
    W("o%d [shape=box, style=\"rounded,filled,bold\", fillcolor=\"#e2f0ee\", color=\"#2f7d73\", label=<", k);
    put_html(w, name);
    if (v->op && v->op->code == IR_CONST) {
      W("&#160;=&#160;");
      put_html(w, dot_constant(p->arena, v->op));
    } else if (dot_is_state(p, v)) {
      W("&#160;=&#160;");
      put_html(w, dot_name(p, v));
    }
    W(">];\n");
    for (int q = dot_sources(p, v, s) - 1; q >= 0; q--) {
      indent(w);
      put_end(w, s[q].box, s[q].port);
      W(" -> o%d [", k);
      put_edge_label(w, s[q].box, &(DotLeaf){ v, g->top->yield[k]->type }, 1);
      W("];\n");
    }
  }
}

static void put_legend(Writer *w) {
  DotPicture *p = w->p;
  bool used[DOT_NKIND] = { 0 };
  for (int k = 0; k < p->box.n; k++) used[p->box.at[k]->kind] = true;
  W("  label=<<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"4\"><TR><TD><B>");
  put_html(w, p->graph->name ? p->graph->name : "graph");
  W("&#160; </B>%d ops</TD>", ir_count_ops(p->graph->top));
  for (int k = 0; k < DOT_NKIND; k++)
    if (used[k]) W("<TD BGCOLOR=\"%s\"><FONT COLOR=\"%s\">%s</FONT></TD>", kinds[k].fill, kinds[k].line, kinds[k].name);
  if (p->quiet) W("<TD><FONT COLOR=\"" STATE_COLOR "\">inputs and state are named in the formulas; name' is what is written back</FONT></TD>");
  W("</TR></TABLE>>;\n");
}

char *dot_write(DotPicture *p) {
  Writer writer = { .p = p, .s = { .arena = p->arena }, .depth = 1 }, *w = &writer;
  W("digraph \"");
  put_quoted(w, p->graph->name ? p->graph->name : "graph");
  W("\" {\n  graph [rankdir=TB, newrank=true, nodesep=0.25, ranksep=0.3, labelloc=t, labeljust=l, fontname=\"Arial\", fontsize=11, bgcolor=white];\n"
    "  node [shape=box, style=\"rounded,filled\", fontname=\"Arial\", fontsize=11, margin=\"0.06,0.03\", height=0.2];\n"
    "  edge [fontname=\"Arial\", fontsize=8, fontcolor=\"#555555\", color=\"#666666\", arrowsize=0.6];\n");
  collect_edges(w);
  if (w->edge.n > MOST_EDGES) W("  nslimit=0.5; mclimit=0.1; splines=line;\n");
  put_legend(w);
  put_inputs(w);
  put_region(w, p->graph->top);
  put_edges(w);
  put_head_edges(w);
  put_all_carry_edges(w, p->graph->top);
  put_outputs(w);
  W("}\n");
  return w->s.s;
}

char *dot_emit(Arena *a, const IrGraph *g, const Plan *p) { return dot_write(dot_picture(a, g, p)); }
