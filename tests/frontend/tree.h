// What the frontend's tests share: trees as text, files of a folder.
#ifndef RLC_TEST_TREE_H
#define RLC_TEST_TREE_H

#include "frontend/ast.h"

// The tree in Lisp's notation, all of it but places and comments: two trees are
// equal when their texts are.
char *tree_text(Arena *a, const Ast *n);

// Calls `each` for every file below root/folder whose name ends in .rl, by name.
// Returns how many there were; a folder that is missing has none.
int tree_files(const char *root, const char *folder, void (*each)(const char *path));

// The diagnostics as diag_print shows them.
char *tree_diags(Arena *a, const Diags *d);

#endif
