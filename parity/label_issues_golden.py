"""Asks cleanlab for label issues: parity/golden/label_issues.json; or compares a folder of find-label-issues with it.

Each case has labels, probabilities (32-bit numbers, row by row) and what cleanlab makes of them in float64: the
thresholds (null for a class without labels), the confident joint before its calibration, the issues of
`filter_by="confident_learning"` ranked by self-confidence, all rows so ranked, and the normalised margins.

    python parity/label_issues_golden.py
    python parity/label_issues_golden.py runs/label-issues-1     prints whether its issues.csv is what cleanlab says

It needs cleanlab, which `parity/requirements.txt` does not bring along: cleanlab==2.9.0.
"""

import csv
import json
import pathlib
import sys

import numpy as np
from cleanlab.count import compute_confident_joint, get_confident_thresholds
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores, order_label_issues

RANKED_BY = "self_confidence"


def asked(labels, probabilities):
    """The issues, worst first; all rows, worst first; what they are ranked by."""
    issues = find_label_issues(
        labels, probabilities, filter_by="confident_learning", return_indices_ranked_by=RANKED_BY, n_jobs=1
    )
    every = np.ones(len(labels), dtype=bool)
    ranking = order_label_issues(every, labels, probabilities, rank_by=RANKED_BY)
    return issues, ranking, get_label_quality_scores(labels, probabilities, method=RANKED_BY)


def case(name, labels, probabilities):
    single = np.asarray(probabilities, dtype=np.float32)
    p = single.astype(np.float64)
    classes = p.shape[1]
    issues, ranking, scores = asked(labels, p)
    assert len(set(scores)) == len(scores), f"{name}: cleanlab leaves the order of equal scores open"
    thresholds = get_confident_thresholds(labels, p)
    present = set(labels.tolist())
    return {
        "name": name,
        "classes": classes,
        "labels": labels.tolist(),
        "probabilities": [float(str(value)) for value in single.ravel()],
        "thresholds": [float(t) if k in present else None for k, t in enumerate(thresholds)],
        "confident_joint": compute_confident_joint(labels, p, calibrate=False).tolist(),
        "issues": [int(row) for row in issues],
        "ranking": [int(row) for row in ranking],
        "margins": [float(m) for m in get_label_quality_scores(labels, p, method="normalized_margin")],
    }


def softmax(logits):
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def noisy(rng, n, classes, sharpness, skill, flipped, weights=None):
    """Labels of which some are flipped, and probabilities of a classifier that knows something about the right ones."""
    right = rng.choice(classes, size=n, p=weights)
    logits = rng.normal(size=(n, classes))
    logits[np.arange(n), right] += skill
    wrong = rng.random(n) < flipped
    labels = np.where(wrong, (right + rng.integers(1, classes, n)) % classes, right)
    return labels, softmax(sharpness * logits)


def cases():
    rng = np.random.default_rng(21)
    yield case("ten classes", *noisy(rng, 200, 10, 1.5, 3.0, 0.1))
    yield case("two classes", *noisy(rng, 80, 2, 1.0, 2.0, 0.15))
    yield case("three classes, uncertain", *noisy(rng, 120, 3, 0.5, 1.0, 0.2))
    yield case("47 classes", *noisy(rng, 120, 47, 1.5, 4.0, 0.1))
    yield case("one class dominates", *noisy(rng, 150, 4, 1.0, 1.5, 0.1, weights=[0.85, 0.05, 0.05, 0.05]))
    yield case("no label flipped", *noisy(rng, 60, 5, 1.5, 3.0, 0.0))
    labels, p = noisy(rng, 100, 5, 1.0, 2.0, 0.1)
    yield case("a class without labels", np.where(labels == 2, 3, labels), p)
    yield case("knows nothing", *noisy(rng, 100, 6, 1.0, 0.0, 0.0))


def compare(folder):
    """Whether the folder's issues.csv has the issues and the order that cleanlab gives for its probabilities."""
    from safetensors.numpy import load_file

    tensors = load_file(folder / "predictions.safetensors")
    labels, rows = tensors["train/label"].astype(int), tensors["train/index"]
    issues, ranking, scores = asked(labels, tensors["train/probabilities"].astype(np.float64))
    with open(folder / "issues.csv", newline="") as file:
        ours = [int(line["index"]) for line in csv.DictReader(file)]
    assert (rows == np.arange(len(rows))).all()
    same = set(ours) == set(issues.tolist())
    print(f"{len(labels)} labels, {len(issues)} issues by cleanlab, {len(ours)} here, the same ones: {same}")
    # Equal scores may stand in any order.
    print("ranks equal:", same and np.array_equal(scores[ours], scores[issues]))


def main():
    if len(sys.argv) > 1:
        return compare(pathlib.Path(sys.argv[1]))
    every = list(cases())
    path = pathlib.Path(__file__).parent / "golden" / "label_issues.json"
    path.write_text("[\n" + ",\n".join(json.dumps(case) for case in every) + "\n]\n")
    for c in every:
        print(f"{c['name']}: {len(c['labels'])} labels, {len(c['issues'])} issues")


if __name__ == "__main__":
    main()
