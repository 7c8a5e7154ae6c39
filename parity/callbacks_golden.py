"""Decisions of Keras's EarlyStopping, ReduceLROnPlateau and ModelCheckpoint, epoch by epoch -> golden/callbacks.json

    python parity/callbacks_golden.py

Generated sequences of a monitored number are fed to the real classes on a small compiled model. Each case holds

    values    the sequence; null is NaN, "inf" and "-inf" are infinities
    early     settings of [early_stopping], and early_out: per epoch i improved, s stopped here, . neither
              (the sequence goes on after a stop: all decisions are compared, not only the first)
    best_out  per epoch i improved, . not: ModelCheckpoint(save_best_only=True), same monitor and mode as early
    plateau   settings of [reduce_lr_on_plateau], and plateau_out: [epoch, new rate] for each reduction from rate 0.001

Epochs count from 1. `nan_first` holds what we do not copy: with a NaN in the first epoch Keras takes it as the best,
and nothing ever beats it. best_out is what Keras does then, rest_out what it does when the leading NaNs are left out.
"""

import json
import math
import os
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

OUT = Path(__file__).resolve().parent / "golden" / "callbacks.json"
CASES = 320
RATE = 1e-3
rng = np.random.default_rng(20240817)


def small_model():
    """Compiled and evaluated once, so that mode "auto" finds the directions of its metrics."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    model.evaluate(np.zeros((2, 2)), np.eye(2), verbose=0)
    return model


MODEL = small_model()


# Sequences. `down` is whether a good run goes down.


def noisy_descent(n, down):
    x = np.exp(-np.arange(n) / rng.uniform(3, 15)) + rng.normal(0, rng.uniform(0.005, 0.1), n)
    return x if down else 1 - x


def random_walk(n, down):
    return rng.uniform(0.3, 2) + np.cumsum(rng.normal(0, 0.05, n))


def plateaus(n, down):
    x = np.repeat(np.sort(rng.uniform(0, 1, n // 4 + 1))[:: -1 if down else 1], rng.integers(2, 7))
    return x[:n] if len(x) >= n else np.pad(x, (0, n - len(x)), mode="edge")


def ties(n, down):
    """Multiples of 0.01: exact ties with the best, and with a min_delta that is such a multiple."""
    return np.round(rng.uniform(0.4, 0.6, n), 2)


def hairs(n, down):
    """Differences about the last digits of a 32-bit number."""
    return 0.5 + np.cumsum(rng.choice([-1, 1], n) * rng.choice([1e-10, 1e-8, 3e-8, 1e-7], n))


def constant(n, down):
    return np.full(n, round(rng.uniform(0, 1), 3))


def sequence(kind, n, down):
    values = np.asarray(kind(n, down), dtype=np.float64)
    values = values if kind is hairs else values.round(4)
    if rng.random() < 0.35:
        values[rng.random(n) < rng.uniform(0.05, 0.4)] = np.nan
    if rng.random() < 0.15:
        values[rng.integers(0, n)] = rng.choice([np.inf, -np.inf])
    if rng.random() < 0.1:
        values[0] = np.inf if down else -np.inf
    return values


# Settings.


def pick(*options):
    return options[rng.integers(len(options))]


def watched():
    monitor = pick("val_loss", "val_accuracy", "loss", "accuracy")
    mode = pick("auto", "auto", "min", "max")
    down = mode == "min" or (mode == "auto" and monitor.endswith("loss"))
    return {"monitor": monitor, "mode": mode}, down


def early_settings(watch):
    settings = dict(watch, patience=int(rng.integers(0, 7)), min_delta=pick(0.0, 0.0, 0.01, -0.01, 0.02, 1e-4, 0.1))
    if rng.random() < 0.3:
        settings["baseline"] = pick(0.3, 0.5, 0.55, 0.9)
    if rng.random() < 0.3:
        settings["start_from_epoch"] = int(rng.integers(1, 9))
    return settings


def plateau_settings(watch):
    return dict(
        watch,
        factor=pick(0.1, 0.2, 0.5, 0.9),
        patience=int(rng.integers(0, 6)),
        min_delta=pick(1e-4, 0.0, 0.01, -0.01, 0.05),
        cooldown=int(rng.integers(0, 4)),
        min_lr=pick(0.0, 0.0, 1e-5, 5e-5, 1e-4, 1e-3),
    )


# The real classes.


def feed(callback, values, monitor, decide):
    callback.set_model(MODEL)
    callback.on_train_begin()
    out = []
    for epoch, value in enumerate(values):
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {monitor: float(value)})
        out.append(decide(callback, epoch))
    return out


def early_decisions(settings, values):
    def decide(callback, epoch):
        stop, MODEL.stop_training = MODEL.stop_training, False
        improved = callback.best is not None and callback.best_epoch == epoch and callback.best == values[epoch]
        assert not (stop and improved)
        return "s" if stop else "i" if improved else "."

    MODEL.stop_training = False
    return "".join(feed(keras.callbacks.EarlyStopping(**settings), values, settings["monitor"], decide))


def best_decisions(watch, values):
    saves = []
    MODEL.save = lambda *args, **kwargs: saves.append(None)

    def decide(callback, epoch):
        saved = len(saves)
        saves.clear()
        return "i" if saved else "."

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "best.keras")
        callback = keras.callbacks.ModelCheckpoint(path, save_best_only=True, **watch)
        return "".join(feed(callback, values, watch["monitor"], decide))


def plateau_decisions(settings, values):
    def decide(callback, epoch):
        return np.float32(MODEL.optimizer.learning_rate.numpy())

    MODEL.optimizer.learning_rate = RATE
    rates = feed(keras.callbacks.ReduceLROnPlateau(**settings), values, settings["monitor"], decide)
    before = [np.float32(RATE)] + rates[:-1]
    return [[i + 1, float(str(rate))] for i, (old, rate) in enumerate(zip(before, rates)) if rate != old]


def encode(values):
    return [None if math.isnan(v) else repr(float(v)) if math.isinf(v) else float(v) for v in values]


def case(kind):
    watch, down = watched()
    early, plateau = early_settings(watch), plateau_settings(watch)
    values = sequence(kind, int(rng.integers(8, 31)), down)
    for first in (0, early.get("start_from_epoch", 0)):
        if first < len(values) and np.isnan(values[first]):
            values[first] = 0.75  # NaN first is another matter: nan_first
    return {
        "values": encode(values),
        "early": early,
        "early_out": early_decisions(early, values),
        "best_out": best_decisions(watch, values),
        "plateau": plateau,
        "plateau_out": plateau_decisions(plateau, values),
    }


def nan_first_case():
    watch, down = watched()
    values = noisy_descent(int(rng.integers(6, 12)), down).round(4)
    leading = int(rng.integers(1, 4))
    with_nan = np.concatenate([np.full(leading, np.nan), values])
    return {
        "values": encode(with_nan),
        "watch": watch,
        "best_out": best_decisions(watch, with_nan),
        "rest_out": best_decisions(watch, values),
    }


def main():
    warnings.simplefilter("error", UserWarning)
    kinds = [noisy_descent, random_walk, plateaus, ties, hairs, constant]
    cases = [case(kinds[i % len(kinds)]) for i in range(CASES)]
    nan_first = [nan_first_case() for _ in range(12)]
    every = "".join(one["early_out"] for one in cases)
    assert min(every.count(c) for c in "is.") > 100
    assert sum(len(one["plateau_out"]) for one in cases) > 100
    lines = [json.dumps(one, separators=(",", ":")) for one in cases]
    odd = [json.dumps(one, separators=(",", ":")) for one in nan_first]
    head = f'{{"keras":"{keras.__version__}","cases":[\n'
    text = head + ",\n".join(lines) + '\n],"nan_first":[\n' + ",\n".join(odd) + "\n]}\n"
    json.loads(text)
    OUT.write_text(text)
    print(f"{OUT}: {len(cases)} sequences, {sum(len(one['values']) for one in cases)} epochs, {len(text)} bytes")


main()
