"""The usual Python server: FastAPI and ONNX Runtime, run by uvicorn. Answers as `glyphnet serve` does, to three kinds of requests.

    MODEL=model.onnx uvicorn server:app --workers 2

MODEL is a file that `glyphnet export --format onnx` wrote. Inference runs in the event loop with one thread a worker: at these sizes a
thread pool costs more than it saves.
"""

import io
import json
import os

import numpy as np
import onnxruntime
from fastapi import FastAPI, Request
from fastapi.responses import Response
from PIL import Image

_options = onnxruntime.SessionOptions()
_options.intra_op_num_threads = 1
_options.inter_op_num_threads = 1
_session = onnxruntime.InferenceSession(os.environ["MODEL"], _options, providers=["CPUExecutionProvider"])
_, HEIGHT, WIDTH, CHANNELS = _session.get_inputs()[0].shape
_classes = json.loads(_session.get_modelmeta().custom_metadata_map["classes"])

app = FastAPI()


def _answer(pixels: np.ndarray) -> Response:
    images = pixels.reshape(1, HEIGHT, WIDTH, CHANNELS)
    probabilities = _session.run(["probabilities"], {"images": images})[0][0]
    label = int(probabilities.argmax())
    answer = {"class": _classes[label], "label": label, "probabilities": probabilities.tolist()}
    return Response(json.dumps(answer), media_type="application/json")


@app.post("/json")
async def from_json(request: Request) -> Response:
    """`{"pixels": [...]}`, numbers of 0 to 255."""
    body = json.loads(await request.body())
    return _answer(np.array(body["pixels"], np.uint8))


@app.post("/png")
async def from_png(request: Request) -> Response:
    """An image file as the body."""
    image = Image.open(io.BytesIO(await request.body())).convert("L" if CHANNELS == 1 else "RGB")
    return _answer(np.asarray(image.resize((WIDTH, HEIGHT)), np.uint8))


@app.post("/raw")
async def from_raw(request: Request) -> Response:
    """The pixels as bytes; the answer is bytes too."""
    pixels = np.frombuffer(await request.body(), np.uint8)
    images = pixels.reshape(1, HEIGHT, WIDTH, CHANNELS)
    return Response(_session.run(["probabilities"], {"images": images})[0].tobytes())
