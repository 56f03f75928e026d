// Derivatives, shared by passes/autodiff.c (driver, what needs a tangent), jvp.c (forward rules),
// linearize.c (control ops cut into a primal and a linear part) and transpose.c (linear ops backward).
//
// Forward mode walks a region once and emits each op and, beside it, its tangent. Reverse mode walks
// it the same way, takes out what depends on the tangents (it is linear in them), and walks that
// backward with one rule a linear op. Control ops that are to go backward are emitted as two: the
// primal one, which also yields what the linear one reads (residuals), and the linear one.
//
// A tangent or cotangent that is NULL is zero.
#ifndef RLC_AUTODIFF_H
#define RLC_AUTODIFF_H

#include "passes/passes.h"

enum {
  AD_ACTIVE = 1,   // source value that depends differentiably on an input
  AD_USEFUL = 2,   // active, and a differentiated output depends on it: gets a tangent
  AD_LINEAR = 4,   // emitted value that is linear in the tangents
  AD_LIVE = 8,     // linear op's result that is read
  AD_KEPT = 16,    // primal value that the linear part gets as a residual
  AD_FIXED = 32,   // primal value that is the same at each turn of its loop
  AD_NEEDED = 64,  // primal value that a linear op reads
};

// Side tables are indexed by IrValue.id and grow with the graph. Keys of map and tan are values of
// regions that are consumed by the expansion, or of linear regions: none outlives its expansion, so
// stale entries are never met.
typedef struct Ad {
  PassContext *c;
  IrGraph *g;
  IrBuilder b;
  bool split;            // reverse mode: control ops are cut in two
  int cap;
  IrValue **map;         // source value → what was emitted for it
  IrValue **tan;         // source value → its tangent
  IrValue **ct;          // linear value → its cotangent so far
  uint8_t *flag;
  IrRegion *dead;        // ops taken out of the graph while later ones still name their results
} Ad;

// One op on its way through a forward rule. For ops without regions y is already emitted.
typedef struct Jvp {
  IrOp *op;              // of the source region
  IrValue **x, **dx;     // emitted operands and their tangents
  IrValue **y, **dy;     // results and their tangents, for the rule to set
} Jvp;

// ---- autodiff.c
void ad_room(Ad *ad);                               // side tables cover every value there is
IrValue *ad_map(Ad *ad, IrValue *v);                // what stands for v: itself if nothing was set
void ad_set_map(Ad *ad, const IrValue *v, IrValue *to);
IrValue *ad_tan(Ad *ad, const IrValue *v);
void ad_set_tan(Ad *ad, const IrValue *v, IrValue *t);
IrValue *ad_ct(Ad *ad, const IrValue *v);
void ad_set_ct(Ad *ad, const IrValue *v, IrValue *ct);
bool ad_has(Ad *ad, const IrValue *v, int flag);
void ad_mark(Ad *ad, const IrValue *v, int flag);
void ad_unmark(Ad *ad, const IrValue *v, int flags);
IrOp *ad_clone(Ad *ad, const IrOp *op, IrValue **in); // op over other operands, regions through map
IrValue *ad_like(Ad *ad, const IrOp *op, IrValue **in, const IrType *want); // its code and attributes
IrValue *ad_zero(Ad *ad, const IrValue *like);
IrValue *ad_fill(Ad *ad, const IrValue *like, double v);
IrRegion *ad_enter(Ad *ad, IrRegion *r, IrBuilder *saved); // emit into r from now on
int ad_carries(const IrOp *loop);                   // of a scan; 0 of a map
void ad_refuse(Ad *ad, const IrOp *op, const char *help, const char *fmt, ...)
  __attribute__((format(printf, 4, 5)));

// ---- jvp.c
bool jvp_is_zero(IrCode c);                         // the table says that its derivative is zero
void jvp_region(Ad *ad, IrRegion *r);               // emits r's ops and tangents; map and tan are set

// ---- linearize.c
// Moves the ops from `first` up to `end` (NULL: the region's end) that read linear values to `to`.
void lin_partition(Ad *ad, IrOp *first, IrOp *end, IrRegion *to);
void lin_loop(Ad *ad, Jvp *j);                      // scan and map
void lin_cond(Ad *ad, Jvp *j);
void lin_remat(Ad *ad, Jvp *j);

// ---- transpose.c
// Emits the cotangents of what r's linear ops read, from those of what they give, last op first.
void tr_region(Ad *ad, IrRegion *r);
void ad_add(Ad *ad, IrValue *v, IrValue *ct);       // another part of v's cotangent; v may be no linear value

#endif
