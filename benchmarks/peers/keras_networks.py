"""The networks in Keras, compiled. They give probabilities."""

import keras
from keras import layers


def seed() -> keras.Sequential:
    """The reference network (recipes/seed.toml)."""
    return keras.Sequential([
        keras.Input((28, 28, 1)),
        layers.Conv2D(64, 3, activation="relu"),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ])


def _block(filters: int, kernel: int, **settings: object) -> list[layers.Layer]:
    return [layers.Conv2D(filters, kernel, activation="relu", **settings), layers.BatchNormalization()]


def accurate() -> keras.Sequential:
    """The deep network (benchmarks/recipes/accurate.toml)."""
    return keras.Sequential([
        keras.Input((28, 28, 1)),
        *_block(32, 3),
        *_block(32, 3),
        *_block(32, 5, strides=2, padding="same"),
        *_block(64, 3),
        *_block(64, 3),
        *_block(64, 5, strides=2, padding="same"),
        *_block(128, 4),
        layers.Flatten(),
        layers.Dropout(0.4),
        layers.Dense(10, activation="softmax"),
    ])


def _pooled(filters: int, kernel: int, pool: bool = False, **settings: object) -> list[layers.Layer]:
    steps = [layers.Conv2D(filters, kernel, **settings), *[layers.MaxPooling2D(2) for _ in range(pool)]]
    return [*steps, layers.BatchNormalization(momentum=0.9, epsilon=1e-5), layers.ReLU()]


def balanced() -> keras.Sequential:
    """The network of recipes/balanced.toml."""
    return keras.Sequential([
        keras.Input((28, 28, 1)),
        *_pooled(16, 5, strides=2),
        *_pooled(28, 3, pool=True),
        *_pooled(32, 3, padding="same"),
        *_pooled(80, 3),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ])


NETWORKS = {"seed": seed, "accurate": accurate, "balanced": balanced}


def compiled(name: str, jit_compile: bool | str = "auto") -> keras.Sequential:
    """A network ready for `fit` with one-hot labels; jit_compile as in Keras ("auto" is its default)."""
    network = NETWORKS[name]()
    optimizer = keras.optimizers.RMSprop() if name == "seed" else keras.optimizers.Adam()
    network.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"], jit_compile=jit_compile)
    return network


def generator() -> object:
    """The augmentation of recipes/seed.toml as `ImageDataGenerator` does it; Keras 3 keeps it for old code."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    return ImageDataGenerator(
        rotation_range=10, zoom_range=0.1, width_shift_range=0.1, height_shift_range=0.1, fill_mode="nearest"
    )
