"""Averages of weights, and batch norm's statistics recomputed -> golden/averaging.json

    python parity/averaging_golden.py

Asks `torch.optim.swa_utils` in float64. `sequence` holds the weights of a few steps; `averages` what AveragedModel has after
each of them, as an exponential moving average (`decay`) or as the mean (`decay` null). `batch_norm` is a network with its
weights, batches of images (height x width x channels), and the running statistics that update_bn gives it: the means
over the batches of each batch's mean and unbiased variance.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

OUT = Path(__file__).resolve().parent / "golden" / "averaging.json"
SIZE, STEPS = 9, 7
HEIGHT, WIDTH, CHANNELS, CLASSES = 6, 5, 2, 3
BATCH, BATCHES = 5, 3


def short(array):
    """Nested lists of the shortest numbers that read back as the same f32."""
    array = np.asarray(array, np.float32)
    return [short(part) for part in array] if array.ndim else float(str(array))


def averages(sequence, decay):
    holder = nn.ParameterList([nn.Parameter(torch.zeros(SIZE, dtype=torch.float64))])
    rule = {} if decay is None else {"multi_avg_fn": get_ema_multi_avg_fn(decay)}
    average = AveragedModel(holder, **rule)
    after = []
    for weights in sequence:
        with torch.no_grad():
            holder[0].copy_(torch.from_numpy(weights))
        average.update_parameters(holder)
        after.append(short(average.module[0].detach().numpy()))
    return {"decay": decay, "after": after}


def batch_norm(rng):
    """Two batch norms, so that the second sees the first's; the network ends in a dense layer that decides nothing."""
    model = nn.Sequential(
        nn.Conv2d(CHANNELS, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 2), nn.BatchNorm2d(3), nn.ReLU()
    ).double()
    tensors = {}
    for layer, module in enumerate(model):
        if isinstance(module, nn.Conv2d):
            names = {"kernel": module.weight, "bias": module.bias}
        elif isinstance(module, nn.BatchNorm2d):
            names = {"gamma": module.weight, "beta": module.bias}
        else:
            continue
        for name, parameter in names.items():
            values = rng.normal(0.5, 0.7, parameter.shape).astype("float32")
            parameter.data = torch.from_numpy(values).double()
            tensors[f"{layer}/{name}"] = short(values.transpose(2, 3, 1, 0) if name == "kernel" else values)
    batches = rng.normal(0.2, 1.0, (BATCHES, BATCH, HEIGHT, WIDTH, CHANNELS)).astype("float32")
    update_bn([torch.from_numpy(batch.transpose(0, 3, 1, 2)).double() for batch in batches], model)
    expected = {
        f"{layer}/{name}": short(getattr(model[layer], theirs).numpy())
        for layer in (1, 4)
        for name, theirs in (("moving_mean", "running_mean"), ("moving_variance", "running_var"))
    }
    norm = {"kind": "batch_norm", "torch_momentum": 0.1, "epsilon": 1e-5}
    relu = {"kind": "activation", "activation": "relu"}
    conv = lambda filters, kernel: {"kind": "conv2d", "filters": filters, "kernel": kernel}
    layers = [conv(4, 3), norm, relu, conv(3, 2), norm, relu, {"kind": "flatten"}, {"kind": "dense", "units": CLASSES}]
    return {"layers": layers, "tensors": tensors, "batches": short(batches), "expected": expected}


def flat(values):
    return [v for part in values for v in flat(part)] if isinstance(values, list) else [values]


def main():
    rng = np.random.default_rng(5)
    sequence = np.cumsum(rng.normal(size=(STEPS, SIZE)), 0).astype("float32")
    norm = batch_norm(rng)
    for group in ("tensors", "expected"):
        norm[group] = {name: flat(values) for name, values in norm[group].items()}
    norm["batches"] = [[flat(image) for image in batch] for batch in norm["batches"]]
    golden = {
        "torch": torch.__version__.split("+")[0],
        "sequence": short(sequence),
        "averages": [averages(sequence, decay) for decay in (0.97, 0.5, 0.0, None)],
        "batch_norm": {"input": [HEIGHT, WIDTH, CHANNELS], "classes": CLASSES, **norm},
    }
    text = json.dumps(golden, separators=(",", ":")).replace('],"', '],\n"') + "\n"
    OUT.write_text(text)
    print(OUT, len(text), "bytes")


main()
