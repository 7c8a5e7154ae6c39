"""Learning rates of Keras's schedules -> golden/schedule.json

    python parity/schedule_golden.py

Computed in float64, which the schedules do where every number comes as one, so that agreement can be asked for to the
last digits. Each case: the settings of [schedule], the base rate, steps per epoch, epochs, the steps looked at and
their rates. A warm-up before anything but a cosine is not in here: Keras has none.
"""

import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from keras.optimizers.schedules import CosineDecay, ExponentialDecay, PiecewiseConstantDecay

OUT = Path(__file__).resolve().parent / "golden" / "schedule.json"


def exponential(base, per_epoch, epochs, decay_rate, decay_epochs, staircase=False):
    return ExponentialDecay(base, int(round(decay_epochs * per_epoch)), decay_rate, staircase=staircase)


def step(base, per_epoch, epochs, factor, every_epochs):
    """Keras's boundaries belong to the value before them, hence the - 1."""
    every = int(round(every_epochs * per_epoch))
    count = 2 * epochs * per_epoch // every + 1
    boundaries = [k * every - 1 for k in range(1, count + 1)]
    return PiecewiseConstantDecay(boundaries, [base * factor**k for k in range(count + 1)])


def cosine(base, per_epoch, epochs, alpha=0.0, decay_epochs=None, warmup_epochs=0.0, warmup_from=0.0):
    warmup = int(round(warmup_epochs * per_epoch))
    decay = epochs * per_epoch - warmup if decay_epochs is None else int(round(decay_epochs * per_epoch))
    if warmup == 0:
        return CosineDecay(base, decay, alpha=alpha)
    return CosineDecay(base * warmup_from, decay, alpha=alpha, warmup_target=base, warmup_steps=warmup)


MAKE = {"exponential": exponential, "step": step, "cosine": cosine}
# kind, base, steps per epoch, epochs, settings
CASES = [
    ("exponential", 0.001, 1688, 10, {"decay_rate": 0.96, "decay_epochs": 1.0}),
    ("exponential", 0.1, 100, 7, {"decay_rate": 0.5, "decay_epochs": 2.5}),
    ("exponential", 0.1, 100, 7, {"decay_rate": 0.5, "decay_epochs": 2.5, "staircase": True}),
    ("exponential", 0.003, 33, 12, {"decay_rate": 0.1, "decay_epochs": 4.0, "staircase": True}),
    ("exponential", 0.01, 1, 40, {"decay_rate": 1.0, "decay_epochs": 3.0}),
    ("step", 0.01, 100, 9, {"factor": 0.1, "every_epochs": 3.0}),
    ("step", 0.05, 37, 8, {"factor": 0.5, "every_epochs": 1.5}),
    ("cosine", 0.001, 1688, 5, {}),
    ("cosine", 0.01, 100, 10, {"alpha": 0.04}),
    ("cosine", 0.01, 100, 10, {"alpha": 0.1, "decay_epochs": 4.0}),
    ("cosine", 0.01, 469, 3, {"alpha": 0.1, "warmup_epochs": 0.6, "warmup_from": 0.04}),
    ("cosine", 0.1, 250, 6, {"warmup_epochs": 1.0}),
    ("cosine", 0.002, 64, 20, {"alpha": 1.0, "warmup_epochs": 2.5, "warmup_from": 0.5, "decay_epochs": 10.0}),
]


def looked_at(per_epoch, epochs):
    total = per_epoch * epochs
    steps = {0, 1, 2, total - 2, total - 1, total, total + 1, 2 * total}
    steps |= {k * total // 23 for k in range(23)}
    for half in range(2 * epochs + 1):
        steps |= {half * per_epoch // 2 + d for d in (-1, 0, 1)}
    return sorted(s for s in steps if s >= 0)


def rates(kind, base, per_epoch, epochs, settings, steps):
    double = {name: value if isinstance(value, bool) else np.float64(value) for name, value in settings.items()}
    schedule = MAKE[kind](np.float64(base), per_epoch, epochs, **double)
    out = [np.asarray(keras.ops.convert_to_numpy(schedule(np.int64(s)))) for s in steps]
    assert all(rate.dtype == np.float64 for rate in out)
    return [rate.item() for rate in out]


def main():
    cases = []
    for kind, base, per_epoch, epochs, settings in CASES:
        steps = looked_at(per_epoch, epochs)
        cases.append(
            {
                "schedule": {"kind": kind, **settings},
                "base": base,
                "steps_per_epoch": per_epoch,
                "epochs": epochs,
                "steps": steps,
                "rates": rates(kind, base, per_epoch, epochs, settings, steps),
            }
        )
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    text = f'{{"keras":"{keras.__version__}","cases":[\n{lines}\n]}}\n'
    json.loads(text)
    OUT.write_text(text)
    print(f"{OUT}: {len(cases)} schedules, {sum(len(c['steps']) for c in cases)} steps, {len(text)} bytes")


main()
