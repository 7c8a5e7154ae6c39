"""Weights after each step of PyTorch's Muon -> golden/muon.json

    python parity/muon_golden.py

PyTorch orthogonalises in bfloat16; here it is made to do so in float64, so that its formulas are compared and not its rounding.
Its matrices have a row for each filter, ours a column, so everything is written transposed. Gradients have singular values
over four orders of magnitude and weights that never get one.
"""

import json
from pathlib import Path

import numpy as np
import torch

OUT = Path(__file__).resolve().parent / "golden" / "muon.json"
STEPS = 3
# Filters, inputs of one, settings.
CASES = [
    (6, 25, dict(lr=0.1, momentum=0.6, weight_decay=0.0)),
    (16, 9, dict(lr=0.1, momentum=0.6, weight_decay=0.0)),
    (7, 7, dict(lr=0.02, momentum=0.95, weight_decay=0.1)),
    (1, 9, dict(lr=0.02, momentum=0.95, weight_decay=0.0)),
    (12, 1, dict(lr=0.05, momentum=0.0, weight_decay=0.01)),
]


def short(array):
    array = np.asarray(array, np.float32)
    return [float(str(v)) for v in array.reshape(-1)]


def run(rng, filters, inputs, settings):
    side = min(filters, inputs)
    draw = lambda rows, columns: np.linalg.qr(rng.normal(size=(max(rows, columns), side)))[0]
    scales = 10.0 ** rng.uniform(-4, 0, side)
    gradients = [(draw(filters, side)[:filters] * scales) @ draw(inputs, side)[:inputs].T for _ in range(STEPS)]
    gradients = [np.float32(g) for g in gradients]
    start = np.float32(rng.normal(size=(filters, inputs)))
    weights = torch.nn.Parameter(torch.from_numpy(start).double())
    optimizer = torch.optim.Muon([weights], **settings)
    after = []
    for gradient in gradients:
        weights.grad = torch.from_numpy(gradient).double()
        optimizer.step()
        after.append(short(weights.detach().numpy().T))
    return {
        "rows": inputs,
        "columns": filters,
        "learning_rate": settings["lr"],
        "momentum": settings["momentum"],
        "weight_decay": settings["weight_decay"],
        "start": short(start.T),
        "gradients": [short(g.T) for g in gradients],
        "weights": after,
    }


def main():
    torch.bfloat16 = torch.float64
    rng = np.random.default_rng(3)
    cases = [run(rng, *case) for case in CASES]
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    version = torch.__version__.split("+")[0]
    OUT.write_text(f'{{"torch":"{version}","cases":[\n{lines}\n]}}\n')
    print(OUT, OUT.stat().st_size, "bytes")


main()
