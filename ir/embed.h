// Files that the build puts into the binary. [cmake/embed.cmake]
#ifndef RLC_EMBED_H
#define RLC_EMBED_H

typedef struct Embed {
  const char *name;        // file name without folders; NULL ends a table
  const char *data, *end;  // its bytes; *end is 0
} Embed;

extern const Embed embed_stdlib[];   // stdlib/*.rl; in the compiler library
extern const Embed embed_runtime[];  // librlc_runtime.a; in the rlc program only

#endif
