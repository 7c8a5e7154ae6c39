"""Asks real Keras for softmax cross-entropy, its gradient and its accuracy: parity/golden/losses.json.

Index labels, one-hot and soft targets, label smoothing and class weights. Class weights go the way `Model.fit` takes
them: `class_weight_to_sample_weights`, then the loss with `sum_over_batch_size`.

    KERAS_BACKEND=tensorflow CUDA_VISIBLE_DEVICES= python parity/loss_golden.py
"""

import json
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np
import tensorflow as tf
from keras.src.trainers.data_adapters.data_adapter_utils import class_weight_to_sample_weights

SAMPLES = 6


def short(value):
    """The shortest number that reads back as the same f32."""
    return float(str(np.float32(value)))


def rows(values):
    return [short(v) for v in np.asarray(values).ravel()]


def case(name, logits, targets, labels, smoothing, class_weights):
    """`targets` are what Keras gets: indices, or rows of probabilities."""
    sparse = labels is not None and smoothing == 0.0
    if sparse:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        given, metric = np.asarray(labels), keras.metrics.SparseCategoricalAccuracy()
    else:
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
        given, metric = targets, keras.metrics.CategoricalAccuracy()
    weights = None
    if class_weights is not None:
        weights = class_weight_to_sample_weights(given, dict(enumerate(class_weights)))
    z = tf.Variable(logits)
    with tf.GradientTape() as tape:
        value = loss(given, z, sample_weight=weights)
    metric.update_state(given, logits)
    return {
        "name": name,
        "classes": int(logits.shape[1]),
        "smoothing": smoothing,
        "class_weights": class_weights,
        "logits": rows(logits),
        "labels": None if labels is None else [int(v) for v in labels],
        "targets": rows(targets),
        "loss": short(value),
        "accuracy": short(metric.result()),
        "gradient": rows(tape.gradient(value, z)),
    }


def main():
    draw = np.random.default_rng(11)
    cases = []
    for classes in (2, 3, 10, 17):
        logits = (draw.normal(size=(SAMPLES, classes)) * 3).astype("float32")
        logits[0] *= 20  # a loss of tens
        labels = draw.integers(0, classes, size=SAMPLES)
        labels[1] = int(np.argmax(logits[1]))
        one_hot = np.eye(classes, dtype="float32")[labels]
        soft = draw.dirichlet(np.full(classes, 0.4), size=SAMPLES).astype("float32")
        weights = [short(w) for w in draw.uniform(0.2, 3.0, size=classes)]
        cases += [
            case(f"labels {classes}", logits, one_hot, labels, 0.0, None),
            case(f"labels weighted {classes}", logits, one_hot, labels, 0.0, weights),
            case(f"smoothed {classes}", logits, one_hot, labels, 0.1, None),
            case(f"smoothed weighted {classes}", logits, one_hot, labels, 0.25, weights),
            case(f"soft {classes}", logits, soft, None, 0.0, None),
            case(f"soft smoothed weighted {classes}", logits, soft, None, 0.1, weights),
        ]
    golden = {"keras": keras.__version__, "cases": cases}
    path = pathlib.Path(__file__).parent / "golden" / "losses.json"
    text = json.dumps(golden, separators=(",", ":")).replace('{"name"', '\n{"name"')
    path.write_text(text + "\n")
    print(path, len(text), "bytes")


if __name__ == "__main__":
    main()
