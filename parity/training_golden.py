"""Loss and gradients of whole networks in training, from PyTorch in float64: parity/golden/layers_training.safetensors.

    python parity/training_golden.py

The tensors are named as layers_golden.py names them, but for

    <case>/labels           class indices, as f32
    <case>/loss             the mean over the batch of the cross-entropy (one value)
    <case>/probabilities    of the classes, in inference mode, before the step

and gradients are those of the mean loss. The metadata's `cases` have also "classes", "label_smoothing" and
"class_weights". Batches are larger than in layers_golden.py, so that ours are cut into chunks of several samples. Losses are
confirmed by Keras's CategoricalCrossentropy, smoothing and weights included.
"""

import json

import numpy as np
import torch
from layers_golden import OUT, TOLERANCE, conv, deviation, draw_parameters, forward, random, save_file

TRAINING_OUT = OUT.with_name("layers_training.safetensors")


def mean_loss(logits, labels, classes, smoothing, class_weights):
    """Keras's: targets are smoothed, a class weight multiplies its samples' losses, the mean is over samples."""
    targets = torch.eye(classes, dtype=logits.dtype)[labels] * (1 - smoothing) + smoothing / classes
    losses = -(targets * torch.log_softmax(logits, 1)).sum(1)
    if class_weights:
        losses = losses * torch.tensor(class_weights, dtype=logits.dtype)[labels]
    return losses.mean()


def evaluate(case, x, labels, parameters, dtype) -> dict[str, np.ndarray]:
    layers = case["layers"]
    linear = [*layers[:-1], layers[-1] | {"activation": "linear"}]  # the loss takes logits
    x = torch.tensor(x, dtype=dtype)
    weights = [{k: torch.tensor(v, dtype=dtype, requires_grad="moving" not in k) for k, v in p.items()} for p in parameters]
    results = {"probabilities": torch.softmax(forward(linear, x, weights, False), 1)}
    logits = forward(linear, x, weights, True)
    loss = mean_loss(logits, labels, case["classes"], case["label_smoothing"], case["class_weights"])
    loss.backward()
    check_against_keras(case, logits.detach(), labels, float(loss.detach()))
    results["loss"] = loss.reshape(1)
    for i, p in enumerate(weights):
        results |= {f"{i}/{k}": v for k, v in p.items() if k.startswith("after_")}
        results |= {f"{i}/d_{k}": v.grad for k, v in p.items() if v.grad is not None}
    return {k: v.detach().double().contiguous().numpy() for k, v in results.items()}


def check_against_keras(case, logits, labels, loss) -> None:
    import keras

    keras.config.set_floatx("float64")
    cross_entropy = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=case["label_smoothing"])
    weights = np.array(case["class_weights"])[labels] if case["class_weights"] else None
    theirs = float(cross_entropy(np.eye(case["classes"])[labels], logits.double().numpy(), weights))
    if abs(theirs - loss) > TOLERANCE:
        raise SystemExit(f"{case['name']}: Keras's loss is {theirs}, ours {loss}")


def make_case(case, shape, samples) -> dict[str, np.ndarray]:
    for attempt in range(50):
        rng = np.random.default_rng([*case["name"].encode(), attempt])
        x = random(rng, (samples, *shape))
        labels = rng.integers(0, case["classes"], samples)
        parameters = draw_parameters(rng, case["layers"], shape)
        exact = evaluate(case, x, labels, parameters, torch.float64)
        single = evaluate(case, x, labels, parameters, torch.float32)
        if max(deviation(single[k], exact[k]) for k in exact) < TOLERANCE:
            break
    else:
        raise SystemExit(f"{case['name']}: float32 and float64 differ for every seed")
    tensors = {"input": x, "labels": labels} | exact
    for i, p in enumerate(parameters):
        tensors |= {f"{i}/{k}": v for k, v in p.items()}
    return {f"{case['name']}/{k}": np.ascontiguousarray(v, np.float32) for k, v in tensors.items()}


def dense(units, activation="linear", **rest):
    return {"kind": "dense", "units": units, "activation": activation, **rest}


def case_list():
    """(name, layers, input shape, samples, smoothing, class weights) of every case."""
    flatten, pool, norm = {"kind": "flatten"}, {"kind": "max_pool2d"}, {"kind": "batch_norm"}
    relu, torch_norm = {"kind": "activation", "activation": "relu"}, norm | {"torch_momentum": 0.1, "epsilon": 1e-5}
    reference = [conv(8, 3, activation="relu"), conv(6, 3, activation="relu"), pool, flatten, dense(10, "softmax")]
    yield "reference", reference, (10, 9, 1), 19, 0.0, None
    yield "one_sample", reference, (9, 9, 1), 1, 0.0, None
    yield "weighted", [flatten, dense(9, "tanh"), dense(4, "softmax")], (3, 4, 2), 11, 0.1, [0.5, 2.0, 1.0, 3.0]
    block = [conv(6, 3, padding="same", use_bias=False), norm, relu, pool]
    block += [conv(5, 3, stride=2, padding="same", activation="gelu"), {"kind": "global_avg_pool2d"}, dense(3, "softmax")]
    yield "norm", block, (8, 7, 2), 21, 0.05, None
    first = [norm, conv(4, [2, 3], activation="silu"), torch_norm, relu, {"kind": "avg_pool2d"}, flatten]
    first += [dense(7, use_bias=False), torch_norm, relu, dense(5)]
    yield "norm_first", first, (7, 7, 3), 10, 0.0, None
    smooth = [conv(5, 2, activation="elu"), conv(4, 3, padding=1, activation="leaky_relu")]
    smooth += [{"kind": "max_pool2d", "size": 3, "stride": 2, "padding": "same"}, flatten, dense(6, "sigmoid")]
    yield "smooth", [*smooth, dense(2, "softmax")], (7, 6, 1), 17, 0.0, [1.5, 0.25]


def main() -> None:
    tensors, cases = {}, []
    for name, layers, shape, samples, smoothing, class_weights in case_list():
        classes = layers[-1]["units"]
        case = {"name": name, "layers": layers, "classes": classes}
        case |= {"label_smoothing": smoothing, "class_weights": class_weights}
        tensors |= make_case(case, shape, samples)
        cases.append(case)
    save_file(tensors, TRAINING_OUT, metadata={"cases": json.dumps(cases)})
    print(f"{len(cases)} cases, {len(tensors)} tensors, {TRAINING_OUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
