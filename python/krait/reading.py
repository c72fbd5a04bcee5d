"""Reads the layers of Krait's model from the trace of a PyTorch module, by types of layers and by data flow."""

import inspect
import math

import numpy as np
import torch
from torch import nn

from .layers import Group, is_mixer, refuse_foreign
from .safetensors_file import Problem
from .trace import Node, nodes_in

ACTIVATIONS = {nn.ReLU: "relu", nn.SiLU: "silu", nn.Tanh: "tanh", nn.Sigmoid: "sigmoid"}
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout, nn.Identity)
CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)
LAYERS = (
    "Linear, Embedding, LayerNorm, RMSNorm, BatchNorm1d, Conv1d, ReLU, SiLU, GELU, Tanh, Sigmoid, Dropout, pooling over all "
    "tokens, learned positions, residual connections, and the mixers of Mamba, Mamba-2 and Mamba-3"
)
# Functions that change no number and no axis. `same` compares the numbers.
SAME = set(
    "dropout dropout1d feature_dropout alpha_dropout contiguous clone detach to float long int type type_as data "
    "requires_grad identity alias positive cpu".split()
)
RESHAPES = {"view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as", "expand", "expand_as"}


class Item:
    """A layer of Krait's model: its kind, its path in the module, its weights (`arrays`), its sizes and settings (`numbers`),
    and the node of the trace that it computes. `parts` are the layers of a residual connection. The layer reads the node
    `input` and computes the node `output`."""

    def __init__(self, kind, node, arrays=None, parts=(), **numbers):
        self.kind, self.node, self.path, self.arrays, self.parts = kind, node, node.path, arrays or {}, list(parts)
        self.numbers, self.input, self.output = numbers, None, node

    def name(self):
        return self.node.name()


def array(tensor):
    return tensor.detach().cpu().to(torch.float64).numpy()


def parameters_of(module):
    """Returns the arrays of a module by name: parameters and persistent buffers."""
    return {name: tensor for name, tensor in module.state_dict().items() if tensor.is_floating_point()}


def is_mamba_mixer(module):
    """Returns whether a module is a Mamba block, by its parameters."""
    names = {name.split(".")[0] for name, _ in module.named_parameters()}
    return "in_proj" in names and "out_proj" in names and is_mixer(Group("", dict(module.named_parameters())))


def is_norm(module):
    """Returns whether a module that is not PyTorch's may be a norm: a vector `weight`, perhaps `bias`, and an eps."""
    tensors = dict(module.named_parameters())
    return set(tensors) in ({"weight"}, {"weight", "bias"}) and tensors["weight"].dim() == 1 and eps_of(module) is not None


def eps_of(module):
    for name in ("eps", "variance_epsilon", "epsilon"):
        if isinstance(getattr(module, name, None), float):
            return getattr(module, name)
    return None


def is_of_torch(module):
    return type(module).__module__.startswith("torch.nn.modules")


def is_leaf(module):
    """Returns whether the trace records a call of the module, and not the functions within it."""
    if is_of_torch(module):
        return not isinstance(module, CONTAINERS)
    return is_mamba_mixer(module) or is_norm(module)


class Reader:
    """Reads a trace. Each node has axes, a tuple of labels: B (batch), T (tokens or frames), C (channels), 1 (one element).
    `axes` are the axes of the module's input."""

    def __init__(self, trace, axes):
        self.trace, self.axes, self.steps = trace, {trace.input: axes}, {}
        self.rms = {node: match for node in trace.nodes if (match := match_rms_norm(node))}
        self._needed = None
        self.items = []

    def read_all(self):
        for node in self.trace.nodes:
            if node is not self.trace.input and node in self.needed():
                self.read(node)
        self.items = self.chain(self.trace.output, self.trace.input)

    def needed(self):
        """Returns the nodes that the output depends on. The functions of which a norm consists are left out."""
        if self._needed is None:
            self._needed, left = set(), [self.trace.output]
            while left:
                node = left.pop()
                if node not in self._needed:
                    self._needed.add(node)
                    left += [self.rms[node][0]] if node in self.rms else node.parents()
        return self._needed

    def reject(self, node, found, wanted=None):
        raise Problem(f"{node.name()}: found {found}, wanted {wanted or LAYERS}")

    # Steps: each node is ("same", node before), ("item", node before, item) or ("add", node, node).

    def same(self, node, before, axes=None):
        self.steps[node], self.axes[node] = ("same", before), axes or self.axes[before]

    def item(self, node, before, kind, arrays=None, axes=None, **numbers):
        made = Item(kind, node, arrays, **numbers)
        made.input = before
        self.steps[node], self.axes[node] = ("item", before, made), axes or self.axes[before]

    def before(self, node):
        """Returns the only node that the layer or function of `node` reads. Raises Problem if it reads several."""
        parents = list(dict.fromkeys(node.parents()))
        if len(parents) != 1:
            self.reject(node, f"{len(parents)} tensors that depend on the input", "one")
        return parents[0]

    def at(self, node, dim):
        """Returns the label of the axis `dim` of a node, or None if the node has no such axis."""
        axes = self.axes[node]
        return axes[dim] if -len(axes) <= dim < len(axes) else None

    def position(self, node, dim):
        return dim % len(self.axes[node])

    def channels_last(self, node, before):
        if self.axes[before][-1] != "C":
            self.reject(node, f"axes {self.text(before)}", "the channels on the last axis")

    def text(self, node):
        words = {"B": "batch", "T": "tokens", "C": "channels", "1": "1"}
        return "[" + ", ".join(words[label] for label in self.axes[node]) + "]"

    def read(self, node):
        if node in self.rms:
            before, eps = self.rms[node]
            self.channels_last(node, before)
            self.item(node, before, "rms_norm", {"weight": np.ones(before.value.shape[-1])}, eps=eps)
        elif node.op == "element":
            whole, at = node.args
            if whole not in self.steps or at != 0:
                self.reject(node, f"element {at} of several results", "the first")
            self.same(node, whole)
        elif node.op == "module":
            self.read_module(node, node.module)
        else:
            self.read_function(node)

    def read_module(self, node, module):
        kind, before = type(module), self.before(node)
        if is_mamba_mixer(module):
            if self.axes[before][-2:] != ("T", "C"):
                self.reject(node, f"axes {self.text(before)}", "[batch, tokens, channels]")
            refuse_foreign(f"{node.path}.{name}" for name in parameters_of(module))
            self.item(node, before, "mixer", parameters_of(module), module=module)
        elif kind in ACTIVATIONS:
            self.item(node, before, "activation", word=ACTIVATIONS[kind])
        elif kind is nn.GELU:
            self.item(node, before, "activation", word="gelu_tanh" if module.approximate == "tanh" else "gelu")
        elif kind in DROPOUTS:
            self.unchanged(node, before)
        elif kind is nn.Linear:
            self.linear(node, before, module.weight, module.bias)
        elif kind is nn.Embedding:
            self.embedding(node, before, module.weight, max_norm=module.max_norm)
        elif kind is nn.LayerNorm:
            self.layer_norm(node, before, module.normalized_shape, module.weight, module.bias, module.eps)
        elif kind is nn.RMSNorm:
            self.rms_norm(node, before, module.normalized_shape, module.weight, module.eps)
        elif kind in (nn.BatchNorm1d, nn.SyncBatchNorm):
            self.batch_norm(
                node, before, module.running_mean, module.running_var, module.weight, module.bias, False, 0, module.eps
            )
        elif kind is nn.Conv1d:
            if module.padding_mode != "zeros" and module.padding != (0,):
                self.reject(node, f"padding_mode {module.padding_mode!r}", "'zeros'")
            self.conv1d(
                node, before, module.weight, module.bias, module.stride, module.padding, module.dilation, module.groups
            )
        elif kind in (nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d):
            self.pool_windows(node, before, "mean" if kind is nn.AdaptiveAvgPool1d else "max", module.output_size in (1, (1,)))
        elif kind in (nn.AvgPool1d, nn.MaxPool1d):
            self.pool_windows(node, before, "mean" if kind is nn.AvgPool1d else "max", node.value.shape[-1] == 1)
        elif kind is nn.Flatten or kind is nn.Unflatten:
            self.reshape(node, before)
        elif kind in (nn.ZeroPad1d, nn.ConstantPad1d):
            self.pad(node, before, module.padding, "constant", getattr(module, "value", 0))
        elif is_norm(module) and not is_of_torch(module):
            self.norm_of_numbers(node, before, module)
        else:
            self.reject(node, f"a layer {kind.__name__}")

    def read_function(self, node):
        args, kwargs = node.args, node.kwargs
        name = node.op
        if name in ("add", "sub", "rsub", "mul", "div", "neg"):
            return self.arithmetic(node)
        before = self.before(node)
        if name in SAME:
            self.unchanged(node, before)
        elif name in ("relu", "silu", "tanh", "sigmoid"):
            self.item(node, before, "activation", word=name)
        elif name == "gelu":
            word = "gelu_tanh" if (kwargs.get("approximate") or (args[1] if len(args) > 1 else "none")) == "tanh" else "gelu"
            self.item(node, before, "activation", word=word)
        elif name in ("transpose", "permute", "T", "mT", "movedim"):
            self.permute(node, before)
        elif name in RESHAPES:
            self.reshape(node, before)
        elif name in ("getitem", "select", "narrow"):
            self.index(node, before)
        elif name in ("mean", "amax", "max", "sum"):
            self.pool(node, before)
        elif name in FUNCTIONS:
            method, function = FUNCTIONS[name]
            given = inspect.signature(function).bind(*args, **kwargs).arguments
            method(self, node, before, *[given.get(one) for one in list(inspect.signature(function).parameters)[1:]])
        elif name in ("matmul", "mm") and isinstance(args[1], torch.Tensor) and args[1].dim() == 2:
            self.linear(node, before, args[1].mT, None)
        elif name in ("adaptive_avg_pool1d", "adaptive_max_pool1d", "avg_pool1d", "max_pool1d"):
            self.pool_windows(node, before, "mean" if "avg" in name else "max", node.value.shape[-1] == 1)
        elif name in ("flip", "fliplr") and "T" in self.flipped(node, before):
            wanted = "layers that process the tokens in their order: a stream has no end from which to start"
            self.reject(node, "a reversal of the tokens, as in bidirectional models", wanted)
        elif name in ("softmax", "log_softmax"):
            self.reject(node, "a softmax", "a module that returns the numbers before the softmax: apply it to the outputs")
        else:
            self.reject(node, f"the function {name}")

    def flipped(self, node, before):
        """Returns the labels of the axes that flip or fliplr reverses."""
        dims = (node.kwargs.get("dims") or node.args[1:]) if node.op == "flip" else [1]
        dims = dims[0] if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
        return [self.at(before, dim) for dim in ([dims] if isinstance(dims, int) else dims)]

    # Layers.

    def unchanged(self, node, before):
        if node.value.shape != before.value.shape or not torch.equal(node.value.to(before.value.dtype), before.value):
            self.reject(node, "a function that changes the numbers", "one without an effect in evaluation mode")
        self.same(node, before)

    def linear(self, node, before, weight, bias=None):
        self.channels_last(node, before)
        arrays = {"weight": array(weight)}
        if bias is not None:
            arrays["bias"] = array(bias)
        self.item(node, before, "linear", arrays)

    def embedding(self, node, before, weight, padding_idx=None, max_norm=None, *_):
        if before is not self.trace.input and before.value.is_floating_point():
            self.reject(node, "an embedding of computed numbers", "one of the module's input")
        if max_norm is not None:
            self.reject(node, f"max_norm {max_norm}", "None")
        self.item(node, before, "embedding", {"weight": array(weight)}, axes=(*self.axes[before], "C"))

    def layer_norm(self, node, before, shape, weight=None, bias=None, eps=1e-5):
        self.norm(node, before, "layer_norm", shape, weight, bias, 1e-5 if eps is None else eps)

    def rms_norm(self, node, before, shape, weight=None, eps=None):
        self.norm(node, before, "rms_norm", shape, weight, None, torch.finfo(torch.float32).eps if eps is None else eps)

    def norm(self, node, before, kind, shape, weight, bias, eps):
        if len(shape) != 1 or self.axes[before][-1] != "C":
            self.reject(node, f"a norm over {list(shape)} of {self.text(before)}", "one over the channels")
        arrays = {"weight": np.ones(shape[0]) if weight is None else array(weight)}
        if bias is not None:
            arrays["bias"] = array(bias)
        self.item(node, before, kind, arrays, eps=float(eps))

    def norm_of_numbers(self, node, before, module):
        """Decides by its outputs for random numbers whether a module that is not PyTorch's is an RMSNorm or a LayerNorm. The
        example's numbers would not do, because both norms give the same for zeros. Half of the numbers are so small that eps
        determines the outputs."""
        noise = torch.randn(2, *before.value.shape, generator=torch.Generator().manual_seed(0)) + 0.5
        eps = eps_of(module)
        x = (noise * torch.tensor([1, eps**0.5]).reshape(2, *[1] * before.value.dim())).to(before.value)
        if module.weight.shape != x.shape[-1:]:
            found = f"a module with a weight {list(module.weight.shape)} for {self.text(before)}"
            self.reject(node, found, "a norm over the channels")
        wanted, x = torch.stack([module(one) for one in x]).double(), x.double()
        weight, bias = module.weight.double(), getattr(module, "bias", None)
        for kind, centred in (("rms_norm", x), ("layer_norm", x - x.mean(-1, keepdim=True))):
            y = centred * torch.rsqrt(centred.pow(2).mean(-1, keepdim=True) + eps) * weight
            y = y if bias is None else y + bias.double()
            if torch.allclose(y, wanted, rtol=1e-4, atol=1e-5):
                return self.norm(node, before, kind, [x.shape[-1]], module.weight, bias, eps)
        found = "a module with a weight and an eps that computes neither an RMSNorm nor a LayerNorm"
        self.reject(node, found, "x / sqrt(mean(x^2) + eps) of an RMSNorm, or the same for x - mean(x) of a LayerNorm")

    def batch_norm(self, node, before, mean, variance, weight=None, bias=None, training=False, momentum=None, eps=1e-5):
        if mean is None or training:
            self.reject(node, "a BatchNorm without running_mean", "one in evaluation mode with running statistics")
        if len(self.axes[before]) > 1 and self.at(before, 1) != "C" and self.axes[before] != ("T", "C"):
            self.reject(node, f"a BatchNorm of {self.text(before)}", "the channels on axis 1")
        scale = 1 / np.sqrt(array(variance) + eps)
        scale = scale if weight is None else scale * array(weight)
        shift = -array(mean) * scale
        self.item(node, before, "affine", {"scale": scale, "shift": shift if bias is None else shift + array(bias)})

    def conv1d(self, node, before, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
        if self.axes[before][-2:] != ("C", "T"):
            self.reject(node, f"a Conv1d of {self.text(before)}", "the channels on axis 1, the tokens on axis 2")

        def one(value, default):
            return default if value is None else int(value[0] if isinstance(value, tuple) else value)

        stride, dilation, groups = one(stride, 1), one(dilation, 1), one(groups, 1)
        taps = array(weight)
        span = dilation * (taps.shape[2] - 1) + 1
        if padding in ("same", ("same",)):
            left, right = (span - 1) // 2, span - 1 - (span - 1) // 2
        else:
            left = right = 0 if padding in ("valid", ("valid",)) else one(padding, 0)
        wide = np.zeros((*taps.shape[:2], span))
        wide[..., ::dilation] = taps
        is_depthwise = groups == taps.shape[0] == before.value.shape[self.axes[before].index("C")] and groups > 1
        if groups > 1 and not is_depthwise:
            wide = dense(wide, groups)
        arrays = {"weight": wide} if bias is None else {"weight": wide, "bias": array(bias)}
        self.item(node, before, "conv1d", arrays, stride=stride, left=left, right=right, depthwise=is_depthwise)

    def pad(self, node, before, pad, mode="constant", value=None):
        if self.axes[before][-1] != "T" or len(pad) != 2 or mode not in ("constant", None) or value not in (0, 0.0, None):
            found = f"padding {list(pad)} of {self.text(before)}, mode {mode or 'constant'!r}, value {value or 0}"
            self.reject(node, found, "zeros on the axis of tokens, before a Conv1d")
        self.item(node, before, "pad", left=pad[0], right=pad[1])

    # Axes.

    def permute(self, node, before):
        axes, args = self.axes[before], [one for one in node.args[1:] if not isinstance(one, Node)]
        args += [node.kwargs[key] for key in ("dim0", "dim1", "dims") if key in node.kwargs]
        count = list(range(len(axes)))
        if node.op == "permute":
            count = [one % len(axes) for one in (args[0] if isinstance(args[0], (tuple, list)) else args)]
        elif node.op == "T":
            count.reverse()
        elif node.op in ("transpose", "mT"):
            a, b = (-1, -2) if node.op == "mT" else (args[0], args[1])
            count[a], count[b] = count[b], count[a]
        else:
            self.reject(node, f"the function {node.op}", "transpose or permute")
        self.same(node, before, tuple(axes[one] for one in count))

    def reshape(self, node, before):
        """Reads a function that changes the shape. Only axes of one element may appear or disappear; raises Problem for any
        other change."""
        axes, old, new = self.axes[before], list(before.value.shape), list(node.value.shape)
        long = [(label, extent) for label, extent in zip(axes, old) if extent != 1]
        if [extent for _, extent in long] != [extent for extent in new if extent != 1]:
            self.reject(node, f"a change of shape from {old} to {new}", "the same axes: [batch, tokens, channels]")
        short = [label for label, extent in zip(axes, old) if extent == 1 and label != "1"]
        found, left = [], list(long)
        for extent in new:
            if extent != 1:
                found.append(left.pop(0)[0])
            else:
                found.append(short.pop(0) if short else "1")
        self.same(node, before, tuple(found))

    def index(self, node, before):
        shape, axes = before.value.shape, self.axes[before]
        if node.op == "getitem":
            wanted = node.args[1] if isinstance(node.args[1], tuple) else (node.args[1],)
        else:
            dim = self.position(before, node.args[1] if len(node.args) > 1 else node.kwargs["dim"])
            start = node.args[2] if len(node.args) > 2 else node.kwargs.get("index", node.kwargs.get("start"))
            one = start
            if node.op == "narrow":
                one = slice(start, start + (node.args[3] if len(node.args) > 3 else node.kwargs["length"]))
            wanted = (slice(None),) * dim + (one,)
        if any(one is Ellipsis for one in wanted):
            at = next(i for i, one in enumerate(wanted) if one is Ellipsis)
            count = len(shape) - sum(one is not None for one in wanted) + 1
            wanted = (*wanted[:at], *[slice(None)] * count, *wanted[at + 1 :])
        wanted = (*wanted, *[slice(None)] * (len(shape) - sum(one is not None for one in wanted)))
        found, dim, effect = [], 0, None
        for one in wanted:
            if one is None:
                found.append("1")
                continue
            label, extent, dim = axes[dim], shape[dim], dim + 1
            if isinstance(one, int) and (label == "1" or extent == 1 and label != "T"):
                continue
            if isinstance(one, int) and label == "T" and one in (-1, extent - 1):
                effect = ("last",)
            elif isinstance(one, slice) and one.indices(extent) == (0, extent, 1):
                found.append(label)
            elif isinstance(one, slice) and label == "T" and one.indices(extent) == (extent - 1, extent, 1):
                found.append("1")
                effect = ("last",)
            elif isinstance(one, slice) and label == "T" and one.indices(extent)[::2] == (0, 1):
                found.append(label)
                effect = ("cut", extent - one.indices(extent)[1])
            else:
                words = {"T": "tokens", "C": "channels", "B": "the batch", "1": "one element"}
                wanted_text = "all of them, or the last token, or the first tokens after a Conv1d"
                self.reject(node, f"the index {one} on the axis of {words[label]}", wanted_text)
        if effect is None:
            self.same(node, before, tuple(found))
        elif effect[0] == "last":
            self.item(node, before, "pool", axes=tuple(found), word="last")
        else:
            self.item(node, before, "cut", axes=tuple(found), count=effect[1])

    # Pooling.

    def pool(self, node, before):
        args = list(node.args[1:])
        dims = node.kwargs.get("dim", node.kwargs.get("axis", args.pop(0) if args else None))
        keepdim = node.kwargs.get("keepdim", args.pop(0) if args else False)
        dims = [dims] if isinstance(dims, int) else dims
        if dims is None or any(self.at(before, dim) not in ("T", "1") for dim in dims) or len(dims) != 1:
            self.reject(node, f"{node.op} over {'all axes' if dims is None else f'the axes {dims}'} of {self.text(before)}",
                        "pooling over the axis of tokens")  # fmt: skip
        dim = self.position(before, dims[0])
        axes = tuple("1" if at == dim else label for at, label in enumerate(self.axes[before]) if keepdim or at != dim)
        if self.at(before, dim) == "1":
            return self.same(node, before, axes)
        word = {"mean": "mean", "sum": "mean"}.get(node.op, "max")
        self.item(node, before, "pool", axes=axes, word=word, times=before.value.shape[dim] if node.op == "sum" else 1)

    def pool_windows(self, node, before, word, is_global):
        if self.axes[before][-1] != "T" or not is_global or node.value.shape[-1] != 1:
            self.reject(node, f"pooling from {list(before.value.shape)} to {list(node.value.shape)} of {self.text(before)}",
                        "pooling over all tokens, such as mean(1), amax(1) or AdaptiveAvgPool1d(1)")  # fmt: skip
        size = getattr(node.module, "kernel_size", None) or before.value.shape[-1]
        if (size[0] if isinstance(size, tuple) else size) != before.value.shape[-1]:
            self.reject(node, f"a window of {size} tokens", f"all tokens, {before.value.shape[-1]} in the example")
        self.item(node, before, "pool", axes=(*self.axes[before][:-1], "1"), word=word, times=1)

    # Arithmetic.

    def arithmetic(self, node):
        operands = [*node.args[:2], *(node.kwargs[key] for key in ("other",) if key in node.kwargs)]
        if node.kwargs.get("alpha", 1) != 1:
            self.reject(node, f"{node.op} with alpha", "without")
        nodes = [one for one in operands if isinstance(one, Node)]
        if len(nodes) == 2:
            if node.op != "add" or nodes[0].value.shape != nodes[1].value.shape:
                words = {"mul": "a product of two tensors that depend on the input, such as a gate"}
                self.reject(node, words.get(node.op, f"{node.op} of two tensors that depend on the input"))
            longest = max(nodes, key=lambda one: len(self.axes[one]))
            self.steps[node], self.axes[node] = ("add", *nodes), self.axes[longest]
            return
        (before,) = nodes
        if not before.value.is_floating_point():
            self.reject(node, "arithmetic with token ids", "an embedding of the ids")
        if node.op == "div" and operands[0] is not before:
            self.reject(node, "a division by a tensor that depends on the input")
        if (rounding := node.kwargs.get("rounding_mode")) is not None:
            self.reject(node, f"div with rounding_mode {rounding!r}", "div without it")
        constant = next((one for one in operands if not isinstance(one, Node)), None)
        if node.value.shape != before.value.shape:
            self.reject(node, f"a change of shape from {list(before.value.shape)} to {list(node.value.shape)}", "none")
        if constant is None:
            return self.affine(node, before, -np.ones(1), np.zeros(1))
        if isinstance(constant, torch.Tensor) and constant.numel() > 1:
            return self.with_tensor(node, before, constant)
        number = np.full(1, float(constant))
        self.affine(node, before, *affine_of(node.op, number, operands[0] is before))

    def with_tensor(self, node, before, constant):
        """Reads x + constant or x * constant: learned positions if the constant has an axis of tokens, otherwise a scale or a
        shift."""
        axes, whole = self.axes[before], array(constant.expand(before.value.shape))
        if "B" in axes:
            at = axes.index("B")
            if constant.dim() == len(axes) and constant.shape[at] > 1:
                self.reject(node, "a constant with an axis of the batch", "one without")
            whole = whole.take(0, at)
            axes = axes[:at] + axes[at + 1 :]
        order = [axes.index(label) for label in ("T", "C") if label in axes]
        extents = [whole.shape[at] for at in order]
        whole = whole.transpose([*order, *(at for at in range(len(axes)) if at not in order)]).reshape(extents)
        if "T" in axes and len(whole) > 1 and (whole != whole[0]).any():
            if node.op != "add" or "C" not in axes:
                self.reject(node, f"{node.op} with numbers that differ between tokens", "x + positions")
            return self.item(node, before, "positional", {"weight": self.table(constant, whole)})
        numbers = whole[0] if "T" in axes else whole
        first = node.args[0] is before
        self.affine(node, before, *affine_of(node.op, np.atleast_1d(numbers), first))

    def table(self, constant, rows):
        """Returns the table of positions from the row on with which the constant starts. `rows` are the constant's rows."""
        found = constant
        while id(found) in self.trace.sources:
            source, args = self.trace.sources[id(found)]
            if isinstance(source, nn.Embedding):
                found = source.weight
            elif source == "embedding":
                found = args[1]
            elif args and isinstance(args[0], torch.Tensor):
                found = args[0]
            else:
                break
        if rows.shape[1] in found.shape and found.numel() % rows.shape[1] == 0:
            whole = array(found).reshape(-1, rows.shape[1])
            for start in range(len(whole) - len(rows) + 1):
                if (whole[start : start + len(rows)] == rows).all():
                    return whole[start:]
        return rows

    def affine(self, node, before, scale, shift):
        width = before.value.shape[self.axes[before].index("C")] if "C" in self.axes[before] else 1
        self.item(node, before, "affine", {"scale": np.resize(scale, width), "shift": np.resize(shift, width)})

    # Chains and residual connections.

    def skip(self, node):
        """Returns the node whose numbers a node has, perhaps on other axes."""
        while node in self.steps and self.steps[node][0] == "same":
            node = self.steps[node][1]
        return node

    def chain(self, node, start):
        """Returns the layers from the node `start` to a node."""
        items, start = [], self.skip(start)
        while (node := self.skip(node)) is not start:
            if node not in self.steps:
                raise Problem(f"{node.name()}: found a tensor that is not computed from the input of the residual connection")
            step = self.steps[node]
            if step[0] == "item":
                items.append(step[2])
                node = step[1]
                continue
            node, item = self.residual(node, step[1:])
            items.append(item)
        return items[::-1]

    def residual(self, node, operands):
        """Returns x, and the layers f, of x + f(x)."""
        for x, y in (operands, operands[::-1]):
            if self.reaches(y, x):
                parts = self.chain(y, x)
                item = Item("residual", node, parts=parts) if parts else Item("affine", node)
                item.input = x
                if not parts:  # x + x
                    width = x.value.shape[self.axes[x].index("C")]
                    item.arrays = {"scale": np.full(width, 2.0), "shift": np.zeros(width)}
                return x, item
        self.reject(node, "a sum of two tensors of which neither is computed from the other", "x + f(x)")

    def reaches(self, node, start):
        """Returns whether a node is computed from the node `start` and nothing else that depends on the input."""
        start, node = self.skip(start), self.skip(node)
        while node is not start:
            step = self.steps.get(node)
            if step is None:
                return False
            if step[0] == "item":
                node = self.skip(step[1])
            else:
                operands = [self.skip(one) for one in step[1:]]
                before = [x for x, y in (operands, operands[::-1]) if self.reaches(y, x)]
                if not before:
                    return False
                node = before[0]
        return True


FUNCTIONS = {
    "linear": (Reader.linear, lambda input, weight, bias=None: 0),
    "layer_norm": (Reader.layer_norm, lambda input, normalized_shape, weight=None, bias=None, eps=1e-5: 0),
    "rms_norm": (Reader.rms_norm, lambda input, normalized_shape, weight=None, eps=None: 0),
    "batch_norm": (
        Reader.batch_norm,
        lambda input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5: 0,
    ),
    "conv1d": (Reader.conv1d, lambda input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1: 0),
    "embedding": (Reader.embedding, lambda input, weight, padding_idx=None, max_norm=None, *a, **k: 0),
    "pad": (Reader.pad, lambda input, pad, mode="constant", value=None: 0),
}


def affine_of(op, number, node_first):
    """Returns the scale and the shift of x op number, or of number op x."""
    one, zero = np.ones_like(number), np.zeros_like(number)
    if op == "add":
        return one, number
    if op in ("sub", "rsub"):
        return (one, -number) if (op == "sub") == node_first else (-one, number)
    if op == "mul":
        return number, zero
    return 1 / number, zero


def dense(weight, groups):
    """Returns the weight of a convolution without groups that computes the same as `weight` with `groups` groups: zeros connect
    different groups."""
    d_out, width, kernel = weight.shape
    whole = np.zeros((d_out, width * groups, kernel))
    for group in range(groups):
        rows = slice(group * d_out // groups, (group + 1) * d_out // groups)
        whole[rows, group * width : (group + 1) * width] = weight[rows]
    return whole


def match_rms_norm(node):
    """Returns (x, eps) if a node is x * rsqrt(mean(x^2) + eps), or x / sqrt(mean(x^2) + eps), on the last axis."""

    def plain(one):
        while isinstance(one, Node) and one.op in SAME:
            one = one.args[0]
        return one

    def of(one, *ops):
        one = plain(one)
        return one if isinstance(one, Node) and one.op in ops else None

    if node.op not in ("mul", "div") or len(list(nodes_in(node.args))) != 2:
        return None
    operands = (node.args, node.args[::-1])[: 2 if node.op == "mul" else 1]
    for x, root in operands:
        root = of(root, "rsqrt" if node.op == "mul" else "sqrt")
        total = root and of(root.args[0], "add")
        if not total:
            continue
        eps = [one for one in total.args[:2] if not isinstance(one, Node)]
        mean = [one for one in total.args[:2] if of(one, "mean")]
        if len(eps) != 1 or len(mean) != 1:
            continue
        mean = of(mean[0], "mean")
        dim = mean.kwargs.get("dim", mean.args[1] if len(mean.args) > 1 else None)
        dim = dim[0] if isinstance(dim, (tuple, list)) and len(dim) == 1 else dim
        square = of(mean.args[0], "pow", "mul", "square")
        if square is None or dim not in (-1, plain(x).value.dim() - 1):
            continue
        squared = [plain(one) for one in square.args[:2]]
        is_square = square.op == "square" or (square.op == "pow" and squared[1] == 2) or squared[0] is squared[-1]
        if is_square and squared[0] is plain(x):
            value = float(eps[0])
            return (plain(x), value) if math.isfinite(value) else None
    return None
