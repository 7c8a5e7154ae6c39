"""Seconds that PyTorch takes for 54,000 images of training, from so many steps after a warm-up.

The images lie shuffled in memory, so a batch is a slice: no loader, nothing that copies.
"""

import argparse
import time

import torch
from torch import nn

from data import TRAIN, mnist, report
from torch_networks import NETWORKS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=NETWORKS, default="seed")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--warmup", type=int, default=20)
    parser.add_argument("--channels-last", action="store_true")
    args = parser.parse_args()

    images, labels = mnist()
    x, y = torch.from_numpy(images)[:, None], torch.from_numpy(labels)
    network = NETWORKS[args.network]().train()
    if args.channels_last:
        network = network.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    if args.network == "seed":
        optimizer = torch.optim.RMSprop(network.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)
    else:
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, eps=1e-7)
    loss_of = nn.CrossEntropyLoss()

    start = 0.0
    for step in range(args.warmup + args.steps):
        if step == args.warmup:
            start = time.perf_counter()
        first = step * args.batch % (TRAIN - args.batch)
        batch = slice(first, first + args.batch)
        optimizer.zero_grad()
        loss = loss_of(network(x[batch]), y[batch])
        loss.backward()
        optimizer.step()
    seconds = time.perf_counter() - start
    report(seconds * TRAIN / (args.steps * args.batch), steps=args.steps, loss=loss.item())


if __name__ == "__main__":
    main()
