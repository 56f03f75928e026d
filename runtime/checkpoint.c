// Checkpoints: the state of a trainer in a file. Little-endian, everything in this order:
//   8 bytes   "RLCKPT1\n"
//   u64       bytes of the whole file
//   u64       hash of all that follows
//   u64       RtProgram.hash
//   u64       1 if the stop condition held after the last step, + 2 if the task was solved
//   text      name of the trainer            (text: u32 length, then the bytes)
//   u32       number of settings, then for each: text name, u64 value as in RT_SETTING
//   u32       number of arrays, then for each: text name, i32 dtype, i32 rank, rank × i64 sizes
//   bytes     the arrays, one behind another
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/internal.h"
#include "runtime/memory.h"

static const char magic[8] = { 'R', 'L', 'C', 'K', 'P', 'T', '1', '\n' };
#define HEAD 24                  // magic, size, hash

// ---- hash ----------------------------------------------------------------------------------------
// Every step of a lane is a bijection of the lane, so no single changed word goes unseen.
#define PRIME 0x9e3779b97f4a7c15u
#define STRIDE 32

typedef struct Hash {
  uint64_t lane[4], n;           // n: bytes so far; those of the last stride wait in tail
  char tail[STRIDE];
} Hash;

static void hash_stride(Hash *h, const char *s) {
  for (int k = 0; k < 4; k++) {
    uint64_t w;
    memcpy(&w, s + 8 * k, 8);
    h->lane[k] = (h->lane[k] ^ w) * PRIME;
    h->lane[k] ^= h->lane[k] >> 29;
  }
}

static void hash_add(Hash *h, const char *s, size_t n) {
  while (n > 0) {
    size_t have = h->n % STRIDE, take = n < STRIDE - have ? n : STRIDE - have;
    if (take == STRIDE) {
      hash_stride(h, s);
    } else {
      memcpy(h->tail + have, s, take);
      if (have + take == STRIDE) hash_stride(h, h->tail);
    }
    h->n += take;
    s += take;
    n -= take;
  }
}

static uint64_t hash_end(const Hash *h) {
  uint64_t x = h->n;
  for (size_t i = 0; i < h->n % STRIDE; i++) x = (x ^ (unsigned char)h->tail[i]) * PRIME;
  for (int k = 0; k < 4; k++) {
    x = (x ^ h->lane[k]) * PRIME;
    x ^= x >> 32;
  }
  return x;
}

// ---- a checkpoint as a stream of bytes -------------------------------------------------------------
// The program is put twice: into the hash, then into the file. So no copy of the state is made.
typedef struct Sink {
  int fd;                        // -1: into the hash
  Hash hash;
  size_t n;                      // bytes in room
  bool failed;
  int why;                       // errno
  char room[16384];
} Sink;

static void write_all(Sink *k, const char *s, size_t n) {
  while (n > 0 && !k->failed) {
    ssize_t done = write(k->fd, s, n);
    if (done > 0) {
      s += done;
      n -= (size_t)done;
    } else if (done == 0 || errno != EINTR) {
      k->failed = true;
      k->why = done == 0 ? ENOSPC : errno;
    }
  }
}

static void drain(Sink *k) {
  write_all(k, k->room, k->n);
  k->n = 0;
}

static void put(Sink *k, const void *p, size_t n) {
  if (k->fd < 0) {
    hash_add(&k->hash, p, n);
    return;
  }
  if (k->n + n > sizeof k->room) drain(k);
  if (n > sizeof k->room) {
    write_all(k, p, n);
    return;
  }
  memcpy(k->room + k->n, p, n);
  k->n += n;
}

static void put_u32(Sink *k, uint32_t v) { put(k, &v, 4); }
static void put_u64(Sink *k, uint64_t v) { put(k, &v, 8); }

static void put_text(Sink *k, const char *s) {
  put_u32(k, (uint32_t)strlen(s));
  put(k, s, strlen(s));
}

static int64_t setting_bytes(const RtSetting *s) {
  return s->dtype == RT_F32 ? 4 : 8;
}

static void put_program(Sink *k, const RtProgram *p, const RtFrame *f) {
  put_u64(k, p->hash);
  put_u64(k, (uint64_t)(f->base[RT_OUT][p->stop] != 0) | (uint64_t)(f->base[RT_OUT][p->solved] != 0) << 1);
  put_text(k, p->name);
  put_u32(k, (uint32_t)p->nsetting);
  for (int i = 0; i < p->nsetting; i++) {
    uint64_t v = 0;
    memcpy(&v, f->base[RT_SETTING] + p->setting[i].offset, (size_t)setting_bytes(&p->setting[i]));
    put_text(k, p->setting[i].name);
    put_u64(k, v);
  }
  put_u32(k, (uint32_t)p->nstate);
  for (int i = 0; i < p->nstate; i++) {
    const RtArray *a = &p->state[i];
    put_text(k, a->name);
    put_u32(k, (uint32_t)a->dtype);
    put_u32(k, (uint32_t)a->rank);
    put(k, a->dim, sizeof *a->dim * (size_t)a->rank);
  }
  for (int i = 0; i < p->nstate; i++) put(k, f->base[RT_STATE] + p->state[i].offset, (size_t)p->state[i].bytes);
}

// 0, or the error.
static int put_file(int fd, const RtProgram *p, const RtFrame *f) {
  Sink k = { .fd = -1, .hash.lane = { 1, 2, 3, 4 } };
  put_program(&k, p, f);
  uint64_t size = HEAD + k.hash.n, h = hash_end(&k.hash);
  k.fd = fd;
  put(&k, magic, sizeof magic);
  put_u64(&k, size);
  put_u64(&k, h);
  put_program(&k, p, f);
  drain(&k);
  return k.failed ? k.why : 0;
}

// ---- writing ----------------------------------------------------------------------------------------
static bool cannot(const char *what, const char *path, int error) {
  rt_say("cannot %s the checkpoint %s: %s", what, path, strerror(error));
  return false;
}

// "a/b" → "a"; false where that is too long.
static bool folder_of(const char *path, char dir[PATH_MAX]) {
  const char *slash = strrchr(path, '/');
  size_t n = slash ? (size_t)(slash - path) : 0;
  if (n >= PATH_MAX) return false;
  memcpy(dir, path, n);
  dir[n] = 0;
  if (!n) strcpy(dir, slash ? "/" : ".");
  return true;
}

static void sync_folder(const char *path) {
  char dir[PATH_MAX];
  if (!folder_of(path, dir)) return;
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

static bool write_beside(const RtProgram *p, const RtFrame *f, const char *path) {
  char beside[PATH_MAX];
  if (snprintf(beside, sizeof beside, "%s.%ld.tmp", path, (long)getpid()) >= (int)sizeof beside)
    return cannot("write", path, ENAMETOOLONG);
  int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return cannot("write", path, errno);
  int why = put_file(fd, p, f);
  if (!why && fsync(fd) != 0) why = errno;
  if (close(fd) != 0 && !why) why = errno;
  if (!why && rename(beside, path) != 0) why = errno;
  if (why) {
    unlink(beside);
    return cannot("write", path, why);
  }
  sync_folder(path);
  return true;
}

static bool write_through(const RtProgram *p, const RtFrame *f, const char *path) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return cannot("write", path, errno);
  int why = put_file(fd, p, f);
  if (close(fd) != 0 && !why) why = errno;
  return why ? cannot("write", path, why) : true;
}

bool rt_checkpoint_ready(const char *path) {
  char dir[PATH_MAX];
  struct stat st;
  bool there = stat(path, &st) == 0;
  if (there && S_ISDIR(st.st_mode)) return cannot("write", path, EISDIR);
  if (there && !S_ISREG(st.st_mode)) return true;
  if (!folder_of(path, dir)) return cannot("write", path, ENAMETOOLONG);
  return access(dir, W_OK | X_OK) == 0 ? true : cannot("write", path, errno);
}

bool rt_checkpoint_write(const RtProgram *p, const RtFrame *f, const char *path) {
  char real[PATH_MAX];
  struct stat st;
  bool there = stat(path, &st) == 0;
  if (there && S_ISDIR(st.st_mode)) return cannot("write", path, EISDIR);
  // A device or a pipe must not be replaced by a file; behind a link stands the file to replace.
  if (there && !S_ISREG(st.st_mode)) return write_through(p, f, path);
  return write_beside(p, f, there && realpath(path, real) ? real : path);
}

// ---- reading ---------------------------------------------------------------------------------------
typedef struct Image { char *s; size_t n, cap; } Image;

static bool image_read(Image *m, const char *path) {
  *m = (Image){ 0 };
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd < 0) return cannot("read", path, errno);
  int why = 0;
  if (fstat(fd, &st) != 0) why = errno;
  else if (!S_ISREG(st.st_mode)) why = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
  else if (!(m->s = rt_block((size_t)st.st_size))) why = ENOMEM;
  if (!why) m->cap = (size_t)st.st_size;
  while (!why && m->n < m->cap) {
    ssize_t k = read(fd, m->s + m->n, m->cap - m->n);
    if (k > 0) m->n += (size_t)k;
    else if (k == 0) break;
    else if (errno != EINTR) why = errno;
  }
  close(fd);
  if (!why) return true;
  rt_block_free(m->s, m->cap);
  return cannot("read", path, why);
}

// What is wrong with the file, program apart; NULL: nothing.
static const char *image_bad(const Image *m, char *why, size_t room) {
  uint64_t size, h;
  size_t some = m->n < 8 ? m->n : 8;
  if (m->n == 0) return "is empty";
  if (memcmp(m->s, magic, some < 6 ? some : 6) != 0) return "is not a checkpoint of rlc";
  if (memcmp(m->s, magic, some) != 0) return "is a checkpoint in a format that this version does not read";
  if (m->n < HEAD) return "is cut short: even its head is not complete";
  memcpy(&size, m->s + 8, 8);
  memcpy(&h, m->s + 16, 8);
  if (m->n < size) {
    snprintf(why, room, "is cut short: it has %zu of %llu bytes", m->n, (unsigned long long)size);
    return why;
  }
  if (m->n > size) {
    snprintf(why, room, "is damaged: it has %zu bytes and should have %llu", m->n, (unsigned long long)size);
    return why;
  }
  Hash mine = { .lane = { 1, 2, 3, 4 } };
  hash_add(&mine, m->s + HEAD, m->n - HEAD);
  return hash_end(&mine) == h ? NULL : "is damaged: its contents do not match its checksum";
}

typedef struct Reader { const char *at, *end; } Reader;

static bool get(Reader *r, void *to, size_t n) {
  if ((size_t)(r->end - r->at) < n) return false;
  memcpy(to, r->at, n);
  r->at += n;
  return true;
}

// The text stays in the image: not ended by a 0.
static bool get_text(Reader *r, const char **s, uint32_t *n) {
  if (!get(r, n, 4) || (size_t)(r->end - r->at) < *n) return false;
  *s = r->at;
  r->at += *n;
  return true;
}

typedef struct Shape { int32_t dtype, rank; int64_t dim[RT_MAX_RANK]; } Shape;

static bool get_shape(Reader *r, Shape *s) {
  return get(r, &s->dtype, 4) && get(r, &s->rank, 4) && s->dtype >= 0 && s->dtype <= RT_C128 && s->rank >= 0 &&
         s->rank <= RT_MAX_RANK && get(r, s->dim, sizeof *s->dim * (size_t)s->rank);
}

static void shape_text(char *to, size_t room, int32_t dtype, int32_t rank, const int64_t *dim) {
  int n = snprintf(to, room, "%s", rt_dtype_name(dtype));
  for (int i = 0; i < rank; i++)
    n += snprintf(to + n, room - (size_t)n, "%s%lld", i ? ", " : "[", (long long)dim[i]);
  if (rank) snprintf(to + n, room - (size_t)n, "]");
}

static bool refuse(const char *path, const char *text) {
  rt_say("%s %s", path, text);
  return false;
}

static bool same_shape(const RtArray *a, const Shape *s) {
  return a->dtype == s->dtype && a->rank == s->rank && memcmp(a->dim, s->dim, sizeof *s->dim * (size_t)s->rank) == 0;
}

// Reads the list of arrays; false, after naming the first difference, unless it is p's.
static bool same_arrays(Reader *r, const RtProgram *p, const char *path) {
  uint32_t n;
  if (!get(r, &n, 4)) return refuse(path, "is damaged: its list of arrays is not complete");
  for (uint32_t i = 0; i < n || i < (uint32_t)p->nstate; i++) {
    const RtArray *a = i < (uint32_t)p->nstate ? &p->state[i] : NULL;
    const char *name = "";
    uint32_t len = 0;
    Shape s = { 0 };
    if (i < n && (!get_text(r, &name, &len) || !get_shape(r, &s)))
      return refuse(path, "is damaged: its list of arrays is not complete");
    bool same_name = a && i < n && strlen(a->name) == len && memcmp(a->name, name, len) == 0;
    if (same_name && same_shape(a, &s)) continue;
    char here[300], there[300];
    if (same_name) {
      shape_text(here, sizeof here, a->dtype, a->rank, a->dim);
      shape_text(there, sizeof there, s.dtype, s.rank, s.dim);
      rt_say("%s is of another program: its state %s is %s, this trainer's is %s", path, a->name, there, here);
    } else if (i >= n) {
      rt_say("%s is of another program: it has no state %s", path, a->name);
    } else if (!a) {
      rt_say("%s is of another program: its state %.*s is not in this trainer", path, (int)len, name);
    } else {
      rt_say("%s is of another program: it has state %.*s where this trainer has %s", path, (int)len, name, a->name);
    }
    return false;
  }
  return true;
}

// Settings of the file are taken by name; one that the program has not been given keeps its default.
static bool take_settings(Reader *r, const RtProgram *p, char *to) {
  uint32_t n;
  if (!get(r, &n, 4)) return false;
  for (uint32_t i = 0; i < n; i++) {
    const char *name;
    uint32_t len;
    uint64_t v;
    if (!get_text(r, &name, &len) || !get(r, &v, 8)) return false;
    for (int k = 0; to && k < p->nsetting; k++)
      if (strlen(p->setting[k].name) == len && memcmp(p->setting[k].name, name, len) == 0)
        memcpy(to + p->setting[k].offset, &v, (size_t)setting_bytes(&p->setting[k]));
  }
  return true;
}

static bool take(const Image *m, const RtProgram *p, const RtFrame *f, const char *path) {
  Reader r = { m->s + HEAD, m->s + m->n };
  uint64_t program, done;
  const char *name;
  uint32_t len;
  if (!get(&r, &program, 8) || !get(&r, &done, 8) || !get_text(&r, &name, &len)) return refuse(path, "is damaged: its head is not complete");
  if (strlen(p->name) != len || memcmp(p->name, name, len) != 0) {
    rt_say("%s is of another program: trainer %.*s, and this is %s", path, (int)len, name, p->name);
    return false;
  }
  Reader settings = r;
  if (!take_settings(&r, p, NULL)) return refuse(path, "is damaged: its settings are not complete");
  if (!same_arrays(&r, p, path)) return false;
  if (program != p->hash)
    return refuse(path, "is of another program: the same state, but other settings were compiled in; give the same --set");
  size_t bytes = 0;
  for (int i = 0; i < p->nstate; i++) bytes += (size_t)p->state[i].bytes;
  if ((size_t)(r.end - r.at) != bytes) return refuse(path, "is damaged: its arrays are not complete");
  for (int i = 0; i < p->nstate; i++) get(&r, f->base[RT_STATE] + p->state[i].offset, (size_t)p->state[i].bytes);
  f->base[RT_OUT][p->stop] = (char)(done & 1);
  f->base[RT_OUT][p->solved] = (char)(done >> 1 & 1);
  return take_settings(&settings, p, f->base[RT_SETTING]);
}

bool rt_checkpoint_read(const RtProgram *p, const RtFrame *f, const char *path) {
  Image m;
  if (!image_read(&m, path)) return false;
  char room[160];
  const char *bad = image_bad(&m, room, sizeof room);
  bool fine = bad ? refuse(path, bad) : take(&m, p, f, path);
  rt_block_free(m.s, m.cap);
  return fine;
}

static const RtProgram *named(const RtProgram *p, const char *name, size_t n) {
  if (strlen(p->name) == n && memcmp(p->name, name, n) == 0) return p;
  for (int64_t k = 0; k < p->nbefore; k++) {
    const RtProgram *q = named(p->before[k].program, name, n);
    if (q) return q;
  }
  return NULL;
}

static bool get_seed(Reader *r, uint64_t *seed) {
  uint32_t n, len;
  const char *name;
  if (!get(r, &n, 4)) return false;
  for (uint32_t i = 0; i < n; i++) {
    if (!get_text(r, &name, &len) || !get(r, seed, 8)) return false;
    if (len == 4 && memcmp(name, "seed", 4) == 0) return true;
  }
  return false;
}

const RtProgram *rt_checkpoint_of(const RtProgram *p, const char *path, uint64_t *seed) {
  Image m;
  char room[160];
  uint64_t skip;
  const char *name;
  uint32_t len;
  if (access(path, R_OK) != 0 || !image_read(&m, path)) return NULL;
  const RtProgram *q = NULL;
  if (!image_bad(&m, room, sizeof room)) {
    Reader r = { m.s + HEAD, m.s + m.n };
    if (get(&r, &skip, 8) && get(&r, &skip, 8) && get_text(&r, &name, &len)) q = named(p, name, len);
    if (q && !get_seed(&r, seed)) q = NULL;
  }
  rt_block_free(m.s, m.cap);
  return q;
}

// ---- arrays by name -----------------------------------------------------------------------------------
static bool saved_array(Reader *r, RtArray *a, char **name) {
  const char *text;
  uint32_t len;
  Shape s = { 0 };
  if (!get_text(r, &text, &len) || !get_shape(r, &s)) return false;
  memcpy(*name, text, len);
  (*name)[len] = 0;
  *a = (RtArray){ .name = *name, .dtype = s.dtype, .rank = s.rank, .bytes = rt_dtype_bytes(s.dtype) };
  *name += len + 1;
  for (int i = 0; i < s.rank; i++) {
    a->dim[i] = s.dim[i];
    if (__builtin_mul_overflow(a->bytes, s.dim[i], &a->bytes) || a->bytes < 0) return false;
  }
  return true;
}

// An array takes at least 12 bytes of the list, a name with its end 1 more than the text: the image bounds both.
static bool saved_take(RtSaved *s, const Image *m) {
  Reader r = { m->s + HEAD, m->s + m->n };
  uint64_t program, done;
  const char *name;
  uint32_t len, n;
  if (!get(&r, &program, 8) || !get(&r, &done, 8) || !get_text(&r, &name, &len)) return false;
  s->trainer = strndup(name, len);
  if (!s->trainer || !take_settings(&r, &(RtProgram){ 0 }, NULL) || !get(&r, &n, 4) || n > m->n / 12) return false;
  s->array = calloc(n + 1, sizeof *s->array);
  s->names = malloc(m->n);
  if (!s->array || !s->names) return false;
  char *at = s->names;
  for (uint32_t i = 0; i < n; i++) {
    if (!saved_array(&r, &s->array[i], &at)) return false;
    s->array[i].offset = s->bytes;
    if (__builtin_add_overflow(s->bytes, s->array[i].bytes, &s->bytes)) return false;
    s->narray++;
  }
  if (r.end - r.at != s->bytes) return false;
  s->data = malloc((size_t)s->bytes + 1);
  return s->data && get(&r, s->data, (size_t)s->bytes);
}

bool rt_saved_read(RtSaved *s, const char *path) {
  Image m;
  *s = (RtSaved){ 0 };
  if (!image_read(&m, path)) return false;
  char room[160];
  const char *bad = image_bad(&m, room, sizeof room);
  if (!bad && !saved_take(s, &m)) bad = "is damaged: its contents are not complete";
  rt_block_free(m.s, m.cap);
  if (!bad) return true;
  rt_saved_free(s);
  return refuse(path, bad);
}

void rt_saved_free(RtSaved *s) {
  free(s->trainer);
  free(s->array);
  free(s->names);
  free(s->data);
  *s = (RtSaved){ 0 };
}
