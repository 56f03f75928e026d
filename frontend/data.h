// Data files named in a program: `data x: type from csv("file")`.
#ifndef RLC_DATA_H
#define RLC_DATA_H

#include "frontend/value.h"

// The value of a `data` declaration, as constants of the graph being built. The file is read when the
// declaration is first met and its sizes bound in the module's scope (f32[N, 4]: N is the number of rows).
Value *data_value(Elab *e, Decl *d);
void data_sizes(Elab *e, Decl *d);

#endif
