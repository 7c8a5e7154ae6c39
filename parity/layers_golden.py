"""Outputs and gradients of every layer, from PyTorch in float64: parity/golden/layers.safetensors.

    python parity/layers_golden.py

A case is a list of layers in the form of a recipe's `[[layer]]` tables. Its tensors are f32, images NHWC, convolution
kernels HWIO, dense kernels (in, out); `i` is the index of a layer in the list:

    <case>/input, <case>/upstream       the input, and the gradient of a scalar by the output: loss = sum(output * upstream)
    <case>/output, <case>/d_input       the output in training mode, the gradient by the input
    <case>/i/kernel, <case>/i/bias      parameters; batch_norm has gamma, beta, moving_mean, moving_variance (before the step)
    <case>/i/d_kernel, ...              gradients by the parameters
    <case>/i/after_moving_mean, ...     batch_norm's running statistics after the step
    <case>/inference                    the output in inference mode, where it differs: networks with batch_norm

The header's metadata has one entry, `cases`: JSON, a list of {"name", "layers"}.

Every case is also computed in float32 and must agree to 1e-5, so that no value hangs on the rounding at a rectifier's
corner or a tie of a maximum (otherwise other random numbers are tried); and where Keras has the same layers its
outputs and running statistics must agree as well, which is the check of "same" padding and of the conventions.
"""

import json
import os
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

OUT = Path(__file__).resolve().parent / "golden" / "layers.safetensors"
TOLERANCE = 1e-5

ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": F.relu,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softmax": lambda x: torch.softmax(x, 1),  # over channels: the second axis in PyTorch's order
}


# ---- The layers in PyTorch, activations NCHW or (N, features) ----------------------------------------------------


def pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def padding_of(size: int, kernel: int, stride: int, padding, axis: int) -> tuple[int, int]:
    """Pixels before and after along one axis (0 vertical, 1 horizontal)."""
    if padding == "valid":
        return 0, 0
    if padding == "same":
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        return total // 2, total - total // 2
    return (pair(padding)[axis],) * 2


def pad(x, kernel, stride, padding, value=0.0):
    (top, bottom), (left, right) = (padding_of(x.shape[2 + a], kernel[a], stride[a], padding, a) for a in (0, 1))
    return F.pad(x, (left, right, top, bottom), value=value)


def conv2d(spec, x, p, _training):
    kernel, stride = pair(spec["kernel"]), pair(spec.get("stride", 1))
    x = pad(x, kernel, stride, spec.get("padding", "valid"))
    y = F.conv2d(x, p["kernel"].permute(3, 2, 0, 1).contiguous(), p.get("bias"), stride)
    return ACTIVATIONS[spec.get("activation", "linear")](y)


def dense(spec, x, p, _training):
    y = x @ p["kernel"]
    return ACTIVATIONS[spec.get("activation", "linear")](y + p["bias"] if "bias" in p else y)


def max_pool2d(spec, x, _p, _training):
    size = pair(spec.get("size", 2))
    stride = pair(spec.get("stride", size))
    return F.max_pool2d(pad(x, size, stride, spec.get("padding", "valid"), -torch.inf), size, stride)


def avg_pool2d(spec, x, _p, _training):
    size = pair(spec.get("size", 2))
    stride = pair(spec.get("stride", size))
    padding = spec.get("padding", "valid")
    inside = F.avg_pool2d(pad(torch.ones_like(x), size, stride, padding), size, stride)
    return F.avg_pool2d(pad(x, size, stride, padding), size, stride) / inside


def batch_norm(spec, x, p, training):
    momentum = spec.get("torch_momentum", 1 - spec.get("keras_momentum", 0.99))
    epsilon = spec.get("epsilon", 1e-3)
    mean, variance = p["moving_mean"].clone(), p["moving_variance"].clone()
    y = F.batch_norm(x, mean, variance, p["gamma"], p["beta"], training, momentum, epsilon)
    if training:
        if "torch_momentum" not in spec:  # Keras keeps the biased variance
            axes = [a for a in range(x.ndim) if a != 1]
            batch = x.detach().var(axes, unbiased=False)
            variance = (1 - momentum) * p["moving_variance"] + momentum * batch
        p["after_moving_mean"], p["after_moving_variance"] = mean, variance
    return y


FORWARD = {
    "conv2d": conv2d,
    "dense": dense,
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "global_avg_pool2d": lambda _s, x, _p, _t: x.mean((2, 3)),
    "batch_norm": batch_norm,
    "flatten": lambda _s, x, _p, _t: x.permute(0, 2, 3, 1).flatten(1),
    "activation": lambda s, x, _p, _t: ACTIVATIONS[s["activation"]](x),
}


def to_torch(x):
    return x.permute(0, 3, 1, 2) if x.ndim == 4 else x


def to_nhwc(x):
    return x.permute(0, 2, 3, 1) if x.ndim == 4 else x


def forward(layers, x, parameters, training):
    """NHWC in, NHWC out; `parameters[i]` is a dictionary, to which batch_norm adds its running statistics."""
    x = to_torch(x)
    for spec, p in zip(layers, parameters, strict=True):
        x = FORWARD[spec["kind"]](spec, x, p, training)
    return to_nhwc(x)


# ---- One case ----------------------------------------------------------------------------------------------------


def random(rng, shape, scale=1.0):
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def draw_parameters(rng, layers, input_shape) -> list[dict]:
    """Random parameters for each layer; `input_shape` (H, W, C) or (features,)."""
    parameters, x = [], torch.zeros((1, *input_shape))
    for spec in layers:
        channels, p = x.shape[-1], {}
        if spec["kind"] in ("conv2d", "dense"):
            window = pair(spec["kernel"]) if spec["kind"] == "conv2d" else ()
            shape = (*window, channels, spec.get("filters", spec.get("units")))
            p["kernel"] = random(rng, shape, float(np.prod(shape[:-1])) ** -0.5)
            if spec.get("use_bias", True):
                p["bias"] = random(rng, shape[-1:], 0.3)
        if spec["kind"] == "batch_norm":
            p["gamma"] = 1 + random(rng, (channels,), 0.3)
            p["beta"], p["moving_mean"] = random(rng, (channels,), 0.3), random(rng, (channels,), 0.3)
            p["moving_variance"] = np.exp(random(rng, (channels,), 0.3))
        parameters.append(p)
        x = forward([spec], x, [{k: torch.tensor(v) for k, v in p.items()}], False)
    return parameters


def evaluate(layers, x, parameters, upstream, dtype) -> dict[str, np.ndarray]:
    """Everything but the givens, as float64 arrays; `upstream` None asks for the outputs alone."""
    x = torch.tensor(x, dtype=dtype, requires_grad=True)
    weights = [{k: torch.tensor(v, dtype=dtype, requires_grad="moving" not in k) for k, v in p.items()} for p in parameters]
    output = forward(layers, x, weights, True)
    results = {"output": output}
    if any(spec["kind"] == "batch_norm" for spec in layers):
        results["inference"] = forward(layers, x, weights, False)
    if upstream is not None:
        (output * torch.tensor(upstream, dtype=dtype)).sum().backward()
        results["d_input"] = x.grad
    for i, p in enumerate(weights):
        results |= {f"{i}/{k}": v for k, v in p.items() if k.startswith("after_")}
        results |= {f"{i}/d_{k}": v.grad for k, v in p.items() if v.grad is not None}
    return {k: v.detach().double().contiguous().numpy() for k, v in results.items()}


def deviation(a, b) -> float:
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-12))


def make_case(name, layers, shape, samples, input_scale=1.0) -> dict[str, np.ndarray]:
    """The tensors of one case, by full name."""
    for attempt in range(50):
        rng = np.random.default_rng([*name.encode(), attempt])
        x = random(rng, (samples, *shape), input_scale)
        parameters = draw_parameters(rng, layers, shape)
        outputs = evaluate(layers, x, parameters, None, torch.float64)["output"]
        upstream = random(rng, outputs.shape)
        exact = evaluate(layers, x, parameters, upstream, torch.float64)
        single = evaluate(layers, x, parameters, upstream, torch.float32)
        if max(deviation(single[k], exact[k]) for k in exact) < TOLERANCE:
            break
    else:
        raise SystemExit(f"{name}: float32 and float64 differ for every seed")
    check_against_keras(name, layers, x, parameters, exact)
    tensors = {"input": x, "upstream": upstream} | exact
    for i, p in enumerate(parameters):
        tensors |= {f"{i}/{k}": v for k, v in p.items()}
    return {f"{name}/{k}": np.ascontiguousarray(v, np.float32) for k, v in tensors.items()}


# ---- The same in Keras -------------------------------------------------------------------------------------------


def keras_layers(spec) -> list:
    """The Keras layers of one spec; raises KeyError where Keras has no such layer."""
    from keras import layers as L

    kind, padding = spec["kind"], spec.get("padding", "valid")
    activation = spec.get("activation", "linear")
    if kind in ("max_pool2d", "avg_pool2d"):
        layer = {"max_pool2d": L.MaxPooling2D, "avg_pool2d": L.AveragePooling2D}[kind]
        if not isinstance(padding, str):
            raise KeyError("explicit padding of a pooling layer")
        size = pair(spec.get("size", 2))
        return [layer(size, pair(spec.get("stride", size)), padding)]
    if kind == "conv2d":
        explicit = [] if isinstance(padding, str) else [L.ZeroPadding2D(pair(padding))]
        name = padding if isinstance(padding, str) else "valid"
        stride, bias = pair(spec.get("stride", 1)), spec.get("use_bias", True)
        conv = L.Conv2D(spec["filters"], pair(spec["kernel"]), stride, name, activation=activation, use_bias=bias)
        return [*explicit, conv]
    if kind == "batch_norm":
        if "torch_momentum" in spec:
            raise KeyError("PyTorch's convention")
        return [L.BatchNormalization(momentum=spec.get("keras_momentum", 0.99), epsilon=spec.get("epsilon", 1e-3))]
    return {
        "dense": lambda: [L.Dense(spec["units"], activation, use_bias=spec.get("use_bias", True))],
        "global_avg_pool2d": lambda: [L.GlobalAveragePooling2D()],
        "flatten": lambda: [L.Flatten()],
        "activation": lambda: [L.Activation(activation)],
    }[kind]()


def check_against_keras(name, layers, x, parameters, exact) -> None:
    import keras

    try:
        groups = [keras_layers(spec) for spec in layers]
    except KeyError:
        return
    keras.config.set_floatx("float64")
    groups = [keras_layers(spec) for spec in layers]  # once more, in float64
    model = keras.Sequential([keras.Input(x.shape[1:]), *(layer for group in groups for layer in group)])
    for group, p in zip(groups, parameters, strict=True):
        if p:
            group[-1].set_weights(list(p.values()))
    x = x.astype(np.float64)
    found = {"inference": model(x, training=False).numpy(), "output": model(x, training=True).numpy()}
    for i, group in enumerate(groups):
        if layers[i]["kind"] == "batch_norm":
            found[f"{i}/after_moving_mean"] = group[-1].moving_mean.numpy()
            found[f"{i}/after_moving_variance"] = group[-1].moving_variance.numpy()
    for key in found.keys() & exact.keys():
        if found[key].shape != exact[key].shape or deviation(found[key], exact[key]) > 1e-6:
            raise SystemExit(f"{name}: Keras and PyTorch differ in {key}")
    CHECKED.append(name)


CHECKED: list[str] = []  # the cases that Keras confirmed


# ---- The cases ---------------------------------------------------------------------------------------------------


def conv(filters, kernel, **rest):
    return {"kind": "conv2d", "filters": filters, "kernel": kernel, **rest}


def case_list():
    """(name, layers, input shape, samples[, input scale]) of every case."""
    yield from conv_cases()
    yield from pool_cases()
    yield from norm_cases()
    yield from flat_cases()
    yield from network_cases()


def conv_cases():
    table = [
        # (H, W, C), samples, layer
        ((5, 7, 16), 2, conv(31, 1, activation="relu")),
        ((6, 5, 3), 3, conv(5, 1, stride=2, padding="same")),
        ((7, 4, 33), 2, conv(16, 1, activation="leaky_relu", use_bias=False)),
        ((9, 7, 1), 3, conv(16, 3, activation="relu")),
        ((8, 11, 3), 2, conv(33, 3, padding="same", activation="gelu")),
        ((7, 9, 16), 2, conv(5, 3, stride=2, padding="same", activation="silu")),
        ((8, 6, 2), 3, conv(31, 3, stride=2, padding="same", activation="tanh")),
        ((9, 11, 1), 3, conv(1, 3, stride=3)),
        ((10, 7, 3), 2, conv(5, 3, stride=[2, 1], padding="same", activation="elu")),
        ((6, 13, 33), 2, conv(33, 3, padding="same", activation="relu")),
        ((7, 7, 16), 2, conv(16, 3, padding=1, activation="leaky_relu")),
        ((6, 8, 2), 2, conv(5, 3, padding=[2, 1], activation="sigmoid")),
        ((6, 5, 3), 2, conv(5, 3, padding="same", activation="softmax")),
        ((20, 19, 1), 2, conv(5, 3, activation="relu")),
        ((4, 37, 2), 1, conv(16, 3, padding="same", use_bias=False)),
        ((3, 3, 3), 3, conv(5, 3, activation="relu")),
        ((9, 8, 3), 2, conv(16, 5, activation="gelu")),
        ((7, 10, 2), 3, conv(5, 5, stride=2, padding="same", activation="relu")),
        ((6, 7, 1), 2, conv(31, 5, padding=2)),
        ((5, 4, 16), 1, conv(5, 5, padding="same", stride=3, activation="silu")),
        ((11, 9, 1), 2, conv(5, 7)),
        ((8, 9, 3), 2, conv(5, 7, stride=2, padding="same", activation="relu")),
        ((7, 7, 2), 2, conv(16, 7, padding="same", activation="elu")),
        ((12, 7, 1), 2, conv(5, 7, stride=2, padding=3, use_bias=False)),
        ((6, 9, 3), 2, conv(5, [2, 3], stride=[2, 1], padding="same", activation="gelu")),
        ((7, 6, 16), 2, conv(16, [2, 3])),
        ((5, 8, 1), 3, conv(33, [2, 3], padding="same", activation="relu")),
        ((7, 5, 2), 2, conv(5, [2, 3], stride=3, padding=[1, 0], activation="tanh")),
        ((5, 9, 3), 2, conv(1, [2, 3], stride=2, padding="same")),
        ((8, 8, 3), 2, conv(5, 2, stride=2, padding="same", activation="relu")),
        ((7, 9, 2), 2, conv(5, [3, 2], stride=[1, 2], padding="same")),
    ]
    for number, (shape, samples, layer) in enumerate(table):
        height, width = pair(layer["kernel"])
        yield f"conv_{number:02}_{height}x{width}_{shape[2]}_to_{layer['filters']}", [layer], shape, samples


def pool_cases():
    windows = [
        ((7, 9, 3), {}),
        ((8, 6, 16), {"size": 2}),
        ((7, 8, 5), {"size": 3}),
        ((9, 7, 33), {"size": 3, "stride": 2}),
        ((7, 10, 1), {"size": 2, "stride": 1}),
        ((7, 9, 5), {"size": 2, "padding": "same"}),
        ((8, 7, 3), {"size": 3, "stride": 2, "padding": "same"}),
        ((6, 9, 17), {"size": 3, "stride": 1, "padding": "same"}),
        ((7, 6, 4), {"size": 3, "stride": 2, "padding": 1}),
        ((6, 11, 2), {"size": [2, 3], "stride": [1, 2], "padding": [1, 0]}),
        ((5, 8, 3), {"size": [1, 2], "stride": [3, 1]}),
    ]
    for kind in ("max_pool2d", "avg_pool2d"):
        for number, (shape, window) in enumerate(windows):
            yield f"{kind}_{number:02}", [{"kind": kind, **window}], shape, 2
    for shape in [(5, 7, 3), (1, 1, 5), (4, 3, 33)]:
        yield f"global_avg_pool2d_{shape[0]}x{shape[1]}x{shape[2]}", [{"kind": "global_avg_pool2d"}], shape, 3


def norm_cases():
    conventions = {
        "keras": {"keras_momentum": 0.99, "epsilon": 1e-3},
        "keras_fast": {"keras_momentum": 0.9, "epsilon": 1e-5},
        "torch": {"torch_momentum": 0.1, "epsilon": 1e-5},
        "torch_wide": {"torch_momentum": 0.3, "epsilon": 1e-3},
    }
    for name, settings in conventions.items():
        for shape, samples in [((5, 7, 3), 3), ((3, 4, 33), 2), ((1, 1, 16), 3)]:
            label = f"batch_norm_{name}_{shape[0]}x{shape[1]}x{shape[2]}"
            yield label, [{"kind": "batch_norm", **settings}], shape, samples
        yield f"batch_norm_{name}_flat", [{"kind": "flatten"}, {"kind": "batch_norm", **settings}], (1, 3, 7), 5


def flat_cases():
    for number, (inputs, units) in enumerate([(1, 1), (1, 10), (7, 5), (33, 17), (130, 10), (130, 1), (33, 33)]):
        layer = {"kind": "dense", "units": units}
        if number % 2:
            layer["activation"] = "relu"
        yield f"dense_{inputs}_to_{units}", [{"kind": "flatten"}, layer], (1, 1, inputs), 3
    yield "dense_no_bias", [{"kind": "flatten"}, {"kind": "dense", "units": 10, "use_bias": False}], (3, 2, 5), 2
    for activation in ACTIVATIONS:
        fused = {"kind": "dense", "units": 10, "activation": activation}
        yield f"dense_{activation}", [{"kind": "flatten"}, fused], (1, 1, 33), 3, 2.0
        if activation != "linear":
            yield f"activation_{activation}", [{"kind": "activation", "activation": activation}], (3, 5, 7), 2, 3.0
    yield "activation_softmax_flat", [{"kind": "flatten"}, {"kind": "activation", "activation": "softmax"}], (2, 3, 3), 3, 3.0
    yield "flatten_order", [{"kind": "flatten"}], (3, 4, 5), 2


def network_cases():
    flatten, classes = {"kind": "flatten"}, {"kind": "dense", "units": 10, "activation": "softmax"}
    relu = {"kind": "activation", "activation": "relu"}
    keras_norm, torch_norm = {"kind": "batch_norm"}, {"kind": "batch_norm", "torch_momentum": 0.1, "epsilon": 1e-5}
    reference = [conv(8, 3, activation="relu"), conv(6, 3, activation="relu"), {"kind": "max_pool2d"}, flatten, classes]
    yield "network_reference", reference, (12, 11, 1), 3
    normed = [conv(7, 3, padding="same", use_bias=False), keras_norm, relu, {"kind": "max_pool2d"}]
    normed += [conv(9, 3, stride=2, padding="same", activation="gelu"), {"kind": "global_avg_pool2d"}, classes]
    yield "network_norm", normed, (9, 10, 3), 3
    strided = [conv(6, 5, stride=2, padding=2, use_bias=False), torch_norm, {"kind": "activation", "activation": "silu"}]
    strided += [{"kind": "avg_pool2d", "size": 3, "stride": 2, "padding": "same"}, flatten]
    strided += [{"kind": "dense", "units": 13, "use_bias": False}, torch_norm, relu, {"kind": "dense", "units": 4}]
    yield "network_strided", strided, (13, 9, 2), 4
    smooth = [conv(5, [2, 3], activation="elu"), conv(17, 1, activation="leaky_relu")]
    smooth += [{"kind": "max_pool2d", "size": 3, "stride": 2, "padding": 1}, conv(4, 3, padding="same", activation="tanh")]
    smooth += [flatten, {"kind": "dense", "units": 11, "activation": "sigmoid"}, {"kind": "dense", "units": 3}]
    yield "network_smooth", smooth, (9, 8, 3), 2
    deep = [conv(4, 3, padding="same", activation="relu") for _ in range(4)]
    yield "network_deep", [*deep, {"kind": "global_avg_pool2d"}, {"kind": "dense", "units": 2}], (6, 7, 1), 2


def main() -> None:
    tensors, cases = {}, []
    for name, layers, *rest in case_list():
        tensors |= make_case(name, layers, *rest)
        cases.append({"name": name, "layers": layers})
    save_file(tensors, OUT, metadata={"cases": json.dumps(cases)})
    size = OUT.stat().st_size
    print(f"{len(cases)} cases, {len(CHECKED)} of them confirmed by Keras, {len(tensors)} tensors, {size:,} bytes")


if __name__ == "__main__":
    main()
