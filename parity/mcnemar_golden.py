"""Asks SciPy for McNemar's exact test: parity/golden/mcnemar.json, a list of a, b and p.

a and b count the images on which only the first and only the second of two networks is right; p is the two-sided
probability of a binomial test of a successes in a + b trials at 0.5.

    python parity/mcnemar_golden.py
"""

import json
import pathlib

from scipy.stats import binomtest

PAIRS = [(a, b) for a in (0, 1, 2, 5, 17) for b in (0, 1, 4, 5, 6, 30)] + [
    (60, 61), (40, 75), (500, 500), (480, 530), (3, 200), (4000, 4300), (100_000, 100_500),
]


def main():
    cases = [{"a": a, "b": b, "p": float(binomtest(a, a + b, 0.5).pvalue) if a + b else 1.0} for a, b in PAIRS]
    path = pathlib.Path(__file__).parent / "golden" / "mcnemar.json"
    path.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
