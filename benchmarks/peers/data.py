"""What the peers learn from and report with."""

import gzip
import json
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
TRAIN = 54_000


def read_idx(name: str, header: int) -> np.ndarray:
    """The bytes of a file of data/mnist after its header."""
    with gzip.open(ROOT / "data" / "mnist" / name) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def mnist() -> tuple[np.ndarray, np.ndarray]:
    """The first 54,000 training images of MNIST in random order: f32 in 0..1 (N x 28 x 28), labels int64 (N)."""
    images = read_idx("train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)[:TRAIN]
    labels = read_idx("train-labels-idx1-ubyte.gz", 8)[:TRAIN]
    order = np.random.default_rng(0).permutation(TRAIN)
    return images[order].astype(np.float32) / 255, labels[order].astype(np.int64)


def report(seconds: float, **more: object) -> None:
    """The last line of a contender's output, which `benchmarks/run` reads."""
    print(json.dumps({"seconds": seconds, **more}))
