"""Reads model files and checkpoints by docs/formats.md alone, and checks digest, layout, sections and shapes.

    python parity/read_formats.py FILE...

Without a file it reads the golden ones. It needs NumPy. Ends with exit code 1 if a file is not as the document says. Of models
of conv2d (stride 1, no padding, linear), batch_norm, flatten and dense it also prints what they predict for two images of rising
and falling pixels, in 64 bits; the golden test compares.
"""

import hashlib
import json
import math
import pathlib
import struct
import sys

import numpy as np

BEGINNING = b'{"__metadata__":{"digest":"'
SIZES = {"F32": 4, "U8": 1}
VERSIONS = {"glyphnet-model": ("1", "2", "3"), "glyphnet-checkpoint": ("1",)}
TENSORS = {
    "conv2d": ("kernel", "bias"),
    "dense": ("kernel", "bias"),
    "batch_norm": ("gamma", "beta", "moving_mean", "moving_variance"),
}


class Wrong(Exception):
    """What is not as the document says."""


def need(condition, what):
    if not condition:
        raise Wrong(what)


def open_container(file):
    """Metadata and sections, by name."""
    (length,) = struct.unpack("<Q", file[:8])
    need(length <= 1 << 23 and length % 8 == 0 and 8 + length <= len(file), "the header's length")
    sealed = file[8:35] == BEGINNING
    if sealed:
        blank = file[:35] + b"0" * 64 + file[99:]
        need(hashlib.sha256(blank).hexdigest().encode() == file[35:99], "the digest")
    header = json.loads(file[8 : 8 + length])
    metadata = header.pop("__metadata__")
    need(metadata["version"] in VERSIONS[metadata["format"]], "the version")
    need(sealed or (metadata["format"], metadata["version"]) == ("glyphnet-model", "1"), "no digest")
    data, position, sections = file[8 + length :], 0, {}
    for name, section in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = section["data_offsets"]
        need(begin == position and end <= len(data), f"the offsets of {name}")
        need(end - begin == math.prod(section["shape"]) * SIZES[section["dtype"]], f"the size of {name}")
        kind = {"F32": "<f4", "U8": "u1"}[section["dtype"]]
        sections[name] = np.frombuffer(data[begin:end], kind).reshape(section["shape"])
        position = end
    need(position == len(data), "bytes behind the last section")
    return metadata, sections


def expected_tensors(metadata, sections, prefix):
    """Names of a network's tensors, each checked for what its neighbours say of its shape."""
    counts, names = {}, []
    for layer in json.loads(metadata["layers"]):
        kind = layer["kind"]
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        name = kind if number == 0 else f"{kind}_{number}"
        width = layer.get("filters", layer.get("units"))
        for tensor in TENSORS.get(kind, ()):
            if tensor == "bias" and layer.get("use_bias") is False:
                continue
            array = sections[f"{prefix}{name}/{tensor}"]
            need(array.dtype == "<f4" and np.isfinite(array).all(), f"values of {name}/{tensor}")
            need(array.ndim == {"kernel": 4 if kind == "conv2d" else 2}.get(tensor, 1), f"shape of {name}/{tensor}")
            need(width is None or array.shape[-1] == width, f"width of {name}/{tensor}")
            names.append(f"{name}/{tensor}")
    return names


def optimizer_arrays(recipe):
    optimizer = recipe["optimizer"]
    momentum = optimizer.get("momentum", 0) != 0
    return {
        "sgd": ["velocity"] * momentum,
        "rmsprop": ["mean_square"] + ["velocity"] * momentum + ["mean"] * optimizer.get("centered", False),
        "adam": ["mean", "mean_square"],
        "adamw": ["mean", "mean_square"],
    }[optimizer["kind"]]


def exact(text):
    return struct.unpack(">d", bytes.fromhex(text))[0]


def check_checkpoint(metadata, sections):
    import tomllib

    progress = json.loads(metadata["progress"])
    names = expected_tensors(metadata, sections, "network.")
    known = {f"network.{name}" for name in names} | {"history"}
    trained = [name for name in names if "/moving_" not in name]
    arrays = [f"{array}.{name}" for array in optimizer_arrays(tomllib.loads(metadata["recipe"])) for name in trained]
    known |= {f"optimizer.{name}" for name in arrays}
    if progress["best_epoch"]:
        known |= {f"best.{name}" for name in names}
    if any(name.startswith("rollback.") for name in sections):
        known |= {f"rollback.network.{name}" for name in names} | {f"rollback.optimizer.{name}" for name in arrays}
    for name in known - {"history"}:
        tensor = name.rsplit(".", 1)[1]
        need(sections[name].shape == sections[f"network.{tensor}"].shape, f"the shape of {name}")
    need(known == set(sections), f"sections {known ^ set(sections)}")
    history = sections["history"].tobytes().decode().splitlines()
    need(len(history) == 1 + progress["epochs"], "lines of the history")
    need(progress["best_epoch"] <= progress["epochs"] and progress["epoch"]["steps"] <= progress["steps"], "progress")
    rate = exact(progress["learning_rate"])
    need(math.isfinite(rate), "the learning rate")
    return f"epoch {progress['epochs']} of {progress['planned']}, step {progress['steps']}, learning rate {rate}"


def predict(metadata, sections):
    """Class probabilities of two images, in 64 bits."""
    shape = [json.loads(metadata["input"])[key] for key in ("height", "width", "channels")]
    settings = json.loads(metadata["preprocess"])
    pixels = np.array([[i * 28 % 256 for i in range(9)], [255 - i * 13 for i in range(9, 18)]], float)
    x = pixels.reshape(2, *shape) * settings["scale"]
    x = (x - np.array(settings["mean"])) / np.array(settings["std"])
    tensors = {name: array.astype(float) for name, array in sections.items()}
    for layer in json.loads(metadata["layers"]):
        kind = layer["kind"]
        if kind == "conv2d":
            windows = np.lib.stride_tricks.sliding_window_view(x, tensors["conv2d/kernel"].shape[:2], (1, 2))
            x = np.einsum("nijchw,hwcf->nijf", windows, tensors["conv2d/kernel"]) + tensors["conv2d/bias"]
        elif kind == "batch_norm":
            deviation = np.sqrt(tensors["batch_norm/moving_variance"] + layer.get("epsilon", 1e-3))
            x = (x - tensors["batch_norm/moving_mean"]) / deviation * tensors["batch_norm/gamma"]
            x = x + tensors["batch_norm/beta"]
        elif kind == "flatten":
            x = x.reshape(2, -1)
        else:
            x = x @ tensors["dense/kernel"] + tensors["dense/bias"]
    x = np.exp(x - x.max(1, keepdims=True))
    return x / x.sum(1, keepdims=True)


def check(path):
    metadata, sections = open_container(path.read_bytes())
    if metadata["format"] == "glyphnet-checkpoint":
        return check_checkpoint(metadata, sections)
    prefixes = [""]
    if metadata["version"] == "3":
        count = int(metadata["members"])
        need(2 <= count <= 1000 and str(count) == metadata["members"], "the number of members")
        prefixes = [f"member.{member}/" for member in range(1, count + 1)]
    members = [{f"{prefix}{name}" for name in expected_tensors(metadata, sections, prefix)} for prefix in prefixes]
    names = set().union(*members)
    need(names == set(sections), f"sections {names ^ set(sections)}")
    if path.name.startswith("model-"):
        cut = [{name.removeprefix(p): sections[name] for name in names} for p, names in zip(prefixes, members)]
        mean = np.mean([predict(metadata, tensors) for tensors in cut], axis=0)
        return f"{len(names)} sections, predicts {mean.ravel().tolist()}"
    return f"{len(names)} sections"


def main():
    golden = pathlib.Path(__file__).parent.parent / "crates/glyphnet/tests/golden"
    failed = False
    for path in map(pathlib.Path, sys.argv[1:]) if sys.argv[1:] else sorted(golden.iterdir()):
        try:
            print(f"{path.name}: {check(path)}")
        except (Wrong, KeyError, ValueError, struct.error) as error:
            failed = True
            print(f"{path.name}: not as the document says: {error!r}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
