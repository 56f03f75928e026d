// Fourier transforms over the last axis, beside the compiler's own fft.

// The inverse of fft.
fn ifft(x) = fft(x, reversed = true) / x.shape[-1]

// The transform of real x [..., N]: its first N / 2 + 1 terms; the others are their conjugates.
fn rfft(x: float[..., N]) = fft(x)[..., :(N - N % 2) / 2 + 1]

// The real signal of N terms whose rfft is y [..., N / 2 + 1].
fn irfft(y, N: dim) {
  let rest = N - (N - N % 2) / 2 - 1
  real(ifft(concat([y, flip(conj(y[..., 1:1 + rest]), axis = -1)], axis = -1)))
}

// Over the last two axes.
fn fft2(x) = fft(fft(x).T).T

// The inverse of fft2.
fn ifft2(y) = ifft(ifft(y).T).T

// Frequencies of rfft's terms, in cycles per sample: [N / 2 + 1]
fn rfft_frequencies(N: dim) = f32(iota((N - N % 2) / 2 + 1)) / N
