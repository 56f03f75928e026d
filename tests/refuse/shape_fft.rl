// expect 10:30: `fft` has no parameter `n`
// expect 11:23: `fft` takes floats or complex numbers, not i32[4]
// expect 12:32: argument `x` of `rfft` must be float[..., N] (any float type), not i32[4]
// expect 13:38: the bound 5 is outside of an axis of 3
// expect 14:31: `.T` swaps the last two axes, but complex64[4] has fewer
// expect 15:23: `reversed` must be true or false, known when compiling; this is 1
// expect 16:20: `fft` of a scalar
// Fourier transforms.
use signal
fn f1(x: f32[4, 3]) = fft(x, n = 8)
fn f2(x: i32[4]) = fft(x)
fn f3(x: i32[4]) = signal.rfft(x)
fn f4(x: complex64[3]) = signal.irfft(x, 9)
fn f5(x: f32[4]) = signal.fft2(x)
fn f6(x: f32[4]) = fft(x, reversed = 1)
fn f7(x: f32) = fft(x)
