"""Fits the polynomials of crates/kernels/src/math.rs and prints them, lowest power first.

Each is a minimax fit (Lawson's reweighted least squares on Chebyshev nodes) of a smooth rest that the kernel
completes, in 60 digits; the error printed is relative to the whole function, with the coefficients rounded to f32.

    python parity/polynomials.py
"""

import mpmath as mp
import numpy as np

mp.mp.dps = 60


def fit(target, weight, low, high, degree, nodes=200, rounds=60):
    """Polynomial of `degree` with the least largest |(p - target) * weight| on [low, high]."""
    angles = (np.arange(nodes) + 0.5) * np.pi / nodes
    x = (low + high) / 2 + (high - low) / 2 * np.cos(angles)
    exact = np.array([float(target(mp.mpf(v))) for v in x])
    w = np.array([float(weight(mp.mpf(v))) for v in x])
    powers = np.vander(x, degree + 1, increasing=True)
    importance = np.full(nodes, 1.0 / nodes)
    for _ in range(rounds):
        root = np.sqrt(importance) * w
        solution = np.linalg.lstsq(powers * root[:, None], exact * root, rcond=None)[0]
        error = np.abs((powers @ solution - exact) * w)
        importance *= error + 1e-300
        importance /= importance.sum()
    return [float(np.float32(c)) for c in solution]


def report(name, coefficients, target, weight, low, high):
    worst = mp.mpf(0)
    for step in range(2001):
        v = mp.mpf(low) + (mp.mpf(high) - mp.mpf(low)) * step / 2000
        p = mp.polyval([mp.mpf(c) for c in reversed(coefficients)], v)
        worst = max(worst, abs((p - target(v)) * weight(v)))
    print(f"{name}: error {mp.nstr(worst, 3)}")
    print("    [" + ", ".join(np.format_float_scientific(np.float32(c), unique=True) for c in coefficients) + "]")


def exp_rest(r):
    """(exp(r) - 1 - r) / r^2"""
    return mp.mpf(0.5) if r == 0 else (mp.expm1(r) - r) / (r * r)


def log_rest(z):
    """With s^2 = z and f = 2s / (1 - s): ln(1 + f) = 2s + s z R(z)."""
    if z == 0:
        return mp.mpf(2) / 3
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) - 2 * s) / (s * z)


CENTRE = 4


def tail_rest(u):
    """(t + CENTRE) * exp(t^2 / 2) * Phi(-t), at u = (t - CENTRE) / (t + CENTRE)."""
    t = CENTRE * (1 + u) / (1 - u)
    return (t + CENTRE) * mp.exp(t * t / 2) * mp.erfc(t / mp.sqrt(2)) / 2


def main():
    half_ln2 = float(mp.log(2) / 2) * 1.0001
    weight = lambda r: r * r / mp.exp(r)
    coefficients = fit(exp_rest, weight, -half_ln2, half_ln2, 4)
    report("EXP", coefficients, exp_rest, weight, -half_ln2, half_ln2)

    s = float((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) * 1.0001
    weight = lambda z: z / 2
    coefficients = fit(log_rest, weight, 0.0, s * s, 3)
    report("LN", coefficients, log_rest, weight, 0.0, s * s)

    high = float(mp.mpf(14 - CENTRE) / (14 + CENTRE))
    weight = lambda u: 1 / tail_rest(u)
    for degree in (8, 9, 10, 11, 12):
        coefficients = fit(tail_rest, weight, -1.0, high, degree)
        report(f"TAIL degree {degree}", coefficients, tail_rest, weight, -1.0, high)


if __name__ == "__main__":
    main()
