"""Starts the servers, lets wrk load them in turns, and watches their memory."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which

import numpy as np
from PIL import Image

from race.paths import CSV, PYTHON, glyphnet

_HERE = Path(__file__).resolve().parent
# Different images, so that nothing is answered from a cache.
_IMAGES = 200
# As many connections as keep both cores busy, and far more than the server takes.
_CONNECTIONS, _TOO_MANY = 16, 480
# Beyond capacity: fewer requests at work than there are connections, so that the rest must be refused.
_MOST_AT_WORK = 64

Figures = dict[str, float]


@dataclass
class Kind:
    """A kind of request: the bodies, and where each server takes them."""

    name: str
    content_type: str
    ours: str
    theirs: str
    headers: tuple[str, ...] = ()


@dataclass
class Work:
    """A trained model in both forms, and the bodies of requests."""

    network: str
    folder: Path
    kinds: list[Kind]

    @staticmethod
    def prepare(network: str, folder: Path) -> "Work":
        """Trains the network of a shipped recipe for one epoch, exports it, and writes the requests. Each image is seen once: ONNX
        has no test-time augmentation."""
        folder.mkdir()
        once = ["--set", "preprocess.tta_below=none"]
        commands = [
            ["train", "--recipe", network, "--fast-run", *once, "--out", str(folder / "run")],
            ["export", "--model", str(folder / "run"), "--format", "onnx", "-o", str(folder / "model.onnx")],
        ]
        for command in commands:
            subprocess.run([glyphnet(), *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        images = np.loadtxt(CSV, np.uint8, delimiter=",", skiprows=1, max_rows=_IMAGES)[:, 1:].reshape(-1, 28, 28)
        header = _binary_header(images[0].size)
        for name in ("json", "png", "raw", "v2"):
            (folder / name).mkdir()
        for i, image in enumerate(images):
            (folder / "json" / str(i)).write_text(json.dumps({"pixels": image.ravel().tolist()}))
            Image.fromarray(image).save(folder / "png" / str(i), format="png")
            (folder / "raw" / str(i)).write_bytes(image.tobytes())
            (folder / "v2" / str(i)).write_bytes(header + image.tobytes())
        length = ("Inference-Header-Content-Length", str(len(header)))
        kinds = [
            Kind("PNG file", "image/png", "png:/api/predict", "png:/png"),
            Kind("JSON pixels", "application/json", "json:/api/predict", "json:/json"),
            Kind("binary tensor", "application/octet-stream", "v2:/v2/models/seed/infer", "raw:/raw", length),
        ]
        return Work(network, folder, kinds)


def _binary_header(size: int) -> bytes:
    tensor = {"name": "images", "datatype": "UINT8", "shape": [1, 28, 28, 1], "parameters": {"binary_data_size": size}}
    return json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()


def missing() -> list[str]:
    """Programs that are not installed."""
    return [] if which("wrk") else ["wrk"]


def race(work: Work, turns: int, seconds: int) -> dict[str, dict[str, list[Figures]]]:
    """For each kind of request the figures of both servers, which take turns; both run all the while, one is idle."""
    result: dict[str, dict[str, list[Figures]]] = {}
    with _glyphnet(work) as ours, _fastapi(work) as theirs:
        for kind in work.kinds:
            _check_answers(work, kind, ours, theirs)
            rows = result.setdefault(kind.name, {"glyphnet": [], "FastAPI": []})
            for _ in range(turns):
                rows["glyphnet"].append(_wrk(work, ours, kind.ours, kind, seconds, _CONNECTIONS))
                rows["FastAPI"].append(_wrk(work, theirs, kind.theirs, kind, seconds, _CONNECTIONS))
                _say(f"{work.network}, {kind.name}", rows["glyphnet"][-1], rows["FastAPI"][-1])
    return result


def soak(work: Work, seconds: int) -> dict[str, dict[str, Figures]]:
    """Each kind of load for `seconds` on a fresh server of ours, with its memory."""
    png = work.kinds[0]
    result = {}
    for name, connections, options in [
        ("at capacity", _CONNECTIONS, []),
        ("beyond capacity", _TOO_MANY, ["--max-concurrent", str(_MOST_AT_WORK)]),
    ]:
        with _glyphnet(work, *options) as server:
            _wrk(work, server, png.ours, png, 5, connections)
            with _memory(server.process.pid) as memory:
                figures = _wrk(work, server, png.ours, png, seconds, connections)
            result[name] = {**figures, "connections": connections, **memory}
            _say(f"{work.network}, {name}", result[name])
    return result


@dataclass
class _Server:
    process: subprocess.Popen
    address: str


@contextmanager
def _glyphnet(work: Work, *options: str) -> Iterator[_Server]:
    port = _free_port()
    command = [str(glyphnet()), "serve", "--model", str(work.folder / "run"), "--name", "seed"]
    yield from _running([*command, "--addr", f"127.0.0.1:{port}", "--log-format", "off", *options], {}, port, "/v2/health/ready")


@contextmanager
def _fastapi(work: Work) -> Iterator[_Server]:
    port = _free_port()
    workers = str(len(os.sched_getaffinity(0)))
    command = [str(PYTHON), "-m", "uvicorn", "server:app", "--app-dir", str(_HERE), "--workers", workers]
    command += ["--port", str(port), "--no-access-log", "--log-level", "warning"]
    yield from _running(command, {"MODEL": str(work.folder / "model.onnx")}, port, "/openapi.json")


def _running(command: list[str], environment: dict[str, str], port: int, path: str) -> Iterator[_Server]:
    process = subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL)
    try:
        server = _Server(process, f"http://127.0.0.1:{port}")
        _wait(server.address + path, process)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(url: str, process: subprocess.Popen) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError):
            if process.poll() is not None:
                raise RuntimeError(f"{process.args[0]} ended with {process.returncode}") from None
            time.sleep(0.1)
    raise RuntimeError(f"{url} does not answer")


def _check_answers(work: Work, kind: Kind, ours: _Server, theirs: _Server) -> None:
    """Both servers must give the same probabilities for the same images."""
    for i in range(20):
        answers = []
        for server, place in ((ours, kind.ours), (theirs, kind.theirs)):
            folder, path = place.split(":")
            headers = {"Content-Type": kind.content_type, **dict(zip(kind.headers[::2], kind.headers[1::2]))}
            body = (work.folder / folder / str(i)).read_bytes()
            request = urllib.request.Request(server.address + path, body, headers)
            with urllib.request.urlopen(request, timeout=10) as response:
                answers.append(_probabilities(response.read(), response.headers))
        np.testing.assert_allclose(answers[0], answers[1], atol=1e-4, err_msg=kind.name)


def _probabilities(body: bytes, headers: "urllib.response.addinfourl.headers") -> np.ndarray:
    if (headers["Content-Type"] or "").startswith("application/json"):
        answer = json.loads(body)
        return np.array(answer.get("predictions", [answer])[0]["probabilities"])
    return np.frombuffer(body[int(headers.get("Inference-Header-Content-Length", 0)):], np.float32)


def _wrk(work: Work, server: _Server, place: str, kind: Kind, seconds: int, connections: int) -> Figures:
    folder, path = place.split(":")
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(_HERE / "post.lua")]
    command += [server.address + path, "--", str(work.folder / folder), str(_IMAGES), kind.content_type, *kind.headers]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    figures = json.loads(output.splitlines()[-1])
    answered = figures["requests"] - figures["refused"] - figures["other_status"]
    return {**figures, "per_second": answered / figures["seconds"]}


@contextmanager
def _memory(pid: int) -> Iterator[Figures]:
    """The resident set in MB, at the start, at the end and the largest between, looked at twice a second."""
    seen: list[float] = []
    figures: Figures = {}
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            seen.append(_resident(pid))
            ended.wait(0.5)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield figures
    finally:
        ended.set()
        watcher.join()
        figures.update(memory_start=seen[0], memory_end=_resident(pid), memory_most=max(seen))


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _say(name: str, *figures: Figures) -> None:
    print(f"  {name}: {', '.join(json.dumps({k: round(v, 3) for k, v in f.items()}) for f in figures)}", file=sys.stderr)
