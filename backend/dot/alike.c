// Code written once and unrolled over leaves of a tree (an optimizer's update of each parameter, a norm's sum)
// gives rows that differ in their leaves alone. Boxes with such rows become one box, and its equal rows one row.
#include "backend/dot/picture.h"

#include <string.h>

#define LEAST_ALIKE 3

static bool alike(const DotBox *bx, const DotRow *x, const DotBox *by, const DotRow *y) {
  const IrOp *ox = x->v->op, *oy = y->v->op;
  return ox && oy && !bx->scope && !by->scope && !bx->control && !by->control && bx->region == by->region &&
         bx->backward == by->backward && ox->loc.line > 0 && ox->loc.src == oy->loc.src && ox->loc.line == oy->loc.line &&
         ox->loc.col == oy->loc.col && ox->code == oy->code && !strcmp(x->text, y->text);
}

// Whether box `to` needs a value of box `from`, at once or by way of others.
static bool needs(const DotPicture *p, int to, int from, bool *seen) {
  DotSource s[DOT_SOURCES];
  seen[to] = true;
  for (int k = 0; k < p->box.n; k++) {
    const DotBox *b = p->box.at[k];
    for (int i = 0; b->into == to && i < b->row.n; i++)
      for (int j = 0; j < b->row.at[i].nleaf; j++)
        for (int q = dot_sources(p, b->row.at[i].leaf[j].v, s) - 1; q >= 0; q--) {
          if (s[q].box < 0 || seen[s[q].box]) continue;
          if (s[q].box == from || needs(p, s[q].box, from, seen)) return true;
        }
  }
  return false;
}

static bool depends(const DotPicture *p, int to, int from) {
  return needs(p, to, from, arena_array(p->arena, bool, p->box.n));
}

static void put_into(DotPicture *p, int from, int to) {
  for (int k = 0; k < p->box.n; k++)
    if (p->box.at[k]->into == from) p->box.at[k]->into = to;
}

typedef struct Place { int box, row; } Place;
typedef VEC(Place) Places;

static const DotRow *row_at(const DotPicture *p, Place at) { return &p->box.at[at.box]->row.at[at.row]; }

// Whether rows are links of a chain, such as a running sum.
static bool is_chain(const DotPicture *p, const Places *rows) {
  for (int x = 0; x < rows->n; x++)
    for (int y = 0; y < rows->n; y++) {
      const DotRow *r = row_at(p, rows->at[x]);
      for (int j = 0; j < r->nleaf; j++)
        if (r->leaf[j].v == row_at(p, rows->at[y])->v) return true;
    }
  return false;
}

void dot_merge(DotPicture *p) {
  int like = 0;
  for (int b = 0; b < p->box.n; b++)
    for (int r = 0; r < p->box.at[b]->row.n; r++) {
      DotRow *row = &p->box.at[b]->row.at[r];
      Places same = { 0 };
      for (int c = b; row->like < 0 && c < p->box.n; c++)
        for (int i = 0; i < p->box.at[c]->row.n; i++) {
          const DotRow *y = &p->box.at[c]->row.at[i];
          if (y->like < 0 && alike(p->box.at[b], row, p->box.at[c], y)) vec_push(p->arena, &same, ((Place){ c, i }));
        }
      if (same.n < LEAST_ALIKE || is_chain(p, &same)) continue;
      for (int k = 0; k < same.n; k++) {
        int to = p->box.at[b]->into, from = p->box.at[same.at[k].box]->into;
        if (from != to && (depends(p, to, from) || depends(p, from, to))) continue;
        put_into(p, from, to);
        p->box.at[same.at[k].box]->row.at[same.at[k].row].like = like;
      }
      like++;
    }
}
