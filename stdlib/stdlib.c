// The library that the compiler carries, and modules beside a program.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/elab.h"
#include "ir/embed.h"

#define CARRIED "stdlib:"

// DIR/NAME.rl, where DIR is the folder of the file that uses it. Dots of a path are folders.
static char *beside(Arena *a, const char *name, const Source *user) {
  const char *slash = user ? strrchr(user->path, '/') : NULL;
  char *path = slash ? arena_printf(a, "%.*s/%s.rl", (int)(slash - user->path), user->path, name) : arena_printf(a, "%s.rl", name);
  char *file = path + (slash ? slash - user->path + 1 : 0);
  for (; file[3]; file++)
    if (*file == '.') *file = '/';
  return path;
}

static const Source *carried(Arena *a, const char *name) {
  size_t n = strlen(name);
  for (const Embed *e = embed_stdlib; e->name; e++)
    if (strlen(e->name) == n + 3 && !memcmp(e->name, name, n))
      return source_text(a, arena_printf(a, CARRIED "%s", e->name), e->data);
  return NULL;
}

// What the library itself uses is never looked for in folders that happen to have its name.
static bool is_carried(const Source *s) {
  return s && !strncmp(s->path, CARRIED, strlen(CARRIED));
}

const Source *elab_stdlib(Arena *a, Diags *d, const char *name, const Source *user) {
  const char *path = beside(a, name, user), *folder = getenv("RLC_STDLIB");
  if (!is_carried(user) && access(path, F_OK) == 0) return source_read(a, d, path);
  if (!folder || !*folder) return carried(a, name);
  path = arena_printf(a, "%s/%s.rl", folder, name);
  return access(path, F_OK) == 0 ? source_read(a, d, path) : NULL;
}
