"""Learning rate and momentum at every step of PyTorch's OneCycleLR -> golden/one_cycle.json

    python parity/one_cycle_golden.py

Each case: the settings of [schedule], the peak rate, steps per epoch, epochs, and what PyTorch sets for each step. Its
`final_div_factor` counts from the first rate, the recipe's `final_div` from the peak. Momentum is SGD's in one half of the
cases and AdamW's `beta_1` in the other.
"""

import json
import warnings
from pathlib import Path

import torch
from torch.optim.lr_scheduler import OneCycleLR

OUT = Path(__file__).resolve().parent / "golden" / "one_cycle.json"

# Peak, steps per epoch, epochs, settings; what is absent has PyTorch's default.
CASES = [
    (0.01, 100, 1, {}),
    (0.01, 469, 1, {"warm_fraction": 0.3, "div": 25.0, "final_div": 5.0, "momentum": [0.95, 0.85]}),
    (0.01, 61, 3, {"warm_fraction": 0.2, "final_div": 10.0, "momentum": [0.95, 0.85]}),
    (0.5, 37, 2, {"warm_fraction": 0.25, "div": 10.0, "final_div": 1000.0, "momentum": [0.9, 0.6]}),
    (0.002, 33, 3, {"warm_fraction": 0.0, "momentum": [0.95, 0.85]}),
    (0.1, 25, 2, {"warm_fraction": 1.0, "div": 4.0}),
    (1.0, 7, 1, {"warm_fraction": 0.5, "div": 1.0, "final_div": 1.0, "momentum": [0.9, 0.9]}),
    (0.01, 3, 1, {"warm_fraction": 0.5}),
    (0.01, 1, 2, {}),
]


def run(number, peak, steps, settings):
    kind = [torch.optim.SGD, torch.optim.AdamW][number % 2]
    keys = {"momentum": 0.9} if number % 2 == 0 else {}
    optimizer = kind([torch.nn.Parameter(torch.zeros(1))], lr=peak, **keys)
    div, final_div = settings.get("div", 25.0), settings.get("final_div", 25.0 * 1e4)
    high, low = settings.get("momentum", (0.95, 0.85))
    schedule = OneCycleLR(
        optimizer,
        max_lr=peak,
        total_steps=steps,
        pct_start=settings.get("warm_fraction", 0.3),
        div_factor=div,
        final_div_factor=final_div / div,
        cycle_momentum="momentum" in settings,
        max_momentum=high,
        base_momentum=low,
    )
    rates, momenta = [], []
    for step in range(steps):
        group = optimizer.param_groups[0]
        rates.append(group["lr"])
        momenta.append(group["momentum"] if number % 2 == 0 else group["betas"][0])
        if step + 1 < steps:
            optimizer.step()
            schedule.step()
    return rates, momenta if "momentum" in settings else None


def main():
    warnings.simplefilter("error")
    cases = []
    for number, (peak, per_epoch, epochs, settings) in enumerate(CASES):
        rates, momenta = run(number, peak, per_epoch * epochs, settings)
        cases.append(
            {
                "schedule": {"kind": "one_cycle", **settings},
                "base": peak,
                "steps_per_epoch": per_epoch,
                "epochs": epochs,
                "rates": rates,
                "momenta": momenta,
            }
        )
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    version = torch.__version__.split("+")[0]
    text = f'{{"torch":"{version}","cases":[\n{lines}\n]}}\n'
    json.loads(text)
    OUT.write_text(text)
    print(f"{OUT}: {len(cases)} schedules, {sum(len(c['rates']) for c in cases)} steps, {len(text)} bytes")


main()
