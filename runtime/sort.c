// Orders and running totals along one axis.
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "runtime/abi.h"

static int width_of(int64_t dtype) {
  static const int bytes[] = { 1, 1, 2, 4, 8, 1, 4, 8, 2, 4, 8, 8, 16 };
  return bytes[dtype];
}

static float bf16_load(const void *p) {
  uint16_t h;
  memcpy(&h, p, 2);
  uint32_t w = (uint32_t)h << 16;
  float f;
  memcpy(&f, &w, 4);
  return f;
}

static void bf16_store(void *p, float f) {
  uint32_t w;
  memcpy(&w, &f, 4);
  uint16_t h = isnan(f) ? (uint16_t)(w >> 16 | 0x40) : (uint16_t)((w + 0x7fff + (w >> 16 & 1)) >> 16);
  memcpy(p, &h, 2);
}

// Arrays are aligned to their elements, so elements may be read in place.
#define LOAD(T, p) (*(const T *)(const void *)(p))

// ---- order -----------------------------------------------------------------------------------
// A number that orders as the element does: unsigned, NaN greatest, -0 and 0 the same.
static uint64_t float_key(double x) {
  if (isnan(x)) return UINT64_MAX;
  x += 0.0;
  uint64_t u;
  memcpy(&u, &x, 8);
  return u >> 63 ? ~u : u | 1ull << 63;
}

static uint32_t float32_key(float x) {
  if (isnan(x)) return UINT32_MAX;
  x += 0.0f;
  uint32_t u;
  memcpy(&u, &x, 4);
  return u >> 31 ? ~u : u | 1u << 31;
}

static uint64_t key_of(int64_t dtype, const char *p) {
  switch ((RtDtype)dtype) {
  case RT_BOOL: case RT_U8: return *(const uint8_t *)p;
  case RT_U32: return LOAD(uint32_t, p);
  case RT_U64: return LOAD(uint64_t, p);
  case RT_I8: return (uint64_t)(int64_t)*(const int8_t *)p ^ 1ull << 63;
  case RT_I16: return (uint64_t)(int64_t)LOAD(int16_t, p) ^ 1ull << 63;
  case RT_I32: return (uint64_t)(int64_t)LOAD(int32_t, p) ^ 1ull << 63;
  case RT_I64: return LOAD(uint64_t, p) ^ 1ull << 63;
  case RT_BF16: return float32_key(bf16_load(p));
  case RT_F32: return float32_key(LOAD(float, p));
  case RT_F64: return float_key(LOAD(double, p));
  default: return 0;
  }
}

#define FEW 48   // up to so many are sorted by insertion

static void insertion(const uint64_t *key, int32_t *at, int64_t n) {
  for (int64_t i = 1; i < n; i++) {
    int32_t x = at[i];
    int64_t j = i;
    for (; j > 0 && key[at[j - 1]] > key[x]; j--) at[j] = at[j - 1];
    at[j] = x;
  }
}

// From the least byte up; bytes that are the same in all keys order nothing. Gives the buffer with the order.
static int32_t *radix(const uint64_t *key, int32_t *at, int32_t *other, int64_t n) {
  uint64_t differ = 0;
  for (int64_t i = 1; i < n; i++) differ |= key[i] ^ key[0];
  for (int shift = 0; shift < 64; shift += 8) {
    if (!(differ >> shift & 0xff)) continue;
    int32_t start[256] = { 0 };
    for (int64_t i = 0; i < n; i++) start[key[i] >> shift & 0xff]++;
    int32_t sum = 0;
    for (int b = 0; b < 256; b++) {
      int32_t count = start[b];
      start[b] = sum;
      sum += count;
    }
    for (int64_t i = 0; i < n; i++) other[start[key[at[i]] >> shift & 0xff]++] = at[i];
    int32_t *t = at; at = other; other = t;
  }
  return at;
}

#define DIGIT 11
#define DIGITS 3       // of a key of 32 bits

// The same where keys have 32 bits: they stand above their indices in one number, and are read in order.
static uint64_t *radix_pairs(uint64_t *at, uint64_t *other, int64_t n) {
  int32_t start[DIGITS][1 << DIGIT];
  memset(start, 0, sizeof start);
  for (int64_t i = 0; i < n; i++)
    for (int d = 0; d < DIGITS; d++) start[d][at[i] >> (32 + d * DIGIT) & ((1 << DIGIT) - 1)]++;
  for (int d = 0; d < DIGITS; d++) {
    int shift = 32 + d * DIGIT;
    int32_t sum = 0;
    if (start[d][at[0] >> shift & ((1 << DIGIT) - 1)] == n) continue;      // the same in all
    for (int b = 0; b < 1 << DIGIT; b++) {
      int32_t count = start[d][b];
      start[d][b] = sum;
      sum += count;
    }
    for (int64_t i = 0; i < n; i++) other[start[d][at[i] >> shift & ((1 << DIGIT) - 1)]++] = at[i];
    uint64_t *t = at; at = other; other = t;
  }
  return at;
}

static bool is_narrow(int64_t dtype) { return width_of(dtype) == 4 && dtype != RT_I32; }

#define MANY 1024      // below, counting digits costs more than it saves

// Scratch: n keys, then two orders of n indices; or two lists of n keys with their indices.
void rt_argsort(int64_t dtype, int64_t outer, int64_t n, int64_t inner, const void *x, int32_t *order, char *scratch) {
  uint64_t *key = (uint64_t *)(void *)scratch;
  int64_t width = width_of(dtype);
  for (int64_t o = 0; o < outer; o++)
    for (int64_t c = 0; c < inner; c++) {
      const char *col = (const char *)x + (o * n * inner + c) * width;
      int32_t *a = (int32_t *)(void *)(key + n), *b = a + n;
      for (int64_t i = 0; i < n; i++) {
        key[i] = key_of(dtype, col + i * inner * width);
        a[i] = (int32_t)i;
      }
      if (n >= MANY && is_narrow(dtype)) {
        for (int64_t i = 0; i < n; i++) key[i] = key[i] << 32 | (uint64_t)i;
        const uint64_t *sorted = radix_pairs(key, key + n, n);
        for (int64_t i = 0; i < n; i++) order[(o * n + i) * inner + c] = (int32_t)sorted[i];
        continue;
      }
      if (n <= FEW) insertion(key, a, n);
      else a = radix(key, a, b, n);
      for (int64_t i = 0; i < n; i++) order[(o * n + i) * inner + c] = a[i];
    }
}

// ---- running totals -----------------------------------------------------------------------------
enum { CUM_SUM, CUM_PROD, CUM_MAX };

static double float_next(int64_t what, double t, double x) {
  if (what == CUM_SUM) return t + x;
  if (what == CUM_PROD) return t * x;
  return isnan(t) || t > x ? t : x;
}

// Integers wrap, whatever their width: the low bits of a 64-bit sum or product are those of the narrow one.
static uint64_t int_next(int64_t what, bool is_signed, uint64_t t, uint64_t x) {
  if (what == CUM_SUM) return t + x;
  if (what == CUM_PROD) return t * x;
  return (is_signed ? (int64_t)t > (int64_t)x : t > x) ? t : x;
}

static double load_float(int64_t dtype, const char *p) {
  return dtype == RT_BF16 ? bf16_load(p) : dtype == RT_F32 ? LOAD(float, p) : LOAD(double, p);
}

static void store_float(int64_t dtype, char *p, double v) {
  float f = (float)v;
  if (dtype == RT_BF16) bf16_store(p, f);
  else if (dtype == RT_F32) memcpy(p, &f, 4);
  else memcpy(p, &v, 8);
}

static uint64_t load_int(int64_t dtype, const char *p) {
  switch ((RtDtype)dtype) {
  case RT_I8: return (uint64_t)(int64_t)*(const int8_t *)p;
  case RT_I16: return (uint64_t)(int64_t)LOAD(int16_t, p);
  case RT_I32: return (uint64_t)(int64_t)LOAD(int32_t, p);
  case RT_U32: return LOAD(uint32_t, p);
  case RT_I64: case RT_U64: return LOAD(uint64_t, p);
  default: return *(const uint8_t *)p;
  }
}

static void float_line(int64_t dtype, int64_t what, int64_t n, int64_t step, const char *x, char *y) {
  double t = load_float(dtype, x);
  store_float(dtype, y, t);
  for (int64_t i = 1; i < n; i++) {
    t = float_next(what, t, load_float(dtype, x + i * step));
    store_float(dtype, y + i * step, t);
  }
}

static void int_line(int64_t dtype, int64_t what, int64_t n, int64_t step, const char *x, char *y) {
  bool is_signed = dtype >= RT_I8 && dtype <= RT_I64;
  size_t width = (size_t)width_of(dtype);
  uint64_t t = load_int(dtype, x);
  memcpy(y, &t, width);
  for (int64_t i = 1; i < n; i++) {
    t = int_next(what, is_signed, t, load_int(dtype, x + i * step));
    memcpy(y + i * step, &t, width);
  }
}

static void complex_line(int64_t dtype, int64_t what, int64_t n, int64_t step, const char *x, char *y) {
  int64_t part = dtype == RT_C64 ? RT_F32 : RT_F64, half = width_of(part);
  double re = what == CUM_PROD, im = 0;
  for (int64_t i = 0; i < n; i++) {
    double a = load_float(part, x + i * step), b = load_float(part, x + i * step + half);
    double r = what == CUM_PROD ? re * a - im * b : re + a;
    im = what == CUM_PROD ? re * b + im * a : im + b;
    re = r;
    store_float(part, y + i * step, re);
    store_float(part, y + i * step + half, im);
  }
}

// Floats are totalled in double and rounded when stored, in the order of the axis.
void rt_cumulate(int64_t dtype, int64_t what, int64_t outer, int64_t n, int64_t inner, int64_t reverse, const void *x, void *y) {
  int64_t width = width_of(dtype), step = inner * width;
  if (n == 0) return;
  for (int64_t o = 0; o < outer; o++)
    for (int64_t c = 0; c < inner; c++) {
      int64_t at = (o * n * inner + c) * width + (reverse ? (n - 1) * step : 0), by = reverse ? -step : step;
      const char *from = (const char *)x + at;
      char *to = (char *)y + at;
      if (dtype >= RT_C64) complex_line(dtype, what, n, by, from, to);
      else if (dtype >= RT_BF16) float_line(dtype, what, n, by, from, to);
      else int_line(dtype, what, n, by, from, to);
    }
}
