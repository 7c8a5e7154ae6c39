"""Asks scikit-learn for metrics, and NumPy for calibration: parity/golden/metrics.json.

Each case has labels, probabilities (32-bit numbers, row by row) and what is made of them in float64, for all classes of
the case whether they occur or not (`labels=range(classes)`):

- accuracy_score, confusion_matrix, precision_recall_fscore_support by class, macro and weighted, `zero_division=0`
- log_loss, which cuts probabilities to [eps, 1 - eps] of float64
- brier_score_loss, for several classes: the sum of squared differences, from 0 to 2 (`scale_by_half=False`)
- top_k_accuracy_score, asked with the classes in reverse order: of equal probabilities it takes the last class, here
  the first counts
- 15 bins of equal width of the predicted class's probability, each without its lower and with its upper end, as
  [count, mean probability, accuracy] (0 where a bin is empty), and the expected and maximum calibration error

    python parity/metrics_golden.py
"""

import json
import pathlib
import warnings

import numpy as np
from sklearn import metrics

BINS = 15


def softmax(logits):
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float32)


def calibration(labels, probabilities):
    """By comparing with every edge, one bin at a time."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bins, ece, mce = [], 0.0, 0.0
    for i in range(BINS):
        inside = (confidence > i / BINS) & (confidence <= (i + 1) / BINS)
        count = int(inside.sum())
        mean, accuracy = (confidence[inside].mean(), right[inside].mean()) if count else (0.0, 0.0)
        bins.append([count, float(mean), float(accuracy)])
        ece += count / len(labels) * abs(accuracy - mean)
        mce = max(mce, abs(accuracy - mean))
    assert sum(count for count, _, _ in bins) == len(labels)
    return bins, float(ece), float(mce)


def case(name, labels, probabilities):
    labels = np.asarray(labels)
    single = np.asarray(probabilities, dtype=np.float32)
    p = single.astype(np.float64)
    classes = p.shape[1]
    every = range(classes)
    predicted = p.argmax(axis=1)
    summary = lambda average: metrics.precision_recall_fscore_support(
        labels, predicted, labels=every, average=average, zero_division=0
    )
    precision, recall, f1, support = summary(None)
    top = []
    for k in [k for k in (2, 3, 5) if k < classes]:
        share = metrics.top_k_accuracy_score(classes - 1 - labels, p[:, ::-1], k=k, labels=every)
        top.append([k, float(share)])
    bins, ece, mce = calibration(labels, p)
    with warnings.catch_warnings():  # that sums of 32-bit probabilities are not exactly 1
        warnings.simplefilter("ignore", UserWarning)
        loss = metrics.log_loss(labels, p, labels=every)
        brier = metrics.brier_score_loss(labels, p, labels=every, scale_by_half=False)
    return {
        "name": name,
        "classes": classes,
        "labels": labels.tolist(),
        "probabilities": [float(str(value)) for value in single.ravel()],
        "accuracy": float(metrics.accuracy_score(labels, predicted)),
        "loss": float(loss),
        "brier": float(brier),
        "top": top,
        "confusion": metrics.confusion_matrix(labels, predicted, labels=every).tolist(),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "support": [int(count) for count in support],
        "macro_average": [float(value) for value in summary("macro")[:3]],
        "weighted_average": [float(value) for value in summary("weighted")[:3]],
        "bins": bins,
        "ece": ece,
        "mce": mce,
    }


def drawn(rng, n, classes, sharpness, skill, present=None):
    """Labels, and probabilities of a classifier that knows something about them."""
    labels = rng.choice(classes if present is None else present, size=n)
    logits = rng.normal(size=(n, classes))
    logits[np.arange(n), labels] += skill
    return labels, softmax(sharpness * logits)


def cases():
    rng = np.random.default_rng(20)
    yield case("ten classes", *drawn(rng, 150, 10, 1.5, 2.0))
    yield case("two classes", *drawn(rng, 60, 2, 1.0, 1.0))
    yield case("three classes, overconfident", *drawn(rng, 90, 3, 8.0, 0.5))
    yield case("47 classes", *drawn(rng, 120, 47, 2.0, 2.5))
    yield case("a class without images", *drawn(rng, 80, 5, 1.0, 1.5, present=[0, 1, 3, 4]))
    labels, p = drawn(rng, 80, 5, 1.0, 1.5)
    p[:, 2] = 0
    yield case("a class that is never predicted", labels, p / p.sum(axis=1, keepdims=True))
    labels, p = drawn(rng, 40, 6, 1.0, 1.5, present=[0, 1, 3])
    p[:, 5] = 0
    yield case("a class that is neither", labels, p / p.sum(axis=1, keepdims=True))
    yield case("all of one class", *drawn(rng, 20, 4, 1.0, 0.5, present=[2]))
    eighths = rng.multinomial(8, [0.25] * 4, size=120) / 8
    yield case("ties", rng.integers(0, 4, 120), eighths)
    yield case("all equal", [0, 1, 2, 3, 3], np.full((5, 4), 0.25))
    yield case("probabilities of 0 and 1", [0, 1, 2, 0, 1], np.eye(3)[[0, 1, 2, 1, 2]])
    tiny = np.array([[1e-20, 1, 0], [1e-12, 1, 0], [3e-45, 0, 1], [1 - 2**-24, 2**-24, 0]])
    yield case("probabilities next to 0 and 1", [0, 0, 0, 0], tiny)
    yield case("one image, right", [1], [[0.125, 0.75, 0.125]])
    yield case("one image, wrong", [0], [[0.125, 0.75, 0.125]])


def main():
    every = list(cases())
    path = pathlib.Path(__file__).parent / "golden" / "metrics.json"
    path.write_text("[\n" + ",\n".join(json.dumps(case) for case in every) + "\n]\n")
    print(f"{path.name}: {len(every)} cases, {sum(len(case['labels']) for case in every)} images")


if __name__ == "__main__":
    main()
