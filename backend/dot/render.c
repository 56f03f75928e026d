// Graphviz text to a picture, by Graphviz's library.
#include "backend/backend.h"

#include <dlfcn.h>
#include <gvc.h>
#include <string.h>

// The library is loaded when a picture is asked for: linked, it and what it needs would cost each start of rlc
// 3 ms. These are the functions taken from it, under their own names and types.
#define FUNCTIONS(F) \
  F(gvContext) F(gvLayout) F(gvFreeLayout) F(gvRenderData) F(gvFreeRenderData) \
  F(agmemread) F(agclose) F(agseterrf) F(agseterr)
typedef struct Library {
#define F(name) __typeof__(&name) name;
  FUNCTIONS(F)
#undef F
} Library;

static bool load(Library *lib, Arena *a, char **why) {
  void *so = dlopen("libgvc.so.6", RTLD_NOW | RTLD_GLOBAL);
  if (!so) so = dlopen("libgvc.so", RTLD_NOW | RTLD_GLOBAL);
  if (!so) {
    *why = arena_printf(a, "pictures need Graphviz's library (on Debian: apt install libgvc6): %s", dlerror());
    return false;
  }
#define F(name) \
  *(void **)&lib->name = dlsym(so, #name); \
  if (!lib->name) { \
    *why = arena_printf(a, "Graphviz's library has no function %s", #name); \
    return false; \
  }
  FUNCTIONS(F)
#undef F
  return true;
}

// One context for the life of the process: Graphviz 2.42 remembers the last font by a string of its context, and reads
// it at the next picture even if that context is gone.
static GVC_t *the_context;

// Graphviz hands its messages to a function without context.
static char message[512];

static int keep_message(char *text) {
  size_t used = strlen(message);
  if (strcmp(text, "Warning") && strcmp(text, "Error")) snprintf(message + used, sizeof message - used, "%s", text);
  return 0;
}

static char *fail(Arena *a, const char *what, char **why) {
  size_t n = strlen(message);
  while (n && (message[n - 1] == '\n' || message[n - 1] == ' ')) n--;
  *why = n ? arena_printf(a, "%s: %.*s", what, (int)n, message) : arena_str(a, what);
  return NULL;
}

char *dot_render(Arena *a, const char *dot, const char *format, size_t *n, char **why) {
  Library lib;
  if (!load(&lib, a, why)) return NULL;
  message[0] = 0;
  lib.agseterr(AGERR);
  agusererrf before = lib.agseterrf(keep_message);
  if (!the_context) the_context = lib.gvContext();
  graph_t *graph = lib.agmemread(dot);
  char *data = NULL, *copy = NULL;
  unsigned size = 0;
  if (!graph) {
    fail(a, "the text is no Graphviz graph", why);
  } else if (lib.gvLayout(the_context, graph, "dot")) {
    fail(a, "Graphviz could not lay out the graph", why);
  } else {
    if (lib.gvRenderData(the_context, graph, format, &data, &size) || !data) {
      fail(a, arena_printf(a, "Graphviz could not draw the graph as %s", format), why);
    } else {
      copy = arena_strn(a, data, size);
      *n = size;
      lib.gvFreeRenderData(data);
    }
    lib.gvFreeLayout(the_context, graph);
  }
  if (graph) lib.agclose(graph);
  lib.agseterrf(before);
  return copy;
}

#ifdef RLC_SANITIZE
// Leaks of the libraries that draw, not ours.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
  return "leak:libgvc\nleak:libgvplugin\nleak:libcgraph\nleak:libfontconfig\nleak:libpango\nleak:libcairo\nleak:libglib\n";
}
#endif
