"""Seconds that ImageDataGenerator takes to vary one image: the median over blocks of a hundred. Only the drawing and
the warping are timed, not the generator that makes batches of the results."""

import argparse
import time

import numpy as np

from data import mnist, report
from keras_networks import generator

BLOCK = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=5000)
    args = parser.parse_args()
    images, vary = mnist()[0][..., None], generator().random_transform
    times = []
    for first in range(0, args.images, BLOCK):
        start = time.perf_counter()
        for image in images[first : first + BLOCK]:
            vary(image)
        times.append((time.perf_counter() - start) / BLOCK)
    report(float(np.median(times)), images=args.images)


if __name__ == "__main__":
    main()
