"""The first 20 training losses of the reference network in real Keras, from weights anyone can rebuild.

    python parity/reference_losses_golden.py        # rewrites parity/golden/reference_losses.json

Initial weights. One splitmix64 generator (Steele, Lea, Flood 2014), its state starting at the weight seed, fills the
kernels in the order of the layers, each in C order of Keras's own layout (convolutions: height, width, in, out;
dense: in, out). A draw z gives ((z >> 40) / 2^24 * 2 - 1) * limit, where limit = sqrt(6 / (fan_in + fan_out)),
kernel area counted in both fans; the arithmetic is float64, the result is rounded to float32. Biases are zero.

Batches. Batch b is the images 32 b to 32 b + 31 of MNIST's training file, in order, divided by 255 in float32.

Losses. `train_on_batch` returns a mean that runs over all batches since the metrics were last reset; here the
metrics are reset before every batch, so each number is the mean cross-entropy of one batch, before its update. It is
also computed a second way, from the model's probabilities on that batch, and must agree.

Seeds. RMSprop's first steps are nearly sign(gradient): a rectifier whose input lies within rounding of zero moves
some weights by a full step one way or the other. From most starting weights Keras therefore differs from itself by up
to 1e-2 within these twenty steps, depending on whether it computes in Eigen, oneDNN, XLA or float64, or when every
weight and pixel is moved at random by up to one part in 2^23. A comparison to 1e-4 means something only where no such
rectifier is met. Starts 1 to 15 were tried; the comparison uses SEEDS, where Keras's four ways of computing agree and
this project's instruction sets agree with them. `spread_by_variant` and `spread_by_perturbation` in the golden file
say how far Keras is from itself there: other roundings than those tried may still part from it.
"""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "data" / "mnist"
OUT = HERE / "golden" / "reference_losses.json"
BATCH_SIZE = 32
BATCHES = 20
SEEDS = [5, 10]
PERTURBATIONS = 16
VARIANTS = ["eigen", "onednn", "xla", "float64"]  # the first gives the golden values, and is perturbed


def read_images(path: Path) -> np.ndarray:
    """(N, 28, 28, 1) u8 of a gzipped IDX file."""
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=16).reshape(-1, 28, 28, 1)


def read_labels(path: Path) -> np.ndarray:
    """(N,) u8 of a gzipped IDX file."""
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=8)


def reference_network():
    """The network of the reference notebook, 65,194 parameters, not compiled."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def splitmix64(state: int):
    """Yields 64-bit words."""
    mask = (1 << 64) - 1
    while True:
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield z ^ (z >> 31)


def initial_weights(seed: int, shapes) -> list[np.ndarray]:
    """Kernels from the generator, zero biases, in the order of `model.get_weights()`."""
    words = splitmix64(seed)
    weights = []
    for shape in shapes:
        if len(shape) == 1:
            weights.append(np.zeros(shape, np.float32))
            continue
        area = int(np.prod(shape[:-2]))
        limit = (6.0 / (area * shape[-2] + area * shape[-1])) ** 0.5
        draws = np.array([next(words) >> 40 for _ in range(int(np.prod(shape)))], np.float64)
        weights.append(((draws / 2**24 * 2 - 1) * limit).astype(np.float32).reshape(shape))
    return weights


def summary_of(weights) -> list[dict]:
    """Per tensor: sum and sum of magnitudes in float64, first and last four values."""
    names = ["conv_1.kernel", "conv_1.bias", "conv_2.kernel", "conv_2.bias", "dense.kernel", "dense.bias"]
    rows = []
    for name, tensor in zip(names, weights, strict=True):
        flat = tensor.astype(np.float64).ravel()
        ends = [[float(f"{v:.9g}") for v in part] for part in (flat[:4], flat[-4:])]
        row = {"name": name, "shape": list(tensor.shape), "sum": float(flat.sum()), "sum_abs": float(np.abs(flat).sum())}
        rows.append(row | {"first": ends[0], "last": ends[1]})
    return rows


def train(seed: int, variant: str) -> list[dict]:
    """Twenty batches of one seed; run in a process of its own, since oneDNN and float64 are chosen at start-up."""
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1" if variant == "onednn" else "0"
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.config.set_floatx("float64" if variant == "float64" else "float32")
    count = BATCH_SIZE * BATCHES
    images = read_images(DATA / "train-images-idx3-ubyte.gz")[:count].astype(np.float32) / np.float32(255)
    labels = np.eye(10)[read_labels(DATA / "train-labels-idx1-ubyte.gz")[:count]]
    model = reference_network()
    start = initial_weights(seed, [tuple(w.shape) for w in model.weights])
    versions = {"keras": keras.version(), "tensorflow": tf.__version__}
    session = Session(model, variant)
    runs = [{"versions": versions, "weight_seed": seed, **session.train(start, images, labels)}]
    rng = np.random.default_rng(seed)

    def perturb(array):
        return (array.astype(np.float64) * (1 + rng.uniform(-1, 1, array.shape) / 2**23)).astype(np.float32)

    for _ in range(PERTURBATIONS if variant == VARIANTS[0] else 0):
        runs.append(session.train([perturb(w) for w in start], perturb(images), labels))
    return runs


def spread(runs: list[dict]) -> float:
    """The largest difference of a loss from the first run's."""
    return max(float(np.abs(np.subtract(runs[0]["losses"], run["losses"])).max()) for run in runs)


class Session:
    """A compiled model that can be started again."""

    def __init__(self, model, variant: str):
        import keras

        self.model, self.optimizer = model, keras.optimizers.RMSprop(1e-3)
        model.compile(self.optimizer, "categorical_crossentropy", metrics=["accuracy"], jit_compile=variant == "xla")
        self.optimizer.build(model.trainable_variables)
        self.fresh = [variable.numpy() for variable in self.optimizer.variables]

    def train(self, start, images, labels) -> dict:
        import keras

        self.model.set_weights(start)
        for variable, value in zip(self.optimizer.variables, self.fresh, strict=True):
            variable.assign(value)
        losses, correct = [], []
        for b in range(BATCHES):
            x, y = (a[b * BATCH_SIZE : (b + 1) * BATCH_SIZE].astype(keras.config.floatx()) for a in (images, labels))
            probabilities = self.model.predict_on_batch(x).astype(np.float64)
            by_hand = float(-np.log((probabilities * y).sum(1)).mean())
            self.model.reset_metrics()
            report = self.model.train_on_batch(x, y, return_dict=True)
            if abs(report["loss"] - by_hand) > 1e-5 * max(1.0, by_hand):
                raise SystemExit(f"batch {b}: train_on_batch reports {report['loss']}, the probabilities give {by_hand}")
            losses.append(float(f"{report['loss']:.9g}"))
            correct.append(round(float(report["accuracy"]) * BATCH_SIZE))
        return {"losses": losses, "correct": correct, "initial_weights": summary_of(start)}


def train_apart(seed: int, variant: str) -> list[dict]:
    """`train` in a new process."""
    command = [sys.executable, __file__, str(seed), variant]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return json.loads(lines[-1])


def main() -> None:
    chosen, by_variant, by_perturbation = [], {}, {}
    for seed in SEEDS:
        runs = {variant: train_apart(seed, variant) for variant in VARIANTS}
        chosen.append(runs[VARIANTS[0]][0])
        by_variant[seed] = float(f"{spread([runs[variant][0] for variant in VARIANTS]):.2g}")
        by_perturbation[seed] = float(f"{spread(runs[VARIANTS[0]]):.2g}")
        print(f"weight seed {seed}: Keras differs from itself by {by_variant[seed]} and {by_perturbation[seed]}", flush=True)
    golden = {
        "made_by": "parity/reference_losses_golden.py",
        "versions": chosen[0]["versions"],
        "batch_size": BATCH_SIZE,
        "spread_by_variant": by_variant,
        "spread_by_perturbation": by_perturbation,
        "runs": [{key: value for key, value in run.items() if key != "versions"} for run in chosen],
    }
    OUT.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(train(int(sys.argv[1]), sys.argv[2])))
    else:
        main()
