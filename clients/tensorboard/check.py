"""Trains with --tensorboard, goes on with the run, and reads the event files with the package tensorboard.

    .venv/bin/python check.py PATH_OF_GLYPHNET
"""

import csv
import pathlib
import subprocess
import sys
import tempfile

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

SCALARS = {
    "train": {"epoch_loss": "train_loss", "epoch_accuracy": "train_accuracy", "epoch_learning_rate": "learning_rate"},
    "validation": {"epoch_loss": "val_loss", "epoch_accuracy": "val_accuracy"},
}


def train(glyphnet, folder, *arguments):
    subprocess.run([glyphnet, "train", *arguments], cwd=folder, check=True, capture_output=True)


def read(folder):
    """What TensorBoard keeps of a folder: everything, in its order."""
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0}, purge_orphaned_data=False)
    accumulator.Reload()
    return accumulator


def check_scalars(run, epochs):
    with open(run / "history.csv") as file:
        history = list(csv.DictReader(file))
    assert len(history) == epochs, history
    for split, tags in SCALARS.items():
        accumulator = read(run / "tensorboard" / split)
        assert sorted(accumulator.Tags()["scalars"]) == sorted(tags), accumulator.Tags()
        assert accumulator.file_version == 2.0, accumulator.file_version
        for tag, column in tags.items():
            events = accumulator.Scalars(tag)
            assert [event.step for event in events] == list(range(1, epochs + 1)), (split, tag, events)
            times = [event.wall_time for event in events]
            assert times == sorted(times) and times[0] > 1.6e9, times
            for event, row in zip(events, history):
                assert abs(event.value - float(row[column])) <= 1e-6 * abs(event.value), (event, row)


def check_pictures(run, epochs):
    accumulator = read(run / "tensorboard" / "pictures")
    files = sorted(run.glob("*.png"))
    assert files and sorted(accumulator.Tags()["images"]) == [file.stem for file in files], accumulator.Tags()
    for file in files:
        last = accumulator.Images(file.stem)[-1]
        content = file.read_bytes()
        assert last.encoded_image_string == content and last.step == epochs, (file, last.step)
        size = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
        assert (last.width, last.height) == size, (file, last.width, last.height)


def check_together(folder):
    """As `tensorboard --logdir` finds them."""
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    runs = {f"run/tensorboard/{split}" for split in (*SCALARS, "pictures")}
    assert set(multiplexer.Runs()) == runs, multiplexer.Runs()


def main():
    glyphnet = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        small = ["--set", "data.limit=600", "--tensorboard"]
        train(glyphnet, place, *small, "--epochs", "2", "--out", "run")
        check_scalars(place / "run", 2)
        check_pictures(place / "run", 2)
        train(glyphnet, place, "--resume", "run", "--epochs", "4")
        check_scalars(place / "run", 4)
        check_pictures(place / "run", 4)
        check_together(place)
    print("TensorBoard reads what train --tensorboard writes")


if __name__ == "__main__":
    main()
