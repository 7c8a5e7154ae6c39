"""Asks TensorBoard's own writer for an event file: parity/golden/tensorboard.tfevents.

Four events with fixed times: the version, three scalars (one of them zero), a scalar that is no number, and the picture
parity/golden/tensorboard.png, which this script makes too. The bytes are what `RecordWriter` and the compiled protocol
buffers of the package `tensorboard` write.

    python parity/tensorboard_golden.py
"""

import io
import pathlib

from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

GOLDEN = pathlib.Path(__file__).parent / "golden"


def scalars(**values):
    return Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])


def picture(path):
    image = Image.new("RGB", (3, 2))
    image.putdata([(255, 0, 0), (0, 255, 0), (0, 0, 255), (10, 20, 30), (40, 50, 60), (70, 80, 90)])
    image.save(path)
    content = Summary.Image(height=2, width=3, colorspace=3, encoded_image_string=path.read_bytes())
    return Summary(value=[Summary.Value(tag="confusion", image=content)])


def main():
    first = scalars(epoch_loss=0.3379845, epoch_accuracy=0.0, epoch_learning_rate=1e-3)
    events = [
        Event(wall_time=1_700_000_000.25, file_version="brain.Event:2"),
        Event(wall_time=1_700_000_001.5, step=1, summary=first),
        Event(wall_time=1_700_000_002.0, step=300, summary=scalars(epoch_loss=float("nan"))),
        Event(wall_time=1_700_000_003.0, step=1 << 40, summary=picture(GOLDEN / "tensorboard.png")),
    ]
    file = io.BytesIO()
    writer = RecordWriter(file)
    for event in events:
        writer.write(event.SerializeToString())
    (GOLDEN / "tensorboard.tfevents").write_bytes(file.getvalue())


if __name__ == "__main__":
    main()
