"""Stacks of layers in plain numpy float64, which compute the expected outputs of the reference vectors.

The order of the layers is a text with the words of krait pack's --order. Weights have the names and shapes of PyTorch's layers
and of mamba-ssm's blocks. Arrays are time-major: (L, channels).
"""
import numpy as np

from heads_reference import mamba2_block, mamba3_block
from mamba_reference import causal_conv1d, gelu, gelu_tanh, layer_norm, linear, mamba_block, rms_norm, sigmoid, silu, sub

# Layers without parameters. A pooling layer returns a vector for every token, computed from the tokens so far.
LAYERS = {
    "relu": lambda x: np.maximum(x, 0.0),
    "silu": silu,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "mean": lambda x: np.cumsum(x, axis=0) / np.arange(1, len(x) + 1)[:, None],
    "max": lambda x: np.maximum.accumulate(x, axis=0),
    "last": lambda x: x,
}
NORMS = {"rms_norm": rms_norm, "layer_norm": layer_norm}


def parts_of(order):
    """Splits "a,residual(b,c)" at the commas outside parentheses: ["a", "residual(b,c)"]."""
    parts, depth = [""], 0
    for letter in order:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def strided_conv1d(frames, weight, bias=None, stride=1, padding=0):
    """Returns the outputs (number, d_out) of PyTorch's Conv1d for the first frames of a longer sequence, so that no zeros
    follow them: y[i] = bias + sum over tap and c of weight[:, c, tap] frames[i stride + tap - padding, c]. Returns only the
    outputs that read no later frames. frames: (frames, channels); weight: (d_out, channels, kernel)."""
    kernel = weight.shape[-1]
    padded = np.concatenate([np.zeros((padding, frames.shape[1])), frames], axis=0)
    starts = range(0, len(padded) - kernel + 1, stride)
    y = np.array([np.einsum("dck,kc->d", weight, padded[at : at + kernel]) for at in starts]).reshape(-1, len(weight))
    return y if bias is None else y + bias


def convolution(x, p, name, options):
    """Returns the outputs of a strided Conv1d for tokens x (L, stride channels), each of which contains the next `stride`
    frames. The first warm_up tokens have no output, because y[0] reads frames of later tokens, so there are L - warm_up
    outputs."""
    numbers = {option: int(value) for option, value in (one.split("=") for one in options)}
    weight, stride, padding = p[f"{name}.weight"], numbers.get("stride", 1), numbers.get("padding", 0)
    y = strided_conv1d(x.reshape(len(x) * stride, weight.shape[1]), weight, p.get(f"{name}.bias"), stride, padding)
    warm_up = max(0, weight.shape[-1] - 1 - padding) // stride
    return y[: len(x) - warm_up]


def named(x, weights):
    """Returns the outputs of a layer for the inputs x. The names of its weights show whether it is a Mamba block, a causal
    depthwise Conv1d or a Linear."""
    if "B_bias" in weights:
        return mamba3_block(x, weights, weights["out_proj.weight"].shape[1] // len(weights["D"]))[0]
    if "dt_bias" in weights:
        return mamba2_block(x, weights, weights["out_proj.weight"].shape[1] // len(weights["A_log"]))[0]
    if "A_log" in weights:
        return mamba_block(x, weights)
    if weights["weight"].ndim == 3:
        return causal_conv1d(x, weights["weight"][:, 0, :], weights.get("bias"))
    return linear(x, weights["weight"], weights.get("bias"))


def apply(x, p, part, eps):
    """Returns the outputs of `part`, one element of the text `order` of stack(), such as the name of a layer or
    "residual(...)", for the inputs x. p has all weights by name."""
    word, _, inner = part.partition("(")
    inner = parts_of(inner.removesuffix(")"))
    if word == "residual":
        y = x
        for one in inner:
            y = apply(y, p, one, eps)
        return x + y
    if word in NORMS:
        return NORMS[word](x, p[f"{inner[0]}.weight"], p.get(f"{inner[0]}.bias"), eps)
    if word == "positional":
        weight = p[f"{inner[0]}.weight"]
        return x + weight[np.minimum(np.arange(len(x)), len(weight) - 1)]
    if word == "conv1d":
        return convolution(x, p, inner[0], inner[1:])
    return LAYERS[word](x) if word in LAYERS else named(x, sub(p, f"{word}."))


def stack(x, p, order, eps=1e-5):
    """Returns the outputs (L, d_out) of layers that are applied in turn. x: (L, d_in). p: all weights by name. order: a text
    such as "proj,layer_norm(norm),gelu,positional(pos),mean,head", in which other words are names of layers. Tokens before the
    first output of a Conv1d have outputs of 0."""
    length = len(x)
    for part in parts_of(order):
        x = apply(x, p, part, eps)
    return np.concatenate([np.zeros((length - len(x), x.shape[1])), x], axis=0)
