"""Runs the contenders of a race in turns and keeps what each turn measured."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from race.paths import CSV, ONNX, PYTHON, ROOT, example, glyphnet

# Keep TensorFlow quiet, and everyone off a GPU that might be there.
_ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}


@dataclass
class Contender:
    """A command, and how its figures are read from the folder that it wrote (`{out}` in the command) and its output."""

    name: str
    command: list[str]
    read: Callable[[Path, str], dict[str, float | str]]


@dataclass
class Row:
    """One line of the table of ratios: ours against the fastest of the peers."""

    work: str
    ours: str
    peers: list[str]
    unit: str
    target: str = ""
    figure: str = "seconds"


@dataclass
class Race:
    """Contenders that take turns, and the rows that their medians give."""

    name: str
    contenders: list[Contender]
    rows: list[Row]
    note: str = ""
    once: bool = False


@dataclass
class Result:
    """What a race measured: for each contender the figures of every turn, or what went wrong."""

    race: Race
    turns: dict[str, list[dict[str, float | str]]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def values(self, contender: str, figure: str) -> list[float]:
        """One figure of every turn."""
        return [turn[figure] for turn in self.turns.get(contender, [])]

    def median(self, contender: str, figure: str) -> float | None:
        """The median of a figure; none where the contender failed."""
        values = self.values(contender, figure)
        return statistics.median(values) if values and contender not in self.errors else None

    def failed(self) -> bool:
        """Whether any contender went wrong."""
        return bool(self.errors)


def missing() -> Path | None:
    """The first thing that benchmarks/setup should have made and has not."""
    programs = ["peak", "csv_speed", "augment_speed", "inference_speed"]
    needed = [PYTHON, glyphnet(), CSV, ONNX, *(example(name) for name in programs)]
    return next((path for path in needed if not path.exists()), None)


def one_turn(contender: Contender) -> dict[str, float | str]:
    """One process: its own figures, `wall` seconds from start to end, and `memory`, the largest resident set in MB."""
    with tempfile.TemporaryDirectory() as folder:
        out, log = Path(folder) / "run", Path(folder) / "log"
        command = [part.replace("{out}", str(out)) for part in contender.command]
        with log.open("w") as errors:
            start = time.perf_counter()
            pipes = {"stdout": subprocess.PIPE, "stderr": errors, "text": True}
            process = subprocess.Popen(command, env=_ENVIRONMENT, cwd=ROOT, **pipes)
            output = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RuntimeError(f"exit code {process.returncode}\n{log.read_text()[-2000:]}")
        return {"wall": wall, "memory": usage.ru_maxrss / 1024, **contender.read(out, output)}


def run(race: Race, repeats: int) -> Result:
    """All turns of a race. A contender that fails is left out of the remaining turns."""
    result = Result(race)
    for number in range(1 if race.once else repeats):
        for contender in race.contenders:
            if contender.name in result.errors:
                continue
            try:
                turn = one_turn(contender)
            except (RuntimeError, OSError, ValueError, KeyError) as error:
                result.errors[contender.name] = str(error)
                print(f"  {contender.name}: {error}", file=sys.stderr)
                continue
            result.turns.setdefault(contender.name, []).append(turn)
            shown = json.dumps({k: round(v, 6) for k, v in turn.items() if isinstance(v, float)})
            print(f"  turn {number + 1}, {contender.name}: {shown}", file=sys.stderr)
    return result
