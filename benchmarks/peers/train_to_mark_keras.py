"""Trains a shipped recipe in Keras by `fit`, as far as Keras expresses it, then reads the test set once.

Not expressed: the cycle of Adam's beta_1, which stays in its middle; an average that begins late (Keras's begins with the first step, which a
decay of 0.99 has long forgotten at the end), and that of batch norm's statistics. Seconds are those of `fit`, which compiles in its first step.
"""

import argparse
import math
import time

import keras
import numpy as np

from data import report
from keras_networks import NETWORKS, generator
from recipe import Recipe, averaged


class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """PyTorch's `OneCycleLR`."""

    def __init__(self, peak: float, steps: int, warm_fraction: float, div: float, final_div: float) -> None:
        super().__init__()
        self.top, self.start, self.end = peak, peak / div, peak / final_div
        self.warm, self.last = warm_fraction * steps - 1, steps - 1

    def __call__(self, step: object) -> object:
        step = keras.ops.cast(step, "float32")
        up = (1 - keras.ops.cos(math.pi * step / self.warm)) / 2
        down = (1 + keras.ops.cos(math.pi * (step - self.warm) / (self.last - self.warm))) / 2
        rising, falling = self.start + (self.top - self.start) * up, self.end + (self.top - self.end) * down
        return keras.ops.where(step <= self.warm, rising, falling)


def optimizer_of(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """`rmsprop`, or `adamw` with one cycle and an average."""
    settings, schedule = recipe.optimizer, recipe.schedule
    if settings["kind"] == "rmsprop":
        return keras.optimizers.RMSprop(settings["learning_rate"])
    rate = OneCycle(settings["learning_rate"], steps, schedule["warm_fraction"], schedule["div"], schedule["final_div"])
    return keras.optimizers.AdamW(
        rate, settings["weight_decay"], beta_1=sum(schedule["momentum"]) / 2, beta_2=settings["beta_2"], epsilon=1e-7,
        use_ema=True, ema_momentum=recipe.ema["decay"],
    )


def batches(recipe: Recipe, images: np.ndarray, labels: np.ndarray) -> object:
    """The training images, varied: by `ImageDataGenerator` as in the notebook for `seed`, else by `tf.data`."""
    if "rotation" in recipe.augment:
        return generator().flow(images, labels, batch_size=recipe.batch_size)
    import tensorflow as tf

    shift = recipe.augment["height_shift"] / 28
    layer = keras.layers.RandomTranslation(shift, shift, fill_mode="nearest")
    data = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(len(images)).batch(recipe.batch_size)
    return data.map(lambda x, y: (layer(x, training=True), y), tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=["seed", "balanced"])
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    keras.utils.set_random_seed(args.seed)
    recipe = Recipe.read(args.recipe, args.epochs)
    images, labels = recipe.images("train")
    network = NETWORKS[args.recipe]()
    steps = -(-len(images) // recipe.batch_size) * recipe.epochs
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing)
    network.compile(optimizer_of(recipe, steps), loss)

    data = batches(recipe, images[..., None], keras.utils.to_categorical(labels, 10))
    start = time.perf_counter()
    network.fit(data, epochs=recipe.epochs, verbose=0)
    seconds = time.perf_counter() - start

    def predict(images: np.ndarray) -> np.ndarray:
        return network.predict(images[..., None], batch_size=256, verbose=0)

    images, labels = recipe.images("t10k")
    probabilities = averaged(predict(images), images, predict, recipe.tta_below)
    report(seconds, accuracy=float((probabilities.argmax(1) == labels).mean()))


if __name__ == "__main__":
    main()
