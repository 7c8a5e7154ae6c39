"""Trains a shipped recipe in PyTorch from the first step to the last, as far as PyTorch expresses it, then reads the test set once.

Seconds are those of the steps, augmentation included; nothing is evaluated in between.
"""

import argparse
import time

import numpy as np
import torch
from torch import nn
from torch.nn.functional import affine_grid, grid_sample
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from data import report
from recipe import Recipe, averaged
from torch_networks import NETWORKS


def optimizer_of(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    """`rmsprop` or `adamw`."""
    settings = recipe.optimizer
    if settings["kind"] == "rmsprop":
        return torch.optim.RMSprop(network.parameters(), lr=settings["learning_rate"], alpha=0.9, eps=1e-7)
    betas = (settings["beta_1"], settings["beta_2"])
    decay = settings["weight_decay"]
    return torch.optim.AdamW(network.parameters(), settings["learning_rate"], betas, eps=1e-7, weight_decay=decay)


def schedule_of(recipe: Recipe, optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    """One cycle, or nothing."""
    settings = recipe.schedule
    if not settings:
        return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
    high, low = settings["momentum"]
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.optimizer["learning_rate"], steps, pct_start=settings["warm_fraction"], base_momentum=low,
        max_momentum=high, div_factor=settings["div"], final_div_factor=settings["final_div"] / settings["div"],
    )


def moved(x: torch.Tensor, augment: dict[str, float]) -> torch.Tensor:
    """Rotation, zoom of each axis and shifts, drawn for each image; bilinear, the border repeated."""
    if not augment:
        return x
    n = len(x)

    def between(range_: float) -> torch.Tensor:
        return (2 * torch.rand(n) - 1) * range_

    def shift(key: str) -> torch.Tensor:
        # In units of half the image; a shift of 1 or more is in pixels of 28.
        range_ = augment.get(key, 0.0)
        return between(2 * range_ if range_ < 1 else 2 * range_ / 28)

    angle = between(np.deg2rad(augment.get("rotation", 0.0)))
    zoom_x, zoom_y = 1 + between(augment.get("zoom", 0.0)), 1 + between(augment.get("zoom", 0.0))
    cos, sin = angle.cos(), angle.sin()
    rows = [torch.stack([cos * zoom_x, -sin * zoom_y, shift("width_shift")], 1)]
    rows += [torch.stack([sin * zoom_x, cos * zoom_y, shift("height_shift")], 1)]
    grid = affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    return grid_sample(x, grid, padding_mode="border", align_corners=False)


def train(recipe: Recipe, network: nn.Module) -> nn.Module:
    """All steps; gives the network to judge, the average where the recipe has one."""
    images, labels = recipe.images("train")
    x, y = torch.from_numpy(images)[:, None], torch.from_numpy(labels)
    steps = -(-len(x) // recipe.batch_size)
    optimizer = optimizer_of(recipe, network)
    schedule = schedule_of(recipe, optimizer, steps * recipe.epochs)
    loss_of = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    average, begins = None, round(recipe.ema.get("start", 2.0) * steps * recipe.epochs)
    for epoch in range(recipe.epochs):
        order = torch.randperm(len(x))
        for step in range(steps):
            batch = order[step * recipe.batch_size :][: recipe.batch_size]
            optimizer.zero_grad()
            loss_of(network(moved(x[batch], recipe.augment)), y[batch]).backward()
            optimizer.step()
            schedule.step()
            if epoch * steps + step + 1 >= begins:
                if average is None:
                    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema["decay"]), use_buffers=True)
                average.update_parameters(network)
    return average if average is not None else network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=["seed", "balanced"])
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--channels-last", action="store_true")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    recipe = Recipe.read(args.recipe, args.epochs)
    network = NETWORKS[args.recipe]().train()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    if args.channels_last:
        network = network.to(memory_format=torch.channels_last)

    start = time.perf_counter()
    network = train(recipe, network)
    seconds = time.perf_counter() - start

    @torch.inference_mode()
    def predict(images: np.ndarray) -> np.ndarray:
        return network(torch.from_numpy(images)[:, None]).softmax(1).numpy()

    network.eval()
    images, labels = recipe.images("t10k")
    probabilities = averaged(predict(images), images, predict, recipe.tta_below)
    report(seconds, accuracy=float((probabilities.argmax(1) == labels).mean()))


if __name__ == "__main__":
    main()
