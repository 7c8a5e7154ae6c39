"""Asks real Keras for optimizer updates: parity/golden/optimizers.json.

Each case starts from the same weights and takes the same gradients; after every step the weights are recorded. The
gradients span ten orders of magnitude and include zeros, so that the place of each epsilon shows. Keras computes in
f64 here, so that its formulas are compared and not its rounding.

    KERAS_BACKEND=tensorflow CUDA_VISIBLE_DEVICES= python parity/optimizer_golden.py
"""

import json
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np

SIZE, STEPS = 19, 8

CASES = {
    "sgd": ("sgd", keras.optimizers.SGD, dict(learning_rate=0.01)),
    "sgd_momentum": ("sgd", keras.optimizers.SGD, dict(learning_rate=0.01, momentum=0.9)),
    "sgd_nesterov": ("sgd", keras.optimizers.SGD, dict(learning_rate=0.01, momentum=0.9, nesterov=True)),
    "sgd_decay": ("sgd", keras.optimizers.SGD, dict(learning_rate=0.1, momentum=0.9, weight_decay=0.05)),
    "sgd_plain_decay": ("sgd", keras.optimizers.SGD, dict(learning_rate=0.1, weight_decay=0.05)),
    "rmsprop": ("rmsprop", keras.optimizers.RMSprop, dict()),
    "rmsprop_momentum": ("rmsprop", keras.optimizers.RMSprop, dict(learning_rate=0.01, rho=0.8, momentum=0.9)),
    "rmsprop_centered": ("rmsprop", keras.optimizers.RMSprop, dict(centered=True, epsilon=1e-3)),
    "rmsprop_both": ("rmsprop", keras.optimizers.RMSprop, dict(momentum=0.5, centered=True, epsilon=1e-3)),
    "adam": ("adam", keras.optimizers.Adam, dict()),
    "adam_betas": ("adam", keras.optimizers.Adam, dict(learning_rate=0.02, beta_1=0.8, beta_2=0.95, epsilon=1e-3)),
    "adamw": ("adam", keras.optimizers.AdamW, dict()),
    "adamw_strong": ("adam", keras.optimizers.AdamW, dict(learning_rate=0.05, weight_decay=0.2)),
}
SETTINGS = {
    "sgd": ("learning_rate", "momentum", "nesterov", "weight_decay"),
    "rmsprop": ("learning_rate", "rho", "momentum", "epsilon", "centered"),
    "adam": ("learning_rate", "beta_1", "beta_2", "epsilon", "weight_decay"),
}


def short(value):
    """The shortest number that reads back as the same f32."""
    return float(str(np.float32(value)))


def setting(config, name):
    """A setting as it was written; Keras hands the learning rate out as f32."""
    value = config[name]
    if name == "learning_rate":
        value = short(value)
    return 0.0 if value is None else value


def main():
    draw = np.random.default_rng(7)
    start = draw.normal(size=SIZE).astype("float32")
    sizes = 10.0 ** draw.uniform(-8, 2, size=SIZE)
    gradients = (draw.normal(size=(STEPS, SIZE)) * sizes).astype("float32")
    gradients[:, 3] = 0.0
    gradients[4:, 5] = 0.0

    cases = []
    for name, (kind, build, arguments) in CASES.items():
        optimizer = build(**arguments)
        weights = keras.Variable(start, dtype="float64")
        optimizer.build([weights])
        after = []
        for gradient in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(gradient, dtype="float64")], [weights])
            after.append([short(w) for w in np.asarray(weights)])
        config = optimizer.get_config()
        settings = {key: setting(config, key) for key in SETTINGS[kind]}
        cases.append({"name": name, "kind": kind, **settings, "weights": after})

    golden = {
        "keras": keras.__version__,
        "start": [short(v) for v in start],
        "gradients": [[short(v) for v in row] for row in gradients],
        "cases": cases,
    }
    path = pathlib.Path(__file__).parent / "golden" / "optimizers.json"
    text = json.dumps(golden, separators=(",", ":")).replace('{"name"', '\n{"name"').replace('"cases"', '\n"cases"')
    path.write_text(text + "\n")
    print(path, len(text), "bytes")


if __name__ == "__main__":
    main()
