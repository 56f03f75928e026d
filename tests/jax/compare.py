"""compare.py RLC [NAME...]: functions written in the language and in JAX, each on the same inputs in double precision.

`rlc eval` computes one side; values must agree to 1e-9 of the greatest element. Where there is no JAX it says so and
exits with 77; 1: something differs. The suite `jax` of rlc_tests runs it with the Python of BENCH_PYTHON, or python3.
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import jax
    import jax.numpy as np
    import jax.scipy as jsp
    import numpy
except ImportError as e:
    print(f"skipped: {sys.executable} has no jax ({e})")
    sys.exit(77)

from jax import grad, jacfwd, jacrev, hessian, jvp, lax, vjp, vmap

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")

CASES = []
DECLARATIONS = []


def case(name, body, f, tolerance=1e-9, **inputs):
    CASES.append((name, body, f, tolerance, inputs))


def declare(text):
    DECLARATIONS.append(text)


def numbers(*shape, low=-1.5, high=1.5, seed=0):
    r = numpy.random.default_rng([seed, *shape])
    return numpy.round(r.uniform(low, high, shape), 3)


def whole(*shape, low=0, high=4, seed=0):
    return numpy.random.default_rng([seed, *shape]).integers(low, high, shape).astype(numpy.int32)


def complexes(*shape, seed=0):
    return numbers(*shape, seed=seed) + 1j * numbers(*shape, seed=seed + 100)


def definite(n, seed=0):
    a = numbers(n, n, seed=seed)
    return numpy.round(a @ a.T + n * numpy.eye(n), 3)


def spread(m, n, seed=0):
    """A matrix whose spectrum has gaps."""
    return numpy.round(0.3 * numbers(m, n, seed=seed) + numpy.eye(m, n) * (numpy.arange(n) * 2 + 1), 3)


X = numbers(5)
P = numbers(5, low=0.2, high=2.5)
Y = numbers(5, seed=1)
M = numbers(3, 4)
S = numbers(3, 3)

# ---- elementwise: value and derivative
for name, g, x in [
    ("exp", np.exp, X), ("log", np.log, P), ("expm1", np.expm1, X), ("log1p", np.log1p, P), ("sin", np.sin, X),
    ("cos", np.cos, X), ("tan", np.tan, X), ("tanh", np.tanh, X), ("sigmoid", jax.nn.sigmoid, X), ("sqrt", np.sqrt, P),
    ("rsqrt", lax.rsqrt, P), ("erf", jsp.special.erf, X), ("erfinv", jsp.special.erfinv, 0.6 * X),
    ("lgamma", jsp.special.gammaln, P), ("digamma", jsp.special.digamma, P), ("abs", np.abs, X), ("atan", np.arctan, X),
    ("asin", np.arcsin, 0.6 * X), ("acos", np.arccos, 0.6 * X), ("sinh", np.sinh, X), ("cosh", np.cosh, X),
    ("silu", jax.nn.silu, X), ("gelu", lambda x: jax.nn.gelu(x, approximate=False), X), ("softplus", jax.nn.softplus, X),
    ("softmax", jax.nn.softmax, X), ("log_softmax", jax.nn.log_softmax, X), ("relu", jax.nn.relu, X),
    ("cumlogsumexp", lax.cumlogsumexp, X), ("standardize", lambda x: (x - np.mean(x)) / (np.std(x) + 1e-8), X),
    ("sort", np.sort, X), ("floor", np.floor, X), ("round", np.round, 2 * X),
]:
    case(name, f"{{ let c = [0.5, -1.0, 2.0, 1.5, 0.3]; ({name}(x), grad(|x| sum(c * {name}(x)))(x)) }}",
         lambda x, g=g: (g(x), grad(lambda x: np.sum(np.array([0.5, -1, 2, 1.5, 0.3]) * g(x)))(x)), x=numpy.round(x, 3))

case("second", "grad(|x| sum(grad(|x| sum(sin(x) * exp(-x^2) + lgamma(2 + tanh(x))))(x)^2))(x)",
     lambda x: grad(lambda x: np.sum(grad(lambda x: np.sum(np.sin(x) * np.exp(-x**2) + jsp.special.gammaln(2 + np.tanh(x))))(x)**2))(x), x=X)
case("polygamma", "(polygamma(1, x), polygamma(4, x), grad(|x| sum(polygamma(2, x)))(x), grad(|x| sum(grad(|x| sum(digamma(x)))(x)))(x))",
     lambda x: (jsp.special.polygamma(1, x), jsp.special.polygamma(4, x), jsp.special.polygamma(3, x), jsp.special.polygamma(2, x)), x=P)
case("fifth", "grad(grad(grad(grad(grad(|x| x^3 * sin(x) / (1 + exp(x)))))))(x)",
     lambda x: grad(grad(grad(grad(grad(lambda x: x**3 * np.sin(x) / (1 + np.exp(x)))))))(x), x=numpy.float64(0.7))
case("two_operands", "(atan2(x, y), p^y, x % p, grad(|x| sum(atan2(x, y) + (x^2 + 1)^y + (x + 4) % p))(x), grad(|y| sum(p^y))(y))",
     lambda x, y, p: (np.arctan2(x, y), p**y, x % p, grad(lambda x: np.sum(np.arctan2(x, y) + (x**2 + 1)**y + (x + 4) % p))(x),
                      grad(lambda y: np.sum(p**y))(y)), x=X, y=Y, p=P)
case("ties", "(grad(|x| max(x, 0) + 3 * min(x, 0))(x), grad(|y| max(y) * 3 + min(y))(y))",
     lambda x, y: (grad(lambda x: np.maximum(x, 0) + 3 * np.minimum(x, 0))(x), grad(lambda y: np.max(y) * 3 + np.min(y))(y)),
     x=numpy.float64(0), y=numpy.array([2.0, 1.0, 2.0, 1.0, 1.5]))
case("choice", "grad(|x| sum(where(x > 0, sqrt(abs(x)) * x, stop_grad(x) * x)))(x)",
     lambda x: grad(lambda x: np.sum(np.where(x > 0, np.sqrt(np.abs(x)) * x, lax.stop_gradient(x) * x)))(x), x=X)
case("integers", "(div(i, 3), i % 3, i % -3, bit_xor(i, 5), shift_left(i, 2), shift_right(i, 1), i32(2.7 * f64(i)))",
     lambda i: (i // 3, i % 3, i % -3, i ^ 5, i << 2, i >> 1, (2.7 * i).astype(np.int32)), i=whole(6, low=-9, high=9))

# ---- complex
Z = complexes(4)
case("complex", "(exp(z), log(z), sqrt(z), z * w / (w + 2), abs(z), real(z * conj(w)), imag(z))",
     lambda z, w: (np.exp(z), np.log(z), np.sqrt(z), z * w / (w + 2), np.abs(z), np.real(z * np.conj(w)), np.imag(z)), z=Z, w=complexes(4, seed=1))
case("complex_grad", "grad(|z| sum(real(exp(z) * w) + abs(z * z - w)^2 + imag(log(z) / sqrt(w))))(z)",
     lambda z, w: grad(lambda z: np.sum(np.real(np.exp(z) * w) + np.abs(z * z - w)**2 + np.imag(np.log(z) / np.sqrt(w))))(z),
     z=Z, w=complexes(4, seed=1))
case("complex_through_real", "grad(|x| { let z = complex(cos(x), x^2); sum(abs(z @ z.T)^2) })(x)",
     lambda x: grad(lambda x: (lambda z: np.sum(np.abs(z @ z.T)**2))(lax.complex(np.cos(x), x**2)))(x), x=S)

# ---- reductions, cumulative, order
case("reductions", "(sum(x, axis = 0), prod(x, axis = 1), mean(x), max(x, axis = 1), min(x, axis = 0, keep = true), argmax(x, axis = 0), argmin(x), logsumexp(x), variance(x))",
     lambda x: (np.sum(x, 0), np.prod(x, 1), np.mean(x), np.max(x, 1), np.min(x, 0, keepdims=True), np.argmax(x, 0),
                np.argmin(x, -1), jsp.special.logsumexp(x, -1), np.var(x)), x=M)
case("products_grad", "(grad(|x| sum(prod(x, axis = 1)^2))(x), grad(|x| sum(cumprod(x, axis = 1) * cumsum(x, axis = 0)))(x), grad(|x| sum(cummax(x)^2))(x))",
     lambda x: (grad(lambda x: np.sum(np.prod(x, 1)**2))(x), grad(lambda x: np.sum(np.cumprod(x, 1) * np.cumsum(x, 0)))(x),
                grad(lambda x: np.sum(lax.cummax(x, 1)**2))(x)), x=M)
case("product_of_zero", "grad(|x| sum(grad(|x| prod(x))(x)^2))(x)",
     lambda x: grad(lambda x: np.sum(grad(np.prod)(x)**2))(x), x=numpy.array([1.5, 0.0, -2.0, 0.5]))
case("reversed_sums", "(cumsum(x, reversed = true), flip(x, axis = 1), roll(x, 2, axis = 1), argsort(x), topk(x, 2).0)",
     lambda x: (lax.cumsum(x, 1, reverse=True), np.flip(x, 1), np.roll(x, 2, 1), np.argsort(x), lax.top_k(x, 2)[0]), x=M)
case("sort_grad", "grad(|x| sum(sort(x) * [[1, 2, 3, 4]]))(x)",
     lambda x: grad(lambda x: np.sum(np.sort(x) * np.arange(1.0, 5)))(x), x=M)
case("hessian_of_logsumexp", "vmap(|v| jvp(grad(logsumexp), v)(x).1)(f64(eye(5)))", lambda x: hessian(jsp.special.logsumexp)(x), x=X)

# ---- shapes, gathers, scatters
case("shapes", "grad(|x| { let y = concat([x.T, pad(x, [1, 0], [0, 1]).T[:4]], axis = 1); sum(reshape(y, [2, -1])[1] * sum(y[1:3]^3)) + sum(tile(x, 2) * repeat(y[:, :1], 2)[0, 1]) })(x)",
     lambda x: grad(lambda x: (lambda y: np.sum(y.reshape(2, -1)[1] * np.sum(y[1:3]**3)) + np.sum(np.stack([x, x]) * np.repeat(y[:, :1], 2, 1)[0, 1]))
                    (np.concatenate([x.T, np.pad(x, ((1, 0), (0, 1))).T[:4]], 1)))(x), x=M)
case("einsum", "grad(|x| sum(einsum(\"i j, k j, k l -> i l\", x, x, tanh(x))^2))(x)",
     lambda x: grad(lambda x: np.sum(np.einsum("ij,kj,kl->il", x, x, np.tanh(x))**2))(x), x=M)
case("gather", "(x[i], grad(|x| sum(x[i]^3))(x), take(x, j), x[1:][k[0] +: 1])",
     lambda x, i, j, k: (x[i], grad(lambda x: np.sum(x[i]**3))(x), np.take_along_axis(x, j[:, None], 1)[:, 0], lax.dynamic_slice_in_dim(x[1:], k[0], 1)),
     x=M, i=numpy.array([0, 2, 2, 1], numpy.int32), j=whole(3, high=4), k=numpy.array([1], numpy.int32))
case("scatter", "(scatter_add(x, i, u), grad(|x| sum(scatter_max(x, i, u)^2))(x), grad(|u| sum(scatter_add(x, i, u)^3))(u), { var y = x; y[i] = u; y[0] += 1; y })",
     lambda x, i, u: (x.at[i].add(u), grad(lambda x: np.sum(x.at[i].max(u)**2))(x), grad(lambda u: np.sum(x.at[i].add(u)**3))(u),
                      x.at[i].set(u).at[0].add(1)),
     x=numbers(5, 2), i=numpy.array([3, 1, 4], numpy.int32), u=numbers(3, 2, seed=1))
case("segments", "(segment_sum(x, i, 3), segment_max(x, i, 3), segment_mean(x, i, 3), grad(|x| sum(segment_sum(x, i, 3)^2))(x))",
     lambda x, i: (jax.ops.segment_sum(x, i, 3), jax.ops.segment_max(x, i, 3), jax.ops.segment_sum(x, i, 3) / jax.ops.segment_sum(np.ones_like(x), i, 3),
                   grad(lambda x: np.sum(jax.ops.segment_sum(x, i, 3)**2))(x)), x=numbers(6, 2), i=numpy.array([0, 2, 1, 0, 2, 2], numpy.int32))

# ---- convolutions
CONV = dict(x=numbers(2, 6, 5, 4), w=numbers(3, 2, 2, 6, seed=1))
def conv2d(x, w): return lax.conv_general_dilated(x, w, (2, 1), ((1, 1), (0, 0)), rhs_dilation=(1, 2), feature_group_count=2, dimension_numbers=("NHWC", "HWIO", "NHWC"))
declare("fn convolved(x, w) = conv2d(x, w, stride = [2, 1], pad = [1, 0], dilation = [1, 2], groups = 2)")
case("conv2d", "(convolved(x, w), grad(|x| sum(convolved(x, w)^2))(x), grad(|w| sum(tanh(convolved(x, w))))(w))",
     lambda x, w: (conv2d(x, w), grad(lambda x: np.sum(conv2d(x, w)**2))(x), grad(lambda w: np.sum(np.tanh(conv2d(x, w))))(w)), **CONV)
case("conv2d_hessian", "jvp(grad(|w| sum(tanh(convolved(x, w))^2)), v)(w).1",
     lambda x, w, v: jvp(grad(lambda w: np.sum(np.tanh(conv2d(x, w))**2)), (w,), (v,))[1], v=numbers(3, 2, 2, 6, seed=2), **CONV)
case("conv1d", "vmap(|w| grad(|x| sum(conv1d(x, w, pad = \"same\")^2))(x))(w)",
     lambda x, w: vmap(lambda w: grad(lambda x: np.sum(lax.conv_general_dilated(x, w, (1,), "SAME", dimension_numbers=("NTC", "TIO", "NTC"))**2))(x))(w),
     x=numbers(2, 6, 3), w=numbers(2, 3, 3, 2, seed=1))

# ---- linear algebra
A = spread(3, 3)
D = definite(4)
case("solve", "(linalg.solve(a, b), linalg.inv(a), linalg.det(a), linalg.slogdet(a), grad(|a| sum(linalg.solve(a, b)^2))(a), grad(|a| linalg.slogdet(a).log)(a), grad(|a| linalg.det(a))(a))",
     lambda a, b: (np.linalg.solve(a, b), np.linalg.inv(a), np.linalg.det(a), tuple(np.linalg.slogdet(a)), grad(lambda a: np.sum(np.linalg.solve(a, b)**2))(a),
                   grad(lambda a: np.linalg.slogdet(a)[1])(a), grad(np.linalg.det)(a)), a=A, b=numbers(3, 2))
case("cholesky", "grad(|a| sum(cholesky(a + a.T)^3))(a) + grad(|a| sum(sin(triangular_solve(cholesky(a + a.T), b))))(a)",
     lambda a, b: grad(lambda a: np.sum(np.linalg.cholesky(a + a.T, symmetrize_input=False)**3))(a)
     + grad(lambda a: np.sum(np.sin(jsp.linalg.solve_triangular(np.linalg.cholesky(a + a.T, symmetrize_input=False), b, lower=True))))(a), a=D, b=numbers(4, 2))
case("cholesky_second", "vmap(|v| jvp(grad(|x| sum(log(linalg.diagonal(cholesky(a * outer(1 + x * x, cosh(x)) + a * outer(cosh(x), 1 + x * x)))))), v)(x).1)(f64(eye(4)))",
     lambda a, x: hessian(lambda x: np.sum(np.log(np.diag(np.linalg.cholesky(a * np.outer(1 + x * x, np.cosh(x)) + a * np.outer(np.cosh(x), 1 + x * x), symmetrize_input=False)))))(x), a=D, x=numbers(4))
SIGNS = "{ let (q, r) = qr(a); sum(q * c) + sum(sin(r)) }"
def positive_qr(a):
    q, r = np.linalg.qr(a)
    s = np.sign(np.diag(r))
    return q * s, s[:, None] * r
case("qr", f"(qr(a), grad(|a| {SIGNS})(a))",
     lambda a, c: (positive_qr(a), grad(lambda a: (lambda q, r: np.sum(q * c) + np.sum(np.sin(r)))(*positive_qr(a)))(a)), a=spread(4, 3), c=numbers(4, 3, seed=2))
case("eigh", "(eigh(a + a.T).0, grad(|a| { let (w, v) = eigh(a + a.T); sum(w^3) + sum((v * exp(w)) @ v.T * c) })(a))",
     lambda a, c: (np.linalg.eigh(a + a.T)[0], grad(lambda a: (lambda w, v: np.sum(w**3) + np.sum((v * np.exp(w)) @ v.T * c))(*np.linalg.eigh(a + a.T)))(a)),
     a=A, c=S)
case("svd", "(svd(a).1, grad(|a| { let (u, s, v) = svd(a); sum(s^3) + sum((u * tanh(s)) @ v.T * c) })(a))",
     lambda a, c: (np.linalg.svd(a, full_matrices=False)[1],
                   grad(lambda a: (lambda u, s, vh: np.sum(s**3) + np.sum((u * np.tanh(s)) @ vh * c))(*np.linalg.svd(a, full_matrices=False)))(a)),
     a=spread(4, 3), c=numbers(4, 3, seed=2))
case("eigvals", "(sum(eigvals(a) * eigvals(a)), grad(|a| sum(abs(eigvals(a))^3))(a), grad(|a| sum(grad(|a| sum(real(exp(eigvals(a)))))(a)^2))(a))",
     lambda a: (np.sum(np.linalg.eigvals(a)**2), grad(lambda a: np.sum(np.abs(np.linalg.eigvals(a))**3))(a),
                grad(lambda a: np.sum(grad(lambda a: np.trace(jsp.linalg.expm(a)))(a)**2))(a)),
     a=A + numpy.array([[0, 2, 0], [-2, 0, 0], [0, 0, 0]]))
case("expm", "(linalg.expm(a), grad(|a| sum(linalg.expm(a)^2))(a))",
     lambda a: (jsp.linalg.expm(a), grad(lambda a: np.sum(jsp.linalg.expm(a)**2))(a)), a=S)
case("lstsq", "(linalg.lstsq(a, b), linalg.pinv(a), grad(|a| sum(linalg.lstsq(a, b)^2))(a), linalg.trace(a.T @ a))",
     lambda a, b: (np.linalg.lstsq(a, b)[0], np.linalg.pinv(a), grad(lambda a: np.sum(np.linalg.solve(a.T @ a, a.T @ b)**2))(a), np.trace(a.T @ a)),
     a=spread(4, 3), b=numbers(4))
case("batched_algebra", "vmap(grad(|a| linalg.slogdet(a).log + sum(linalg.solve(a, b)^2)))(stack)",
     lambda stack, b: vmap(grad(lambda a: np.linalg.slogdet(a)[1] + np.sum(np.linalg.solve(a, b)**2)))(stack),
     stack=numpy.stack([spread(3, 3, seed=k) for k in range(3)]), b=numbers(3))
case("implicit", "grad(|t| { let a = eyed(t); sum(linalg.solve(a, t)) })(t)", lambda t: grad(lambda t: np.sum(np.linalg.solve(np.outer(t, t) + 2 * np.eye(5), t)))(t), t=X)
declare("fn eyed(t) = outer(t, t) + 2 * f64(eye(5))")

# ---- Fourier
case("fft", "(fft(z), signal.ifft(z), signal.rfft(x), signal.irfft(signal.rfft(x), 5), signal.fft2(complex(m, m * m)))",
     lambda z, x, m: (np.fft.fft(z), np.fft.ifft(z), np.fft.rfft(x), np.fft.irfft(np.fft.rfft(x), 5), np.fft.fft2(lax.complex(m, m * m))), z=complexes(6), x=X, m=M)
case("fft_grad", "(grad(|x| sum(abs(signal.rfft(x * x))^2 * [1, 2, 3]))(x), grad(|z| sum(abs(fft(z))^3))(z), grad(|x| sum(signal.irfft(signal.rfft(x) * signal.rfft(y), 5)^2))(x))",
     lambda x, y, z: (grad(lambda x: np.sum(np.abs(np.fft.rfft(x * x))**2 * np.arange(1.0, 4)))(x), grad(lambda z: np.sum(np.abs(np.fft.fft(z))**3))(z),
                      grad(lambda x: np.sum(np.fft.irfft(np.fft.rfft(x) * np.fft.rfft(y), 5)**2))(x)), x=X, y=Y, z=complexes(6))

# ---- loops and branches
declare("""
fn recur(w: f64[3, 3], xs: f64[T, 3]) {
  var h = zeros([3], f64)
  scan x in xs { h = tanh(w @ h[:, _])[:, 0] + x * h; h = h + x; sum(h^2) }
}""")
def recur(w, xs):
    def turn(h, x):
        h = np.tanh(w @ h) + x * h
        h = h + x
        return h, np.sum(h**2)
    return lax.scan(turn, np.zeros(3), xs)[1]
W = numbers(3, 3, seed=3)
XS = numbers(4, 3, seed=4)
case("scan", "(recur(w, xs), grad(|w| sum(recur(w, xs)))(w), grad(|xs| sum(recur(w, xs)^2))(xs))",
     lambda w, xs: (recur(w, xs), grad(lambda w: np.sum(recur(w, xs)))(w), grad(lambda xs: np.sum(recur(w, xs)**2))(xs)), w=W, xs=XS)
case("scan_hessian", "jvp(grad(|w| sum(recur(w, xs))), v)(w).1", lambda w, xs, v: jvp(grad(lambda w: np.sum(recur(w, xs))), (w,), (v,))[1], w=W, xs=XS, v=S)
case("scan_third", "grad(|xs| sum(jvp(grad(|w| sum(recur(w, xs))), v)(w).1 * v))(xs)",
     lambda w, xs, v: grad(lambda xs: np.sum(jvp(grad(lambda w: np.sum(recur(w, xs))), (w,), (v,))[1] * v))(xs), w=W, xs=XS, v=S)
case("scan_reversed", "grad(|xs| { var s = f64(0.0); let y = scan x in xs reversed { s = x + 0.9 * s * cos(x); s }; sum(y^2 * xs) })(xs)",
     lambda xs: grad(lambda xs: np.sum(lax.scan(lambda s, x: (x + 0.9 * s * np.cos(x),) * 2, 0.0, xs, reverse=True)[1]**2 * xs))(xs), xs=X)
case("grad_of_vmap_of_scan_of_grad", "grad(|w| sum(vmap(|x0| { var x = x0; for _ in 0..3 { x = x - 0.1 * grad(|x| sum(sin(w @ x[:, _])^2))(x) }; sum(x^2) })(xs)))(w)",
     lambda w, xs: grad(lambda w: np.sum(vmap(lambda x0: np.sum(lax.scan(lambda x, _: (x - 0.1 * grad(lambda x: np.sum(np.sin(w @ x)**2))(x), None), x0, None, 3)[0]**2))(xs)))(w),
     w=W, xs=XS)
case("gradient_step_in_a_loss", "grad(|p| { let q = p - 0.3 * grad(|p| sum((tanh(w @ p[:, _])[:, 0] - x)^2))(p); sum((w @ q[:, _])^2) + sum(q^4) })(p)",
     lambda w, p, x: grad(lambda p: (lambda q: np.sum((w @ q)**2) + np.sum(q**4))(p - 0.3 * grad(lambda p: np.sum((np.tanh(w @ p) - x)**2))(p)))(p),
     w=W, p=numbers(3, seed=5), x=numbers(3, seed=6))
case("cond", "(grad(|x| { if x[0] > 0 { sum(sin(x)) } else { sum(x^3) } })(x), grad(|x| { if x[1] > 0 { sum(sin(x)) } else { sum(x^3) } })(x))",
     lambda x: tuple(grad(lambda x, k=k: lax.cond(x[k] > 0, lambda: np.sum(np.sin(x)), lambda: np.sum(x**3)))(x) for k in (0, 1)), x=numpy.array([1.0, -0.5, 0.3]))
case("cond_in_scan", "grad(|x| { var s = x; for i in 0..5 { if s > 1 { s = log(s) * x } else { s = s * s + x } }; s })(x)",
     lambda x: grad(lambda x: lax.fori_loop(0, 5, lambda i, s: lax.cond(s > 1, lambda: np.log(s) * x, lambda: s * s + x), x))(x), x=numpy.float64(0.9))
case("cond_in_vmap", "grad(|x| sum(each v in x { if v > 0 { v * v * exp(v) } else { sin(v) } }))(x)",
     lambda x: grad(lambda x: np.sum(np.where(x > 0, x * x * np.exp(x), np.sin(x))))(x), x=X)
case("branch_not_taken", "grad(|x| sum(each v in x { if v > 0 { sqrt(v) * log(v) } else { 2 * v } }))(x)",
     lambda x: np.array([grad(lambda v: np.sqrt(v) * np.log(v))(v) if v > 0 else 2.0 for v in [1.5, -1.0, 0.0, 0.25]]), x=numpy.array([1.5, -1.0, 0.0, 0.25]))
case("while", "jvp(|x| { var y = x; var n = 0; while y < 50 { y = y * x + 1; n += 1 }; y * f64(n) }, f64(1))(x)",
     lambda x: jvp(lambda x: (lambda y, n: y * n)(*lax.while_loop(lambda s: s[0] < 50, lambda s: (s[0] * x + 1, s[1] + 1), (x, 0))), (x,), (1.0,)), x=numpy.float64(1.3))
case("newton", "{ var y = x; while abs(y * y - x) > 1e-12 { y = 0.5 * (y + x / y) }; y }", lambda x: np.sqrt(x), x=numpy.float64(7.0))
case("while_in_vmap", "each v in x { var y = abs(v) + 1; while y < 9 { y = y * y }; y }",
     lambda x: vmap(lambda v: lax.while_loop(lambda y: y < 9, lambda y: y * y, np.abs(v) + 1))(x), x=X)
case("associative_scan", "(associative_scan(|a, b| a * b, x), grad(|x| sum(associative_scan(|a, b| (g = a.g * b.g, h = b.g * a.h + b.h), (g = x, h = x * x)).h^2))(x))",
     lambda x: (np.cumprod(x), grad(lambda x: np.sum(lax.associative_scan(lambda a, b: (a[0] * b[0], b[0] * a[1] + b[1]), (x, x * x))[1]**2))(x)), x=X)
case("nested_scan", "grad(|w| { var s = f64(1.0); scan x in xs { for v in x { s = sin(s * v) + w * s }; s * s }[3] })(w)",
     lambda w, xs: grad(lambda w: lax.scan(lambda s, x: (lambda s: (s, s * s))(lax.scan(lambda s, v: (np.sin(s * v) + w * s, None), s, x)[0]), 1.0, xs)[1][3])(w),
     w=numpy.float64(0.4), xs=XS)

# ---- transforms
case("jacobians", "(vmap(|v| vjp(|x| f3(x), v)(x).1)(f64(eye(3))), vmap(|v| jvp(|x| f3(x), v)(x).1)(f64(eye(3))).T)",
     lambda x: (jacrev(f3)(x), jacfwd(f3)(x)), x=numbers(3))
declare("fn f3(x) = [x[0] * sin(x[1]), exp(x[2]) * x[0], x[1]^2 / (1 + x[2]^2)]")
def f3(x): return np.stack([x[0] * np.sin(x[1]), np.exp(x[2]) * x[0], x[1]**2 / (1 + x[2]**2)])
case("jvp_of_jvp", "jvp(|x| jvp(|x| f3(x), u)(x).1, v)(x)", lambda x, u, v: jvp(lambda x: jvp(f3, (x,), (u,))[1], (x,), (v,)), x=numbers(3), u=numbers(3, seed=1), v=numbers(3, seed=2))
case("grad_of_jvp", "grad(|x| sum(jvp(|x| f3(x), u)(x).1^2))(x)", lambda x, u: grad(lambda x: np.sum(jvp(f3, (x,), (u,))[1]**2))(x), x=numbers(3), u=numbers(3, seed=1))
case("grad_of_vjp", "grad(|x| sum(vjp(|x| f3(x), u)(x).1^2))(x)", lambda x, u: grad(lambda x: np.sum(vjp(f3, x)[1](u)[0]**2))(x), x=numbers(3), u=numbers(3, seed=1))
case("vmap_of_grad", "vmap(grad(|x| x[0] * sin(x[1]) + max(x)))(x)", lambda x: vmap(grad(lambda x: x[0] * np.sin(x[1]) + np.max(x)))(x), x=M)
case("vmap_of_vmap", "vmap(|a| vmap(|b| sum(a * b) / (1 + sum(a^2)))(y))(x)", lambda x, y: vmap(lambda a: vmap(lambda b: np.sum(a * b) / (1 + np.sum(a**2)))(y))(x), x=M, y=numbers(2, 4))
case("per_sample_gradients", "vmap(|x, y| grad(|w| (tanh(sum(w * x)) - y)^2)(w))(xs, ys)",
     lambda w, xs, ys: vmap(lambda x, y: grad(lambda w: (np.tanh(np.sum(w * x)) - y)**2)(w))(xs, ys), w=numbers(3), xs=XS, ys=numbers(4))
case("hessian_vector", "grad(|x| sum(grad(|x| sum(x^2 * flip(x)) / (1 + sum(x^2)))(x) * v))(x)",
     lambda x, v: grad(lambda x: np.sum(grad(lambda x: np.sum(x**2 * np.flip(x)) / (1 + np.sum(x**2)))(x) * v))(x), x=X, v=Y)
declare("fn clipped(x: f64[5]) -> f64[5] {\n  x^3\n} backward(dy) {\n  (x = clamp(dy * 3 * x^2, -0.7, 0.7))\n}")
@jax.custom_vjp
def clipped(x): return x**3
clipped.defvjp(lambda x: (x**3, x), lambda x, dy: (np.clip(dy * 3 * x**2, -0.7, 0.7),))
case("custom", "(grad(|x| sum(sin(clipped(x)) * x))(x), grad(|x| sum(grad(|x| sum(exp(clipped(x))))(x)^2))(x))",
     lambda x: (grad(lambda x: np.sum(np.sin(clipped(x)) * x))(x), grad(lambda x: np.sum(grad(lambda x: np.sum(np.exp(clipped(x))))(x)**2))(x)), x=X)
case("custom_in_scan", "grad(|x| { var y = x; for _ in 0..3 { y = clipped(y) + x }; sum(y) })(x)",
     lambda x: grad(lambda x: np.sum(lax.scan(lambda y, _: (clipped(y) + x, None), x, None, 3)[0]))(x), x=0.5 * X)
case("remat", "grad(|w| sum(remat(|w| recur(w, xs))(w)))(w)", lambda w, xs: grad(lambda w: np.sum(jax.checkpoint(lambda w: recur(w, xs))(w)))(w), w=W, xs=XS)
case("trees", "grad(|p| sum(p.a * p.b.c^2) + sum(sin(p.b.d)))((a = x, b = (c = y, d = x * y)))",
     lambda x, y: (lambda g: (g["a"], g["b"]["c"], g["b"]["d"]))(grad(lambda p: np.sum(p["a"] * p["b"]["c"]**2) + np.sum(np.sin(p["b"]["d"])))(dict(a=x, b=dict(c=y, d=x * y)))), x=X, y=Y)

# ---- programs
declare("""
fn attend(x: f64[T, D], w: f64[3, D, D]) {
  let (q, k, v) = (x @ w[0], x @ w[1], x @ w[2])
  let s = q @ k.T / sqrt(f64(D))
  let i = iota(T)
  softmax(where(i[:, _] >= i, s, -1e30)) @ v
}""")
def attend(x, w):
    q, k, v = x @ w[0], x @ w[1], x @ w[2]
    s = q @ k.T / np.sqrt(x.shape[1])
    return jax.nn.softmax(np.where(np.tril(np.ones_like(s)) > 0, s, -1e30)) @ v
case("attention", "(attend(x, w), grad(|w| sum(attend(x, w)^2))(w), jvp(grad(|x| sum(sin(attend(x, w)))), x)(x).1)",
     lambda x, w: (attend(x, w), grad(lambda w: np.sum(attend(x, w)**2))(w), jvp(grad(lambda x: np.sum(np.sin(attend(x, w)))), (x,), (x,))[1]), x=XS, w=numbers(3, 3, 3))
declare("""
fn pendulum(theta: f64, action: f64[T]) {
  var th = theta
  var v = f64(0.0)
  var cost = f64(0.0)
  for a in action {
    v = clamp(v + 0.05 * (15.0 * sin(th) + 3.0 * a), -8, 8)
    th = th + 0.05 * v
    cost = cost + th^2 + 0.1 * v^2 + 0.001 * a^2
  }
  cost
}""")
def pendulum(theta, action):
    def turn(s, a):
        th, v, cost = s
        v = np.clip(v + 0.05 * (15 * np.sin(th) + 3 * a), -8, 8)
        th = th + 0.05 * v
        return (th, v, cost + th**2 + 0.1 * v**2 + 0.001 * a**2), None
    return lax.scan(turn, (theta, 0.0, 0.0), action)[0][2]
case("rollout", "(pendulum(t, a), grad(|a| pendulum(t, a))(a), vmap(|t| grad(|a| pendulum(t, a))(a))([0.1, 0.5, -0.3] * t))",
     lambda t, a: (pendulum(t, a), grad(lambda a: pendulum(t, a))(a), vmap(lambda t: grad(lambda a: pendulum(t, a))(a))(np.array([0.1, 0.5, -0.3]) * t)),
     t=numpy.float64(1.0), a=numbers(12, seed=7))
declare("""
fn adapted(p: f64[3], lr) {
  var q = p
  var m = zeros([3], f64)
  var s = zeros([3], f64)
  for i in 1..6 {
    let g = grad(|q| sum((q^2 - [1, 2, 3])^2))(q)
    m = 0.9 * m + 0.1 * g
    s = 0.999 * s + 0.001 * g * g
    q = q - lr * (m / (1 - 0.9^f64(i))) / (sqrt(s / (1 - 0.999^f64(i))) + 1e-8)
  }
  sum(q^3)
}""")
def adapted(p, lr):
    q, m, s = p, np.zeros(3), np.zeros(3)
    for i in range(1, 6):
        g = grad(lambda q: np.sum((q**2 - np.array([1.0, 2, 3]))**2))(q)
        m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g * g
        q = q - lr * (m / (1 - 0.9**i)) / (np.sqrt(s / (1 - 0.999**i)) + 1e-8)
    return np.sum(q**3)
case("through_adam", "(adapted(p, lr), grad(|lr| adapted(p, lr))(lr), grad(|p| adapted(p, lr))(p))",
     lambda p, lr: (adapted(p, lr), grad(adapted, 1)(p, lr), grad(adapted)(p, lr)), p=numbers(3, low=0.5), lr=numpy.float64(0.05))
case("rk4", "grad(|k| sum(ode.rk4(|t, y| [y[1], -k * sin(y[0]) - 0.1 * y[1] * t], [1.0, 0.5] * k, f64([0, 0.2, 0.5, 1]))[-1]^2))(k)",
     lambda k: grad(lambda k: rk4(k))(k), k=numpy.float64(1.7))
def rk4(k):
    f = lambda t, y: np.stack([y[1], -k * np.sin(y[0]) - 0.1 * y[1] * t])
    y, ts = np.array([1.0, 0.5]) * k, np.array([0, 0.2, 0.5, 1.0])
    for t, u in zip(ts, ts[1:]):
        h = u - t
        a = f(t, y)
        b = f(t + h / 2, y + h / 2 * a)
        c = f(t + h / 2, y + h / 2 * b)
        y = y + h / 6 * (a + 2 * b + 2 * c + f(t + h, y + h * c))
    return np.sum(y**2)

# ---- what is easily got wrong together
case("branches_share", "{ let f = |w| sum(each v in x { if v > 0 { w * w * log(v) } else { sin(w * v) } }); (grad(f)(w), grad(grad(f))(w), jvp(grad(f), f64(1))(w).1) }",
     lambda w, x: (lambda f: (grad(f)(w), grad(grad(f))(w), grad(grad(f))(w)))(
         lambda w: sum(w * w * np.log(v) if v > 0 else np.sin(w * v) for v in X)), w=numpy.float64(0.7), x=X)
case("branches_nested", "grad(|x| sum(each v in x { grad(|v| if v > 0 { if v > 1 { sqrt(v - 1) * v } else { v^3 } } else { exp(v) * v })(v)^2 }))(x)",
     lambda x: np.stack([grad(lambda v: grad(f)(v)**2)(v) for v, f in zip(x, [lambda v: np.sqrt(v - 1) * v, lambda v: np.exp(v) * v, lambda v: v**3, lambda v: np.sqrt(v - 1) * v])]),
     x=numpy.array([1.5, -0.5, 0.25, 2.0]))
case("lanes_of_scans_of_branches", "grad(|w| sum(vmap(|x| { var s = w; for v in x { if s * v > 0 { s = s + v * w } else { s = cos(s) - w } }; s * s })(m)))(w)",
     lambda w, m: grad(lambda w: np.sum(vmap(lambda x: lax.scan(lambda s, v: (lax.cond(s * v > 0, lambda: s + v * w, lambda: np.cos(s) - w), None), w, x)[0]**2)(m)))(w),
     w=numpy.float64(0.6), m=M)
case("while_forward_in_lanes", "each v in x { jvp(|v| { var y = v; while abs(y) < 3 { y = y * 1.5 + v * y * y }; y }, f64(1))(v).1 }",
     lambda x: vmap(lambda v: jvp(lambda v: lax.while_loop(lambda y: np.abs(y) < 3, lambda y: y * 1.5 + v * y * y, v), (v,), (1.0,))[1])(x), x=P)
case("table_in_a_scan", "grad(|t| { var s = f64(1); for i in k { s = sin(s * t[i][0]) + t[i][1] }; s })(t)",
     lambda t, k: grad(lambda t: lax.scan(lambda s, i: (np.sin(s * t[i][0]) + t[i][1], None), 1.0, k)[0])(t), t=numbers(4, 2), k=numpy.array([2, 0, 2, 3], numpy.int32))
case("written_in_a_scan", "grad(|x| { var y = zeros([5], f64); for i in 0..5 { y[i] = x[4 - i] * sum(y) + x[i]; y[2] += y[i] * 0.5 }; sum(y^2) })(x)",
     lambda x: grad(lambda x: np.sum(lax.fori_loop(0, 5, lambda i, y: (lambda y: y.at[2].add(y[i] * 0.5))(y.at[i].set(x[4 - i] * np.sum(y) + x[i])), np.zeros(5))**2))(x), x=X)
case("shared_and_own_products", "grad(|w| sum(vmap(|x, v| (w @ x[:, _])[:, 0] * tanh(v @ w) @ w)(xs, v)))(w)",
     lambda w, xs, v: grad(lambda w: np.sum(vmap(lambda x, v: (w @ x) * np.tanh(v @ w) @ w)(xs, v)))(w), w=W, xs=XS, v=numbers(4, 3, 3))
case("axes", "vmap(|a, b| a * sum(b), axes = [1, 0])(m, x)", lambda m, x: vmap(lambda a, b: a * np.sum(b), (1, 0))(m, x), m=numbers(2, 5), x=numbers(5, 2))
case("hermitian", "{ let f = |m| eigh(complex(m + m.T, m - m.T)); (f(m).0, grad(|m| sum(f(m).0^3))(m)) }",
     lambda m: (lambda f: (f(m), grad(lambda m: np.sum(f(m)**3))(m)))(lambda m: np.linalg.eigh(lax.complex(m + m.T, m - m.T))[0]), m=A)
case("transposed_convolution", "(conv2d_transpose(y, w, stride = 2), grad(|w| sum(sin(conv2d_transpose(y, w, stride = 2))))(w))",
     lambda y, w: (lambda f: (f(w), grad(lambda w: np.sum(np.sin(f(w))))(w)))(
         lambda w: vjp(lambda x: lax.conv_general_dilated(x, w, (2, 2), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")), np.zeros((1, 7, 5, 2)))[1](y)[0]),
     y=numbers(1, 3, 2, 3), w=numbers(3, 3, 2, 3))
case("double_where", "grad(|x| sum(where(x > 0, log(where(x > 0, x, 1)), 0)))(x)", lambda x: grad(lambda x: np.sum(np.where(x > 0, np.log(np.where(x > 0, x, 1)), 0)))(x), x=X)
case("hessian_of_a_rollout", "vmap(|v| jvp(grad(|a| pendulum(t, a)), v)(a).1)(f64(eye(4)))", lambda t, a: hessian(lambda a: pendulum(t, a))(a), t=numpy.float64(1.0), a=numbers(4))
case("sorted_lanes", "vmap(grad(|x| sum(sort(x) * cumsum(x)) + max(x) * min(x)))(m)", lambda m: vmap(grad(lambda x: np.sum(np.sort(x) * np.cumsum(x)) + np.max(x) * np.min(x)))(m), m=M)
case("norm_at_zero", "grad(|x| sqrt(sum(x^2) + 1e-12))(0 * x)", lambda x: grad(lambda x: np.sqrt(np.sum(x**2) + 1e-12))(0 * x), x=X)
case("powers", "(grad(|x| sum(x^3 + x^2.5 + x^-1 + x^0))(p), grad(|x| x^2)(0 * sum(p)), grad(|x| x^3)(0 * sum(p)), grad(grad(|x| x^2))(0 * sum(p)), grad(|e| sum(p^e))(f64(2)))",
     lambda p: (grad(lambda x: np.sum(x**3 + x**2.5 + x**-1.0 + x**0))(p), 0.0, 0.0, 2.0, grad(lambda e: np.sum(p**e))(2.0)), p=P)

# ---- draws: the bits of Threefry
KEY = "seed_key(7)"
case("draws", f"(uniform({KEY}, [5]), random_bits({KEY}, [3, 2]), uniform(fold_in({KEY}, 3), [2]), each k in split({KEY}, 3) {{ uniform(k, [2]) }})",
     lambda: (jax.random.uniform(jax.random.key(7), (5,), np.float32), jax.random.bits(jax.random.key(7), (3, 2), np.uint32),
              jax.random.uniform(jax.random.fold_in(jax.random.key(7), 3), (2,), np.float32),
              vmap(lambda k: jax.random.uniform(k, (2,), np.float32))(jax.random.split(jax.random.key(7), 3))), tolerance=1e-7)


# ---- running
def literal(x):
    if x.ndim:
        return "[" + ", ".join(literal(v) for v in x) + "]"
    return repr(x.item())


def argument(x):
    if numpy.iscomplexobj(x):
        return f"complex(f64({literal(x.real)}), f64({literal(x.imag)}))"
    return literal(x)


def parameter(name, x):
    t = {"f": "f64", "i": "i32", "c": "complex128"}[x.dtype.kind]
    return f"{name}: {t}" + (f"[{', '.join(map(str, x.shape))}]" if x.ndim else "")


NUMBER = re.compile(r"([-+]?(?:inf|nan|true|false|\d+\.?\d*(?:e[-+]?\d+)?))(?:([-+](?:inf|nan|\d+\.?\d*(?:e[-+]?\d+)?))i)?")
HEAD = re.compile(r"^(?:[\w.]+: )?(\w+)(?:\[([\d, ]*)\])? =", re.M)


def parsed(text):
    heads = list(HEAD.finditer(text))
    for h, end in zip(heads, [h.start() for h in heads[1:]] + [len(text)]):
        shape = [int(n) for n in h[2].split(",")] if h[2] else []
        values = [complex(float(a), float(b)) if b else {"true": 1.0, "false": 0.0}.get(a) if a in ("true", "false") else float(a)
                  for a, b in NUMBER.findall(text[h.end():end])]
        yield numpy.array(values).reshape(shape)


def evaluate(rlc, path, name, inputs):
    call = f"f_{name}({', '.join(argument(x) for x in inputs.values())})"
    said = subprocess.run([rlc, "eval", call, path], capture_output=True, text=True)
    if said.returncode:
        raise ValueError(said.stderr or f"exit status {said.returncode}")
    return list(parsed(said.stdout))


def difference(got, want, tolerance):
    if len(got) != len(want):
        return f"{len(got)} results, JAX has {len(want)}"
    for k, (g, w) in enumerate(zip(got, want)):
        w = numpy.asarray(w)
        if g.shape != w.shape:
            return f"result {k} has the shape {g.shape}, JAX's {w.shape}"
        worst = numpy.max(numpy.abs(g - w), initial=0) / max(1, numpy.max(numpy.abs(w), initial=0))
        if not worst <= tolerance:
            return f"result {k} differs by {worst:.2g}:\n{g}\nJAX:\n{w}"
    return None


def main():
    rlc, only = sys.argv[1], sys.argv[2:]
    chosen = [c for c in CASES if not only or c[0] in only]
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases.rl"
        functions = [f"fn f_{name}({', '.join(parameter(n, x) for n, x in inputs.items())}) = {body}" for name, body, _, _, inputs in CASES]
        path.write_text("use linalg, signal, ode\n\n" + "\n\n".join(DECLARATIONS + functions) + "\n")
        for name, _, f, tolerance, inputs in chosen:
            try:
                got = evaluate(rlc, path, name, inputs)
                want = jax.tree.leaves(jax.jit(f)(**inputs))
                bad = difference(got, want, tolerance)
            except ValueError as e:
                bad = str(e)
            if bad:
                print(f"{name}: {bad}")
                wrong += 1
    print(f"{len(chosen)} functions compared with JAX {jax.__version__}, {wrong} differ")
    sys.exit(1 if wrong or not chosen else 0)


if __name__ == "__main__":
    main()
