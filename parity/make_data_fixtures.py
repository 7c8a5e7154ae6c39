"""Small real files for the tests of crates/data -> crates/data/tests/fixtures

NPZ archives written by NumPy in the ways people write them, and images written by Pillow in the modes they come in.
expected.json holds, for each image, [height, width, channels, pixels] as Pillow itself converts it: upright, without
transparency (laid on white), RGB, or grey where every pixel is grey.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

OUT = Path(__file__).parent.parent / "crates/data/tests/fixtures"
rng = np.random.default_rng(20)


def pixels(*shape):
    return rng.integers(0, 256, shape, dtype=np.uint8)


def archives():
    train, test = pixels(5, 4, 3), pixels(3, 4, 3)
    y_train, y_test = np.array([0, 3, 1, 3, 2]), np.array([1, 0, 3])
    # As Keras ships mnist.npz: compressed, labels uint8.
    np.savez_compressed(
        OUT / "grey.npz", x_train=train, y_train=y_train.astype(np.uint8), x_test=test, y_test=y_test.astype(np.uint8)
    )
    # As CIFAR comes from Keras: RGB, labels N x 1; not compressed, big-endian labels, no test labels.
    np.savez(
        OUT / "colour.npz",
        x_train=pixels(4, 2, 2, 3),
        y_train=np.array([[1], [0], [2], [300]], dtype=">i2"),
        x_test=pixels(2, 2, 2, 3),
    )
    # As MedMNIST ships its sets, with names for the classes.
    np.savez_compressed(
        OUT / "named.npz",
        train_images=train,
        train_labels=y_train.reshape(-1, 1).astype(np.int64),
        val_images=test,
        val_labels=y_test.reshape(-1, 1).astype(np.int64),
        test_images=test[::-1],
        test_labels=y_test[::-1].reshape(-1, 1).astype(np.int64),
        classes=np.array(["T-shirt", "trousers", "Füße", "bag"]),
    )
    np.savez(OUT / "float.npz", x_train=train / 255.0, y_train=y_train)
    np.savez(OUT / "column_major.npz", x_train=np.asfortranarray(train), y_train=y_train)
    np.savez(OUT / "one_hot.npz", x_train=train, y_train=np.eye(4, dtype=np.uint8)[y_train])
    np.savez(OUT / "counts.npz", x_train=train, y_train=y_train[:4])
    return {"train": train.ravel().tolist(), "test": test.ravel().tolist()}


def flattened(image):
    image = ImageOps.exif_transpose(image)
    if image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    rgb = np.array(image.convert("RGB"))
    if (rgb == rgb[..., :1]).all():
        rgb = rgb[..., :1]
    return [*rgb.shape, rgb.ravel().tolist()]


def images():
    grey = Image.fromarray(pixels(5, 4))
    colour = Image.fromarray(pixels(5, 4, 3))
    alpha = Image.fromarray(np.concatenate([pixels(5, 4, 3), rng.choice([0, 255], (5, 4, 1)).astype(np.uint8)], 2))
    palette = colour.quantize(7)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees, as telephones do
    flat = Image.fromarray(np.full((16, 24), 90, dtype=np.uint8))
    flat.paste(200, (0, 0, 8, 16))
    files = {
        "grey.png": (grey, {}),
        "colour.png": (colour, {}),
        "grey_as_rgb.png": (grey.convert("RGB"), {}),
        "one_bit.png": (grey.convert("1"), {}),
        "palette.png": (palette, {}),
        "alpha.png": (alpha, {}),
        "grey_alpha.png": (alpha.convert("LA"), {}),
        "colour.bmp": (colour, {}),
        "palette.gif": (palette, {}),
        "lossless.webp": (colour, {"lossless": True}),
        "grey.pgm": (grey, {}),
        "turned.jpg": (flat, {"exif": exif, "quality": 100}),
    }
    expected = {}
    for name, (image, options) in files.items():
        image.save(OUT / name, **options)
        expected[name] = flattened(Image.open(OUT / name))
    return expected


def grey_formula():
    """Random colours and the grey that Pillow makes of them."""
    rgb = rng.integers(0, 256, (200, 1, 3), dtype=np.uint8)
    return {"rgb": rgb.ravel().tolist(), "grey": np.array(Image.fromarray(rgb).convert("L")).ravel().tolist()}


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    expected = {"npz": archives(), "images": images(), "grey": grey_formula()}
    (OUT / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")
