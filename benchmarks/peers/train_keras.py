"""Seconds that Keras takes for 54,000 images of training, from a `fit` over so many steps after a warm-up `fit`."""

import argparse
import time

import keras

from data import TRAIN, mnist, report
from keras_networks import NETWORKS, compiled, generator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=NETWORKS, default="seed")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--warmup", type=int, default=20)
    parser.add_argument("--augment", action="store_true", help="feed `fit` from an ImageDataGenerator")
    parser.add_argument("--no-jit", action="store_true", help="compile with jit_compile=False")
    args = parser.parse_args()

    images, labels = mnist()
    x, y = images[..., None], keras.utils.to_categorical(labels, 10)
    network = compiled(args.network, False if args.no_jit else "auto")

    def fit(steps: int) -> float:
        n = steps * args.batch
        start = time.perf_counter()
        if args.augment:
            network.fit(generator().flow(x[:n], y[:n], batch_size=args.batch), epochs=1, verbose=0)
        else:
            network.fit(x[:n], y[:n], batch_size=args.batch, epochs=1, verbose=0)
        return time.perf_counter() - start

    fit(args.warmup)
    seconds = fit(args.steps)
    report(seconds * TRAIN / (args.steps * args.batch), steps=args.steps)


if __name__ == "__main__":
    main()
