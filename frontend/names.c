// Names, before anything is run: every declaration of the file is walked once, used or not, whatever
// its types turn out to be. What is found here is known from the text alone; whether shapes and
// types fit is found when a function meets its arguments (the rest of the elaborator).
#include "frontend/value.h"

#include <ctype.h>
#include <string.h>

typedef struct Name {
  const char *name;
  Loc loc;
  bool mut;                        // var, state, & parameter, & element
  const char *why;                 // what it is, where it may not be assigned
} Name;

// Where a body stands, for the words that belong in some places only.
typedef enum Place { IN_FN, IN_LAYER, IN_RULE, IN_STEP, IN_OTHER } Place;

// A lambda or `each` around: what is outside of it may be read, not assigned.
typedef struct Wall { int outside; const char *name; } Wall;

typedef struct Edge { Decl *from, *to; Loc loc; } Edge;

typedef struct Names {
  Elab *e;
  Module *m;
  VEC(Name) local;
  VEC(Wall) wall;
  VEC(Edge) edge;                  // calls that every run of the caller makes
  Place place;
  Decl *decl;
  int maybe;                       // branches and lambdas around: code that need not run
  int block;                       // first local of the innermost block
} Names;

static void walk(Names *n, const Ast *x);
static void walk_block(Names *n, const Ast *x);
static void walk_inner(Names *n, const Ast *x);
static void walk_type(Names *n, const Ast *t);
static void check_type(Names *n, const Ast *t);

// ---- scopes --------------------------------------------------------------------------------

static const Name *find_local(const Names *n, const char *name) {
  for (int k = n->local.n - 1; k >= 0; k--)
    if (strcmp(n->local.at[k].name, name) == 0) return &n->local.at[k];
  return NULL;
}

static void bind(Names *n, const char *name, Loc loc, bool mut, const char *why) {
  if (strcmp(name, "_") == 0) return;
  vec_push(n->e->arena, &n->local, ((Name){name, loc, mut, why}));
}

// A `let` or `var`: it may hide the prelude, and nothing else.
static void bind_fresh(Names *n, const char *name, Loc loc, bool mut) {
  const Name *old = find_local(n, name);
  Binding *file = NULL;
  for (Binding *b = n->m->scope->first; b && !file; b = b->next)
    if (strcmp(b->name, name) == 0) file = b;
  Loc before = old ? old->loc : file ? file->loc : loc;
  if ((old || file) && strcmp(name, "_") != 0) {
    bool here = old && old >= n->local.at + n->block;
    tell(n->e, loc, before.line ? arena_printf(n->e->arena, "give it another name%s; the first is in line %d", old && old->mut ? ", or assign: name = value" : "", before.line) : "give it another name",
         here ? "`%s` is named twice in one block" : old ? "`%s` hides a name of an outer block" : "`%s` hides a name of the file", name);
  }
  bind(n, name, loc, mut, mut ? NULL : "a `let`");
}

static void bind_pattern_names(Names *n, const Ast *p, void (*how)(Names *, const char *, Loc, bool), bool mut) {
  if (p->kind == AST_PAT) { how(n, p->name, p->loc, mut || p->inout); return; }
  for (int k = 0; k < p->nkid; k++) bind_pattern_names(n, p->kid[k], how, mut);
}

static void bind_loop(Names *n, const char *name, Loc loc, bool mut) { bind(n, name, loc, mut, "a loop's variable"); }

static void bind_param(Names *n, const char *name, Loc loc, bool mut) { bind(n, name, loc, mut, "a parameter"); }

static void twice(Names *n, const Ast *p, const char **seen, int *nseen, int most) {
  if (p->kind == AST_PAT || p->kind == AST_STATIC || p->kind == AST_MEMBER) {
    if (strcmp(p->name, "_") == 0) return;
    for (int k = 0; k < *nseen; k++)
      if (strcmp(seen[k], p->name) == 0) {
        tell(n->e, p->loc, "give it another name", "`%s` stands twice in one list", p->name);
        return;
      }
    if (*nseen < most) seen[(*nseen)++] = p->name;
    return;
  }
  for (int k = 0; k < p->nkid; k++) twice(n, p->kid[k], seen, nseen, most);
}

static void check_twice(Names *n, int count, Ast *const *list) {
  const char *seen[256];
  int nseen = 0;
  for (int k = 0; k < count; k++) twice(n, list[k], seen, &nseen, 256);
}

// ---- names ---------------------------------------------------------------------------------

static const char *near_name(Names *n, const char *name) {
  const char *best = NULL;
  int least = 99;
  for (int k = n->local.n - 1; k >= 0; k--) name_nearer(name, n->local.at[k].name, &best, &least);
  for (Scope *s = n->m->scope; s; s = s->up)
    for (Binding *b = s->first; b; b = b->next) name_nearer(name, b->name, &best, &least);
  for (int k = 0; builtin_at(k); k++) name_nearer(name, builtin_at(k)->name, &best, &least);
  return best ? arena_printf(n->e->arena, "did you mean `%s`?", best) : NULL;
}

// One message for a name: what it should have been is missing everywhere.
static void unknown(Names *n, const char *name, Loc loc) {
  for (int k = 0; k < n->e->unknown.n; k++)
    if (strcmp(n->e->unknown.at[k], name) == 0) return;
  const char *help = unknown_name_module(n->e, name);
  if (!help) help = foreign_help(name);
  if (!help) help = near_name(n, name);
  tell(n->e, loc, help ? help : unknown_name_help(n->e, name), "`%s` is not known here", name);
  vec_push(n->e->arena, &n->e->unknown, name);
}

static bool is_known(Names *n, const char *name) {
  return find_local(n, name) || scope_find(n->m->scope, name) || builtin_find(name) || strcmp(name, "inf") == 0 || strcmp(name, "nan") == 0;
}

static void use_name(Names *n, const Ast *x) {
  if (is_known(n, x->name)) return;
  if (strcmp(x->name, "_") == 0) { tell(n->e, x->loc, "it is a new axis in an index: x[:, _], and a pattern's name for what is not wanted", "`_` is no value"); return; }
  if (strcmp(x->name, "key") == 0) { tell(n->e, x->loc, no_key_help, "%s", no_key_text); return; }
  unknown(n, x->name, x->loc);
}

// ---- what a name stands for, where the text says it -------------------------------------------

typedef struct Static {
  Module *module;
  Decl *decl;
  const Builtin *builtin;
  const Ast *method;               // of an environment or record
  bool init;                       // .init of a model or rule
} Static;

static Static resolve(Names *n, Module *m, const Ast *x, int depth);

static Static static_binding(Names *n, Binding *b, int depth) {
  Static s = {0};
  if (b->value->kind == V_MODULE) s.module = b->value->module;
  if (b->value->kind != V_DECL) return s;
  s.decl = b->value->decl;
  const Ast *a = s.decl->ast;
  if (a->kind == AST_CONST && depth < 8) return resolve(n, s.decl->module, a->kid[0], depth + 1);
  return s;
}

static const Ast *member_of(const Ast *d, const char *name) {
  for (int k = d->nstatic; k < d->nkid; k++)
    if (d->kid[k]->kind == AST_FN && strcmp(d->kid[k]->name, name) == 0) return d->kid[k];
  return NULL;
}

static Static resolve(Names *n, Module *m, const Ast *x, int depth) {
  Static s = {0};
  switch (x->kind) {
  case AST_PAREN: return resolve(n, m, x->kid[0], depth);
  case AST_NAME: {
    if (m == n->m && depth == 0 && find_local(n, x->name)) return s;
    Binding *b = scope_find(m->scope, x->name);
    if (b) return static_binding(n, b, depth);
    s.builtin = builtin_find(x->name);
    return s;
  }
  case AST_INDEX: s = resolve(n, m, x->kid[0], depth); return s.builtin || s.init || s.method ? (Static){0} : s;
  case AST_FIELD: {
    Static base = resolve(n, m, x->kid[0], depth);
    if (base.module)
      for (Decl *d = base.module->decls; d; d = d->next)
        if (strcmp(d->name, x->name) == 0) {
          if (d->ast->kind == AST_CONST && depth < 8) return resolve(n, d->module, d->ast->kid[0], depth + 1);
          return (Static){.decl = d};
        }
    if (!base.decl || base.init || base.method) return s;
    const Ast *d = base.decl->ast;
    bool owner = d->kind == AST_FN && (d->fn->flavour == FLAVOUR_MODEL || d->fn->flavour == FLAVOUR_RULE);
    if (owner && strcmp(x->name, "init") == 0) return (Static){.decl = base.decl, .init = true};
    if (d->kind == AST_ENV && (strcmp(x->name, "reset") == 0 || strcmp(x->name, "step") == 0)) return (Static){.decl = base.decl, .method = member_of(d, x->name)};
    if (d->kind == AST_TRAIN && strcmp(x->name, "run") == 0) return (Static){.decl = base.decl, .init = true};
    return s;
  }
  default: return s;
  }
}

static bool one_of(const char *name, const char *list) {
  size_t len = strlen(name);
  for (const char *s = list; *s; s += strcspn(s, " ") + (s[strcspn(s, " ")] == ' '))
    if (strcspn(s, " ") == len && strncmp(s, name, len) == 0) return true;
  return false;
}

static void check_member(Names *n, const Ast *x) {
  Static base = resolve(n, n->m, x->kid[0], 0);
  Elab *e = n->e;
  if (base.module) {
    for (Decl *d = base.module->decls; d; d = d->next)
      if (strcmp(d->name, x->name) == 0) return;
    const char *best = NULL;
    int least = 99;
    for (Decl *d = base.module->decls; d; d = d->next) name_nearer(x->name, d->name, &best, &least);
    tell(e, x->loc, best ? arena_printf(e->arena, "did you mean `%s.%s`?", base.module->name, best) : module_help(e, base.module), "the module `%s` has no `%s`", base.module->name, x->name);
  }
  if (!base.decl || base.init || base.method) return;
  const Ast *d = base.decl->ast;
  const char *what = NULL, *has = NULL;
  if (d->kind == AST_ENV) { what = "environment"; has = "state obs action reset step"; }
  if (d->kind == AST_TRAIN) { what = "trainer"; has = "run"; }
  if (d->kind == AST_FN) {
    static const struct { const char *what, *has; } of[] = {
      [FLAVOUR_FN] = {"function", ""}, [FLAVOUR_LAYER] = {"layer", ""}, [FLAVOUR_LOSS] = {"loss", ""}, [FLAVOUR_MODEL] = {"model", "init params"}, [FLAVOUR_RULE] = {"rule", "init"}};
    what = of[d->fn->flavour].what;
    has = of[d->fn->flavour].has;
  }
  if (what && !one_of(x->name, has)) tell(e, x->loc, members_help(e, d), "the %s `%s` has no member `%s`", what, base.decl->name, x->name);
}

// ---- calls -----------------------------------------------------------------------------------

typedef struct Given {             // the arguments of a call as the text shows them
  const Ast *site;
  int positional;                  // a piped value is the first
  VEC(const Ast *) over;           // the k-th positional argument, or NULL for the piped one
  bool open;                       // spread arguments: how many there are is not known
} Given;

static Given read_args(Names *n, const Ast *site, bool piped) {
  Given g = {.site = site, .positional = piped};
  if (piped) vec_push(n->e->arena, &g.over, NULL);
  if (site->kind != AST_CALL) return g;
  for (int k = 1; k < site->nkid; k++) {
    const Ast *a = site->kid[k];
    if (a->spread) g.open = true;
    else if (!a->name) {
      vec_push(n->e->arena, &g.over, a->kid[0]);
      g.positional++;
    }
  }
  return g;
}

static bool gives(const Given *g, const char *name) {
  for (int k = 1; g->site->kind == AST_CALL && k < g->site->nkid; k++)
    if (g->site->kid[k]->name && strcmp(g->site->kid[k]->name, name) == 0) return true;
  return false;
}

typedef struct Take { const char *name; bool must; } Take;
typedef VEC(Take) Takes;

static void take(Names *n, Takes *t, const char *name, bool must) { vec_push(n->e->arena, t, ((Take){name, must})); }

static const char *takes_text(Names *n, const Takes *t) {
  Str s = {.arena = n->e->arena};
  str_printf(&s, "it takes (");
  for (int k = 0; k < t->n; k++) str_printf(&s, "%s%s%s", k ? ", " : "", t->at[k].name, t->at[k].must ? "" : " = …");
  str_printf(&s, ")");
  return s.s;
}

static void check_call(Names *n, const Given *g, const Takes *t, const char *what, const char *noun) {
  Elab *e = n->e;
  for (int k = 1; g->site->kind == AST_CALL && k < g->site->nkid; k++) {
    const Ast *a = g->site->kid[k];
    bool found = !a->name;
    for (int j = 0; j < t->n && !found; j++) found = strcmp(t->at[j].name, a->name) == 0;
    if (!found) tell(e, a->loc, takes_text(n, t), "%s has no %s `%s`", what, strcmp(noun, "argument") == 0 ? "parameter" : noun, a->name);
  }
  if (g->open) return;
  if (g->positional > t->n) {
    const Ast *x = g->over.at[t->n];
    tell(e, x ? x->loc : g->site->loc, takes_text(n, t), "%s takes %d %s%s, found %d", what, t->n, noun, t->n == 1 ? "" : "s", g->positional);
    return;
  }
  for (int k = g->positional; k < t->n; k++)
    if (t->at[k].must && !gives(g, t->at[k].name)) {
      tell(e, g->site->loc, strcmp(t->at[k].name, "key") == 0 ? "pass `key`: whoever draws takes a key" : takes_text(n, t), "%s needs the %s `%s`", what, noun, t->at[k].name);
      return;
    }
}

static void take_params(Names *n, Takes *t, const AstFn *fn) {
  for (int k = 0; k < fn->nparam; k++) take(n, t, fn->params[k]->name, !fn->params[k]->kid[1]);
}

static void note_call(Names *n, Decl *to, Loc loc) {
  if (!n->maybe && n->decl && n->decl->ast->kind == AST_FN && to->ast->kind == AST_FN && to->module == n->m)
    vec_push(n->e->arena, &n->edge, ((Edge){n->decl, to, loc}));
}

// Rules and environments update a state, which comes first.
static bool lacks_state(Names *n, const Given *g, const char *help, const char *fmt, const char *name) {
  const Ast *first = g->site->kind == AST_CALL && g->site->nkid > 1 ? g->site->kid[1] : NULL;
  if (first && (first->inout || first->spread)) return false;
  tell(n->e, g->site->loc, help, fmt, name);
  return true;
}

static void check_target(Names *n, const Ast *target, const Given *g) {
  Static s = resolve(n, n->m, target, 0);
  if (s.builtin) {
    int named = -1;
    const char *unknown = NULL;
    for (int k = 1; g->site->kind == AST_CALL && k < g->site->nkid; k++)
      if (g->site->kid[k]->name && !unknown && !builtin_takes(s.builtin, g->site->kid[k]->name)) { unknown = g->site->kid[k]->name; named = k; }
    if (unknown) tell(n->e, g->site->kid[named]->loc, s.builtin->signature, "`%s` has no parameter `%s`", s.builtin->name, unknown);
    return;
  }
  if (!s.decl) return;
  const Ast *d = s.decl->ast;
  Takes t = {0};
  const char *what = arena_printf(n->e->arena, "`%s`", s.decl->name);
  if (s.method) {
    if (lacks_state(n, g, arena_printf(n->e->arena, "write %s.%s(&s, …)", s.decl->name, target->name), "`%s` updates the environment's state: it comes first, with `&`", target->name)) return;
    take(n, &t, "&s", true);
    take_params(n, &t, s.method->fn);
    if (t.n == 2 && strcmp(target->name, "step") == 0) take(n, &t, "key", false);
    check_call(n, g, &t, arena_printf(n->e->arena, "`%s.%s`", s.decl->name, target->name), "argument");
    return;
  }
  if (s.init && d->kind == AST_TRAIN) {
    for (int k = 0; k < d->nstatic; k++) take(n, &t, d->kid[k]->name, false);
    take(n, &t, "seed", false);
    check_call(n, g, &t, arena_printf(n->e->arena, "`%s.run`", s.decl->name), "setting");
    return;
  }
  if (s.init) {
    if (d->fn->flavour == FLAVOUR_MODEL) { take(n, &t, "key", true); check_call(n, g, &t, arena_printf(n->e->arena, "`%s.init`", s.decl->name), "argument"); }
    return;
  }
  switch (d->kind) {
  case AST_FN:
    if (d->fn->flavour == FLAVOUR_RULE && lacks_state(n, g, arena_printf(n->e->arena, "write %s(&s, …) with s from %s.init(…)", s.decl->name, s.decl->name), "the rule `%s` updates its state: it comes first, with `&`", s.decl->name)) return;
    if (d->fn->flavour == FLAVOUR_MODEL) take(n, &t, "the parameters", true);
    if (d->fn->flavour == FLAVOUR_RULE) take(n, &t, "&state", true);
    take_params(n, &t, d->fn);
    check_call(n, g, &t, what, "argument");
    note_call(n, s.decl, target->loc);
    return;
  case AST_RECORD:
    for (int k = d->nstatic; k < d->nkid; k++)
      if (d->kid[k]->kind == AST_MEMBER) take(n, &t, d->kid[k]->name, !d->kid[k]->kid[1]);
    check_call(n, g, &t, what, "field");
    return;
  case AST_ENV:
    for (int k = 0; k < d->nstatic; k++) take(n, &t, d->kid[k]->name, false);
    check_call(n, g, &t, what, "setting");
    return;
  case AST_TRAIN: tell(n->e, g->site->loc, arena_printf(n->e->arena, "%s.run(setting = …) in an `experiment` runs it", s.decl->name), "a trainer is no function: `%s`", s.decl->name); return;
  case AST_EXPERIMENT: tell(n->e, g->site->loc, "it is run by its name: rlc run", "an experiment is no function: `%s`", s.decl->name); return;
  default: return;
  }
}

// ---- places that are assigned --------------------------------------------------------------------

static void walk_indices(Names *n, const Ast *p) {
  for (; p->kind == AST_FIELD || p->kind == AST_INDEX || p->kind == AST_ITEM || p->kind == AST_PAREN; p = p->kid[0])
    for (int k = 1; p->kind == AST_INDEX && k < p->nkid; k++) walk(n, p->kid[k]);
}

static void walk_place(Names *n, const Ast *p, bool lent) {
  Elab *e = n->e;
  if (p->kind == AST_TUPLE || p->kind == AST_LIST) {
    for (int k = 0; k < p->nkid; k++) walk_place(n, p->kid[k]->kind == AST_ARG ? p->kid[k]->kid[0] : p->kid[k], lent);
    return;
  }
  walk_indices(n, p);
  const Ast *root = ast_root(p);
  if (root->kind != AST_NAME) { walk(n, root); return; }
  if (strcmp(root->name, "_") == 0 && root == p) return;
  const Name *b = find_local(n, root->name);
  const char *verb = lent ? "updated" : "assigned";
  if (!b) {
    if (!is_known(n, root->name)) unknown(n, root->name, root->loc);
    else
      tell(e, root->loc, "keep what changes in a `var`, or in a `state` of the trainer", "`%s` cannot be %s: it is %s", root->name, verb, scope_find(n->m->scope, root->name) ? "a declaration of the file" : "a function that every program has");
    return;
  }
  if (!b->mut) {
    tell(e, root->loc, strcmp(b->why, "a `let`") == 0 ? arena_printf(e->arena, "declare it with `var` in line %d, or give the new value another name", b->loc.line) : strcmp(b->why, "a setting") == 0 ? "a setting stays as it is given: keep what changes in a `state`" : strcmp(b->why, "a parameter") == 0 ? "mark the parameter with `&`, or copy it: `var y = x`" : strcmp(b->why, "the trainer's own") == 0 ? "it is read only: keep what changes in a `state`" : "copy it: `var y = x`",
         "`%s` cannot be %s: it is %s", root->name, verb, b->why);
    return;
  }
  for (int k = n->wall.n - 1; k >= 0; k--)
    if (b < n->local.at + n->wall.at[k].outside) {
      bool each = strcmp(n->wall.at[k].name, "`each`") == 0;
      tell(e, root->loc, each ? "lanes are independent: let the body give a value, or mark the element: each &s in xs" : "let it give the new value, or write a `fn` with an `&` parameter",
           "%s cannot change `%s`, which is outside of it", n->wall.at[k].name, root->name);
      return;
    }
}

// ---- expressions -------------------------------------------------------------------------------

static void push_wall(Names *n, const char *name) { vec_push(n->e->arena, &n->wall, ((Wall){n->local.n, name})); }

static void walk_lambda(Names *n, const Ast *x) {
  int mark = n->local.n, np = x->nkid - 1, block = n->block;
  check_twice(n, np, x->kid);
  push_wall(n, "a lambda");
  n->block = mark;
  for (int k = 0; k < np; k++) bind_pattern_names(n, x->kid[k], bind_param, false);
  n->maybe++;
  walk_inner(n, x->kid[np]);
  n->maybe--;
  n->block = block;
  n->wall.n--;
  n->local.n = mark;
}

// each (&s, a) in (xs, as): what & elements come from is written back.
static void walk_back(Names *n, const Ast *pat, const Ast *over) {
  if (pat->kind == AST_PAT) {
    if (pat->inout && over) walk_place(n, over, true);
    return;
  }
  for (int k = 0; k < pat->nkid; k++) {
    const Ast *o = over && over->kind == AST_TUPLE && over->nkid == pat->nkid ? over->kid[k]->kid[0] : NULL;
    walk_back(n, pat->kid[k], o);
  }
}

static void walk_loop(Names *n, const Ast *x) {
  int mark = n->local.n, block = n->block;
  walk(n, x->kid[1]);
  check_twice(n, 1, x->kid);
  bool each = x->kind == AST_EACH;
  if (each) walk_back(n, x->kid[0], x->kid[1]);
  if (each) push_wall(n, "`each`");
  n->block = mark;
  bind_pattern_names(n, x->kid[0], bind_loop, false);
  walk_inner(n, x->kid[2]);
  if (each) n->wall.n--;
  n->block = block;
  n->local.n = mark;
}

static void walk_maybe(Names *n, const Ast *x) {
  n->maybe++;
  walk_inner(n, x);
  n->maybe--;
}

static void walk_call(Names *n, const Ast *x) {
  const Ast *site = x->kind == AST_PIPE ? x->kid[1] : x;
  if (x->kind == AST_PIPE) walk(n, x->kid[0]);
  const Ast *target = site->kind == AST_CALL ? site->kid[0] : site;
  walk(n, target);
  for (int k = 1; site->kind == AST_CALL && k < site->nkid; k++) {
    const Ast *a = site->kid[k];
    if (a->inout) walk_place(n, a->kid[0], true);
    else walk(n, a->kid[0]);
  }
  Given g = read_args(n, site, x->kind == AST_PIPE);
  check_target(n, target, &g);
}

static void walk_tuple(Names *n, const Ast *x) {
  for (int k = 0; k < x->nkid; k++) {
    walk(n, x->kid[k]->kid[0]);
    for (int j = 0; j < k && x->kid[k]->name; j++)
      if (x->kid[j]->name && strcmp(x->kid[j]->name, x->kid[k]->name) == 0)
        tell(n->e, x->kid[k]->loc, "give it another name", "`%s` stands twice in one record", x->kid[k]->name);
  }
}

static void misplaced(Names *n, const Ast *s) {
  if (s->kind == AST_PARAM && n->place != IN_LAYER) tell(n->e, s->loc, "parameters belong in a `layer` or a `model`", "`param` outside of a layer");
  if (s->kind == AST_STATE && n->place != IN_RULE && n->place != IN_LAYER) tell(n->e, s->loc, "state belongs at the top of a `rule`, `env` or `train`, or in a `layer`; elsewhere `var` makes a variable", "`state` outside of a rule");
  if (s->kind == AST_EVERY && n->place != IN_STEP) tell(n->e, s->loc, "in a function, test a count that it is given: if i % n == 0 { … }", "`every` outside of a trainer's `step`");
}

static void walk_stmt(Names *n, const Ast *s) {
  switch (s->kind) {
  case AST_LET:
    walk(n, s->kid[2]);
    check_twice(n, 1, s->kid);
    if (s->kid[1]) walk_type(n, s->kid[1]);
    bind_pattern_names(n, s->kid[0], bind_fresh, s->flag);
    return;
  case AST_ASSIGN:
    walk(n, s->kid[1]);
    walk_place(n, s->kid[0], false);
    return;
  case AST_PARAM:
    misplaced(n, s);
    check_type(n, s->kid[0]);
    if (s->kid[1]) walk(n, s->kid[1]);
    bind_fresh(n, s->name, s->loc, false);
    n->local.at[n->local.n - 1].why = "a parameter of the model";
    return;
  case AST_STATE:
    misplaced(n, s);
    if (s->kid[s->nkid - 2]) walk_type(n, s->kid[s->nkid - 2]);
    if (s->kid[s->nkid - 1]) walk(n, s->kid[s->nkid - 1]);
    for (int k = 0; k < s->nkid - 2; k++) bind_fresh(n, s->kid[k]->name, s->kid[k]->loc, true);
    return;
  case AST_EVERY:
    misplaced(n, s);
    walk(n, s->kid[0]);
    walk_maybe(n, s->kid[1]);
    return;
  case AST_LOG:
    for (int k = 0; k < s->nkid; k++) walk(n, s->kid[k]->kid[0]);
    return;
  default: walk(n, s);
  }
}

static void walk_block(Names *n, const Ast *x) {
  if (x->kind != AST_BLOCK) { walk(n, x); return; }
  int mark = n->local.n, block = n->block;
  n->block = mark;
  for (int k = 0; k < x->nkid; k++) walk_stmt(n, x->kid[k]);
  n->block = block;
  n->local.n = mark;
}

// A block inside another: `state` stands at the top of a rule only.
static void walk_inner(Names *n, const Ast *x) {
  Place place = n->place;
  if (place == IN_RULE) n->place = IN_OTHER;
  walk_block(n, x);
  n->place = place;
}

static void walk(Names *n, const Ast *x) {
  switch (x->kind) {
  case AST_NAME: use_name(n, x); return;
  case AST_NUM: case AST_STR: case AST_BOOL: case AST_IX_NEW: case AST_IX_DOTS: return;
  case AST_FIELD: walk(n, x->kid[0]); check_member(n, x); return;
  case AST_LAMBDA: walk_lambda(n, x); return;
  case AST_CALL: case AST_PIPE: walk_call(n, x); return;
  case AST_TUPLE: walk_tuple(n, x); return;
  case AST_TYPE_TUPLE: walk_type(n, x); return;
  case AST_BLOCK: walk_inner(n, x); return;
  case AST_IF:
    walk(n, x->kid[0]);
    for (int k = 1; k < x->nkid; k++)
      if (x->kid[k]) walk_maybe(n, x->kid[k]);
    return;
  case AST_MATCH:
    walk(n, x->kid[0]);
    for (int k = 1; k < x->nkid; k++) {
      const Ast *test = x->kid[k]->kid[0];
      if (test->kind != AST_NAME || strcmp(test->name, "_") != 0) walk(n, test);
      walk_maybe(n, x->kid[k]->kid[1]);
    }
    return;
  case AST_FOR: case AST_SCAN: case AST_EACH: case AST_UNROLL: walk_loop(n, x); return;
  case AST_WHILE: walk(n, x->kid[0]); walk_inner(n, x->kid[1]); return;
  case AST_LET: case AST_ASSIGN: case AST_PARAM: case AST_STATE: case AST_EVERY: case AST_LOG: walk_stmt(n, x); return;
  default:
    for (int k = 0; k < x->nkid; k++)
      if (x->kid[k]) walk(n, x->kid[k]);
  }
}

// ---- types ---------------------------------------------------------------------------------------

static bool is_type_word(const char *name) {
  return one_of(name, "float int num key dim list env _") || (builtin_find(name) && builtin_find(name)->code == -2);
}

// Capitalised names that nothing else bears are generic: dimensions, or trees.
static void bind_generics(Names *n, const Ast *t) {
  if (!t) return;
  if (t->kind == AST_NAME && isupper((unsigned char)t->name[0]) && !is_known(n, t->name)) bind(n, t->name, t->loc, false, "a dimension");
  for (int k = 0; k < t->nkid; k++)
    if (t->kid[k]) bind_generics(n, t->kid[k]);
}

static void check_type(Names *n, const Ast *t) {
  switch (t->kind) {
  case AST_NAME:
    if (is_type_word(t->name) || is_known(n, t->name)) return;
    {
      const char *near = near_name(n, t->name);
      tell(n->e, t->loc, near ? near : "types are bool, i32, f32, key, …, records, and capitalised names that stand for any", "the type `%s` is not known here", t->name);
    }
    return;
  case AST_INDEX:
    check_type(n, t->kid[0]);
    for (int k = 1; k < t->nkid; k++)
      if (t->kid[k]->kind == AST_IX && !(t->kid[k]->kid[0]->kind == AST_NAME && is_type_word(t->kid[k]->kid[0]->name))) walk(n, t->kid[k]->kid[0]);
    return;
  case AST_TYPE_TUPLE:
    for (int k = 0; k < t->nkid; k++) check_type(n, t->kid[k]->kid[0]);
    return;
  default: walk(n, t);
  }
}

static void walk_type(Names *n, const Ast *t) {
  bind_generics(n, t);
  check_type(n, t);
}

// ---- declarations ----------------------------------------------------------------------------------

static void walk_fn(Names *n, const Ast *a, Place place) {
  const AstFn *fn = a->fn;
  int mark = n->local.n, block = n->block;
  Place outer = n->place;
  n->place = place;
  n->block = mark;
  Ast **all = arena_array(n->e->arena, Ast *, fn->nstatic + fn->nparam + 1);
  for (int k = 0; k < fn->nstatic; k++) all[k] = fn->statics[k];
  for (int k = 0; k < fn->nparam; k++) all[fn->nstatic + k] = fn->params[k];
  check_twice(n, fn->nstatic + fn->nparam, all);
  for (int k = 0; k < fn->nstatic; k++) bind(n, fn->statics[k]->name, fn->statics[k]->loc, false, "a bracket value");
  for (int k = 0; k < fn->nparam; k++) bind(n, fn->params[k]->name, fn->params[k]->loc, fn->params[k]->inout, "a parameter");
  for (int k = 0; k < fn->nparam; k++)
    if (fn->params[k]->kid[0]) bind_generics(n, fn->params[k]->kid[0]);
  for (int k = 0; k < fn->nstatic + fn->nparam; k++) {
    if (all[k]->kid[0]) check_type(n, all[k]->kid[0]);
    if (all[k]->kid[1]) walk(n, all[k]->kid[1]);
  }
  int known = n->local.n;
  if (fn->result) walk_type(n, fn->result);
  n->local.n = known;                       // names that only the result mentions
  if (fn->from && fn->from->kind == AST_CALL)
    for (int k = 1; k < fn->from->nkid; k++) walk(n, fn->from->kid[k]->kid[0]);
  if (fn->body) walk_block(n, fn->body);
  if (fn->backward) {
    for (int k = 0; k < fn->nback; k++) bind(n, fn->back[k], a->loc, false, "a cotangent");
    walk_block(n, fn->backward);
  }
  n->place = outer;
  n->block = block;
  n->local.n = mark;
}

// A record's own sizes stand in its brackets, or are constants of the file.
static void check_sizes(Names *n, const Ast *a, const Ast *t) {
  if (t->kind == AST_NAME && isupper((unsigned char)t->name[0]) && !is_known(n, t->name))
    tell(n->e, t->loc, arena_printf(n->e->arena, "put it in the record's brackets, record %s[%s] { … }, or declare it: const %s = …", a->name, t->name, t->name), "`%s` is not known here", t->name);
  for (int k = 0; k < t->nkid; k++)
    if (t->kid[k]) check_sizes(n, a, t->kid[k]);
}

static void walk_record(Names *n, const Ast *a) {
  int mark = n->local.n;
  VEC(Ast *) all = {0};
  for (int k = 0; k < a->nkid; k++)
    if (a->kid[k]->kind != AST_FN) vec_push(n->e->arena, &all, a->kid[k]);
  check_twice(n, all.n, all.at);
  for (int k = 0; k < a->nstatic; k++) bind(n, a->kid[k]->name, a->kid[k]->loc, false, "a bracket value");
  for (int k = a->nstatic; k < a->nkid; k++)
    if (a->kid[k]->kind == AST_MEMBER) {
      check_sizes(n, a, a->kid[k]->kid[0]);
      walk_type(n, a->kid[k]->kid[0]);
      if (a->kid[k]->kid[1]) walk(n, a->kid[k]->kid[1]);
    }
  for (int k = a->nstatic; k < a->nkid; k++) bind(n, a->kid[k]->name, a->kid[k]->loc, false, a->kid[k]->kind == AST_FN ? "a function" : "a field of a record, which its functions only read");
  for (int k = a->nstatic; k < a->nkid; k++)
    if (a->kid[k]->kind == AST_FN) walk_fn(n, a->kid[k], IN_FN);
  n->local.n = mark;
}

static void check_env_fn(Names *n, const Ast *fn, const char *shape, int least, int most) {
  if (fn->fn->nparam < least || fn->fn->nparam > most) tell(n->e, fn->loc, shape, "`%s` of an environment takes %s", fn->name, least == most ? "one parameter" : "an action, and perhaps a key");
}

static void walk_env(Names *n, const Ast *a) {
  int mark = n->local.n;
  check_twice(n, a->nstatic, a->kid);
  bool has[4] = {0};
  for (int k = 0; k < a->nstatic; k++) {
    if (a->kid[k]->kid[1]) walk(n, a->kid[k]->kid[1]);
    bind(n, a->kid[k]->name, a->kid[k]->loc, false, "a setting");
  }
  for (int k = a->nstatic; k < a->nkid; k++) {
    const Ast *m = a->kid[k];
    has[0] |= m->kind == AST_ACTION;
    has[1] |= m->kind == AST_OBS;
    has[2] |= m->kind == AST_FN && strcmp(m->name, "reset") == 0;
    has[3] |= m->kind == AST_FN && strcmp(m->name, "step") == 0;
    if (m->kind == AST_FN) bind(n, m->name, m->loc, false, "a function");
    if (m->kind == AST_ACTION) walk(n, m->kid[0]);
  }
  static const char *const lack[4][2] = {
    {"action", "write `action = discrete(n)` or `action = box(n, low, high)`"}, {"obs", "write `obs = [x, y]`, an expression over the state"},
    {"reset", "write `fn reset(key) { … }`, which assigns the fields"}, {"step", "write `fn step(a) { … }`, which ends in (reward = …, terminated = …, truncated = …)"}};
  for (int k = 0; k < 4; k++)
    if (!has[k] && !(a->from && k > 1)) tell(n->e, a->loc, lack[k][1], "the environment `%s` has no `%s`", a->name, lack[k][0]);
  int helpers = n->local.n;
  for (int k = a->nstatic; k < a->nkid; k++) {
    const Ast *s = a->kid[k];
    if (s->kind != AST_STATE) continue;
    if (s->kid[s->nkid - 2]) walk_type(n, s->kid[s->nkid - 2]);
    if (s->kid[s->nkid - 1]) walk(n, s->kid[s->nkid - 1]);
    for (int j = 0; j < s->nkid - 2; j++) {
      const Name *old = find_local(n, s->kid[j]->name);
      if (old) tell(n->e, s->kid[j]->loc, "give it another name", "`%s` stands twice in this environment", s->kid[j]->name);
      bind(n, s->kid[j]->name, s->kid[j]->loc, true, NULL);
    }
  }
  int fields = n->local.n;
  for (int k = a->nstatic; k < a->nkid; k++) {
    const Ast *m = a->kid[k];
    if (m->kind == AST_OBS) {
      if (m->kid[0]) walk_type(n, m->kid[0]);
      if (m->kid[1]) walk(n, m->kid[1]);
    }
    if (m->kind != AST_FN) continue;
    bool reset = strcmp(m->name, "reset") == 0, step = strcmp(m->name, "step") == 0;
    if (reset) check_env_fn(n, m, "write `fn reset(key) { … }`", 1, 1);
    if (step) check_env_fn(n, m, "write `fn step(a) { … }` or `fn step(a, key) { … }`", 1, 2);
    // helpers see settings and one another, not the state
    VEC(Name) kept = {0};
    if (!reset && !step)
      for (int j = helpers; j < fields; j++) {
        vec_push(n->e->arena, &kept, n->local.at[j]);
        n->local.at[j].name = "";
      }
    walk_fn(n, m, IN_FN);
    for (int j = 0; j < kept.n; j++) n->local.at[helpers + j] = kept.at[j];
  }
  n->local.n = mark;
}

static void walk_trainer(Names *n, const Ast *a) {
  int mark = n->local.n, step = -1;
  check_twice(n, a->nstatic, a->kid);
  for (int k = 0; k < a->nstatic; k++) {
    if (a->kid[k]->kid[1]) walk(n, a->kid[k]->kid[1]);
    bind(n, a->kid[k]->name, a->kid[k]->loc, false, "a setting");
  }
  n->block = mark;
  bind(n, "key", (Loc){0}, false, "the trainer's own");
  bind(n, "seed", (Loc){0}, false, "the trainer's own");
  for (int k = a->nstatic; k < a->nkid; k++) {
    const Ast *s = a->kid[k];
    n->place = IN_RULE;
    if (s->kind == AST_LET || s->kind == AST_STATE) walk_stmt(n, s);
    if (s->kind == AST_STEP) step = k;
  }
  bind(n, "iter", (Loc){0}, false, "the trainer's own");
  n->place = IN_STEP;
  if (step >= 0) walk_block(n, a->kid[step]->kid[0]);
  else tell(n->e, a->loc, "write `step { … }`", "the trainer `%s` has no step", a->name);
  for (int k = a->nstatic; k < a->nkid; k++)
    if (a->kid[k]->kind == AST_EXPORT) walk_fn(n, a->kid[k]->kid[0], IN_FN);
  n->local.n = mark;
  n->block = 0;
}

static void walk_experiment(Names *n, const Ast *a) {
  int mark = n->local.n;
  check_twice(n, a->nstatic, a->kid);
  for (int k = 0; k < a->nstatic; k++) {
    if (a->kid[k]->kid[1]) walk(n, a->kid[k]->kid[1]);
    bind(n, a->kid[k]->name, a->kid[k]->loc, false, "a setting");
  }
  bind(n, "key", (Loc){0}, false, "the experiment's own");
  bind(n, "seed", (Loc){0}, false, "the experiment's own");
  n->place = IN_OTHER;
  for (int k = a->nstatic; k < a->nkid; k++) {
    const Ast *s = a->kid[k];
    if (s->kind == AST_LET) walk_stmt(n, s);
    if (s->kind == AST_CLAIM) walk(n, s->kid[0]);
  }
  n->local.n = mark;
}

static void walk_data(Names *n, const Ast *a) {
  if (a->kid[0]) walk_type(n, a->kid[0]);    // its sizes are names of the file: they stay
  const Ast *from = a->kid[1];
  for (int k = 1; from && from->kind == AST_CALL && k < from->nkid; k++) walk(n, from->kid[k]->kid[0]);
}

static void walk_decl(Names *n, Decl *d) {
  const Ast *a = d->ast;
  n->decl = d;
  n->place = IN_OTHER;
  switch (a->kind) {
  case AST_CONST: walk(n, a->kid[0]); return;
  case AST_FN: walk_fn(n, a, a->fn->flavour == FLAVOUR_RULE ? IN_RULE : a->fn->flavour == FLAVOUR_LAYER || a->fn->flavour == FLAVOUR_MODEL ? IN_LAYER : IN_FN); return;
  case AST_RECORD: walk_record(n, a); return;
  case AST_ENV: walk_env(n, a); return;
  case AST_TRAIN: walk_trainer(n, a); return;
  case AST_EXPERIMENT: walk_experiment(n, a); return;
  default: return;
  }
}

// ---- recursion --------------------------------------------------------------------------------------
//
// A call that every run of a function makes and that leads back to the function never ends.

static bool leads_to(const Names *n, Decl *from, Decl *to, int depth) {
  if (from == to) return true;
  if (depth == 0) return false;
  for (int k = 0; k < n->edge.n; k++)
    if (n->edge.at[k].from == from && n->edge.at[k].to != from && leads_to(n, n->edge.at[k].to, to, depth - 1)) return true;
  return false;
}

static void check_recursion(Names *n) {
  for (int k = 0; k < n->edge.n; k++) {
    const Edge *x = &n->edge.at[k];
    if (x->from == x->to) tell(n->e, x->loc, recursion_help, "`%s` calls itself without an end", x->from->name);
    else if (x->from->ast->loc.line <= x->to->ast->loc.line && leads_to(n, x->to, x->from, 12))
      tell(n->e, x->loc, recursion_help, "`%s` and `%s` call each other without an end", x->from->name, x->to->name);
  }
}

bool names_check(Elab *e, Module *m) {
  if (e->named) return !e->names_first;
  const Diag *before = e->diags->last;
  e->naming = e->named = true;
  Names n = {.e = e, .m = m};
  int count = 0;
  for (Decl *d = m->decls; d; d = d->next) count++;
  Decl **order = arena_array(e->arena, Decl *, count + 1);   // the list runs from the file's end to its start
  for (Decl *d = m->decls; d; d = d->next) order[--count] = d;
  for (Decl **d = order; *d; d++)
    if ((*d)->ast->kind == AST_DATA) walk_data(&n, (*d)->ast);
  for (Decl **d = order; *d; d++) walk_decl(&n, *d);
  check_recursion(&n);
  e->naming = false;
  e->names_first = before ? before->next : e->diags->first;
  e->names_last = e->names_first ? e->diags->last : NULL;
  return !e->names_first;
}
