"""Seconds that pandas or polars takes to read a CSV file into a table, importing the library not included."""

import argparse
import importlib
import time

from data import report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", choices=["pandas", "polars"])
    parser.add_argument("csv")
    args = parser.parse_args()
    library = importlib.import_module(args.library)
    start = time.perf_counter()
    table = library.read_csv(args.csv)
    report(time.perf_counter() - start, images=len(table))


if __name__ == "__main__":
    main()
