"""The table of docs/parity.md: validation accuracy of the reference network in Keras and here.

    cargo run --release -p glyphnet --features embedded-mnist --example reference_accuracy > ours.jsonl
    python parity/compare_accuracy.py parity/golden/reference_accuracy_keras.jsonl ours.jsonl

For each epoch: the mean and standard deviation over seeds, and Welch's 95 % interval of the difference of means
(ours - Keras), in percentage points. Exit code 1 if the last epoch's interval is not within +-LIMIT.
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
    return np.array([row[key] for row in rows])


def interval(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """Welch's 95 % interval of mean(ours) - mean(theirs)."""
    found = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    return float(found.low), float(found.high)


def main() -> int:
    keras_path, our_path = sys.argv[1:]
    within = False
    print("| metric | epoch | Keras | glyphnet | difference, 95 % interval |\n|---|---|---|---|---|")
    for key, unit, digits in [("val_accuracy", 100, 3), ("val_loss", 1, 4)]:
        theirs, ours = read(keras_path, key) * unit, read(our_path, key) * unit
        for epoch in range(ours.shape[1]):
            a, b = theirs[:, epoch], ours[:, epoch]
            low, high = interval(b, a)
            cells = [f"{v.mean():.{digits}f} ± {v.std(ddof=1):.{digits}f} (n = {len(v)})" for v in (a, b)]
            print(f"| {key} | {epoch + 1} | {cells[0]} | {cells[1]} | {low:+.{digits}f} to {high:+.{digits}f} |")
            if key == "val_accuracy":
                within = -LIMIT <= low and high <= LIMIT
    print(f"\nlast epoch's accuracy within ±{LIMIT} points: {'yes' if within else 'no'}")
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
