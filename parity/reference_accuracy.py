"""How well the reference network learns in real Keras: ten seeds, three epochs, no augmentation.

The other half of the comparison is `cargo run --release -p glyphnet --example reference_accuracy`; both halves and
the interval of their difference are in docs/parity.md. Each seed draws its own initial weights, its own split of
the 60,000 training images into 54,000 and 6,000, and its own order of batches. The test images are not read.

    python parity/reference_accuracy.py --out parity/golden/reference_accuracy_keras.jsonl [--seeds 0-9] [--threads 2]

One JSON line a seed is appended to the file; seeds that are already there are skipped, so the script may be
interrupted and started again, or run twice at once with different seeds.

    python parity/reference_accuracy.py --splits parity/golden/reference_accuracy_splits.bin [--seeds 0-9]

writes which images each seed held out, so that ours can hold out the same ones and seeds can be compared in pairs:
7,500 bytes a seed, bit i % 8 (the lowest first) of byte i / 8 set where image i is held out.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from reference_losses_golden import DATA, read_images, read_labels, reference_network

EPOCHS = 3
BATCH_SIZE = 32
VALIDATION = 6_000


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--out", type=Path, help="train; JSON lines file, appended to")
    task.add_argument("--splits", type=Path, help="write the splits alone")
    parser.add_argument("--seeds", default="0-9", help="first and last seed")
    parser.add_argument("--threads", type=int, default=2, help="TensorFlow's threads within an operation")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the gzipped MNIST files")
    return parser.parse_args()


def finished_seeds(path: Path) -> set[int]:
    if not path.exists():
        return set()
    return {json.loads(line)["seed"] for line in path.read_text().splitlines()}


def split(seed: int, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices to train on and indices held out."""
    order = np.random.default_rng(seed).permutation(images)
    return order[VALIDATION:], order[:VALIDATION]


def write_splits(path: Path, seeds: range, images: int) -> None:
    bits = np.zeros((len(seeds), images), bool)
    for row, seed in zip(bits, seeds, strict=True):
        row[split(seed, images)[1]] = True
    path.write_bytes(np.packbits(bits, axis=1, bitorder="little").tobytes())


def run_seed(seed: int, images, labels) -> dict:
    """Trains one network; images are (60000, 28, 28, 1) f32 in 0..1, labels (60000, 10) one-hot."""
    import keras

    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    train, held_out = split(seed, len(images))
    model = reference_network()
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    started = time.perf_counter()
    history = model.fit(
        images[train],
        labels[train],
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        validation_data=(images[held_out], labels[held_out]),
        verbose=0,
    ).history
    return {
        "seed": seed,
        "val_accuracy": [round(float(value), 6) for value in history["val_accuracy"]],
        "val_loss": [round(float(value), 6) for value in history["val_loss"]],
        "train_accuracy": [round(float(value), 6) for value in history["accuracy"]],
        "train_loss": [round(float(value), 6) for value in history["loss"]],
        "seconds": round(time.perf_counter() - started, 1),
        "keras": keras.version(),
    }


def main() -> None:
    arguments = read_arguments()
    first, last = map(int, arguments.seeds.split("-"))
    seeds = range(first, last + 1)
    labels = read_labels(arguments.data / "train-labels-idx1-ubyte.gz")
    if arguments.splits:
        return write_splits(arguments.splits, seeds, len(labels))

    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    images = read_images(arguments.data / "train-images-idx3-ubyte.gz").astype("float32") / np.float32(255)
    labels = np.eye(10, dtype="float32")[labels]
    for seed in seeds:
        if seed in finished_seeds(arguments.out):
            continue
        line = json.dumps(run_seed(seed, images, labels))
        with arguments.out.open("a") as file:
            file.write(line + "\n")
        print(line, flush=True)


if __name__ == "__main__":
    main()
