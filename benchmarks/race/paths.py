"""Where things are."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / "benchmarks" / ".venv" / "bin" / "python"
PEERS = ROOT / "benchmarks" / "peers"
CSV = ROOT / "benchmarks" / "data" / "kaggle" / "train.csv"
ONNX = ROOT / "benchmarks" / "data" / "seed.onnx"
_RELEASE = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release"


def glyphnet() -> Path:
    """The binary."""
    return _RELEASE / "glyphnet"


def example(name: str) -> Path:
    """One of the measuring programs."""
    return _RELEASE / "examples" / name
