#include "ir/number.h"

#include <math.h>
#include <string.h>

static float bits_float(uint32_t b) {
  float f;
  memcpy(&f, &b, 4);
  return f;
}

static uint32_t float_bits(float f) {
  uint32_t b;
  memcpy(&b, &f, 4);
  return b;
}

// Rounding to float first would round twice. Rounding to odd there keeps what the
// second rounding must know: whether something was cut off, and on which side.
static uint16_t bf16_bits(double x) {
  if (isnan(x)) return (uint16_t)(signbit(x) ? 0xffc0 : 0x7fc0);
  float f = (float)x;
  uint32_t b = float_bits(f);
  if (!isinf(x) && (double)f != x) {
    if (fabs((double)f) > fabs(x)) b--;
    b |= 1;
  }
  return (uint16_t)((b + 0x7fff + ((b >> 16) & 1)) >> 16);
}

double ir_round(IrDtype t, double x) {
  switch (t) {
    case IR_F32: case IR_C64: return (double)(float)x;
    case IR_BF16: return (double)bits_float((uint32_t)bf16_bits(x) << 16);
    default: return x;
  }
}

int64_t ir_wrap(IrDtype t, int64_t x) {
  switch (t) {
    case IR_BOOL: return x != 0;
    case IR_I8: return (int8_t)x;
    case IR_I16: return (int16_t)x;
    case IR_I32: return (int32_t)x;
    case IR_U8: return (uint8_t)x;
    case IR_U32: return (uint32_t)x;
    default: return x;
  }
}

int64_t ir_least(IrDtype t) {
  switch (t) {
    case IR_I8: return INT8_MIN;
    case IR_I16: return INT16_MIN;
    case IR_I32: return INT32_MIN;
    case IR_I64: return INT64_MIN;
    default: return 0;
  }
}

int64_t ir_greatest(IrDtype t) {
  switch (t) {
    case IR_BOOL: return 1;
    case IR_I8: return INT8_MAX;
    case IR_I16: return INT16_MAX;
    case IR_I32: return INT32_MAX;
    case IR_U8: return UINT8_MAX;
    case IR_U32: return UINT32_MAX;
    case IR_U64: return -1;
    default: return INT64_MAX;
  }
}

int64_t ir_saturate(IrDtype t, double x) {
  if (t == IR_BOOL) return x != 0;
  if (isnan(x)) return 0;
  x = trunc(x);
  if (t == IR_U64) {
    if (x <= 0) return 0;
    return x >= 0x1p64 ? -1 : (int64_t)(uint64_t)x;
  }
  if (x <= (double)ir_least(t)) return ir_least(t);
  // As doubles, the greatest of i64 rounds up to 2^63: >= keeps the conversion defined.
  return x >= (double)ir_greatest(t) ? ir_greatest(t) : (int64_t)x;
}

#define LOAD(T, field) do { T v; memcpy(&v, at, sizeof v); x.field = v; } while (0)
IrNumber ir_load(IrDtype t, const void *at) {
  IrNumber x = {0, 0, 0};
  switch (t) {
    case IR_BOOL: LOAD(uint8_t, i); break;
    case IR_I8: LOAD(int8_t, i); break;
    case IR_I16: LOAD(int16_t, i); break;
    case IR_I32: LOAD(int32_t, i); break;
    case IR_I64: case IR_U64: LOAD(int64_t, i); break;
    case IR_U8: LOAD(uint8_t, i); break;
    case IR_U32: LOAD(uint32_t, i); break;
    case IR_BF16: {
      uint16_t b;
      memcpy(&b, at, 2);
      x.re = (double)bits_float((uint32_t)b << 16);
      break;
    }
    case IR_F32: LOAD(float, re); break;
    case IR_F64: LOAD(double, re); break;
    case IR_C64: {
      float v[2];
      memcpy(v, at, sizeof v);
      x.re = (double)v[0], x.im = (double)v[1];
      break;
    }
    case IR_C128: memcpy(&x, at, 16); break;
    case IR_NDTYPE: ICE("dtype");
  }
  return x;
}

#define STORE(T, e) do { T v = (T)(e); memcpy(at, &v, sizeof v); } while (0)
void ir_store(IrDtype t, void *at, IrNumber x) {
  switch (t) {
    case IR_BOOL: STORE(uint8_t, x.i != 0); break;
    case IR_I8: case IR_U8: STORE(uint8_t, x.i); break;
    case IR_I16: STORE(uint16_t, x.i); break;
    case IR_I32: case IR_U32: STORE(uint32_t, x.i); break;
    case IR_I64: case IR_U64: STORE(int64_t, x.i); break;
    case IR_BF16: STORE(uint16_t, bf16_bits(x.re)); break;
    case IR_F32: STORE(float, x.re); break;
    case IR_F64: STORE(double, x.re); break;
    case IR_C64: {
      float v[2] = {(float)x.re, (float)x.im};
      memcpy(at, v, sizeof v);
      break;
    }
    case IR_C128: memcpy(at, &x, 16); break;
    case IR_NDTYPE: ICE("dtype");
  }
}

// Integers go to f32 (and through it to bf16) in one rounding, not by way of double.
static double from_int(IrDtype from, IrDtype to, int64_t i, bool typed) {
  bool narrow = typed && (to == IR_F32 || to == IR_BF16 || to == IR_C64);
  if (from == IR_U64) return narrow ? (double)(float)(uint64_t)i : (double)(uint64_t)i;
  return narrow ? (double)(float)i : (double)i;
}

IrNumber ir_convert(IrDtype from, IrDtype to, IrNumber x, bool typed) {
  IrNumber y = {0, 0, 0};
  if (!ir_is_diff(to)) {
    if (!ir_is_diff(from)) y.i = ir_wrap(to, x.i);
    else if (to == IR_BOOL) y.i = x.re != 0 || (ir_is_complex(from) && x.im != 0);
    else y.i = ir_saturate(to, x.re);
    return y;
  }
  y.re = ir_is_diff(from) ? x.re : from_int(from, to, x.i, typed);
  y.im = ir_is_complex(from) && ir_is_complex(to) ? x.im : 0;
  if (typed) y.re = ir_round(to, y.re), y.im = ir_round(to, y.im);
  return y;
}

uint64_t ir_threefry(uint64_t key, uint64_t counter) {
  static const int turn[8] = {13, 15, 26, 6, 17, 29, 16, 24};
  uint32_t k[3] = {(uint32_t)(key >> 32), (uint32_t)key, 0};
  k[2] = k[0] ^ k[1] ^ 0x1BD11BDAu;
  uint32_t x = (uint32_t)(counter >> 32) + k[0], y = (uint32_t)counter + k[1];
  for (uint32_t r = 0; r < 20; r++) {
    int s = turn[r % 8];
    x += y;
    y = (y << s | y >> (32 - s)) ^ x;
    if (r % 4 != 3) continue;
    uint32_t j = r / 4 + 1;
    x += k[j % 3];
    y += k[(j + 1) % 3] + j;
  }
  return (uint64_t)x << 32 | y;
}
