"""What the peers read of a recipe of ours: the settings that they can express, and MNIST as the recipe has it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data import ROOT, read_idx


@dataclass(frozen=True)
class Recipe:
    """The settings of recipes/NAME.toml, with the defaults of recipes."""

    epochs: int
    batch_size: int
    mean: float
    std: float
    label_smoothing: float
    tta_below: float
    optimizer: dict[str, float | str]
    schedule: dict[str, object]
    ema: dict[str, float]
    augment: dict[str, float]

    @staticmethod
    def read(name: str, epochs: int | None = None) -> "Recipe":
        """A shipped recipe, for another number of epochs if it is given."""
        table = tomllib.loads((ROOT / "recipes" / f"{name}.toml").read_text())
        preprocess, train = table.get("preprocess", {}), table["train"]
        return Recipe(
            epochs=epochs or train["epochs"],
            batch_size=train["batch_size"],
            mean=preprocess.get("mean", [0.0])[0],
            std=preprocess.get("std", [1.0])[0],
            label_smoothing=train.get("label_smoothing", 0.0),
            tta_below=preprocess.get("tta_below", 0.0),
            optimizer=table["optimizer"],
            schedule=table.get("schedule", {}),
            ema=table.get("ema", {}),
            augment=table.get("augment", {}),
        )

    def images(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """All images of `train` or `t10k`, preprocessed, f32 (N x 28 x 28), and labels, int64 (N)."""
        images = read_idx(f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
        labels = read_idx(f"{part}-labels-idx1-ubyte.gz", 8)
        return (images.astype(np.float32) / 255 - self.mean) / self.std, labels.astype(np.int64)


def averaged(probabilities: np.ndarray, images: np.ndarray, predict: object, below: float) -> np.ndarray:
    """Test-time augmentation: where the largest probability is below a mark, the mean over the image and its four
    neighbours by one pixel, border repeated. `predict(images)` gives probabilities."""
    unsure = probabilities.max(axis=1) < below
    if not unsure.any():
        return probabilities
    padded = np.pad(images[unsure], ((0, 0), (1, 1), (1, 1)), mode="edge")
    moved = [padded[:, y : y + 28, x : x + 28] for y, x in ((0, 1), (2, 1), (1, 0), (1, 2))]
    result = probabilities.copy()
    result[unsure] = (probabilities[unsure] + sum(predict(images) for images in moved)) / 5
    return result
