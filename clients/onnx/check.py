"""ONNX files, checked by the package onnx and run by onnxruntime.

    python check.py GLYPHNET ONNX_CASES

First the models of crates/artifacts/tests/cases, which ONNX_CASES writes: every kind of layer with every setting. The
checker must accept each, the shapes that it infers must be those that the file states, and onnxruntime's logits and
probabilities must be the library's. Then a network trained on MNIST, exported by GLYPHNET: on 1,000 test images
onnxruntime must say what `predict` says, and the Python of docs/export.md must print it.
"""

import contextlib
import gzip
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
# What rounding may make of logits, as a part of the largest: the same bound as in `export`.
TOLERANCE = 1e-4
# Besides all images at once.
BATCHES = [1, 7]


def load(path):
    """The model, after every check that the package onnx has."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    onnx.checker.check_model(str(path), full_check=True)
    inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    stated = {value.name: value.type for value in [*model.graph.value_info, *model.graph.output]}
    found = {value.name: value.type for value in [*inferred.graph.value_info, *inferred.graph.output]}
    assert stated == found, f"{path.name}: states other shapes than those that are inferred"
    made = {name for node in model.graph.node for name in node.output}
    assert made == set(stated), f"{path.name}: values without a shape: {made ^ set(stated)}"
    return model


def session(model):
    """The model in onnxruntime, with its logits as a second output."""
    logits = next(value for value in model.graph.value_info if value.name == "logits")
    model.graph.output.append(logits)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # Complaints are failures, and are seen as such.
    options.log_severity_level = 2
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(runtime, images):
    """Probabilities and logits, batch by batch: of every size the same."""
    outputs = ["probabilities", "logits"]
    whole = runtime.run(outputs, {"images": images})
    bound = TOLERANCE * max(1.0, np.abs(whole[1]).max())
    for size in BATCHES:
        part = runtime.run(outputs, {"images": images[:size]})
        for a, b in zip(part, whole):
            assert np.abs(a - b[:size]).max() <= bound, f"a batch of {size} says something else"
    return whole


def check_case(path):
    """The largest difference to the library's logits, as a part of what is allowed."""
    model = load(path)
    runtime = session(model)
    (given,) = runtime.get_inputs()
    assert (given.name, given.type, given.shape[0]) == ("images", "tensor(uint8)", "batch"), path.name
    shape = given.shape[1:]
    images = np.fromfile(path.with_suffix(".images"), np.uint8).reshape(-1, *shape)
    probabilities, logits = run(runtime, images)
    expected, ours = (np.fromfile(path.with_suffix(end), "<f4").reshape(len(images), -1) for end in (".probabilities", ".logits"))
    assert logits.shape == ours.shape, path.name
    bound = TOLERANCE * max(1.0, np.abs(ours).max())
    difference = np.abs(logits - ours).max()
    assert difference <= bound, f"{path.name}: logits differ by {difference}, allowed is {bound}"
    assert np.abs(probabilities - expected).max() <= bound, f"{path.name}: probabilities"
    metadata = runtime.get_modelmeta().custom_metadata_map
    classes = json.loads(metadata["classes"])
    assert classes == [f'class "{label}" ä' for label in range(logits.shape[1])], path.name
    assert set(json.loads(metadata["preprocess"])) >= {"scale", "mean", "std", "resize"}, path.name
    return difference / bound


def test_cases(program):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, folder], check=True)
        files = sorted(Path(folder).glob("*.onnx"))
        shares = [check_case(path) for path in files]
        operators = sorted({node.op_type for path in files for node in onnx.load(path).graph.node})
    assert len(files) > 50 and len(operators) == 22, (len(files), operators)
    print(f"{len(files)} networks with {', '.join(operators)}: at most {max(shares):.2f} of the difference that is allowed")


def digits(count):
    """Test images of MNIST: count x 28 x 28 x 1."""
    with gzip.open(ROOT / "data/mnist/t10k-images-idx3-ubyte.gz") as file:
        return np.frombuffer(file.read()[16 : 16 + count * 784], np.uint8).reshape(count, 28, 28, 1)


def test_trained(glyphnet):
    def ok(*args):
        return subprocess.run([glyphnet, *args], check=True, capture_output=True, text=True).stdout

    ok("train", "--fast-run", "--set", "data.limit=6000", "--out", "run")
    print(ok("export", "--model", "run", "--format", "onnx"), end="")
    images = digits(1000)
    heading = ",".join(f"pixel{i}" for i in range(784))
    np.savetxt("digits.csv", images.reshape(1000, 784), fmt="%d", delimiter=",", header=heading, comments="")
    said = json.loads(ok("predict", "--model", "run", "digits.csv", "--format", "json", "--invert", "no"))["predictions"]
    probabilities, _ = run(session(load(Path("model.onnx"))), images)
    labels = probabilities.argmax(axis=1)
    assert [prediction["label"] for prediction in said] == labels.tolist()
    difference = max(abs(prediction["probability"] - row.max()) for prediction, row in zip(said, probabilities))
    assert difference <= TOLERANCE, difference
    print(f"1,000 test images: the classes of predict, probabilities differ by at most {difference:.1e}")


def test_documentation():
    """The Python of docs/export.md, run on a test image."""
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/export.md").read_text(), re.DOTALL)
    Image.fromarray(digits(1)[0, :, :, 0]).save("digit.png")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, "docs/export.md", "exec"), {})  # noqa: S102: our own documentation
    lines = printed.getvalue().splitlines()
    assert len(lines) == 3 and re.fullmatch(r"7: \d+\.\d %", lines[0]), lines


def main():
    glyphnet, cases = (os.path.abspath(path) for path in sys.argv[1:])
    test_cases(cases)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        test_trained(glyphnet)
        test_documentation()


main()
