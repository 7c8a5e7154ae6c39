"""What a figure depends on: the CPU, and the versions of everything that runs on it."""

import json
import os
import platform
import subprocess
from pathlib import Path

from race.paths import PYTHON, ROOT, glyphnet

_VERSIONS = """
import importlib.metadata as m, json, platform
names = "torch", "tensorflow-cpu", "keras", "onnxruntime", "numpy", "scipy", "pandas", "polars", "fastapi", "uvicorn"
print(json.dumps({"Python": platform.python_version(), **{n: m.version(n) for n in names}}))
"""


def _output(*command: str | Path) -> str:
    words = [str(part) for part in command]
    return subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    fields: dict[str, str] = {}
    for line in info.read_text().splitlines() if info.exists() else []:
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    if "model name" not in fields:
        return platform.processor() or platform.machine()
    return f"{fields['model name']} (family {fields.get('cpu family', '?')}, model {fields.get('model', '?')})"


def _revision() -> str:
    try:
        return _output("git", "describe", "--always", "--dirty")
    except (subprocess.CalledProcessError, OSError):
        return "unknown revision"


def facts() -> dict[str, str]:
    """Name and value of everything worth saying about the machine and the contenders."""
    versions = json.loads(_output(PYTHON, "-c", _VERSIONS))
    return {
        "CPU": _cpu(),
        "cores": str(len(os.sched_getaffinity(0))),
        "load before the first race": f"{os.getloadavg()[0]:.2f}",
        "system": f"{platform.system()} {platform.machine()}",
        "glyphnet": f"{_output(glyphnet(), '--version').split()[-1]} ({_revision()}), {_output('rustc', '--version')}",
        "binary": f"{glyphnet().stat().st_size / 1e6:.1f} MB",
        "peers": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
