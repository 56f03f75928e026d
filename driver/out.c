// What commands write: messages, files, folders of temporary pieces.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/driver.h"

int mistake(Driver *d) {
  diag_print(d->diags, stderr);
  return RT_MISTAKE;
}

int complain(const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  fputs("rlc: ", stderr);
  vfprintf(stderr, fmt, ap);
  fputc('\n', stderr);
  va_end(ap);
  return RT_MISTAKE;
}

static bool write_whole(int fd, const char *s, size_t n) {
  while (n > 0) {
    ssize_t k = write(fd, s, n);
    if (k < 0 && errno == EINTR) continue;
    if (k <= 0) return false;
    s += k;
    n -= (size_t)k;
  }
  return true;
}

// mode 0: as the process makes files.
static bool put_beside(const char *path, const char *text, size_t n, mode_t mode) {
  char beside[PATH_MAX];
  if (snprintf(beside, sizeof beside, "%s.%ld.tmp", path, (long)getpid()) >= (int)sizeof beside)
    return errno = ENAMETOOLONG, false;
  int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return false;
  bool fine = (!mode || fchmod(fd, mode) == 0) && write_whole(fd, text, n) && fsync(fd) == 0;
  int why = errno;
  if (close(fd) != 0 && fine) fine = false, why = errno;
  if (fine && rename(beside, path) != 0) fine = false, why = errno;
  if (!fine) unlink(beside);
  errno = why;
  return fine;
}

static bool put_through(const char *path, const char *text, size_t n) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool fine = write_whole(fd, text, n);
  int why = errno;
  if (close(fd) != 0 && fine) fine = false, why = errno;
  errno = why;
  return fine;
}

bool put_text(const char *path, const char *text, size_t n) {
  if (!path || !strcmp(path, "-")) return fwrite(text, 1, n, stdout) == n;  // main looks whether it arrived
  struct stat st;
  char real[PATH_MAX];
  bool there = stat(path, &st) == 0;
  // A device must not be replaced by a file; behind a link stands the file to replace.
  bool fine = there && !S_ISREG(st.st_mode) ? put_through(path, text, n)
                                            : put_beside(there && realpath(path, real) ? real : path, text, n, there ? st.st_mode & 07777 : 0);
  if (!fine) complain("cannot write %s: %s", path, strerror(errno));
  return fine;
}

bool put_program(const char *path, const char *bytes, size_t n) {
  struct stat st;
  if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return complain("cannot write %s: %s", path, strerror(EISDIR)), false;
  mode_t mask = umask(0);
  umask(mask);
  if (put_beside(path, bytes, n, 0777 & ~mask)) return true;
  complain("cannot write %s: %s", path, strerror(errno));
  return false;
}

char *folder_make(Driver *d) {
  const char *tmp = getenv("TMPDIR");
  char *name = arena_printf(d->arena, "%s/rlc-XXXXXX", tmp && *tmp ? tmp : "/tmp");
  if (mkdtemp(name)) return name;
  complain("cannot make the folder %s: %s", name, strerror(errno));
  return NULL;
}

void folder_remove(const char *folder) {
  DIR *dir = opendir(folder);
  for (struct dirent *e; dir && (e = readdir(dir));)
    if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) unlinkat(dirfd(dir), e->d_name, 0);
  if (dir) closedir(dir);
  rmdir(folder);
}
