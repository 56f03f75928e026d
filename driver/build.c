// A program of its own: object code, and the runtime that rlc carries, joined by the system's C compiler.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver/driver.h"
#include "ir/embed.h"

#ifdef RLC_SANITIZE
#define LINK_ALSO "-fsanitize=address,undefined"
#else
#define LINK_ALSO "-s"
#endif

// Exit status of argv, found in PATH; -1 if it could not be started.
static int execute(const char *const *argv) {
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
  }
  int status = 0;
  while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) == 127) return -1;
  return WEXITSTATUS(status);
}

// The first C compiler there is, as a linker.
static bool link_program(const char *object, const char *runtime, const char *to, const char *out) {
  const char *env = getenv("CC"), *const cc[] = { env && *env ? env : "cc", "gcc", "clang", "clang-19" };
  for (size_t i = 0; i < sizeof cc / sizeof *cc; i++) {
    const char *const argv[] = { cc[i], "-no-pie", "-Wl,--gc-sections", LINK_ALSO, "-o", to, object, runtime, "-lm", "-lpthread", NULL };
    int status = execute(argv);
    if (status == 0) return true;
    if (status > 0) return complain("%s could not link %s", cc[i], out), false;
  }
  complain("no C compiler is here to link %s: install gcc, or write an object file with -o %s.o", out, out);
  return false;
}

static bool take_over(Driver *d, const char *from, const char *to) {
  FILE *f = fopen(from, "rb");
  Str s = { .arena = d->arena };
  char part[65536];
  for (size_t n; f && (n = fread(part, 1, sizeof part, f)) > 0;) str_put(&s, part, n);
  bool fine = f && !ferror(f);
  if (f) fclose(f);
  return fine ? put_program(to, s.s, s.n) : (complain("cannot read %s: %s", from, strerror(errno)), false);
}

static bool build_program(Driver *d, const char *object, size_t n, const char *out) {
  char *folder = folder_make(d);
  if (!folder) return false;
  const char *o = arena_printf(d->arena, "%s/program.o", folder), *a = arena_printf(d->arena, "%s/%s", folder, embed_runtime->name);
  const char *made = arena_printf(d->arena, "%s/program", folder);
  bool fine = put_text(o, object, n) && put_text(a, embed_runtime->data, (size_t)(embed_runtime->end - embed_runtime->data)) &&
              link_program(o, a, made, out) && take_over(d, made, out);
  folder_remove(folder);
  return fine;
}

static int build(Driver *d, const Job *j, const char *out) {
  Compiled *c = job_compile(d, j);
  if (!c) return d->diags->count ? mistake(d) : RT_MISTAKE;
  const char *object = NULL;
  size_t n = 0;
  char *why = "";
  if (!llvm_emit_object(d->arena, &c->program, &c->target, &object, &n, &why)) return complain("%s", why);
  bool fine = has_ending(out, ".o") ? put_text(out, object, n) : build_program(d, object, n, out);
  return fine ? RT_FINE : RT_MISTAKE;
}

int command_build(Driver *d, int argc, char **argv) {
  Job j = { 0 };
  const char *out = NULL;
  for (int i = 1; i < argc; i++) {
    const char *word = argv[i];
    int k = take_job(d, argc, argv, &i, &j);
    if (k == 0 && take_value(argc, argv, &i, "-o", &out)) k = out ? 1 : -1;
    if (k < 0) return usage("build", "%s wants a value", word);
    if (k > 0) continue;
    if (is_option(word)) return usage("build", "there is no option %s", word);
    if (j.path) return usage("build", "one file at a time: %s, and then %s", j.path, word);
    j.path = word;
  }
  if (!j.path) return usage("build", "which file?");
  if (!out) return usage("build", "where to? -o PROGRAM");
  if (j.triple && !has_ending(out, ".o")) return usage("build", "another machine's code is an object file: -o %s.o", out);
  return build(d, &j, out);
}
