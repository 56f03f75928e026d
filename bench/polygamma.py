"""Errors of the runtime's polygamma in units of the last place, beside mpmath in 50 digits.

    python bench/polygamma.py [N]      N random arguments an order and a range; needs mpmath and a C compiler
"""
import ctypes
import math
import pathlib
import random
import subprocess
import sys
import tempfile

import mpmath as mp

ROOT = pathlib.Path(__file__).resolve().parent.parent
ORDERS = [1, 2, 3, 4, 5, 6, 7, 8, 10, 20, 40, 80, 120, 170]
RANGES = {
    "(0, 0.5)": lambda: 0.5 * 10 ** random.uniform(-6, 0),
    "(0.5, 12)": lambda: random.uniform(0.5, 12),
    "(12, 10^4)": lambda: 10 ** random.uniform(1.08, 4),
    "(-30, 0)": lambda: random.uniform(-30, 0),
    "(-10^6, -30)": lambda: -(10 ** random.uniform(1.5, 6)),
}


def compiled():
    with tempfile.TemporaryDirectory() as folder:
        lib = folder + "/special.so"
        flags = ["-O2", "-std=gnu17", "-ffp-contract=off", "-shared", "-fPIC", f"-I{ROOT}"]
        subprocess.run(["cc", *flags, ROOT / "runtime/special.c", "-o", lib, "-lm"], check=True)
        f = ctypes.CDLL(lib).rt_polygamma
    f.restype, f.argtypes = ctypes.c_double, [ctypes.c_double, ctypes.c_double]
    return f


def zeta(s, x):
    """Hurwitz' zeta for x > 0: mpmath's own is exact to a number of digits behind the point, which large s are below."""
    n = max(0, int(mp.ceil(60 + s - x)))
    a = x + n
    tail = mp.fsum(mp.bernoulli(2 * k) / mp.factorial(2 * k) * mp.rf(s, 2 * k - 1) * a ** (1 - 2 * k) for k in range(1, 40))
    return mp.fsum((x + k) ** -s for k in range(n)) + a**-s * (a / (s - 1) + mp.mpf(1) / 2 + tail)


def exact(n, x):
    """The value, and what the nearest pole adds to it."""
    s, x, near = n + 1, mp.mpf(x), mp.mpf(x) - mp.nint(x)
    if x > 0:
        y = zeta(s, x)
    else:
        u = x - mp.floor(x)
        y = zeta(s, u) + (-1) ** s * (zeta(s, 1 - u) - zeta(s, 1 - x))
    return (-1) ** s * mp.factorial(n) * y, mp.factorial(n) * abs(near if x < 0 else x) ** -s


def main():
    mp.mp.dps = 50
    for s, x in [(2, 0.3), (5, 7.1), (40, 0.7)]:
        assert abs(zeta(s, mp.mpf(x)) / mp.zeta(s, mp.mpf(x)) - 1) < 1e-40
    f, count = compiled(), int(sys.argv[1]) if len(sys.argv) > 1 else 300
    random.seed(1)
    print("order", *RANGES, sep=" | ")
    for n in ORDERS:
        worst = []
        for draw in RANGES.values():
            most = 0.0
            for x in (draw() for _ in range(count)):
                y, pole = exact(n, x)
                if x != math.floor(x) and max(abs(y), pole) < 1e308 and abs(y) > 1e-290:
                    size = pole if x < 0 and n % 2 == 0 else abs(y)
                    most = max(most, float(abs(f(n, x) - y) / math.ulp(float(max(size, abs(y))))))
            worst.append(f"{most:.2f}" if most else "none")   # all of them overflow
        print(n, *worst, sep=" | ", flush=True)


main()
