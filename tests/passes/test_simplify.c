// Each rule on the smallest graph that it applies to: what comes out, and that
// the function is the same bit for bit.
#include "tests/ir/gen.h"
#include "tests/passes/run.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

typedef struct Case { const char *before, *after; } Case;

#define X "(%0: f32[4], %1: f32[4]) {"
#define N "(%0: i32[4], %1: i32[4]) {"
#define B "(%0: bool[4], %1: bool[4]) {"
#define SAME_X X " yield %0 }"
#define SAME_N N " yield %0 }"
#define SAME_B B " yield %0 }"

static const Case arithmetic[] = {
  {X "%2: f32[4] = const 1 %3: f32[4] = mul %0, %2 yield %3 }", SAME_X},
  {X "%2: f32[4] = const 1 %3: f32[4] = mul %2, %0 yield %3 }", SAME_X},
  {X "%2: f32[4] = const 1 %3: f32[4] = div %0, %2 yield %3 }", SAME_X},
  {X "%2: f32[4] = const 0 %3: f32[4] = sub %0, %2 yield %3 }", SAME_X},
  {X "%2: f32[4] = const -0 %3: f32[4] = add %0, %2 yield %3 }", SAME_X},
  // L3: these stay
  {X "%2: f32[4] = const 0 %3: f32[4] = add %0, %2 yield %3 }", X "%2: f32[4] = const 0 %3: f32[4] = add %0, %2 yield %3 }"},
  {X "%2: f32[4] = const 0 %3: f32[4] = mul %0, %2 yield %3 }", X "%2: f32[4] = const 0 %3: f32[4] = mul %0, %2 yield %3 }"},
  {X "%2: f32[4] = sub %0, %0 yield %2 }", X "%2: f32[4] = sub %0, %0 yield %2 }"},
  {X "%2: bool[4] = eq %0, %0 yield %2 }", X "%2: bool[4] = eq %0, %0 yield %2 }"},
  {X "%2: f32[4] = neg %0 %3: f32[4] = neg %2 yield %3 }", SAME_X},
  {X "%2: f32[4] = neg %1 %3: f32[4] = add %0, %2 yield %3 }", X "%2: f32[4] = sub %0, %1 yield %2 }"},
  {X "%2: f32[4] = neg %1 %3: f32[4] = sub %0, %2 yield %3 }", X "%2: f32[4] = add %0, %1 yield %2 }"},
  {X "%2: f32[4] = neg %0 %3: f32[4] = neg %1 %4: f32[4] = mul %2, %3 yield %4 }", X "%2: f32[4] = mul %0, %1 yield %2 }"},
  {X "%2: f32[4] = const -1 %3: f32[4] = mul %0, %2 yield %3 }", X "%2: f32[4] = neg %0 yield %2 }"},
  {X "%2: f32[4] = neg %0 %4: f32[4] = const 3 %3: f32[4] = mul %2, %4 yield %3 }", X "%2: f32[4] = const -3 %3: f32[4] = mul %0, %2 yield %3 }"},
  {X "%2: f32[4] = const 4 %3: f32[4] = div %0, %2 yield %3 }", X "%2: f32[4] = const 0.25 %3: f32[4] = mul %0, %2 yield %3 }"},
  {X "%2: f32[4] = const 3 %3: f32[4] = div %0, %2 yield %3 }", X "%2: f32[4] = const 3 %3: f32[4] = div %0, %2 yield %3 }"},
  {X "%2: f32[4] = const 2 %3: f32[4] = pow %0, %2 yield %3 }", X "%2: f32[4] = mul %0, %0 yield %2 }"},
  {X "%2: f32[4] = const 1 %3: f32[4] = pow %0, %2 yield %3 }", SAME_X},
  {X "%2: f32[4] = const 0 %3: f32[4] = pow %0, %2 yield %3 }", X "%2: f32[4] = const 1 yield %2 }"},
  {X "%2: f32[4] = max %0, %0 yield %2 }", SAME_X},
  {X "%2: f32[4] = neg %0 %3: f32[4] = abs %2 yield %3 }", X "%2: f32[4] = abs %0 yield %2 }"},
  {X "%2: f32[4] = stop_grad %0 yield %2 }", SAME_X},
  {X "%2: bool[4] = lt %0, %0 yield %2 }", X "%2: bool[4] = const false yield %2 }"},
  {N "%2: i32[4] = const 0 %3: i32[4] = add %0, %2 yield %3 }", SAME_N},
  {N "%2: i32[4] = const 0 %3: i32[4] = mul %0, %2 yield %3 }", N "%2: i32[4] = const 0 yield %2 }"},
  {N "%2: i32[4] = const 1 %3: i32[4] = mul %0, %2 %4: i32[4] = div %3, %2 yield %4 }", SAME_N},
  {N "%2: i32[4] = const 3 %3: i32[4] = const 4 %4: i32[4] = add %0, %2 %5: i32[4] = sub %4, %3 yield %5 }", N "%2: i32[4] = const -1 %3: i32[4] = add %0, %2 yield %3 }"},
  {N "%2: i32[4] = const 3 %3: i32[4] = const 4 %4: i32[4] = mul %2, %0 %5: i32[4] = mul %4, %3 yield %5 }", N "%2: i32[4] = const 12 %3: i32[4] = mul %0, %2 yield %3 }"},
  {N "%2: i32[4] = sub %0, %0 yield %2 }", N "%2: i32[4] = const 0 yield %2 }"},
  {N "%2: i32[4] = const 1 %3: i32[4] = mod %0, %2 yield %3 }", N "%2: i32[4] = const 0 yield %2 }"},
  {N "%2: i32[4] = const 0 %3: i32[4] = shl %0, %2 yield %3 }", SAME_N},
  {N "%2: i32[4] = const -1 %3: i32[4] = and %0, %2 yield %3 }", SAME_N},
  {N "%2: i32[4] = xor %0, %0 yield %2 }", N "%2: i32[4] = const 0 yield %2 }"},
  {N "%2: bool[4] = le %0, %0 yield %2 }", N "%2: bool[4] = const true yield %2 }"},
  {N "%2: bool[4] = lt %0, %1 %3: bool[4] = not %2 yield %3 }", N "%2: bool[4] = ge %0, %1 yield %2 }"},
  {B "%2: bool[4] = const true %3: bool[4] = and %0, %2 yield %3 }", SAME_B},
  {B "%2: bool[4] = const false %3: bool[4] = or %2, %0 yield %3 }", SAME_B},
  {B "%2: bool[4] = const true %3: bool[4] = or %0, %2 yield %3 }", B "%2: bool[4] = const true yield %2 }"},
  {B "%2: bool[4] = not %0 %3: bool[4] = and %2, %0 yield %3 }", B "%2: bool[4] = const false yield %2 }"},
  {B "%2: bool[4] = not %0 %3: bool[4] = not %2 yield %3 }", SAME_B},
  {B "%2: bool[4] = const true %3: bool[4] = eq %0, %2 yield %3 }", SAME_B},
  {B "%2: bool[4] = const false %3: bool[4] = const true %4: bool[4] = select %0, %2, %3 yield %4 }", B "%2: bool[4] = not %0 yield %2 }"},
  {B "%2: bool[4] = const false %4: bool[4] = select %0, %1, %2 yield %4 }", B "%2: bool[4] = and %0, %1 yield %2 }"},
  {"(%0: bool[4], %1: f32[4]) { %2: f32[4] = select %0, %1, %1 yield %2 }", "(%0: bool[4], %1: f32[4]) { yield %1 }"},
  {X "%2: bool[4] = const false %3: f32[4] = select %2, %0, %1 yield %3 }", X " yield %1 }"},
  {"(%0: bool[4], %1: f32[4], %2: f32[4]) { %3: bool[4] = not %0 %4: f32[4] = select %3, %1, %2 yield %4 }",
   "(%0: bool[4], %1: f32[4], %2: f32[4]) { %3: f32[4] = select %0, %2, %1 yield %3 }"},
  {X "%2: c64[4] = complex %0, %1 %3: f32[4] = real %2 %4: f32[4] = imag %2 yield %3, %4 }", X " yield %0, %1 }"},
};

static const Case casts[] = {
  {"(%0: f32[4]) { %1: f64[4] = cast %0 %2: f32[4] = cast %1 yield %2 }", "(%0: f32[4]) { yield %0 }"},
  {"(%0: i32[4]) { %1: f64[4] = cast %0 %2: f32[4] = cast %1 yield %2 }", "(%0: i32[4]) { %1: f32[4] = cast %0 yield %1 }"},
  {"(%0: i32[4]) { %1: i64[4] = cast %0 %2: i8[4] = cast %1 yield %2 }", "(%0: i32[4]) { %1: i8[4] = cast %0 yield %1 }"},
  {"(%0: i32[4]) { %1: f64[4] = cast %0 %2: i32[4] = cast %1 yield %2 }", "(%0: i32[4]) { yield %0 }"},
  // L5: the float saturates where the integer would wrap
  {"(%0: i32[4]) { %1: f64[4] = cast %0 %2: i8[4] = cast %1 yield %2 }", "(%0: i32[4]) { %1: f64[4] = cast %0 %2: i8[4] = cast %1 yield %2 }"},
  {"(%0: i32[4]) { %1: f32[4] = cast %0 %2: i32[4] = cast %1 yield %2 }", "(%0: i32[4]) { %1: f32[4] = cast %0 %2: i32[4] = cast %1 yield %2 }"},
  {"(%0: bool[4]) { %1: i32[4] = cast %0 %2: f32[4] = cast %1 yield %2 }", "(%0: bool[4]) { %1: f32[4] = cast %0 yield %1 }"},
  {"(%0: f32[4]) { %1: bf16[4] = cast %0 %2: f32[4] = cast %1 yield %2 }", "(%0: f32[4]) { %1: bf16[4] = cast %0 %2: f32[4] = cast %1 yield %2 }"},
};

#define M "(%0: f32[4, 6]) {"
#define SAME_M M " yield %0 }"
static const Case shapes[] = {
  // columns of what is generated, each read once: made one by one
  {"(%0: f32[4]) { %1: f32[4, 2] = broadcast %0 {axes = [0]} %2: f32[4, 2] = iota {axis = 1} %3: f32[4, 2] = mul %1, %2 %4: f32[4, 2] = sin %3 "
   "%5: f32[4, 1] = slice %4 {start = [0, 0], limit = [4, 1], stride = [1, 1]} %6: f32[4, 1] = slice %4 {start = [0, 1], limit = [4, 2], stride = [1, 1]} yield %5, %6 }",
   "(%0: f32[4]) { %1: f32[4, 1] = reshape %0 %2: f32[4, 1] = const 0 %3: f32[4, 1] = mul %1, %2 %4: f32[4, 1] = sin %3 %5: f32[4, 1] = sin %1 yield %4, %5 }"},
  // not where all of it is read too
  {"(%0: f32[4]) { %1: f32[4, 2] = broadcast %0 {axes = [0]} %2: f32[4, 2] = iota {axis = 1} %3: f32[4, 2] = mul %1, %2 "
   "%4: f32[4, 1] = slice %3 {start = [0, 0], limit = [4, 1], stride = [1, 1]} yield %3, %4 }",
   "(%0: f32[4]) { %1: f32[4, 2] = broadcast %0 {axes = [0]} %2: f32[4, 2] = iota {axis = 1} %3: f32[4, 2] = mul %1, %2 "
   "%4: f32[4, 1] = slice %3 {start = [0, 0], limit = [4, 1], stride = [1, 1]} yield %3, %4 }"},
  {M "%1: f32[24] = reshape %0 %2: f32[2, 12] = reshape %1 yield %2 }", M "%1: f32[2, 12] = reshape %0 yield %1 }"},
  {M "%1: f32[24] = reshape %0 %2: f32[4, 6] = reshape %1 yield %2 }", SAME_M},
  {M "%1: f32[6, 4] = transpose %0 {axes = [1, 0]} %2: f32[4, 6] = transpose %1 {axes = [1, 0]} yield %2 }", SAME_M},
  {M "%1: f32[4, 6] = transpose %0 {axes = [0, 1]} yield %1 }", SAME_M},
  {"(%0: f32[1, 6]) { %1: f32[6, 1] = transpose %0 {axes = [1, 0]} yield %1 }", "(%0: f32[1, 6]) { %1: f32[6, 1] = reshape %0 yield %1 }"},
  {"(%0: f32[6]) { %1: f32[4, 6] = broadcast %0 {axes = [1]} %2: f32[4, 5, 6] = broadcast %1 {axes = [0, 2]} yield %2 }",
   "(%0: f32[6]) { %1: f32[4, 5, 6] = broadcast %0 {axes = [2]} yield %1 }"},
  {"(%0: f32[6]) { %1: f32[1, 6] = broadcast %0 {axes = [1]} yield %1 }", "(%0: f32[6]) { %1: f32[1, 6] = reshape %0 yield %1 }"},
  {"(%0: f32[6, 1]) { %1: f32[6] = reshape %0 %2: f32[6, 5] = broadcast %1 {axes = [0]} yield %2 }",
   "(%0: f32[6, 1]) { %1: f32[6] = reshape %0 %2: f32[6, 5] = broadcast %1 {axes = [0]} yield %2 }"},
  {"(%0: f32[6]) { %1: f32[6, 1] = reshape %0 %2: f32[6, 1, 5] = broadcast %1 {axes = [0, 1]} yield %2 }",
   "(%0: f32[6]) { %1: f32[6, 1, 5] = broadcast %0 {axes = [0]} yield %1 }"},
  {M "%1: f32[4, 6] = slice %0 {start = [0, 0], limit = [4, 6], stride = [1, 1]} yield %1 }", SAME_M},
  {M "%1: f32[3, 3] = slice %0 {start = [1, 0], limit = [4, 6], stride = [1, 2]} %2: f32[2, 2] = slice %1 {start = [0, 1], limit = [3, 3], stride = [2, 1]} yield %2 }",
   M "%1: f32[2, 2] = slice %0 {start = [1, 2], limit = [4, 5], stride = [2, 2]} yield %1 }"},
  {"(%0: f32[2], %1: f32[3]) { %2: f32[5] = concat %0, %1 {axis = 0} %3: f32[2] = slice %2 {start = [3], limit = [5], stride = [1]} yield %3 }",
   "(%0: f32[2], %1: f32[3]) { %2: f32[2] = slice %1 {start = [1], limit = [3], stride = [1]} yield %2 }"},
  {"(%0: f32[3]) { %1: f32[6] = pad %0 {lo = [2], hi = [1], inner = [0]} %2: f32[3] = slice %1 {start = [2], limit = [5], stride = [1]} yield %2 }", "(%0: f32[3]) { yield %0 }"},
  {"(%0: f32[3]) { %1: f32[6] = pad %0 {lo = [2], hi = [1], inner = [0]} %2: f32[2] = slice %1 {start = [0], limit = [2], stride = [1]} yield %2 }", "(%0: f32[3]) { %1: f32[2] = const 0 yield %1 }"},
  {"(%0: f32[3]) { %1: f32[5, 3] = broadcast %0 {axes = [1]} %2: f32[2, 1] = slice %1 {start = [1, 1], limit = [3, 2], stride = [1, 1]} yield %2 }",
   "(%0: f32[3]) { %1: f32[1] = slice %0 {start = [1], limit = [2], stride = [1]} %2: f32[2, 1] = broadcast %1 {axes = [1]} yield %2 }"},
  {M "%1: f32[4, 6] = pad %0 {lo = [0, 0], hi = [0, 0], inner = [0, 0]} yield %1 }", SAME_M},
  {"(%0: f32[3]) { %1: f32[6] = pad %0 {lo = [2], hi = [1], inner = [0]} %2: f32[6] = pad %1 {lo = [-1], hi = [1], inner = [0]} yield %2 }",
   "(%0: f32[3]) { %1: f32[6] = pad %0 {lo = [1], hi = [2], inner = [0]} yield %1 }"},
  {"(%0: f32[3]) { %1: f32[1] = pad %0 {lo = [-1], hi = [-1], inner = [0]} yield %1 }", "(%0: f32[3]) { %1: f32[1] = slice %0 {start = [1], limit = [2], stride = [1]} yield %1 }"},
  {M "%1: f32[4, 6] = concat %0 {axis = 0} yield %1 }", SAME_M},
  {"(%0: f32[2], %1: f32[3]) { %2: f32[5] = concat %0, %1 {axis = 0} %3: f32[7] = concat %2, %0 {axis = 0} yield %3 }",
   "(%0: f32[2], %1: f32[3]) { %2: f32[7] = concat %0, %1, %0 {axis = 0} yield %2 }"},
  {M "%1: f32[4, 2] = slice %0 {start = [0, 0], limit = [4, 2], stride = [1, 1]} %2: f32[4, 4] = slice %0 {start = [0, 2], limit = [4, 6], stride = [1, 1]} %3: f32[4, 6] = concat %1, %2 {axis = 1} yield %3 }", SAME_M},
  {M "%1: f32[4, 6] = reverse %0 {axes = [0]} %2: f32[4, 6] = reverse %1 {axes = [0, 1]} yield %2 }", M "%1: f32[4, 6] = reverse %0 {axes = [1]} yield %1 }"},
  {"(%0: f32[6, 4], %1: f32[6, 4]) { %2: f32[4, 6] = transpose %0 {axes = [1, 0]} %3: f32[4, 6] = transpose %1 {axes = [1, 0]} %4: f32[4, 6] = add %2, %3 %5: f32[6, 4] = transpose %4 {axes = [1, 0]} yield %5 }",
   "(%0: f32[6, 4], %1: f32[6, 4]) { %2: f32[6, 4] = add %0, %1 yield %2 }"},
  // each element once
  {"(%0: f32[6]) { %1: f32[4, 6] = broadcast %0 {axes = [1]} %2: f32[4, 6] = exp %1 yield %2 }",
   "(%0: f32[6]) { %1: f32[6] = exp %0 %2: f32[4, 6] = broadcast %1 {axes = [1]} yield %2 }"},
  {"(%0: f32[6], %1: f32) { %2: f32[4, 6] = broadcast %0 {axes = [1]} %3: f32[4, 6] = broadcast %1 {axes = []} %4: f32[4, 6] = mul %2, %3 yield %4 }",
   "(%0: f32[6], %1: f32) { %2: f32[6] = broadcast %1 {axes = []} %3: f32[6] = mul %0, %2 %4: f32[4, 6] = broadcast %3 {axes = [1]} yield %4 }"},
  {"(%0: f32[6], %1: f32[4]) { %2: f32[4, 6] = broadcast %0 {axes = [1]} %3: f32[4, 6] = broadcast %1 {axes = [0]} %4: f32[4, 6] = mul %2, %3 yield %4 }",
   "(%0: f32[6], %1: f32[4]) { %2: f32[4, 6] = broadcast %0 {axes = [1]} %3: f32[4, 6] = broadcast %1 {axes = [0]} %4: f32[4, 6] = mul %2, %3 yield %4 }"},
  {M "%1: f32[4, 6] = reduce_sum %0 {axes = []} yield %1 }", SAME_M},
  {"(%0: f32[4, 1]) { %1: f32[4] = reduce_sum %0 {axes = [1]} yield %1 }", "(%0: f32[4, 1]) { %1: f32[4] = reshape %0 yield %1 }"},
  {"(%0: f32[4]) { %1: f32[4, 6] = broadcast %0 {axes = [0]} %2: f32[4] = reduce_max %1 {axes = [1]} yield %2 }", "(%0: f32[4]) { yield %0 }"},
  {"(%0: f32[4]) { %1: f32[4, 6] = broadcast %0 {axes = [0]} %2: f32[6] = reduce_max %1 {axes = [0]} yield %2 }",
   "(%0: f32[4]) { %1: f32 = reduce_max %0 {axes = [0]} %2: f32[6] = broadcast %1 {axes = []} yield %2 }"},
  {"(%0: f32[4]) { %1: f32[4, 6] = broadcast %0 {axes = [0]} %2: f32[4] = reduce_sum %1 {axes = [1]} yield %2 }",
   "(%0: f32[4]) { %1: f32[4, 6] = broadcast %0 {axes = [0]} %2: f32[4] = reduce_sum %1 {axes = [1]} yield %2 }"},
  {"(%0: f32[6, 4], %1: f32[6, 5]) { %2: f32[4, 6] = transpose %0 {axes = [1, 0]} %3: f32[4, 5] = dot %2, %1 yield %3 }",
   "(%0: f32[6, 4], %1: f32[6, 5]) { %2: f32[4, 5] = dot %0, %1 {ta = 1} yield %2 }"},
  {"(%0: f32[4, 6], %1: f32[6, 5]) { %2: f32[4, 5] = dot %0, %1 %3: f32[5, 4] = transpose %2 {axes = [1, 0]} yield %3 }",
   "(%0: f32[4, 6], %1: f32[6, 5]) { %2: f32[5, 4] = dot %1, %0 {ta = 1, tb = 1} yield %2 }"},
  {"(%0: f32[5, 2]) { %1: i32[5] = iota {axis = 0} %2: f32[5, 2] = gather %0, %1 yield %2 }", "(%0: f32[5, 2]) { yield %0 }"},
  {"(%0: f32[5, 2]) { %1: i32[3] = const 9 %2: f32[3, 2] = gather %0, %1 yield %2 }",
   "(%0: f32[5, 2]) { %1: f32[1, 2] = slice %0 {start = [4, 0], limit = [5, 2], stride = [1, 1]} %2: f32[2] = reshape %1 %3: f32[3, 2] = broadcast %2 {axes = [1]} yield %3 }"},
  {"(%0: f32[5, 2], %1: i32) { %2: i32 = const 4 %3: f32[2, 2] = dynamic_slice %0, %2, %1 {sizes = [2, 2]} yield %3 }",
   "(%0: f32[5, 2], %1: i32) { %2: f32[2, 2] = slice %0 {start = [3, 0], limit = [5, 2], stride = [1, 1]} yield %2 }"},
  {"(%0: f32[5], %1: i32) { %2: f32[5] = dynamic_slice %0, %1 {sizes = [5]} yield %2 }", "(%0: f32[5], %1: i32) { yield %0 }"},
  {"(%0: f32[5], %1: f32[5], %2: i32) { %3: f32[5] = dynamic_update %0, %1, %2 yield %3 }", "(%0: f32[5], %1: f32[5], %2: i32) { yield %1 }"},
};

static const Case writes[] = {
  // of zeros and one index a row: one hot
  {"(%0 idx: i32[4], %1: f32[4]) { %2: f32[4, 3] = const 0 %3: f32[4, 3] = scatter %2, %0, %1 {batch = 1, mode = set} yield %3 }",
   "(%0 idx: i32[4], %1: f32[4]) { %2: f32[4, 3] = const 0 %3: f32[4, 3] = broadcast %1 {axes = [0]} %4: i32[4, 3] = iota {axis = 1} %5: i32[4, 3] = broadcast %0 {axes = [0]} %6: bool[4, 3] = eq %4, %5 %7: f32[4, 3] = select %6, %3, %2 yield %7 }"},
  // added to few columns that hold other sums
  {"(%0: f32[4, 3], %1 idx: i32[4], %2: f32[4]) { %3: f32[4, 3] = scatter %0, %1, %2 {batch = 1, mode = add} yield %3 }",
   "(%0: f32[4, 3], %1 idx: i32[4], %2: f32[4]) { %3: f32[4, 3] = broadcast %2 {axes = [0]} %4: f32[4, 3] = add %0, %3 %5: i32[4, 3] = iota {axis = 1} %6: i32[4, 3] = broadcast %1 {axes = [0]} %7: bool[4, 3] = eq %5, %6 %8: f32[4, 3] = select %7, %4, %0 yield %8 }"},
  {"(%0: f32[4, 40], %1 idx: i32[4], %2: f32[4]) { %3: f32[4, 40] = scatter %0, %1, %2 {batch = 1, mode = add} yield %3 }",
   "(%0: f32[4, 40], %1 idx: i32[4], %2: f32[4]) { %3: f32[4, 40] = scatter %0, %1, %2 {batch = 1, mode = add} yield %3 }"},
  // an accumulator that starts from 0 is never -0: what is added to a part of it is written there
  {"(%0: f32[4]) { %1: f32[4] = const 0 %2: f32[4] = scan %1, %0 {n = 4, ncarry = 1} (%3: i32, %4: f32[4], %5: f32) { %6: f32[1] = reshape %5 %7: f32[4] = dynamic_update %1, %6, %3 %8: f32[4] = add %4, %7 yield %8 } yield %2 }",
   "(%0: f32[4]) { %1: f32[4] = const 0 %2: f32[4] = scan %1, %0 {n = 4, ncarry = 1} (%3: i32, %4: f32[4], %5: f32) { %6: f32[1] = reshape %5 %7: f32[1] = dynamic_slice %4, %3 {sizes = [1]} %8: f32[1] = add %7, %6 %9: f32[4] = dynamic_update %4, %8, %3 yield %9 } yield %2 }"},
  {"(%0: f32[4]) { %1: f32[4] = const 0 %2: f32[4] = scan %1, %0 {n = 4, ncarry = 1} (%3: i32, %4: f32[4], %5: f32) { %7: f32[4] = scatter %1, %3, %5 {mode = add} %8: f32[4] = add %7, %4 yield %8 } yield %2 }",
   "(%0: f32[4]) { %1: f32[4] = const 0 %2: f32[4] = scan %1, %0 {n = 4, ncarry = 1} (%3: i32, %4: f32[4], %5: f32) { %6: f32[4] = scatter %4, %3, %5 {mode = add} yield %6 } yield %2 }"},
  {X "%2: f32[4] = const 0 %3: f32[4] = exp %0 %4: f32[4] = add %3, %2 yield %4 }", X "%2: f32[4] = exp %0 yield %2 }"},
  // what it starts from may be -0
  {"(%0: f32[4], %1: i32) { %2: f32[4] = const 0 %3: f32[1] = const 2 %4: f32[4] = dynamic_update %2, %3, %1 %5: f32[4] = add %0, %4 yield %5 }",
   "(%0: f32[4], %1: i32) { %2: f32[4] = const 0 %3: f32[1] = const 2 %4: f32[4] = dynamic_update %2, %3, %1 %5: f32[4] = add %0, %4 yield %5 }"},
};

static const Case constants[] = {
  {"() { %0: f32 = const 2 %1: f32 = const 3 %2: f32 = mul %0, %1 %3: f32 = sqrt %2 yield %2, %3 }", "() { %0: f32 = const 6 %1: f32 = const 2.44948983 yield %0, %1 }"},
  {"() { %0: f32[9] = const 2 %1: f32[9] = polygamma %0 {n = 2} yield %1 }", "() { %0: f32[9] = const -0.4041138 yield %0 }"},
  {"() { %0: f32[1000, 1000] = const 2 %1: f32[1000, 1000] = add %0, %0 yield %1 }", "() { %0: f32[1000, 1000] = const 4 yield %0 }"},
  {"() { %0: f32[2, 3] = const [1, 2, 3, 4, 5, 6] %1: f32[3, 2] = transpose %0 {axes = [1, 0]} yield %1 }", "() { %0: f32[3, 2] = const [1, 4, 2, 5, 3, 6] yield %0 }"},
  {"() { %0: f32 = const 7 %1: f32[1000, 1000] = broadcast %0 {axes = []} %2: f32[1, 10] = slice %1 {start = [0, 0], limit = [1, 10], stride = [1, 1]} yield %2 }", "() { %0: f32[1, 10] = const 7 yield %0 }"},
  {"() { %0: i32[4] = iota {axis = 0} %1: i32[4] = mul %0, %0 yield %1 }", "() { %0: i32[4] = const [0, 1, 4, 9] yield %0 }"},
  {"() { %0: i32[4000] = iota {axis = 0} %1: i32[4000] = mul %0, %0 yield %1 }", "() { %0: i32[4000] = iota {axis = 0} %1: i32[4000] = mul %0, %0 yield %1 }"},
  {"() { %0: f32[8] = const 0 %1: f32[12] = pad %0 {lo = [2], hi = [2], inner = [0]} %2: f32 = reduce_sum %1 {axes = [0]} yield %2 }", "() { %0: f32 = const 0 yield %0 }"},
  {"() { %0: u64 = const 1 %1: u64 = const 2 %2: u64 = threefry %0, %1 %3: u64 = threefry %0, %1 %4: bool = eq %2, %3 yield %4 }", "() { %0: bool = const true yield %0 }"},
  {"(%0 idx: i32[3]) { %1: f32[5] = const 2 %2: f32[3] = gather %1, %0 yield %2 }", "(%0 idx: i32[3]) { %1: f32[3] = const 2 yield %1 }"},
};

static const Case common[] = {
  {X "%2: f32[4] = mul %0, %1 %3: f32[4] = mul %1, %0 %4: f32[4] = add %2, %3 yield %4 }", X "%2: f32[4] = mul %0, %1 %3: f32[4] = add %2, %2 yield %3 }"},
  {X "%2: f32[4] = sub %0, %1 %3: f32[4] = sub %1, %0 %4: f32[4] = add %2, %3 yield %4 }", X "%2: f32[4] = sub %0, %1 %3: f32[4] = sub %1, %0 %4: f32[4] = add %2, %3 yield %4 }"},
  {X "%2: f32[4] = polygamma %0 {n = 1} %3: f32[4] = polygamma %0 {n = 2} %4: f32[4] = polygamma %0 {n = 1} yield %2, %3, %4 }",
   X "%2: f32[4] = polygamma %0 {n = 1} %3: f32[4] = polygamma %0 {n = 2} yield %2, %3, %2 }"},
  {X "%2: f32 = reduce_sum %0 {axes = [0]} %3: f32 = reduce_sum %0 {axes = [0]} yield %2, %3 }", X "%2: f32 = reduce_sum %0 {axes = [0]} yield %2, %2 }"},
  // a region reuses what stands before it
  {"(%0: f32, %1: bool) { %2: f32 = exp %0 %3: f32 = cond %1 () { %4: f32 = exp %0 %5: f32 = sin %4 yield %5 } () { yield %2 } yield %3 }",
   "(%0: f32, %1: bool) { %2: f32 = exp %0 %3: f32 = cond %1 () { %4: f32 = sin %2 yield %4 } () { yield %2 } yield %3 }"},
  // two equal loops are one
  {"(%0: f32) { %1: f32 = scan %0 {n = 3, ncarry = 1} (%2: i32, %3: f32) { %4: f32 = sin %3 yield %4 } %5: f32 = scan %0 {n = 3, ncarry = 1} (%6: i32, %7: f32) { %8: f32 = sin %7 yield %8 } %9: f32 = add %1, %5 yield %9 }",
   "(%0: f32) { %1: f32 = scan %0 {n = 3, ncarry = 1} (%2: i32, %3: f32) { %4: f32 = sin %3 yield %4 } %5: f32 = add %1, %1 yield %5 }"},
};

static const Case control[] = {
  {"(%0: f32) { %1: bool = const true %2: f32 = cond %1 () { %3: f32 = exp %0 yield %3 } () { yield %0 } yield %2 }", "(%0: f32) { %1: f32 = exp %0 yield %1 }"},
  {"(%0: f32[9], %1: bool) { %2: bool = not %1 %3: f32[9] = cond %2 () { %4: f32[9] = exp %0 yield %4 } () { yield %0 } yield %3 }",
   "(%0: f32[9], %1: bool) { %2: f32[9] = cond %1 () { yield %0 } () { %3: f32[9] = exp %0 yield %3 } yield %2 }"},
  {"(%0: f32, %1: bool) { %2: f32, %3: f32 = cond %1 () { %4: f32 = exp %0 yield %4, %0 } () { %5: f32 = sin %0 yield %5, %0 } yield %2, %3 }",
   "(%0: f32, %1: bool) { %2: f32 = cond %1 () { %3: f32 = exp %0 yield %3 } () { %4: f32 = sin %0 yield %4 } yield %2, %0 }"},
  // a few flops: both branches
  {"(%0: f32, %1: bool) { %2: f32 = cond %1 () { %3: f32 = neg %0 yield %3 } () { yield %0 } yield %2 }", "(%0: f32, %1: bool) { %2: f32 = neg %0 %3: f32 = select %1, %2, %0 yield %3 }"},
  {"(%0: f32[2], %1: f32[1, 3]) { %2: f32[2], %3: f32[1, 3], %4: i32[1] = scan %0, %1 {n = 1, ncarry = 1} (%5: i32, %6: f32[2], %7: f32[3]) { %8: f32[2] = exp %6 %9: f32[3] = sin %7 yield %8, %9, %5 } yield %2, %3, %4 }",
   "(%0: f32[2], %1: f32[1, 3]) { %2: f32[3] = reshape %1 %3: f32[2] = exp %0 %4: f32[3] = sin %2 %5: f32[1, 3] = reshape %4 %6: i32[1] = const 0 yield %3, %5, %6 }"},
  {"(%0: f32[2], %1: f32[0, 3]) { %2: f32[2], %3: f32[0, 3] = scan %0, %1 {n = 0, ncarry = 1} (%5: i32, %6: f32[2], %7: f32[3]) { %8: f32[2] = exp %6 yield %8, %7 } yield %2 }", "(%0: f32[2], %1: f32[0, 3]) { yield %0 }"},
  {"(%0: f32[1, 3]) { %1: f32[1, 3] = map %0 {n = 1} (%2: i32, %3: f32[3]) { %4: f32[3] = sin %3 yield %4 } yield %1 }", "(%0: f32[1, 3]) { %1: f32[3] = reshape %0 %2: f32[3] = sin %1 %3: f32[1, 3] = reshape %2 yield %3 }"},
  {"(%0: f32) { %1: f32 = while %0 (%2: f32) { %3: bool = const false yield %3 } (%4: f32) { %5: f32 = exp %4 yield %5 } yield %1 }", "(%0: f32) { yield %0 }"},
  // a carry that never changes
  {"(%0: f32, %1: f32) { %2: f32, %3: f32 = scan %0, %1 {n = 4, ncarry = 2} (%4: i32, %5: f32, %6: f32) { %7: f32 = mul %5, %6 yield %7, %6 } yield %2, %3 }",
   "(%0: f32, %1: f32) { %2: f32 = scan %0 {n = 4, ncarry = 1} (%3: i32, %4: f32) { %5: f32 = mul %4, %1 yield %5 } yield %2, %1 }"},
  // a carry that feeds only itself, and one that feeds only that one
  {"(%0: f32, %1: f32, %2: f32) { %3: f32, %4: f32, %5: f32 = scan %0, %1, %2 {n = 4, ncarry = 3} (%6: i32, %7: f32, %8: f32, %9: f32) { %10: f32 = sin %7 %11: f32 = add %8, %9 %12: f32 = mul %9, %9 yield %10, %11, %12 } yield %3 }",
   "(%0: f32, %1: f32, %2: f32) { %3: f32 = scan %0 {n = 4, ncarry = 1} (%4: i32, %5: f32) { %6: f32 = sin %5 yield %6 } yield %3 }"},
  // two carries that stay equal
  {"(%0: f32) { %1: f32, %2: f32 = scan %0, %0 {n = 4, ncarry = 2} (%3: i32, %4: f32, %5: f32) { %6: f32 = mul %4, %5 yield %6, %6 } %7: f32 = add %1, %2 yield %7 }",
   "(%0: f32) { %1: f32 = scan %0 {n = 4, ncarry = 1} (%2: i32, %3: f32) { %4: f32 = mul %3, %3 yield %4 } %5: f32 = add %1, %1 yield %5 }"},
  // slices known without the array; arrays not read; arrays passed through; equal stacks
  {"(%0: f32, %1: f32[4], %2: f32[4]) { %3: i32[4] = iota {axis = 0} %4: f32[4] = const 3"
   " %5: f32, %6: f32[4], %7: f32[4], %8: f32[4] = scan %0, %3, %4, %1, %2, %1 {n = 4, ncarry = 1} (%10: i32, %11: f32, %12: i32, %13: f32, %14: f32, %15: f32, %16: f32) {"
   " %17: f32 = cast %12 %18: f32 = mul %11, %13 %19: f32 = sub %18, %17 %20: f32 = sub %19, %16 %21: f32 = mul %20, %14 yield %21, %14, %21, %21 } yield %5, %6, %7, %8 }",
   "(%0: f32, %1: f32[4], %2: f32[4]) { %9: f32 = const 3 %3: f32, %4: f32[4] = scan %0, %1 {n = 4, ncarry = 1} (%5: i32, %6: f32, %7: f32) { %8: f32 = cast %5 %10: f32 = mul %6, %9 %11: f32 = sub %10, %8 %12: f32 = sub %11, %7 %13: f32 = mul %12, %7 yield %13, %13 } yield %3, %1, %4, %4 }"},
  {"(%0: f32, %1: f32[2]) { %2: f32[4, 2] = broadcast %1 {axes = [1]} %3: f32, %4: f32[4, 2] = scan %0, %2 {n = 4, ncarry = 1} (%5: i32, %6: f32, %7: f32[2]) { %8: f32 = reduce_sum %7 {axes = [0]} %9: f32 = mul %6, %8 yield %9, %7 } yield %3, %4 }",
   "(%0: f32, %1: f32[2]) { %3: f32 = reduce_sum %1 {axes = [0]} %2: f32[4, 2] = broadcast %1 {axes = [1]} %4: f32 = scan %0 {n = 4, ncarry = 1} (%5: i32, %6: f32) { %7: f32 = mul %6, %3 yield %7 } yield %4, %2 }"},
  {"(%0: f32[4]) { %1: f32[4], %2: i32[4], %3: f32[4] = map %0 {n = 4} (%4: i32, %5: f32) { %6: f32 = const 2 yield %5, %4, %6 } yield %1, %2, %3 }",
   "(%0: f32[4]) { %1: i32[4] = iota {axis = 0} %2: f32[4] = const 2 yield %0, %1, %2 }"},
  {"(%0: i32, %1: f32, %2: f32) { %3: i32, %4: f32, %5: f32 = while %0, %1, %2 (%6: i32, %7: f32, %8: f32) { %9: i32 = const 3 %10: bool = lt %6, %9 yield %10 } (%11: i32, %12: f32, %13: f32) { %14: i32 = const 1 %15: i32 = add %11, %14 %16: f32 = sin %12 yield %15, %16, %13 } yield %3, %5 }",
   "(%0: i32, %1: f32, %2: f32) { %3: i32 = while %0 (%4: i32) { %5: i32 = const 3 %6: bool = lt %4, %5 yield %6 } (%7: i32) { %8: i32 = const 1 %9: i32 = add %7, %8 yield %9 } yield %3, %2 }"},
};

static const Case hoisting[] = {
  {"(%0: f32, %1: f32) { %2: f32 = scan %0 {n = 4, ncarry = 1} (%3: i32, %4: f32) { %5: f32 = exp %1 %6: f32 = mul %4, %5 yield %6 } yield %2 }",
   "(%0: f32, %1: f32) { %2: f32 = exp %1 %3: f32 = scan %0 {n = 4, ncarry = 1} (%4: i32, %5: f32) { %6: f32 = mul %5, %2 yield %6 } yield %3 }"},
  // out of both loops
  {"(%0: f32, %1: f32) { %2: f32 = scan %0 {n = 4, ncarry = 1} (%3: i32, %4: f32) { %5: f32 = scan %4 {n = 3, ncarry = 1} (%6: i32, %7: f32) { %8: f32 = exp %1 %9: f32 = mul %7, %8 yield %9 } yield %5 } yield %2 }",
   "(%0: f32, %1: f32) { %2: f32 = exp %1 %3: f32 = scan %0 {n = 4, ncarry = 1} (%4: i32, %5: f32) { %6: f32 = scan %5 {n = 3, ncarry = 1} (%7: i32, %8: f32) { %9: f32 = mul %8, %2 yield %9 } yield %6 } yield %3 }"},
  // a copy is made where the program makes it
  {"(%0: f32[9], %1: f32[9]) { %2: f32[9] = scan %0 {n = 4, ncarry = 1} (%3: i32, %4: f32[9]) { %5: f32[9] = copy %1 %6: f32[9] = mul %4, %5 yield %6 } yield %2 }",
   "(%0: f32[9], %1: f32[9]) { %2: f32[9] = scan %0 {n = 4, ncarry = 1} (%3: i32, %4: f32[9]) { %5: f32[9] = copy %1 %6: f32[9] = mul %4, %5 yield %6 } yield %2 }"},
  // a large broadcast is remade where it is read
  {"(%0: f32[64, 64], %1: f32[64]) { %2: f32[64, 64] = scan %0 {n = 4, ncarry = 1} (%3: i32, %4: f32[64, 64]) { %5: f32[64, 64] = broadcast %1 {axes = [1]} %6: f32[64, 64] = mul %4, %5 yield %6 } yield %2 }",
   "(%0: f32[64, 64], %1: f32[64]) { %2: f32[64, 64] = scan %0 {n = 4, ncarry = 1} (%3: i32, %4: f32[64, 64]) { %5: f32[64, 64] = broadcast %1 {axes = [1]} %6: f32[64, 64] = mul %4, %5 yield %6 } yield %2 }"},
  // but goes along with what computes from it
  {"(%0: f32[64, 64], %1: f32[64], %7: f32[64, 64]) { %2: f32[64, 64] = scan %0 {n = 4, ncarry = 1} (%3: i32, %4: f32[64, 64]) { %5: f32[64, 64] = broadcast %1 {axes = [1]} %8: f32[64, 64] = add %5, %7 %6: f32[64, 64] = mul %4, %8 yield %6 } yield %2 }",
   "(%0: f32[64, 64], %1: f32[64], %7: f32[64, 64]) { %5: f32[64, 64] = broadcast %1 {axes = [1]} %8: f32[64, 64] = add %5, %7 %2: f32[64, 64] = scan %0 {n = 4, ncarry = 1} (%3: i32, %4: f32[64, 64]) { %6: f32[64, 64] = mul %4, %8 yield %6 } yield %2 }"},
  // a branch that may not be taken keeps its work
  {"(%0: f32, %1: f32) { %2: f32 = scan %0 {n = 4, ncarry = 1} (%3: i32, %4: f32) { %5: i32 = const 2 %6: bool = gt %3, %5 %7: f32 = cond %6 () { %8: f32 = exp %1 %9: f32 = mul %8, %4 yield %9 } () { yield %4 } yield %7 } yield %2 }",
   "(%0: f32, %1: f32) { %2: f32 = scan %0 {n = 4, ncarry = 1} (%3: i32, %4: f32) { %5: i32 = const 2 %6: bool = gt %3, %5 %7: f32 = cond %6 () { %8: f32 = exp %1 %9: f32 = mul %8, %4 yield %9 } () { yield %4 } yield %7 } yield %2 }"},
  // a whole loop that does not change, and what it reads
  {"(%0: f32, %1: f32) { %2: f32 = scan %0 {n = 4, ncarry = 1} (%3: i32, %4: f32) { %10: f32 = mul %1, %1 %5: f32 = scan %1 {n = 3, ncarry = 1} (%6: i32, %7: f32) { %8: f32 = sub %7, %10 %9: f32 = exp %8 yield %9 } %11: f32 = mul %5, %4 yield %11 } yield %2 }",
   "(%0: f32, %1: f32) { %2: f32 = mul %1, %1 %3: f32 = scan %1 {n = 3, ncarry = 1} (%4: i32, %5: f32) { %6: f32 = sub %5, %2 %7: f32 = exp %6 yield %7 } %8: f32 = scan %0 {n = 4, ncarry = 1} (%9: i32, %10: f32) { %11: f32 = mul %3, %10 yield %11 } yield %8 }"},
};

static void run_cases(const Case *c, size_t n) {
  for (size_t i = 0; i < n; i++) {
    run_begin();
    IrGraph *g = run_read(c[i].before), *want = run_read(c[i].after);
    if (g && want) {
      CU_ASSERT(run_keeps(g, "simplify", 0));
      char *got = ir_print(&run_arena, g), *expected = ir_print(&run_arena, want);
      if (strcmp(got, expected)) printf("got  %s\nwant %s\n", got, expected);
      CU_ASSERT_STRING_EQUAL(got, expected);
    }
    run_end();
  }
}
#define RUN(list) static void test_##list(void) { run_cases(list, sizeof list / sizeof *list); }
RUN(arithmetic)
RUN(casts)
RUN(shapes)
RUN(writes)
RUN(constants)
RUN(common)
RUN(control)
RUN(hoisting)

// While a derivative is still to be taken, stop_grad means something.
static void stop_grad_stays(void) {
  run_begin();
  IrGraph *g = run_read("(%0: f32, %1: f32) { %2: f32, %3: f32 = vjp %0, %1 {nx = 1, ny = 1} (%4: f32) { %5: f32 = stop_grad %4 %6: f32 = mul %5, %4 yield %6 } yield %2, %3 }");
  Diags d = {.arena = &run_arena};
  if (g) {
    CU_ASSERT(pass_run(&(PassContext){&run_arena, &d}, g, "simplify", NULL, NULL));
    CU_ASSERT_EQUAL(run_count(g, IR_STOP_GRAD), 1);
    CU_ASSERT(pass_run(&(PassContext){&run_arena, &d}, g, "autodiff,simplify", NULL, NULL));
    CU_ASSERT_EQUAL(run_count(g, IR_STOP_GRAD), 0);
  }
  run_end();
}

// Lanes that write to different places, or not at all, of one array.
#define LANES "(%0: bool[64], %1: T[64, 300], %2 idx: i32[64, 1], %3: T[64, 1], %4 idx: i32[64, 2], %5: T[64, 2], %6 idx: i32) { " \
              "%20: i32 = const 0 %21: bool[64, 300] = broadcast %0 {axes = [0]} "
static void masked_writes(void) {
  static const char *const text[] = {
    LANES "%7: T[64, 300] = scatter %1, %2, %3 {batch = 1, mode = set} %8: T[64, 300] = scatter %1, %4, %5 {batch = 1, mode = add} "
          "%9: T[64, 300] = dynamic_update %8, %3, %20, %6 %10: T[64, 300] = select %21, %7, %9 yield %10 }",
    LANES "%7: T[64, 300] = scatter %1, %4, %5 {batch = 1, mode = max} %8: T[64, 300] = scatter %7, %2, %3 {batch = 1, mode = min} "
          "%9: T[64, 300] = select %21, %8, %1 yield %9 }",
    LANES "%7: T[64, 300] = scatter %1, %4, %5 {batch = 1, mode = set} %8: T[64, 30, 10] = reshape %1 %9: T[64, 1, 1] = reshape %3 "
          "%10: T[64, 30, 10] = dynamic_update %8, %9, %20, %6, %6 %11: T[64, 300] = reshape %10 %12: T[64, 300] = select %21, %11, %7 yield %12 }",
  };
  static const char *const type[] = {"f32", "i32", "f64", "bf16"};
  for (size_t k = 0; k < sizeof text / sizeof *text; k++)
    for (size_t t = 0; t < sizeof type / sizeof *type; t++) {
      char with[2000], *to = with;
      for (const char *s = text[k]; *s; s++) to += *s == 'T' ? sprintf(to, "%s", type[t]) : (*to = *s, 1);
      *to = 0;
      run_begin();
      IrGraph *g = run_read(with);
      CU_ASSERT_FATAL(g != NULL);
      bool small = ir_bytes(&g->top->yield[0]->type) <= 1 << 16;         // these stay as they are
      CU_ASSERT(run_keeps(g, "simplify", 0));
      bool whole = false;
      ir_each_op(g->top, op) whole |= op->code == IR_SELECT && op->out[0]->type.dim[1] == 300;
      CU_ASSERT_EQUAL(whole, small);
      run_end();
    }
}

// A chain in which each op only becomes simple when the one before has: one
// round must do, and the time must follow the length.
static double seconds(int length, int *left) {
  IrGraph *g = ir_graph(&run_arena, "chain");
  IrBuilder b = {.graph = g, .at = g->top};
  IrType t = ir_type(IR_F32, 1, (int64_t[]){4});
  IrValue *x = ir_input(g, t, "x"), *v = x;
  for (int i = 0; i < length; i += 5) {
    IrValue *w = ir_bin(&b, IR_MUL, v, ir_fill(&b, t, 1));
    w = ir_un(&b, IR_NEG, ir_un(&b, IR_NEG, w));
    IrValue *s = ir_bin(&b, IR_ADD, w, x);
    v = i % 2 ? ir_bin(&b, IR_MAX, s, s) : ir_un(&b, IR_SIN, s);
  }
  ir_output(g, v, "y");
  clock_t start = clock();
  Diags d = {.arena = &run_arena};
  pass_simplify(&(PassContext){&run_arena, &d}, g);
  *left = ir_count_ops(g->top);
  return (double)(clock() - start) / CLOCKS_PER_SEC;
}

static void linear_time(void) {
  run_begin();
  int left;
  double small = seconds(5000, &left), large = seconds(50000, &left);
  CU_ASSERT(left < 20001);
  CU_ASSERT(large < 40 * small + 0.5);
  run_end();
}

// The pass's own memory and the graph's: whichever allocation is refused, the caller is told.
static void refuse_allocation(long n) {
  jmp_buf oom;
  IrGraph *g = run_read("(%0: f32) { %1: f32 = neg %0 %2: f32 = neg %1 yield %2 }");
  jmp_buf *before = run_arena.oom;
  run_arena.oom = &oom;
  if (!setjmp(oom)) {
    Diags d = {.arena = &run_arena};
    base_fail_allocation(n);
    pass_simplify(&(PassContext){&run_arena, &d}, g);
  }
  base_fail_allocation(0);
  CU_ASSERT_PTR_EQUAL(run_arena.oom, &oom);
  run_arena.oom = before;
}

static void out_of_memory(void) {
  for (long n = 1; n < 6; n++) {
    run_begin();
    refuse_allocation(n);
    run_end();
  }
}

static void named_passes(void) {
  run_begin();
  IrGraph *g = run_read("(%0: f32) { %1: f32 = neg %0 yield %1 }");
  Diags d = {.arena = &run_arena};
  PassContext c = {&run_arena, &d};
  CU_ASSERT_PTR_NOT_NULL(pass_find("vmap"));
  CU_ASSERT_PTR_NULL(pass_find("vmax"));
  CU_ASSERT(pass_run(&c, g, NULL, NULL, NULL));
  CU_ASSERT(pass_run(&c, g, "simplify,vmap", NULL, NULL));
  CU_ASSERT(!pass_run(&c, g, "simplify,vmax", NULL, NULL));
  CU_ASSERT_EQUAL(d.count, 1);
  char text[2000] = "";
  FILE *f = tmpfile();
  CU_ASSERT_FATAL(f != NULL);
  CU_ASSERT(pass_run(&c, g, NULL, "vmap", f));
  rewind(f);
  text[fread(text, 1, sizeof text - 1, f)] = '\0';
  fclose(f);
  CU_ASSERT_STRING_EQUAL(text, ir_print(&run_arena, g));
  run_end();
}

// No rule may change a bit (a NaN's payload and the sign of a zero that is printed alike aside).
static void random_graphs(void) {
  CU_ASSERT(run_random("simplify", GEN_ALL, 400, 0));
  CU_ASSERT(run_random("simplify", GEN_CONTROL, 200, 0));
}

void suite_simplify(void) {
  CU_pSuite s = test_suite("simplify");
  test_add(s, "arithmetic", test_arithmetic);
  test_add(s, "casts", test_casts);
  test_add(s, "shapes and indices", test_shapes);
  test_add(s, "writes to part of an array", test_writes);
  test_add(s, "writes of some lanes", masked_writes);
  test_add(s, "constants", test_constants);
  test_add(s, "common subexpressions", test_common);
  test_add(s, "regions and carries", test_control);
  test_add(s, "loop-invariant code", test_hoisting);
  test_add(s, "stop_grad stays until derivatives are taken", stop_grad_stays);
  test_add(s, "time follows the number of ops", linear_time);
  test_add(s, "out of memory", out_of_memory);
  test_add(s, "random graphs", random_graphs);
  test_add(s, "passes by name", named_passes);
}
