"""Trains for an epoch, serves the model, and asks it by Triton's client, by the examples of docs/serving.md, and by readers of its
descriptions.

    .venv/bin/python check.py PATH_OF_GLYPHNET
"""

import csv
import gzip
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import contextmanager

import numpy as np
import tritonclient.http as triton
from openapi_spec_validator import validate
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from tritonclient.utils import InferenceServerException

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGES = 1000
COMMANDS = {"sh": ["bash", "-euo", "pipefail"], "python": [sys.executable], "js": ["node", "--input-type=module"]}


def test_images():
    data = gzip.decompress((ROOT / "data/mnist/t10k-images-idx3-ubyte.gz").read_bytes())
    return np.frombuffer(data, np.uint8, IMAGES * 28 * 28, offset=16).reshape(IMAGES, 28, 28, 1)


def predicted(glyphnet, folder, images):
    """What `predict` says of the images: class and probability."""
    with open(folder / "test.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(f"pixel{i}" for i in range(images[0].size))
        writer.writerows(images.reshape(len(images), -1).tolist())
    command = [glyphnet, "predict", "--model", "run", "test.csv", "--format", "json", "--invert", "no"]
    output = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    rows = json.loads(output)["predictions"]
    return [row["label"] for row in rows], np.array([row["probability"] for row in rows], np.float32)


@contextmanager
def server(glyphnet, folder):
    """A server of the run, at an address of its own; it must end well."""
    command = [glyphnet, "serve", "--model", "run", "--name", "seed", "--addr", "127.0.0.1:0", "--log-format", "json"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    log = []
    try:
        for line in process.stderr:
            log.append(line)
            if address := re.search(r"127\.0\.0\.1:\d+", line):
                break
        else:
            raise AssertionError(f"the server does not say where it listens: {log}")
        yield address[0], process, log
    finally:
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=30)[1]
        log.extend(rest.splitlines())
    assert process.returncode == 0, (process.returncode, log[-5:])


def check_metadata(client):
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("seed")
    assert client.is_model_ready("seed", "1") and not client.is_model_ready("other")
    assert client.get_server_metadata()["name"] == "glyphnet"
    metadata = client.get_model_metadata("seed")
    assert metadata["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, 28, 28, 1]}], metadata
    assert metadata["outputs"] == [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]}], metadata
    assert client.get_model_config("seed")["name"] == "seed"


def infer(client, images, binary, **options):
    tensor = triton.InferInput("images", list(images.shape), "UINT8")
    tensor.set_data_from_numpy(images, binary_data=binary)
    output = triton.InferRequestedOutput("probabilities", binary_data=binary)
    return client.infer("seed", [tensor], outputs=[output], **options)


def check_inference(client, images, labels, sure):
    """The same classes as `predict`, to the bit where bits are sent."""
    for binary in (True, False):
        rows = [infer(client, images[i:i + 100], binary).as_numpy("probabilities") for i in range(0, IMAGES, 100)]
        probabilities = np.concatenate(rows)
        assert probabilities.shape == (IMAGES, 10) and probabilities.dtype == np.float32
        assert probabilities.argmax(axis=1).tolist() == labels, "other classes than predict's"
        assert np.array_equal(probabilities.max(axis=1), sure), "other probabilities than predict's"
    one_by_one = [infer(client, images[i:i + 1], True).as_numpy("probabilities")[0] for i in range(100)]
    assert np.array_equal(np.array(one_by_one), probabilities[:100]), "a batch changes the answer"
    assert infer(client, images[:1], True, request_id="abc").get_response()["id"] == "abc"
    waiting = [client.async_infer("seed", [_input(images[i:i + 1])]) for i in range(50)]
    answers = [request.get_result().as_numpy("probabilities").argmax() for request in waiting]
    assert answers == labels[:50]


def _input(images):
    tensor = triton.InferInput("images", list(images.shape), "UINT8")
    tensor.set_data_from_numpy(images)
    return tensor


def check_refusals(client):
    for images, name in ((np.zeros((1, 27, 28, 1), np.uint8), "seed"), (np.zeros((1, 28, 28, 1), np.uint8), "other")):
        try:
            client.infer(name, [_input(images)])
        except InferenceServerException as error:
            assert error.message(), error
        else:
            raise AssertionError(f"{images.shape} for {name} was taken")


def examples(text):
    """The blocks of the document that ask a server, as (language, code)."""
    blocks = re.findall(r"^```(sh|python|js)\n(.*?)^```", text, re.M | re.S)
    return [(language, code) for language, code in blocks if "127.0.0.1:8080" in code and "glyphnet serve" not in code]


def check_examples(folder, address, digit, label):
    Image.fromarray(digit[:, :, 0]).save(folder / "digit.png")
    found = examples((ROOT / "docs/serving.md").read_text())
    assert {language for language, _ in found} == set(COMMANDS) and len(found) >= 6, found
    for language, code in found:
        code = code.replace("127.0.0.1:8080", address)
        environment = {**os.environ, "no_proxy": "127.0.0.1"}
        run = subprocess.run(COMMANDS[language], input=code, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, (code, run.stderr)
        said = r'"shape":\[-1,28,28,1\]' if "/v2/models/seed" in code else rf'"class":"{label}"|^\[?{label}\]? '
        assert re.search(said, run.stdout, re.M), (code, run.stdout)


def get(address, path):
    with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as response:
        return response.read().decode()


def check_descriptions(address):
    document = json.loads(get(address, "/openapi.json"))
    validate(document)
    for path in ("/api/predict", "/metrics", "/v2/health/ready", "/v2/models/seed/infer"):
        assert any(re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", known), path) for known in document["paths"]), path
    families = {family.name: family for family in text_string_to_metric_families(get(address, "/metrics"))}
    batches = {sample.name: sample.value for sample in families["glyphnet_batch_images"].samples}
    # Twice all images, 100 alone, one with a number, 50 at once; the examples come later.
    assert batches["glyphnet_batch_images_sum"] == 2 * IMAGES + 100 + 1 + 50, batches


def check_log(log):
    requests = [line for line in map(json.loads, log[1:]) if line.get("event") == "request"]
    assert len(requests) > 150, len(requests)
    for line in requests:
        assert {"time", "id", "method", "path", "status", "milliseconds"} <= set(line), line
    assert not [line for line in requests if line["status"] >= 500]


def main():
    glyphnet = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([glyphnet, "train", "--fast-run", "--out", "run"], cwd=folder, check=True, capture_output=True)
        images = test_images()
        labels, sure = predicted(glyphnet, folder, images)
        with server(glyphnet, folder) as (address, _, log):
            client = triton.InferenceServerClient(address, concurrency=8)
            check_metadata(client)
            check_inference(client, images, labels, sure)
            check_descriptions(address)
            check_refusals(client)
            check_examples(folder, address, images[0], labels[0])
            client.close()
        check_log(log)
    print("serving: Triton's client, the examples of docs/serving.md and the descriptions agree")


if __name__ == "__main__":
    main()
