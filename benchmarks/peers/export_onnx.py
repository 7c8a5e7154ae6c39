"""Writes the reference network as ONNX, exported by PyTorch with any number of images."""

import sys

import torch

from torch_networks import seed


def main() -> None:
    network, example = seed().eval(), torch.zeros(2, 1, 28, 28)
    torch.onnx.export(
        network, (example,), sys.argv[1], input_names=["x"], dynamic_shapes=({0: torch.export.Dim("images")},),
        dynamo=True, external_data=False,
    )


if __name__ == "__main__":
    main()
