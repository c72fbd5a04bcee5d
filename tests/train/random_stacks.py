#!/usr/bin/env python3
"""Compares gradients of random models with central differences of a forward pass in float64.

  random_stacks.py [--count N] [--seed N] [--only WORD] [--compiler NAME] [--flags "..."] [--include DIR]

Each model is a stack of random layers of random sizes, or a language model. Its state before the window is that after some
other tokens, and the loss depends on the outputs and on the state after the window. For each tensor (parameters, input, state
before the window), the elements with the largest gradients and some others are compared: the error may be at most 1e-4 of the
largest gradient of the tensor. --only: of the N models, those whose C++ type contains WORD. Exit code 0: every error is; 1:
some are not; 77: numpy is not installed.
"""
import argparse
import math
import pathlib
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
try:
    import numpy as np
except ImportError:
    print("skipped: numpy is not installed")
    sys.exit(77)

sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent.parent / "python"))
from krait.layers import BLOCK_FIELDS, MAMBA2_FIELDS  # noqa: E402

TOLERANCE = 1e-4
TOGETHER = 8  # models that are compiled together
np.seterr(over="ignore", invalid="ignore")  # models with large numbers are drawn again
COMPARED = 4  # elements of each tensor with the largest gradients, and as many others


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def silu(x):
    return x * sigmoid(x)


ACTIVATIONS = {
    "Relu": lambda x: np.maximum(x, 0), "Silu": silu, "Tanh": np.tanh, "Sigmoid": sigmoid,
    "Gelu": lambda x: x * np.vectorize(math.erfc, otypes=[float])(-x / math.sqrt(2)) / 2,
    "GeluTanh": lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
}


class Layer:
    """A layer: its C++ type, the names and shapes of its parameters in order, the shapes of its state, and its forward pass,
    which returns the outputs and the new state (a list of arrays)."""
    pools, state_shapes = False, []

    def __init__(self, type, params, d_out, state_shapes=()):
        self.type, self.params, self.d_out, self.state_shapes = type, params, d_out, list(state_shapes)


def text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def dims(kind, **sizes):
    return f"krait::{kind}{{{', '.join(f'.{name} = {text(value)}' for name, value in sizes.items())}}}"


def linear_params(name, d_out, d_in, bias):
    return {f"{name}.weight": (d_out, d_in), **({f"{name}.bias": (d_out,)} if bias else {})}


def apply_linear(p, name, x):
    return x @ p[f"{name}.weight"].T + p.get(f"{name}.bias", 0)


class Linear(Layer):
    def __init__(self, rng, d_in):
        d_out, bias = int(rng.integers(1, 21)), bool(rng.integers(2))
        super().__init__(f"krait::Linear<{dims('LinearDims', d_in=d_in, d_out=d_out, bias=bias)}>",
                         {name[1:]: shape for name, shape in linear_params("", d_out, d_in, bias).items()}, d_out)

    def forward(self, x, p, state):
        return x @ p["weight"].T + p.get("bias", 0), state


class Norm(Layer):
    def __init__(self, rng, d_in, kind=None, bias=None):
        self.kind = kind or ["rms", "layer"][rng.integers(2)]
        bias = bool(rng.integers(2)) if bias is None else bias
        super().__init__(f"krait::Norm<krait::NormKind::{self.kind}, {dims('NormDims', d_model=d_in, bias=bias, eps='1e-2')}>",
                         {"weight": (d_in,), **({"bias": (d_in,)} if bias else {})}, d_in)

    def forward(self, x, p, state):
        x = x - x.mean(-1, keepdims=True) if self.kind == "layer" else x
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-2) * p["weight"] + p.get("bias", 0), state


class Activation(Layer):
    def __init__(self, rng, d_in):
        self.function = list(ACTIVATIONS)[rng.integers(len(ACTIVATIONS))]
        super().__init__(f"krait::{self.function}<{d_in}>", {}, d_in)

    def forward(self, x, p, state):
        return ACTIVATIONS[self.function](x), state


def convolve(x, weight, bias, window):
    past = np.concatenate([window.T, x])
    taps = weight.reshape(len(weight), -1)
    y = np.stack([(past[t:t + taps.shape[1]] * taps.T).sum(0) for t in range(len(x))]) + bias
    return y, past[len(past) - taps.shape[1] + 1:].T


class Conv1d(Layer):
    def __init__(self, rng, d_in):
        self.d_conv, bias = int(rng.integers(1, 6)), bool(rng.integers(2))
        super().__init__(f"krait::Conv1d<{dims('Conv1dDims', channels=d_in, d_conv=self.d_conv, bias=bias)}>",
                         {"weight": (d_in, 1, self.d_conv), **({"bias": (d_in,)} if bias else {})}, d_in,
                         [(d_in, self.d_conv - 1)])

    def forward(self, x, p, state):
        y, window = convolve(x, p["weight"], p.get("bias", 0), state[0])
        return y, [window]


def normed(x, eps):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) if eps else x


def scan(x, p, h, per_channel, eps):
    d_inner, d_state = p["A_log"].shape
    rank, wide = p["dt_proj.weight"].shape[1], d_state * (d_inner if per_channel else 1)
    dt, B, C = (normed(part, eps) for part in np.split(apply_linear(p, "x_proj", x), [rank, rank + wide], -1))
    delta = np.logaddexp(apply_linear(p, "dt_proj", dt), 0)
    y = []
    for t in range(len(x)):
        h = np.exp(delta[t][:, None] * -np.exp(p["A_log"])) * h + (delta[t] * x[t])[:, None] * B[t].reshape(-1, d_state)
        y.append((C[t].reshape(-1, d_state) * h).sum(-1) + p["D"] * x[t])
    return np.stack(y), h


def ssm_sizes(rng, d_inner):
    return dict(d_state=int(rng.integers(1, 8)), dt_rank=int(rng.integers(1, min(d_inner, 3) + 1)))


def ssm_params(d_inner, d_state, dt_rank, x_bias, dt_bias, per_channel=False):
    return {**linear_params("x_proj", dt_rank + 2 * d_state * (d_inner if per_channel else 1), d_inner, x_bias),
            **linear_params("dt_proj", d_inner, dt_rank, dt_bias), "A_log": (d_inner, d_state), "D": (d_inner,)}


class Ssm(Layer):
    def __init__(self, rng, d_in):
        sizes, x_bias, dt_bias = ssm_sizes(rng, d_in), bool(rng.integers(2)), bool(rng.integers(2))
        self.eps = 0 if rng.integers(2) else 0.01
        all_dims = dims("SsmDims", d_inner=d_in, **sizes, x_bias=x_bias, dt_bias=dt_bias, dt_b_c_eps=self.eps)
        super().__init__(
            f"krait::SelectiveStateSpaceModel<{all_dims}>",
            ssm_params(d_in, **sizes, x_bias=x_bias, dt_bias=dt_bias), d_in, [(d_in, sizes["d_state"])])

    def forward(self, x, p, state):
        y, h = scan(x, p, state[0], False, self.eps)
        return y, [h]


class Sss(Layer):
    def __init__(self, rng, d_in):
        sizes, d_model = ssm_sizes(rng, d_in), int(rng.integers(1, 12))
        x_bias, out_bias = bool(rng.integers(2)), bool(rng.integers(2))
        all_dims = dims("SsmDims", d_inner=d_in, d_model=d_model, **sizes, x_bias=x_bias, out_bias=out_bias)
        super().__init__(
            f"krait::SelectiveStateSpace<{all_dims}>",
            {**ssm_params(d_in, **sizes, x_bias=x_bias, dt_bias=False, per_channel=True),
             **linear_params("out_proj", d_model, d_in, out_bias)}, d_model, [(d_in, sizes["d_state"])])

    def forward(self, x, p, state):
        y, h = scan(x, p, state[0], True, 0)
        return apply_linear(p, "out_proj", y), [h]


def block_dims(rng, d_in):
    d_inner = int(rng.integers(1, 25))
    biases = {name: bool(rng.integers(2)) for name in ("in_bias", "conv_bias", "x_bias", "dt_bias", "out_bias")}
    sizes = ssm_sizes(rng, d_inner)
    return dict(d_model=d_in, d_state=sizes["d_state"], d_conv=int(rng.integers(1, 6)), d_inner=d_inner,
                dt_rank=sizes["dt_rank"], **biases, dt_b_c_eps=0 if rng.integers(3) else 0.01)


class Block(Layer):
    def __init__(self, rng, d_in, given=None):
        d = given or block_dims(rng, d_in)
        d_inner, self.eps = d["d_inner"], d["dt_b_c_eps"]
        super().__init__(f"krait::MambaBlock<{dims('BlockDims', **d)}>", {
            **linear_params("in_proj", 2 * d_inner, d_in, d["in_bias"]),
            "conv1d.weight": (d_inner, 1, d["d_conv"]), **({"conv1d.bias": (d_inner,)} if d["conv_bias"] else {}),
            **ssm_params(d_inner, d["d_state"], d["dt_rank"], d["x_bias"], d["dt_bias"]),
            **linear_params("out_proj", d_in, d_inner, d["out_bias"])},
            d_in, [(d_inner, d["d_conv"] - 1), (d_inner, d["d_state"])])

    def forward(self, u, p, state):
        x, z = np.split(apply_linear(p, "in_proj", u), 2, -1)
        x, window = convolve(x, p["conv1d.weight"], p.get("conv1d.bias", 0), state[0])
        y, h = scan(silu(x), p, state[1], False, self.eps)
        return apply_linear(p, "out_proj", y * silu(z)), [window, h]


def heads_dims(rng, d_in):
    groups, of_group, headdim = int(rng.integers(1, 3)), int(rng.integers(1, 3)), int(rng.integers(1, 20))
    flags = {name: bool(rng.integers(2)) for name in ("in_bias", "conv_bias", "out_bias", "D_has_hdim", "rmsnorm",
                                                      "norm_before_gate")}
    limits = "{0.3, 0.9}" if rng.integers(3) == 0 else ""
    return dict(d_model=d_in, d_state=int(rng.integers(1, 8)), d_conv=int(rng.integers(1, 6)),
                d_inner=groups * of_group * headdim, headdim=headdim, ngroups=groups, **flags,
                **({"dt_limit": limits} if limits else {}), mixer_norm_eps="1e-2")


class HeadsBlock(Layer):
    """A Mamba2Block."""

    def __init__(self, rng, d_in, given=None):
        d = self.sizes = given or heads_dims(rng, d_in)
        d_inner, self.heads = d["d_inner"], d["d_inner"] // d["headdim"]
        channels = d_inner + 2 * d["ngroups"] * d["d_state"]
        super().__init__(f"krait::Mamba2Block<{dims('Mamba2BlockDims', **d)}>", {
            **linear_params("in_proj", d_inner + channels + self.heads, d_in, d["in_bias"]),
            "conv1d.weight": (channels, 1, d["d_conv"]), **({"conv1d.bias": (channels,)} if d["conv_bias"] else {}),
            "dt_bias": (self.heads,), "A_log": (self.heads,), "D": (d_inner if d["D_has_hdim"] else self.heads,),
            **({"norm.weight": (d_inner,)} if d["rmsnorm"] else {}),
            **linear_params("out_proj", d_in, d_inner, d["out_bias"])},
            d_in, [(channels, d["d_conv"] - 1), (self.heads, d["headdim"], d["d_state"])])

    def forward(self, u, p, state):
        d, heads, d_inner = self.sizes, self.heads, self.sizes["d_inner"]
        wide = d["ngroups"] * d["d_state"]
        z, xBC, dt = np.split(apply_linear(p, "in_proj", u), [d_inner, 2 * d_inner + 2 * wide], -1)
        xBC, window = convolve(xBC, p["conv1d.weight"], p.get("conv1d.bias", 0), state[0])
        x, B, C = np.split(silu(xBC), [d_inner, d_inner + wide], -1)
        delta = np.logaddexp(dt + p["dt_bias"], 0)
        if "dt_limit" in d:
            delta = np.minimum(np.maximum(delta, np.float64(np.float32(0.3))), np.float64(np.float32(0.9)))
        x = x.reshape(len(x), heads, d["headdim"])
        B, C = (np.repeat(v.reshape(len(x), d["ngroups"], -1), heads // d["ngroups"], 1)[:, :, None] for v in (B, C))
        h, y = state[1], []
        for t in range(len(x)):
            h = np.exp(-np.exp(p["A_log"]) * delta[t])[:, None, None] * h + (delta[t][:, None] * x[t])[..., None] * B[t]
            y.append(((C[t] * h).sum(-1) + p["D"].reshape(heads, -1) * x[t]).reshape(-1))
        y, gate = np.stack(y), silu(z)
        if d["rmsnorm"]:
            norm = lambda v: normed(v.reshape(len(v), d["ngroups"], -1), 1e-2).reshape(v.shape) * p["norm.weight"]
            y = norm(y) * gate if d["norm_before_gate"] else norm(y * gate)
        else:
            y = y * gate
        return apply_linear(p, "out_proj", y), [window, h]


def below(p, name):
    return {key[len(name) + 1:]: value for key, value in p.items() if key.startswith(f"{name}.")}


class ResidualBlock(Layer):
    def __init__(self, rng, d_in):
        mixer, self.kind, names = [(Block, "", BLOCK_FIELDS), (HeadsBlock, "2", MAMBA2_FIELDS)][rng.integers(2)]
        d = (block_dims if mixer is Block else heads_dims)(rng, d_in)
        kind, bias = ["rms", "layer"][rng.integers(2)], bool(rng.integers(2))
        self.norm, self.mixer = Norm(rng, d_in, kind, bias), mixer(rng, d_in, d)
        values = {**d, "norm_bias": bias, "norm": f"krait::NormKind::{kind}"}
        self.dims = {name: values[name] for name in names if name in values}  # in the order of the struct's members
        block = dims(f"{'Mamba2' if self.kind else ''}BlockDims", d_model=d_in, **self.dims, norm_eps="1e-2")
        super().__init__(f"krait::ResidualBlock<{block}>",
                         {**{f"norm.{k}": v for k, v in self.norm.params.items()},
                          **{f"mixer.{k}": v for k, v in self.mixer.params.items()}}, d_in, self.mixer.state_shapes)

    def forward(self, x, p, state):
        y, state = self.mixer.forward(self.norm.forward(x, below(p, "norm"), [])[0], below(p, "mixer"), state)
        return x + y, state


class Blocks(Layer):
    """A std::array of ResidualBlocks."""

    def __init__(self, rng, d_in):
        self.block, self.count = ResidualBlock(rng, d_in), int(rng.integers(1, 4))
        super().__init__(f"std::array<{self.block.type}, {self.count}>",
                         {f"{i}.{k}": v for i in range(self.count) for k, v in self.block.params.items()}, d_in,
                         self.block.state_shapes * self.count)

    def forward(self, x, p, state):
        after, each = [], len(self.block.state_shapes)
        for i in range(self.count):
            x, new = self.block.forward(x, below(p, str(i)), state[i * each:(i + 1) * each])
            after += new
        return x, after


class Residual(Layer):
    def __init__(self, rng, d_in):
        self.inner = [Activation, Conv1d, Ssm, Block, HeadsBlock, Norm, ResidualBlock][rng.integers(7)](rng, d_in)
        super().__init__(f"krait::Residual<{self.inner.type}>", self.inner.params, d_in, self.inner.state_shapes)

    def forward(self, x, p, state):
        y, state = self.inner.forward(x, p, state)
        return x + y, state


class Pool(Layer):
    pools = True

    def __init__(self, rng, d_in):
        self.kind = ["Mean", "Max", "Last"][rng.integers(3)]
        super().__init__(f"krait::{self.kind}Pool<{d_in}>", {}, d_in, [] if self.kind == "Last" else [(d_in,)])

    def forward(self, x, p, state):
        if self.kind == "Last":
            return x[-1:], state
        if self.kind == "Max":
            y = np.maximum(x.max(0), state[0])
            return y[None], [y]
        total = state[0] + x.sum(0)
        return total[None] / self.seen, [total]


class Embedding(Layer):
    def __init__(self, rng, d_in):
        d_out = int(rng.integers(1, 20))
        super().__init__(f"krait::Embedding<{d_in}, {d_out}>", {"weight": (d_in, d_out)}, d_out)

    def forward(self, x, p, state):
        return p["weight"][x], state


class Positional(Layer):
    def __init__(self, rng, d_in):
        rows = int(rng.integers(1, 30))
        super().__init__(f"krait::PositionalEmbedding<{rows}, {d_in}>", {"weight": (rows, d_in)}, d_in)

    def forward(self, x, p, state):
        weight = p["weight"]
        return x + weight[np.minimum(np.arange(self.seen - len(x), self.seen), len(weight) - 1)], state


class StridedConv1d(Layer):
    """A strided convolution. The first warm_up tokens of a sequence have no output."""

    def __init__(self, rng, width):
        channels, d_out, bias = int(rng.integers(1, 7)), int(rng.integers(1, 20)), bool(rng.integers(2))
        stride, parts = int(rng.integers(1, 4)), int(rng.integers(1, 5))
        padding = int(rng.integers(parts))
        self.d_in, self.warm_up = stride * channels, parts - padding - 1
        sizes = dict(channels=channels, d_out=d_out, kernel=parts * stride, stride=stride, padding=padding * stride, bias=bias)
        kept = (parts - 1) * self.d_in
        super().__init__(f"krait::StridedConv1d<{dims('StridedConv1dDims', **sizes)}>",
                         {"weight": (d_out, kept + self.d_in), **({"bias": (d_out,)} if bias else {})}, d_out,
                         [(kept,)] if kept else [])

    def forward(self, x, p, state):
        frames = np.concatenate([*state, x.reshape(-1)])
        wide = p["weight"].shape[1]
        y = np.stack([frames[t * self.d_in:t * self.d_in + wide] for t in range(len(x))]) @ p["weight"].T + p.get("bias", 0)
        skipped = min(len(x), max(0, self.warm_up - (self.seen - len(x))))
        return y[skipped:], [frames[len(x) * self.d_in:]] if state else []


class Stack:
    """A stack of random layers."""

    def __init__(self, rng, name):
        self.name, self.takes_tokens = name, rng.integers(4) == 0
        self.d_in = width = int(rng.integers(1, 20))
        kinds = [Linear, Norm, Activation, Conv1d, Ssm, Sss, Block, HeadsBlock, ResidualBlock, Blocks, Residual, Positional]
        self.layers = [Embedding(rng, width)] if self.takes_tokens else []
        if not self.takes_tokens and rng.integers(2) == 0:
            self.layers = [StridedConv1d(rng, width)]
            self.d_in = self.layers[0].d_in
        self.warm_up = getattr(self.layers[0], "warm_up", 0) if self.layers else 0
        for i in range(int(rng.integers(1, 5)) + (not self.takes_tokens)):
            self.layers.append(kinds[rng.integers(len(kinds))](rng, self.layers[-1].d_out if self.layers else width))
        if rng.integers(2):
            self.layers.append(Pool(rng, self.layers[-1].d_out))
            for i in range(int(rng.integers(0, 3))):
                self.layers.append([Linear, Norm, Activation][rng.integers(3)](rng, self.layers[-1].d_out))
        self.params = {f"part{i}.{k}": v for i, layer in enumerate(self.layers) for k, v in layer.params.items()}
        self.pools = any(layer.pools for layer in self.layers)
        self.d_out, self.state_shapes = self.layers[-1].d_out, [s for layer in self.layers for s in layer.state_shapes]

    def declaration(self):
        types = "".join(f"  using T{i} = {layer.type};\n" for i, layer in enumerate(self.layers))
        members = ", ".join(f"(T{i}, part{i})" for i in range(len(self.layers)))
        return f"struct {self.name}Parts {{\n{types}  KRAIT_PARAMS({self.name}Parts, {members});\n}};\n" \
               f"using {self.name} = krait::Stack<{self.name}Parts>;\n"

    def full_name(self, name):
        """Returns the parameter's name in checkpoints, which omits the name of the member that is a
        SelectiveStateSpaceModel."""
        part, rest = name.split(".", 1)
        layer = self.layers[int(part[4:])]
        return rest if isinstance(getattr(layer, "inner", layer), Ssm) else name

    def forward(self, x, p, state, seen):
        after, at, self.peak, tokens = [], 0, 0.0, len(x)
        for i, layer in enumerate(self.layers):
            # The number of tokens that the layer has processed since the start of the sequence.
            layer.seen = seen + tokens if i == 0 else max(0, seen + tokens - self.warm_up)
            if len(x) == 0:
                after += state[at:]
                break
            x, new = layer.forward(x, below(p, f"part{i}"), state[at:at + len(layer.state_shapes)])
            at += len(layer.state_shapes)
            after += new
            self.peak = max(self.peak, np.abs(x).max(initial=0.0))  # the largest output of a layer
        rows = 1 if self.pools else tokens  # outputs that are missing are zeros
        return np.concatenate([np.zeros((rows - len(x), self.d_out)), x]) if len(x) else np.zeros((rows, self.d_out)), after


class Language:
    """A language model."""
    takes_tokens, pools, peak, warm_up = True, False, 0.0, 0

    def __init__(self, rng, name):
        d_model = int(rng.integers(1, 20))
        self.name, self.tied = name, bool(rng.integers(2))
        self.n_layers, self.d_in = int(rng.integers(1, 4)), int(rng.integers(2, 30))
        self.block = ResidualBlock(rng, d_model)
        norm = Norm(rng, d_model, self.block.norm.kind, "norm.bias" in self.block.params)
        self.norm, self.d_out = norm, self.d_in
        self.params = {"backbone.embedding.weight": (self.d_in, d_model),
                       **{f"backbone.layers.{i}.{k}": v for i in range(self.n_layers) for k, v in self.block.params.items()},
                       **{f"backbone.norm_f.{k}": v for k, v in norm.params.items()},
                       **({} if self.tied else {"lm_head.weight": (self.d_in, d_model)})}
        self.state_shapes = self.block.state_shapes * self.n_layers

    def declaration(self):
        model = dims("Mamba2Dims" if self.block.kind else "ModelDims", vocab_size=self.d_in, d_model=self.block.d_out,
                     n_layers=self.n_layers, **self.block.dims, tied=self.tied, norm_eps="1e-2")
        return f"using {self.name} = krait::Mamba<{model}>;\n"

    @staticmethod
    def full_name(name):
        return name

    def forward(self, x, p, state, seen):
        embedding, after, each = p["backbone.embedding.weight"], [], len(self.block.state_shapes)
        x = embedding[x]
        for i in range(self.n_layers):
            x, new = self.block.forward(x, below(p, f"backbone.layers.{i}"), state[i * each:(i + 1) * each])
            after += new
        x = self.norm.forward(x, below(p, "backbone.norm_f"), [])[0]
        return x @ p.get("lm_head.weight", embedding).T, after


class Case:
    """A model with random weights, inputs and output gradients. A model whose activations become large is drawn again, because
    finite differences of large numbers are inexact."""

    def __init__(self, rng, number):
        self.draw(rng, number)
        while not self.peak < 30:
            self.draw(rng, number)

    def draw(self, rng, number):
        kind = Language if number % 6 == 5 else Stack
        self.model = kind(rng, f"Model{number}")
        while not self.model.params:
            self.model = kind(rng, f"Model{number}")
        self.before, self.window, m = int(rng.integers(1, 6)), int(rng.integers(1, 24)), self.model
        if any(isinstance(layer, Pool) for layer in getattr(m, "layers", [])):
            self.before += m.warm_up  # a pooled state before the first output is not finite
        draw = lambda shape, spread=1.0: (rng.normal(size=shape) * spread).astype(np.float32).astype(np.float64)
        spread = lambda name, shape: 1.0 if "A_log" in name else 1.5 / math.sqrt(shape[-1]) if len(shape) > 1 else 0.5
        mean = lambda name: 1.0 if name.endswith(("norm.weight", "D", "norm_f.weight")) else 0.0
        self.weights = {name: draw(shape, spread(name, shape)) + mean(name) for name, shape in m.params.items()}
        self.weights = {name: value.astype(np.float32).astype(np.float64) for name, value in self.weights.items()}
        length = self.before + self.window
        self.x = rng.integers(m.d_in, size=length) if m.takes_tokens else draw((length, m.d_in))
        self.dy = draw((1 if m.pools else self.window, m.d_out))
        self.dstate = [draw(shape) for shape in m.state_shapes]
        fresh = [np.full(shape, -np.inf) if self.is_max(i) else np.zeros(shape) for i, shape in enumerate(m.state_shapes)]
        self.state, self.peak = m.forward(self.x[:self.before], self.weights, fresh, 0)[1], m.peak
        m.forward(self.x[self.before:], self.weights, self.state, self.before)
        self.peak = max(self.peak, m.peak)
        # A selection of some parameters, for every third model. At least one is selected, and at least one is not. All layers
        # of an array are selected alike. Two SelectiveStateSpaceModels have the same names, so nothing can be selected.
        self.selected = []
        names = sorted({self.first_layer(name) for name in self.weights})
        if number % 3 == 0 and len(names) > 1 and len({m.full_name(name) for name in names}) == len(names):
            chosen = rng.permutation(names)[:int(rng.integers(1, max(2, len(names) // 2)))]
            self.selected = [str(name) for name in chosen]

    def is_max(self, i):
        at = 0
        for layer in getattr(self.model, "layers", []):
            if at <= i < at + len(layer.state_shapes):
                return isinstance(layer, Pool) and layer.kind == "Max"
            at += len(layer.state_shapes)
        return False

    @staticmethod
    def first_layer(name):
        """Returns the parameter's name, in which 0 replaces the index of a layer in an array."""
        return ".".join("0" if part.isdigit() else part for part in name.split("."))

    def bytes(self):
        numbers = [*self.weights.values(), *([] if self.model.takes_tokens else [self.x]), self.dy, *self.dstate]
        parts = [np.asarray(a, "<f4").tobytes() for a in numbers]
        if self.model.takes_tokens:
            parts.insert(len(self.weights), self.x.astype("<i4").tobytes())
        return b"".join(parts)

    def declaration(self):
        name, selection = self.model.name, ""
        if self.selected:
            tests = " || ".join(f'name == "{self.model.full_name(chosen)}"' for chosen in self.selected)
            function = f"static constexpr bool trains(std::string_view name) {{ return {tests}; }}"
            selection = f"struct {name}Selection {{ {function} }};\n"
        return self.model.declaration() + selection

    def call(self):
        selection = f"{self.model.name}Selection" if self.selected else "krait::Everything"
        return f"  run<{self.model.name}, {self.before}, {self.window}, {selection}>();\n"

    def loss(self, x, weights, state):
        y, after = self.model.forward(x, weights, state, self.before)
        return (y * self.dy).sum() + sum((a * d).sum() for a, d in zip(after, self.dstate))

    def errors(self, stream, rng):
        """Reads the program's numbers and yields (tensor's name, largest error relative to the largest gradient)."""
        take = lambda shape: np.frombuffer(stream.read(4 * math.prod(shape)), "<f4").reshape(shape).astype(np.float64)
        x = self.x[self.before:]
        found = {} if self.model.takes_tokens else {"the input": take(x.shape)}
        y = take(self.dy.shape)
        wanted = self.model.forward(x, self.weights, self.state, self.before)[0]
        yield "the outputs", np.abs(y - wanted).max() / max(np.abs(wanted).max(), 1e-30)  # ReLU may give zeros only
        found |= {f"state {i}": take(shape) for i, shape in enumerate(self.model.state_shapes)}
        found |= {name: take(value.shape) for name, value in self.weights.items()}
        for name, gradient in found.items():
            if gradient.size == 0:
                continue
            if not np.isfinite(gradient).all():
                yield name, math.inf
                continue
            weights, inputs, state = dict(self.weights), np.array(x), [np.array(s, order="C") for s in self.state]
            if name == "the input":
                tensor = inputs
            elif name.startswith("state "):
                tensor = state[int(name[6:])]
            else:
                tensor = weights[name] = np.array(weights[name])
            flat, order = tensor.reshape(-1), np.argsort(-np.abs(gradient).reshape(-1))
            others = rng.permutation(flat.size)[:COMPARED]
            worst, largest = 0.0, np.abs(gradient).max()
            for at in {*order[:COMPARED].tolist(), *others.tolist()}:
                kept, step = flat[at], 1e-5
                flat[at] = kept + step
                up = self.loss(inputs, weights, state)
                flat[at] = kept - step
                down = self.loss(inputs, weights, state)
                flat[at] = kept
                difference = (up - down) / (2 * step)
                # Where two slopes meet, as in ReLU at 0 and in MaxPool of equal numbers, there is no derivative to compare.
                if abs(up - 2 * self.loss(inputs, weights, state) + down) / step > TOLERANCE * max(largest, abs(difference)):
                    continue
                worst = max(worst, abs(difference - gradient.reshape(-1)[at]))
                largest = max(largest, abs(difference))
            yield name, worst / largest if largest > 1e-7 else worst


def compare(cases, program, options):
    """Compiles and runs a program for some cases. Returns the problems, and the largest error and where it occurred."""
    source = '#include "random_stacks.hpp"\n' + "".join(case.declaration() for case in cases)
    source += 'int main(int, char** names) {\n  from = std::fopen(names[1], "rb");\n  to = std::fopen(names[2], "wb");\n'
    source += "".join(case.call() for case in cases) + "  return std::fclose(to);\n}\n"
    code, numbers, gradients = (program.with_suffix(suffix) for suffix in (".cpp", ".in", ".out"))
    code.write_text(source)
    numbers.write_bytes(b"".join(case.bytes() for case in cases))
    subprocess.run([options.compiler, "-std=c++20", *shlex.split(options.flags), "-DKRAIT_QUIET", f"-I{HERE}",
                    f"-I{options.include}", code, "-o", program], check=True)
    wrong = subprocess.run([program, numbers, gradients], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    worst = (0.0, "")
    with open(gradients, "rb") as stream:
        for case in cases:
            errors = list(case.errors(stream, np.random.default_rng(options.seed)))
            worst = max(worst, *((error, f"{case.model.name}, {name}") for name, error in errors))
            wrong += [f"{case.model.name}: {name}: error {error:.1e}\n{case.declaration()}" for name, error in errors
                      if not error <= TOLERANCE]
        if stream.read():
            wrong.append("the program wrote more numbers than it should")
    return wrong, worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--flags", default="-O0 -march=native")
    parser.add_argument("--include", type=pathlib.Path, default=HERE.parent.parent / "include")
    arguments = sys.argv[1:]
    for at, word in enumerate(arguments[:-1]):
        if word == "--flags":  # argparse rejects a value that starts with a dash
            arguments[at:at + 2] = [f"--flags={arguments[at + 1]}"]
    options = parser.parse_args(arguments)
    cases = [Case(np.random.default_rng([options.seed, i]), i) for i in range(options.count)]
    cases = [case for case in cases if options.only in case.declaration()]
    wrong, worst = [], (0.0, "")
    with tempfile.TemporaryDirectory(prefix="krait_stacks_") as folder:
        for first in range(0, len(cases), TOGETHER):
            found, error = compare(cases[first:first + TOGETHER], pathlib.Path(folder) / "stacks", options)
            wrong += found
            worst = max(worst, error)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{len(cases)} models, largest error {worst[0]:.1e} of the largest gradient ({worst[1]}); {len(wrong)} problems")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
