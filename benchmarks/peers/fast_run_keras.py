"""The whole job in Keras, as a script: Kaggle's train.csv, a split, augmentation, one epoch, evaluation."""

import argparse

import keras
import numpy as np
import pandas as pd

from keras_networks import compiled, generator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv")
    parser.add_argument("--limit", type=int, help="use only so many images")
    args = parser.parse_args()

    table = pd.read_csv(args.csv, nrows=args.limit)
    y = keras.utils.to_categorical(table.pop("label"), 10)
    x = (table / 255.0).to_numpy().reshape(-1, 28, 28, 1).astype("float32")
    order = np.random.default_rng(0).permutation(len(x))
    held_out = len(x) // 10
    validation, train = order[:held_out], order[held_out:]

    network = compiled("seed")
    batches = generator().flow(x[train], y[train], batch_size=32)
    network.fit(batches, epochs=1, verbose=0)
    loss, accuracy = network.evaluate(x[validation], y[validation], verbose=0)
    print(f"validation: loss {loss:.4f}, accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
