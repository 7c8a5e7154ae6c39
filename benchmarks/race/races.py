"""The races: who runs what, and which rows come of it.

Figures are seconds of some unit of work, the same for all contenders of a race, so that less is better.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from race.paths import CSV, PEERS, PYTHON, ROOT, example, glyphnet
from race.runner import Contender, Race, Row

IMAGES = 54_000
RECIPES = ROOT / "benchmarks" / "recipes"


@dataclass(frozen=True)
class Settings:
    """How much is run. The defaults are those of the published table."""

    repeats: int = 5
    steps: int = 400
    warmup: int = 20
    deep_steps: int = 200
    limit: int = 0
    scalar_limit: int = 2_000
    seconds: float = 3.0
    images: int = 5_000
    peak_repeats: int = 101
    is_quick: bool = False

    @staticmethod
    def quick() -> "Settings":
        """A few seconds a contender, to see that everything works."""
        return Settings(1, 10, 3, 5, 2_000, 1_000, 0.3, 200, 3, True)


def last_line(_: Path, output: str) -> dict[str, float | str]:
    """The figures of a program that ends its output with a line of JSON."""
    return json.loads(output.strip().splitlines()[-1])


def run_folder(out: Path, _: str) -> dict[str, float | str]:
    """Seconds of training for 54,000 images, from a run folder. Where the run had as many, that is its own time."""
    metrics = json.loads((out / "metrics.json").read_text())
    return {"seconds": IMAGES / metrics["images_per_second"], "simd": metrics["simd"]}


def nothing(_: Path, __: str) -> dict[str, float | str]:
    """For jobs of which only wall time and memory count."""
    return {}


def text(_: Path, output: str) -> dict[str, float | str]:
    """A program that prints its own table."""
    return {"text": output}


def peer(name: str, script: str, *options: object) -> Contender:
    return Contender(name, [str(PYTHON), str(PEERS / script), *map(str, options)], last_line)


def program(name: str, binary: str, *options: object) -> Contender:
    return Contender(name, [str(example(binary)), *map(str, options)], last_line)


def training(name: str, limit: int, *options: object) -> Contender:
    """`glyphnet train` for one epoch; `limit` images are taken before the split, 0 for all."""
    command = [glyphnet(), "train", "--fast-run", "--out", "{out}", "--set", f"data.limit={limit}", *options]
    return Contender(name, [str(part) for part in command], run_folder)


def reference(s: Settings) -> Race:
    """The reference network without augmentation, by everyone, and by us on less than the whole CPU."""
    plain = ["--set", "augment=none"]
    steps = ["--steps", s.steps, "--warmup", s.warmup]
    contenders = [
        training("glyphnet", s.limit, *plain),
        training("glyphnet, 1 thread", s.limit, *plain, "--threads", 1),
        training("glyphnet, AVX2", s.limit, *plain, "--simd", "avx2"),
        training("glyphnet, no SIMD", s.scalar_limit, *plain, "--simd", "scalar"),
        peer("PyTorch", "train_torch.py", *steps),
        peer("PyTorch, channels last", "train_torch.py", *steps, "--channels-last"),
        peer("Keras", "train_keras.py", *steps),
        peer("Keras, no XLA", "train_keras.py", *steps, "--no-jit"),
    ]
    torch, keras = ["PyTorch", "PyTorch, channels last"], ["Keras", "Keras, no XLA"]
    work, unit = "reference training, batch 32", "s per 54,000 images"
    rows = [
        Row(f"{work}, against PyTorch", "glyphnet", torch, unit, "6.5"),
        Row(f"{work}, against Keras", "glyphnet", keras, unit),
        Row(f"{work}, from 1 thread to all", "glyphnet", ["glyphnet, 1 thread"], unit, "1.85"),
        Row(f"{work}, AVX2 only", "glyphnet, AVX2", torch + keras, unit, "3"),
        Row(f"{work}, no SIMD", "glyphnet, no SIMD", torch + keras, unit),
    ]
    note = (
        f"Training steps alone. glyphnet runs a whole epoch (without SIMD nine tenths of {s.scalar_limit:,} images, "
        f"scaled up), the peers {s.steps} steps after {s.warmup} of warm-up, scaled up. \"No XLA\" is "
        "`jit_compile=False`; the default of Keras compiles with XLA."
    )
    return Race("reference", contenders, rows, note)


def augmented(s: Settings) -> Race:
    """The same with augmentation."""
    contenders = [
        training("glyphnet", s.limit),
        peer("Keras", "train_keras.py", "--steps", s.steps, "--warmup", s.warmup, "--augment"),
    ]
    work = "reference training with augmentation, against Keras"
    note = f"Keras: {s.steps} steps from an `ImageDataGenerator` with default settings of `fit`, scaled up."
    return Race("augmented", contenders, [Row(work, "glyphnet", ["Keras"], "s per 54,000 images", "9")], note)


def fast_run(s: Settings) -> Race:
    """The whole job, from a cold process to the evaluation."""
    ours = [str(glyphnet()), "train", "--fast-run", "--data", str(CSV), "--out", "{out}"]
    theirs = [str(PYTHON), str(PEERS / "fast_run_keras.py"), str(CSV)]
    if s.limit:
        ours += ["--set", f"data.limit={s.limit}"]
        theirs += ["--limit", str(s.limit)]
    contenders = [Contender("glyphnet", ours, nothing), Contender("Keras script", theirs, nothing)]
    work = "whole `train --fast-run` on Kaggle's train.csv"
    rows = [
        Row(work, "glyphnet", ["Keras script"], "s", "9", "wall"),
        Row(f"{work}, peak memory", "glyphnet", ["Keras script"], "MB", "6", "memory"),
    ]
    note = "Read, split, one epoch with augmentation, evaluation. glyphnet also saves the model and its predictions."
    return Race("fast-run", contenders, rows, note)


def deep(s: Settings) -> Race:
    """The deep network with batch norm."""
    steps = ["--network", "accurate", "--batch", 64, "--steps", s.deep_steps, "--warmup", s.warmup]
    contenders = [
        training("glyphnet", s.limit, "--recipe", RECIPES / "accurate.toml"),
        peer("PyTorch", "train_torch.py", *steps),
        peer("PyTorch, channels last", "train_torch.py", *steps, "--channels-last"),
        peer("Keras", "train_keras.py", *steps),
        peer("Keras, no XLA", "train_keras.py", *steps, "--no-jit"),
    ]
    peers = [contender.name for contender in contenders[1:]]
    rows = [Row("deep network with batch norm, batch 64", "glyphnet", peers, "s per 54,000 images", "2.5")]
    note = (
        "`benchmarks/recipes/accurate.toml`, Adam, no augmentation. glyphnet runs a whole epoch, the peers "
        f"{s.deep_steps} steps after {s.warmup} of warm-up, scaled up; 54,000 images are 844 steps."
    )
    return Race("deep", contenders, rows, note)


def _inference(s: Settings, name: str, batch: int, threads: int, row: Row) -> Race:
    options = ["--batch", batch, "--threads", threads, "--seconds", s.seconds]
    contenders = [program("glyphnet", "inference_speed", *options)]
    engines = {"ONNX Runtime": "onnxruntime", "PyTorch": "torch", "PyTorch, channels last": "torch-channels-last"}
    contenders += [peer(engine, "inference.py", word, *options) for engine, word in engines.items()]
    note = f"Median of all calls within {s.seconds:g} s, images in memory as `f32`, logits out."
    return Race(name, contenders, [row], note)


def inference_256(s: Settings) -> Race:
    """Throughput."""
    work = "inference, batch 256, all threads, against ONNX Runtime"
    row = Row(work, "glyphnet", ["ONNX Runtime"], "s per batch", "2.2")
    return _inference(s, "inference-256", 256, _threads(), row)


def inference_1(s: Settings) -> Race:
    """Latency."""
    work = "inference, batch 1, one thread, against ONNX Runtime"
    row = Row(work, "glyphnet", ["ONNX Runtime"], "s per image", "1.82")
    return _inference(s, "inference-1", 1, 1, row)


def _threads() -> int:
    return len(os.sched_getaffinity(0))


def csv(_: Settings) -> Race:
    """A file of 42,000 images into memory."""
    contenders = [
        program("glyphnet", "csv_speed", CSV),
        peer("pandas", "read_csv.py", "pandas", CSV),
        peer("polars", "read_csv.py", "polars", CSV),
    ]
    work = f"train.csv ({CSV.stat().st_size / 1e6:.0f} MB) into memory"
    note = "The file is in the system's cache. The peers make tables of 64-bit numbers, glyphnet images of bytes."
    return Race("csv", contenders, [Row(work, "glyphnet", ["pandas", "polars"], "s", "5")], note)


def augment(s: Settings) -> Race:
    """One image's variation on one thread."""
    contenders = [
        program("glyphnet", "augment_speed", ROOT / "data" / "mnist"),
        peer("ImageDataGenerator", "augment.py", "--images", s.images),
    ]
    row = Row("augmentation of one image, one thread", "glyphnet", ["ImageDataGenerator"], "s per image", "40")
    note = "Rotation, zoom and shifts of `recipes/seed.toml`. Of Keras only `random_transform` is timed."
    return Race("augment", contenders, [row], note)


def kernels(s: Settings) -> Race:
    """How near the convolutions come to the peak; medians are taken inside the program."""
    command = [str(example("peak")), "--repeats", str(s.peak_repeats)]
    return Race("kernels", [Contender("peak", command, text)], [], once=True)


RACES = {
    "reference": reference,
    "augmented": augmented,
    "fast-run": fast_run,
    "deep": deep,
    "inference-256": inference_256,
    "inference-1": inference_1,
    "csv": csv,
    "augment": augment,
    "kernels": kernels,
}
