"""Seconds that ONNX Runtime or PyTorch takes to classify a batch with the reference network: the median call."""

import argparse
import time
from collections.abc import Callable

import numpy as np

from data import ROOT, report


def onnx_runtime(images: np.ndarray, threads: int) -> Callable[[], object]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    path = str(ROOT / "benchmarks" / "data" / "seed.onnx")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": images})


def pytorch(images: np.ndarray, threads: int, channels_last: bool) -> Callable[[], object]:
    import torch

    from torch_networks import seed

    torch.set_num_threads(threads)
    network, x = seed().eval(), torch.from_numpy(images)
    if channels_last:
        network, x = network.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)

    def call() -> object:
        with torch.inference_mode():
            return network(x)

    return call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=["onnxruntime", "torch", "torch-channels-last"])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0)
    args = parser.parse_args()

    images = np.random.default_rng(0).random((args.batch, 1, 28, 28), np.float32)
    if args.engine == "onnxruntime":
        call = onnx_runtime(images, args.threads)
    else:
        call = pytorch(images, args.threads, args.engine.endswith("last"))
    for _ in range(3):
        call()
    times, end = [], time.perf_counter() + args.seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    report(float(np.median(times)), calls=len(times))


if __name__ == "__main__":
    main()
