"""Folds a BatchNorm1d in evaluation mode into a neighbouring layer."""

import math

from .layers import Layer
from .safetensors_file import Problem, Tensor


def scale_and_shift(norm):
    """Returns the factors and offsets that a BatchNorm in evaluation mode applies to each channel."""
    channels, eps = norm.dims["d_model"], norm.dims["eps"]
    values = {name: norm.params[name].numbers(f"{norm.path}.{name}") for name in norm.params if name != "num_batches_tracked"}
    scale = [1 / math.sqrt(variance + eps) for variance in values["running_var"]]
    if "weight" in values:
        scale = [one * weight for one, weight in zip(scale, values["weight"])]
    shift = [-mean * one for mean, one in zip(values["running_mean"], scale)]
    return scale, [one + bias for one, bias in zip(shift, values.get("bias", [0.0] * channels))]


def fold(norm, linear, norm_first):
    """Returns one layer that computes the same as the BatchNorm `norm`, in evaluation mode, and the neighbouring layer `linear`
    together. `linear` is a Linear before or (if `norm_first`) after the BatchNorm, or a StridedConv1d before it."""
    scale, shift = scale_and_shift(norm)
    d_out, d_in = linear.params["weight"].shape
    weight = linear.params["weight"].numbers(f"{linear.path}.weight")
    bias = linear.params["bias"].numbers(f"{linear.path}.bias") if "bias" in linear.params else [0.0] * d_out
    rows = [weight[row * d_in : (row + 1) * d_in] for row in range(d_out)]
    if norm_first:
        bias = [math.fsum([one, *(w * t for w, t in zip(row, shift))]) for one, row in zip(bias, rows)]
        rows = [[w * s for w, s in zip(row, scale)] for row in rows]
    else:
        bias = [s * one + t for s, one, t in zip(scale, bias, shift)]
        rows = [[s * w for w in row] for s, row in zip(scale, rows)]
    params = {
        "weight": Tensor.of_floats([d_out, d_in], [w for row in rows for w in row]),
        "bias": Tensor.of_floats([d_out], bias),
    }
    folded = Layer(linear.path, linear.component, {**linear.dims, "bias": True}, params)
    folded.convolution = linear.convolution
    return folded


def fold_batch_norms(layers, notes):
    """Returns the layers with each BatchNorm folded into a neighbouring Linear or StridedConv1d. Raises Problem if a BatchNorm
    has no such neighbour. Appends a note for each BatchNorm to `notes`."""
    layers = list(layers)
    while norm := next((layer for layer in layers if layer.component == "BatchNorm"), None):
        at = layers.index(norm)
        before, after = (layers[i] if 0 <= i < len(layers) else None for i in (at - 1, at + 1))
        linear = next((one for one in (before, after) if one and one.component == "Linear"), None)
        if before and before.component == "StridedConv1d":
            linear = before
        if linear is None:
            raise Problem(
                f"{norm.path}: BatchNorm1d is not supported here: it can be folded only into a Linear directly before or "
                f"behind it, or a Conv1d before it, but it is between {before.path or before.word if before else 'the input'} "
                f"and {after.path or after.word if after else 'the output'}"
            )
        notes.append(f"{norm.path} (BatchNorm1d in evaluation) is folded into {linear.path}")
        start = min(at, layers.index(linear))
        layers[start : start + 2] = [fold(norm, linear, linear is after)]
    return layers
