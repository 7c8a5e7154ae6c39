"""Golden warps from Keras and SciPy -> golden/augment.json and golden/augment.bin

Inputs: three MNIST test digits (28 x 28 x 1), an RGB image of odd sizes (13 x 17 x 3) and a square one (16 x 16 x 3), both
made from digits. Three references:

keras   ImageDataGenerator.apply_transform with explicit parameters: warp, channel shift, flips, brightness.
        Given explicitly, Keras's `tx` moves columns and `ty` rows, as ours do; it is in drawing them that Keras takes `tx`
        from height_shift_range and `ty` from width_shift_range (keras#17398), which is not copied. On images that are not
        square Keras also swaps the coordinates of the centre; the script hands it shifts that undo this.
        `wrap` is left to SciPy below, since Keras's is not the documented one. Brightness goes through 8-bit images in
        Keras, so the exact value before brightness is stored and the 8-bit result beside it.
scipy   scipy.ndimage.affine_transform(order=1), matrix and offset composed here from the written definition, for all four
        fill modes (`wrap` = SciPy's grid-wrap).

The JSON lists the cases; the binary holds each input as bytes, then each expected output as little-endian u16 in units of
1/256 grey level (rounded, so stored values are within 1/512 of the reference's).
"""

import gzip
import json
from pathlib import Path

import numpy as np
import scipy.ndimage
from keras.src.legacy.preprocessing.image import ImageDataGenerator

HERE = Path(__file__).parent
FILLS = ["nearest", "constant", "reflect", "wrap"]
CVAL = 37.0
IDENTITY = dict(
    theta=0.0, tx=0.0, ty=0.0, shear=0.0, zoom_x=1.0, zoom_y=1.0,
    flip_horizontal=False, flip_vertical=False, channel_shift=0.0, brightness=1.0,
)  # fmt: skip


def inputs():
    raw = gzip.decompress((HERE / "../data/mnist/t10k-images-idx3-ubyte.gz").read_bytes())
    digits = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28)
    colour = np.stack([digits[3], digits[4], 255 - digits[5]], axis=-1)
    return [*(digits[i][..., None] for i in (0, 1, 2)), colour[6:19, 5:22], colour[6:22, 6:22]]


def linear_part(draw):
    theta, shear = np.deg2rad(draw["theta"]), np.deg2rad(draw["shear"])
    rotation = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    sheared = np.array([[1, -np.sin(shear)], [0, np.cos(shear)]])
    return rotation, rotation @ sheared @ np.diag([draw["zoom_x"], draw["zoom_y"]])


def centre(image):
    height, width, _ = image.shape
    return np.array([width / 2 - 0.5, height / 2 - 0.5])  # (column, row)


def scipy_warp(image, draw, fill):
    rotation, linear = linear_part(draw)
    offset = centre(image) - linear @ centre(image) + rotation @ [draw["tx"], draw["ty"]]
    swap = [1, 0]  # SciPy counts (row, column)
    mode = {"wrap": "grid-wrap"}.get(fill, fill)
    channels = [
        scipy.ndimage.affine_transform(plane, linear[swap][:, swap], offset[swap], order=1, mode=mode, cval=CVAL)
        for plane in np.moveaxis(image.astype(np.float64), -1, 0)
    ]
    return np.stack(channels, axis=-1)


def keras_apply(image, draw, fill, with_brightness):
    rotation, linear = linear_part(draw)
    shift = np.array([draw["tx"], draw["ty"]])
    if image.shape[0] != image.shape[1]:
        theirs = centre(image)[::-1]
        shift = shift + np.linalg.solve(rotation, (np.eye(2) - linear) @ (centre(image) - theirs))
    parameters = {
        "theta": draw["theta"],
        "tx": shift[0],
        "ty": shift[1],
        "shear": draw["shear"],
        "zx": draw["zoom_x"],
        "zy": draw["zoom_y"],
        "flip_horizontal": draw["flip_horizontal"],
        "flip_vertical": draw["flip_vertical"],
        "channel_shift_intensity": draw["channel_shift"] or None,
        "brightness": draw["brightness"] if with_brightness else None,
    }
    generator = ImageDataGenerator(fill_mode=fill, cval=CVAL)
    return generator.apply_transform(image.astype(np.float32), parameters)


def draws():
    rng = np.random.default_rng(17)
    yield IDENTITY
    for single in (
        {"theta": 10.0}, {"theta": -33.0}, {"theta": 90.0}, {"tx": 3.0}, {"ty": -2.0}, {"tx": 2.6, "ty": -1.3},
        {"shear": 12.0}, {"zoom_x": 1.3}, {"zoom_y": 0.7}, {"zoom_x": 0.5, "zoom_y": 2.0}, {"tx": 40.0},
        {"flip_horizontal": True}, {"flip_vertical": True}, {"channel_shift": 20.5}, {"channel_shift": -14.25},
    ):  # fmt: skip
        yield IDENTITY | single
    uniform = lambda low, high: round(rng.uniform(low, high), 3)
    for number in range(7):
        yield dict(
            theta=uniform(-30, 30), tx=uniform(-4, 4), ty=uniform(-4, 4), shear=uniform(-15, 15),
            zoom_x=uniform(0.7, 1.4), zoom_y=uniform(0.7, 1.4), flip_horizontal=bool(rng.integers(2)),
            flip_vertical=bool(rng.integers(2)), channel_shift=uniform(-40, 40) if number % 3 else 0.0,
            brightness=uniform(0.4, 1.6) if number % 2 else 1.0,
        )  # fmt: skip


def compact(draw):
    """Only what differs from the identity."""
    return {key: value for key, value in draw.items() if value != IDENTITY[key]}


def main():
    images, cases, outputs = inputs(), [], []
    for number, draw in enumerate(draws()):
        for turn in range(4):
            which, fill = (number + turn) % len(images), FILLS[turn]
            affine_only = IDENTITY | {key: draw[key] for key in ("theta", "tx", "ty", "shear", "zoom_x", "zoom_y")}
            cases.append({"reference": "scipy", "image": which, "fill": fill, "draw": compact(affine_only)})
            outputs.append(scipy_warp(images[which], affine_only, fill))
            if fill != FILLS[number % 3]:
                continue
            which = (number + turn + 2) % len(images)
            cases.append({"reference": "keras", "image": which, "fill": fill, "draw": compact(draw | {"brightness": 1.0})})
            outputs.append(keras_apply(images[which], draw, fill, with_brightness=False))
            if draw["brightness"] != 1.0:
                cases.append({"reference": "keras brightness", "image": which, "fill": fill, "draw": compact(draw)})
                outputs.append(keras_apply(images[which], draw, fill, with_brightness=True))
    shapes = [list(image.shape) for image in images]
    lines = ",\n".join(json.dumps(case) for case in cases)
    (HERE / "golden/augment.json").write_text(
        f'{{"fill_value": {CVAL}, "shapes": {json.dumps(shapes)}, "cases": [\n{lines}\n]}}\n'
    )
    with open(HERE / "golden/augment.bin", "wb") as file:
        for image in images:
            file.write(image.tobytes())
        for output in outputs:
            file.write(np.rint(output.astype(np.float64) * 256).astype("<u2").tobytes())
        print(f"augment: {len(images)} images, {len(cases)} cases, {file.tell()} bytes")


if __name__ == "__main__":
    main()
