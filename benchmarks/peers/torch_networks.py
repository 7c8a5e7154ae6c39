"""The networks in PyTorch. They give logits."""

from torch import nn


def seed() -> nn.Sequential:
    """The reference network (recipes/seed.toml)."""
    return nn.Sequential(
        nn.Conv2d(1, 64, 3),
        nn.ReLU(),
        nn.Conv2d(64, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(12 * 12 * 32, 10),
    )


def _block(channels: int, filters: int, kernel: int, **settings: int) -> list[nn.Module]:
    # eps and momentum are Keras's, which are ours.
    norm = nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01)
    return [nn.Conv2d(channels, filters, kernel, **settings), nn.ReLU(), norm]


def accurate() -> nn.Sequential:
    """The deep network (benchmarks/recipes/accurate.toml). Where that pads with "same" for stride 2, one pixel before
    and two after, this pads with two on each side: the same sizes and sums, without a layer of padding."""
    return nn.Sequential(
        *_block(1, 32, 3),
        *_block(32, 32, 3),
        *_block(32, 32, 5, stride=2, padding=2),
        *_block(32, 64, 3),
        *_block(64, 64, 3),
        *_block(64, 64, 5, stride=2, padding=2),
        *_block(64, 128, 4),
        nn.Flatten(),
        nn.Dropout(0.4),
        nn.Linear(128, 10),
    )


def _pooled(channels: int, filters: int, kernel: int, pool: bool = False, **settings: int) -> list[nn.Module]:
    steps = [nn.Conv2d(channels, filters, kernel, **settings), *[nn.MaxPool2d(2)] * pool]
    return [*steps, nn.BatchNorm2d(filters), nn.ReLU()]


def balanced() -> nn.Sequential:
    """The network of recipes/balanced.toml."""
    return nn.Sequential(
        *_pooled(1, 16, 5, stride=2),
        *_pooled(16, 28, 3, pool=True),
        *_pooled(28, 32, 3, padding=1),
        *_pooled(32, 80, 3),
        nn.Flatten(),
        nn.Linear(3 * 3 * 80, 10),
    )


NETWORKS = {"seed": seed, "accurate": accurate, "balanced": balanced}
