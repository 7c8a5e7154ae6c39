"""The table of docs/parity.md: validation accuracy of the reference network in Keras and here.

    cargo run --release -p glyphnet --example reference_accuracy > ours.jsonl
    python parity/compare_accuracy.py keras.jsonl ours.jsonl

For each epoch: mean and standard deviation over the seeds, and two 95 % intervals of the difference of means (ours -
Keras): the paired one, since both sides hold out the same images at the same seed, and Welch's, which does not use that.
Accuracy is in percentage points. Exit code 1 if the paired interval of the last epoch's accuracy is not within +-LIMIT.
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy import stats

LIMIT = 0.3


def read(path: str, key: str) -> np.ndarray:
    """Seeds x epochs, in the order of the seeds."""
    rows = sorted((json.loads(line) for line in Path(path).read_text().splitlines()), key=lambda row: row["seed"])
    if [row["seed"] for row in rows] != list(range(len(rows))):
        raise SystemExit(f"{path}: the seeds are not 0, 1, 2, ...")
    return np.array([row[key] for row in rows])


def intervals(ours: np.ndarray, theirs: np.ndarray) -> list[tuple[float, float]]:
    """Paired and Welch's 95 % intervals of mean(ours) - mean(theirs)."""
    found = [stats.ttest_rel(ours, theirs), stats.ttest_ind(ours, theirs, equal_var=False)]
    return [tuple(float(end) for end in test.confidence_interval(0.95)) for test in found]


def main() -> int:
    keras_path, our_path = sys.argv[1:]
    within = False
    print("| | epoch | Keras | glyphnet | difference | 95 %, paired | 95 %, Welch |\n|---|---|---|---|---|---|---|")
    for key, unit, digits in [("val_accuracy", 100, 2), ("val_loss", 1, 4)]:
        theirs, ours = read(keras_path, key) * unit, read(our_path, key) * unit
        for epoch in range(ours.shape[1]):
            a, b = theirs[:, epoch], ours[:, epoch]
            both = intervals(b, a)
            means = [f"{v.mean():.{digits}f} ± {v.std(ddof=1):.{digits}f}" for v in (a, b)]
            ends = [f"{low:+.{digits}f} to {high:+.{digits}f}" for low, high in both]
            print("|", " | ".join([key, str(epoch + 1), *means, f"{(b - a).mean():+.{digits}f}", *ends]), "|")
            if key == "val_accuracy":
                within = -LIMIT <= both[0][0] and both[0][1] <= LIMIT
    print(f"\n{len(ours)} seeds; the last epoch's accuracy is within ±{LIMIT} points: {'yes' if within else 'no'}")
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
