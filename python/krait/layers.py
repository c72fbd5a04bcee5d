"""Determines the layers of a checkpoint: the kind of layer that a group of tensors belongs to, the layer's dims, which follow
from the shapes of the tensors, and the layer's C++ type."""

import math
import re

from .heads import is_mamba2, is_mamba3, mamba2_dims, mamba3_dims
from .safetensors_file import Problem, Tensor

STATELESS = (
    "Linear",
    "RmsNorm",
    "LayerNorm",
    "BatchNorm",
    "Embedding",
    "MeanPool",
    "LastPool",
    "MaxPool",
    "Activation",
    "identity",
)
# Words of --order for layers without tensors: the type in C++.
ACTIVATIONS = {"relu": "Relu", "silu": "Silu", "gelu": "Gelu", "gelu_tanh": "GeluTanh", "tanh": "Tanh", "sigmoid": "Sigmoid"}
POOLS = {"mean": "MeanPool", "last": "LastPool", "max": "MaxPool"}
NORMS = {"rms_norm": "RmsNorm", "layer_norm": "LayerNorm", "batch_norm": "BatchNorm"}
# The norms that a ResidualBlock and a language model may have: krait::NormKind.
NORM_KINDS = {"RmsNorm": "krait::NormKind::rms", "LayerNorm": "krait::NormKind::layer"}
BLOCKS = ("MambaBlock", "Mamba2Block", "Mamba3Block")  # the mixers that a ResidualBlock may have
# The names of the members of all kinds of blocks.
BLOCK_MEMBERS = {
    "in_proj",
    "conv1d",
    "x_proj",
    "dt_proj",
    "dt_bias",
    "A_log",
    "D",
    "B_bias",
    "C_bias",
    "B_norm",
    "C_norm",
    "mimo_x",
    "mimo_z",
    "mimo_o",
    "norm",
    "out_proj",
}
KINDS = {
    "Linear": "LinearDims",
    "RmsNorm": "NormDims",
    "LayerNorm": "NormDims",
    "Conv1d": "Conv1dDims",
    "StridedConv1d": "StridedConv1dDims",
    "MambaBlock": "BlockDims",
    "Mamba2Block": "Mamba2BlockDims",
    "Mamba3Block": "Mamba3BlockDims",
    "SelectiveStateSpace": "SsmDims",
    "SelectiveStateSpaceModel": "SsmDims",
}
# The dims of a language model, by its blocks.
LANGUAGE_MODELS = {"MambaBlock": "ModelDims", "Mamba2Block": "Mamba2Dims", "Mamba3Block": "Mamba3Dims"}
# The members that BlockDims and ModelDims have in common, in the order of core/dims.hpp.
BLOCK_FIELDS = [
    "d_state",
    "d_conv",
    "d_inner",
    "dt_rank",
    "in_bias",
    "conv_bias",
    "x_bias",
    "dt_bias",
    "out_bias",
    "norm_bias",
    "dt_b_c_eps",
    "norm",
]
# The members that Mamba2BlockDims and Mamba2Dims have in common, in the order of core/mamba2_dims.hpp.
MAMBA2_FIELDS = [
    "d_state",
    "d_conv",
    "d_inner",
    "headdim",
    "ngroups",
    "in_bias",
    "conv_bias",
    "out_bias",
    "norm_bias",
    "D_has_hdim",
    "rmsnorm",
    "norm_before_gate",
    "dt_limit",
    "mixer_norm_eps",
    "norm",
]
MAMBA3_FIELDS = [
    "d_state",
    "d_inner",
    "headdim",
    "ngroups",
    "mimo_rank",
    "rope_fraction",
    "in_bias",
    "out_bias",
    "norm_bias",
    "is_outproj_norm",
    "A_floor",
    "mixer_norm_eps",
    "norm",
]
FIELDS = {
    "LinearDims": ["d_in", "d_out", "bias"],
    "NormDims": ["d_model", "bias", "eps"],
    "Conv1dDims": ["channels", "d_conv", "bias"],
    "StridedConv1dDims": ["channels", "d_out", "kernel", "stride", "padding", "bias"],
    "SsmDims": ["d_inner", "d_model", "d_state", "dt_rank", "x_bias", "dt_bias", "out_bias", "dt_b_c_eps"],
    "BlockDims": ["d_model", *BLOCK_FIELDS, "norm_eps"],
    "ModelDims": ["vocab_size", "d_model", "n_layers", *BLOCK_FIELDS, "tied", "norm_eps"],
    "Mamba3BlockDims": ["d_model", *MAMBA3_FIELDS, "norm_eps"],
    "Mamba3Dims": ["vocab_size", "d_model", "n_layers", *MAMBA3_FIELDS, "tied", "norm_eps"],
    "Mamba2BlockDims": ["d_model", *MAMBA2_FIELDS, "norm_eps"],
    "Mamba2Dims": ["vocab_size", "d_model", "n_layers", *MAMBA2_FIELDS, "tied", "norm_eps"],
}
ADAPTER = "an adapter (LoRA)"
# Tensors that identify layers that Krait does not have.
FOREIGN = [
    (r"(.*\.)?weight_[ih]h_l\d+", "an RNN, LSTM or GRU"),
    (r"(.*\.)?in_proj_weight", "attention"),
    (r"(.*\.)?(q_proj|k_proj|v_proj|qkv|to_qkv|Wqkv)\.weight", "attention"),
    (r"(.*\.)?weight_[gv]", "weight_norm"),
    (r"(.*\.)?(dt|b|c|B|C)_layernorm\.weight", "a Mamba block with norms on dt, B and C"),
    (r"(.*\.)?parametrizations\..*", "a parametrized layer"),
    (r"(.*\.)?(in_proj|x_proj|dt_proj|out_proj|conv1d|embeddings?|lm_head)\.base_layer\..*", ADAPTER),
    (r"(.*\.)?(lora_[AB]|lora_embedding_[AB])\..*", ADAPTER),
    (r"(.*\.)?(qweight|qzeros|absmax|quant_map|SCB)", "quantised weights"),
]


class Group:
    """The tensors of a layer, by their names within the layer, and the layer's path in the checkpoint."""

    def __init__(self, path, tensors):
        self.path, self.tensors = path, tensors

    def name(self, rest):
        return f"{self.path}.{rest}" if self.path and rest else self.path or rest

    def sub(self, word):
        return Group(
            self.name(word), {name[len(word) + 1 :]: t for name, t in self.tensors.items() if name.startswith(word + ".")}
        )

    def first(self):
        return {name.split(".")[0] for name in self.tensors}

    def shape(self, rest, *axes):
        """Returns the shape of the layer's tensor `rest`, such as "conv1d.weight". Raises Problem if the tensor is missing or
        empty, or does not have one axis for each of the names `axes`."""
        if rest not in self.tensors:
            raise Problem(f"{self.name(rest)} is missing: wanted a tensor [{', '.join(axes)}]")
        shape = self.tensors[rest].shape
        if len(shape) != len(axes):
            raise Problem(f"{self.name(rest)}: found shape {shape}, wanted [{', '.join(axes)}]")
        if 0 in shape:
            raise Problem(f"{self.name(rest)}: found shape {shape}, which is empty")
        return shape


class Layer:
    """A layer of a model: its component of the library, dims, and parameters {name within the layer: Tensor}. A Residual has
    `parts`, the layers within it. `count` is the length of the array that the layer represents, or None; `member` is its C++
    name within the stack."""

    def __init__(self, path, component, dims, params=None, word=None, parts=()):
        self.path, self.component, self.dims, self.params, self.word = path, component, dims, params or {}, word
        self.parts, self.count, self.member = list(parts), None, ""
        self.convolution = None  # the Convolution with the sizes, if the layer is a StridedConv1d
        width = dims.get("channels", dims.get("d_model", dims.get("d_inner")))
        self.d_in = dims.get("d_in", dims["d_inner"] if component.startswith("Selective") else width)
        self.d_out = dims.get("d_out", dims["d_inner"] if component == "SelectiveStateSpaceModel" else width)
        self.warm_up = 0  # the number of tokens at the start of a sequence that have no output
        if component == "StridedConv1d":
            self.d_in = dims["stride"] * dims["channels"]
            self.warm_up = (dims["kernel"] - dims["padding"]) // dims["stride"] - 1
        if component in ("Embedding", "Mamba"):
            self.d_in, self.d_out = None, dims["vocab_size" if component == "Mamba" else "d_model"]  # the inputs are token ids
        self.has_state = component not in STATELESS
        self.pools = component in POOLS.values()

    def all(self):
        """Returns a list of the layer itself and all layers within it."""
        return [self, *(layer for part in self.parts for layer in part.all())]

    def kind(self):
        """Returns a value that is equal for two layers exactly if they have the same C++ type."""
        return self.component, repr(self.dims), self.word, self.count, [(part.member, part.kind()) for part in self.parts]

    def type(self, dims_name, storage):
        """Returns the C++ type of one layer (the element type, if a member is an array of layers). Does not handle
        Residuals."""
        if self.component == "Embedding":
            return f"krait::Embedding<{self.dims['vocab_size']}, {self.dims['d_model']}, {storage}>"
        if self.component == "PositionalEmbedding":
            return f"krait::PositionalEmbedding<{self.dims['max_tokens']}, {self.dims['d_model']}, {storage}>"
        if self.pools:
            return f"krait::{self.component}<{self.d_out}>"
        if self.component == "Activation":
            return f"krait::{ACTIVATIONS[self.word]}<{self.d_out}>"
        return f"krait::{self.component}<{dims_name}>"

    def describe(self):
        sizes = " ".join(f"{name} {value}" for name, value in self.dims.items() if type(value) is int)
        if self.parts:
            sizes = ", ".join(part.describe() for part in self.parts)
        name = ACTIVATIONS[self.word] if self.component == "Activation" else self.component
        return f"{name}{'' if self.count is None else f' x {self.count}'} ({sizes})"


def block_of(component, dims):
    """Returns which of BLOCKS a layer is or contains, or None for a layer without Mamba blocks."""
    if component in BLOCKS:
        return component
    if component not in ("ResidualBlock", "Mamba"):
        return None
    return "Mamba3Block" if "mimo_rank" in dims else "Mamba2Block" if "headdim" in dims else "MambaBlock"


def kind_of(component, dims):
    """Returns the C++ type of a layer's dims. For a ResidualBlock and a language model, the type depends on the kind of their
    Mamba blocks."""
    block = block_of(component, dims)
    if block is None:
        return KINDS[component]
    return LANGUAGE_MODELS[block] if component == "Mamba" else KINDS[block]


def dim_text(value):
    """Returns the value of a dim in C++."""
    if isinstance(value, tuple):
        return "{" + ", ".join(map(dim_text, value)) + "}"
    if value == math.inf:
        return "std::numeric_limits<float>::infinity()"
    return NORM_KINDS.get(value, str(value).lower())


def dims_text(component, dims, storage=None):
    """Returns the dims in C++ with a value for every member: krait::BlockDims{.d_model = 64, ...}."""
    kind = kind_of(component, dims)
    values = {name: dim_text(value) for name, value in dims.items()}
    fields = [f".{name} = {values[name]}" for name in FIELDS[kind] if name in dims]
    if storage is not None and component not in ("RmsNorm", "LayerNorm", "Conv1d"):
        fields.append(f".storage = {storage}")
    return f"krait::{kind}{{{', '.join(fields)}}}"


def mamba_dims(group, component):
    """Returns the dims of a MambaBlock or selective state space. The loader compares every shape with the dims later."""
    dims = {}
    dims["d_inner"], dims["d_state"] = group.shape("A_log", "d_inner", "d_state")
    _, dims["dt_rank"] = group.shape("dt_proj.weight", "d_inner", "dt_rank")
    if dims["dt_rank"] > dims["d_inner"]:
        raise Problem(
            f"{group.name('dt_proj.weight')}: found dt_rank {dims['dt_rank']}, wanted at most d_inner, " f"{dims['d_inner']}"
        )
    biases = {"x_bias": "x_proj", "dt_bias": "dt_proj"}
    known = ["A_log", "D", "x_proj.weight", "dt_proj.weight"]
    if component == "SelectiveStateSpace":
        dims["d_model"], _ = group.shape("out_proj.weight", "d_model", "d_inner")
        biases["out_bias"] = "out_proj"
        known += ["out_proj.weight"]
    elif component == "MambaBlock":
        _, dims["d_model"] = group.shape("in_proj.weight", "2 d_inner", "d_model")
        _, _, dims["d_conv"] = group.shape("conv1d.weight", "d_inner", "1", "d_conv")
        biases.update(in_bias="in_proj", conv_bias="conv1d", out_bias="out_proj")
        known += ["in_proj.weight", "conv1d.weight", "out_proj.weight"]
    dims.update({bias: f"{layer}.bias" in group.tensors for bias, layer in biases.items()})
    known += [f"{layer}.bias" for layer in biases.values()]
    for name, tensor in group.tensors.items():
        if name not in known:
            raise Problem(
                f"{group.name(name)}: found a tensor {tensor.shape} within a {component}, wanted only " f"{', '.join(known)}"
            )
    for name in known:
        if name not in group.tensors and not name.endswith(".bias"):
            raise Problem(f"{group.name(name)} is missing: a {component} has this tensor")
    return dims


def is_mixer(group):
    """Returns whether a group of tensors is a Mamba block or a selective state space."""
    return bool({"A_log", "B_bias"} & group.tensors.keys())


def mamba_layer(group, settings=None):
    """Returns the Layer that a group of tensors makes: a MambaBlock, a Mamba2Block, a Mamba3Block, a SelectiveStateSpace, or a
    SelectiveStateSpaceModel. `settings` has the dims that shapes do not determine: dt_b_c_eps (the eps of FalconMamba's norms
    of dt, B and C), and the settings of Mamba-2 and Mamba-3 that heads.py lists."""
    settings = settings or {}
    if is_mamba2(group):
        return Layer(group.path, "Mamba2Block", mamba2_dims(group, settings), group.tensors)
    if is_mamba3(group):
        return Layer(group.path, "Mamba3Block", mamba3_dims(group, settings), group.tensors)
    first = group.first()
    component = (
        "MambaBlock" if "in_proj" in first else "SelectiveStateSpace" if "out_proj" in first else "SelectiveStateSpaceModel"
    )
    dims = mamba_dims(group, component)
    if settings.get("dt_b_c_eps") is not None and component != "SelectiveStateSpace":
        dims["dt_b_c_eps"] = settings["dt_b_c_eps"]
    return Layer(group.path, component, dims, group.tensors)


def position_shape(shape):
    """Returns the shape [max_tokens, d_model] of a tensor that has this shape, or this shape and one more axis of 1 for the
    batch. Returns None for other shapes."""
    extents = [extent for extent in shape[:-1] if extent != 1] or [1]
    return [*extents, shape[-1]] if len(shape) in (2, 3) and len(extents) == 1 and 0 not in shape else None


def positional_embedding(group):
    """Returns the PositionalEmbedding of a group that contains one tensor, the weight: an nn.Parameter, or the weight of an
    nn.Embedding."""
    name = next(iter(group.tensors)) if len(group.tensors) == 1 else None
    shape = position_shape(group.tensors[name].shape) if name in ("", "weight") else None
    if shape is None:
        raise Problem(
            f"--order: found positional({group.path}) with "
            f"{', '.join(f'{one or group.path} {tensor.shape}' for one, tensor in group.tensors.items())}, "
            "wanted one tensor [max_tokens, d_model] or [1, max_tokens, d_model]"
        )
    weight = Tensor(group.tensors[name].dtype, shape, group.tensors[name].data)
    dims = dict(zip(("max_tokens", "d_model"), shape))
    return Layer(group.path, "PositionalEmbedding", dims, {"weight": weight})


class Convolution:
    """The sizes of a PyTorch Conv1d and of the StridedConv1d that computes the same outputs. Taps of zeros are added so that
    kernel and padding are multiples of the stride: `older` taps before the first tap, with as many more frames of padding, and
    `newer` taps after the last tap. `right_padding` is the number of zeros after the sequence, if it is not `padding`; a
    negative number leaves out the last frames."""

    def __init__(self, kernel, stride, padding, right_padding=None):
        self.given_kernel, self.stride, self.given_padding = kernel, stride, padding
        self.right_padding = padding if right_padding is None else right_padding
        self.older = -padding % stride
        self.padding = padding + self.older
        self.newer = max(-(kernel + self.older) % stride, self.padding + stride - kernel - self.older)
        self.kernel = kernel + self.older + self.newer
        self.warm_up = (self.kernel - self.padding) // stride - 1

    def outputs(self, frames):
        """Returns the number of outputs that PyTorch's Conv1d gives for a sequence of `frames` frames."""
        return max(0, (frames + self.given_padding + self.right_padding - self.given_kernel) // self.stride + 1)

    def trailing_tokens(self):
        """Returns the number of tokens of zeros that must follow a sequence of whole tokens to get PyTorch's last outputs."""
        return (self.given_padding + self.right_padding - self.given_kernel) // self.stride + 1 + self.warm_up

    def tokens(self, frames):
        """Returns the number of tokens that the StridedConv1d needs to give all of PyTorch's outputs for a sequence of `frames`
        frames."""
        return self.outputs(frames) + self.warm_up

    def note(self, path, channels):
        facts = [f"{path}: a token consists of {self.stride} frame{'s' * (self.stride > 1)} of {channels} floats"]
        if self.kernel > self.given_kernel:
            facts.append(
                f"the kernel is filled with zeros from {self.given_kernel} to {self.kernel} frames "
                f"({self.older} older, {self.newer} newer), the padding is {self.padding}"
            )
        if self.warm_up > 0:
            facts.append(f"the first {self.warm_up} token{'s have' if self.warm_up > 1 else ' has'} no output")
        if self.trailing_tokens() > 0:
            facts.append(
                f"PyTorch's last outputs, which read its padding after the sequence, need {self.trailing_tokens()} more "
                f"token{'s' * (self.trailing_tokens() > 1)} of zeros"
            )
        return "; ".join(facts)


def strided_conv1d(group, stride, padding, right_padding=None):
    """Returns the StridedConv1d that computes the outputs of a Conv1d with groups=1 and a weight [d_out, channels, kernel], and
    the Convolution with their sizes."""
    d_out, channels, kernel = group.shape("weight", "d_out", "channels", "kernel")
    made = Convolution(kernel, stride, padding, right_padding)
    numbers, columns = group.tensors["weight"].numbers(group.name("weight")), []
    for row in range(d_out):
        columns += [0.0] * (made.older * channels)
        columns += [numbers[(row * channels + c) * kernel + tap] for tap in range(kernel) for c in range(channels)]
        columns += [0.0] * (made.newer * channels)
    params = {**group.tensors, "weight": Tensor.of_floats([d_out, made.kernel * channels], columns)}
    dims = {"channels": channels, "d_out": d_out, "kernel": made.kernel, "stride": stride, "padding": made.padding}
    layer = Layer(group.path, "StridedConv1d", {**dims, "bias": "bias" in params}, params)
    layer.convolution = made
    return layer


def residual_block(path, norm, mixer):
    """Returns a ResidualBlock, which computes y = x + mixer(norm(x))."""
    dims = {**mixer.dims, "norm_bias": norm.dims["bias"], "norm": norm.component, "norm_eps": norm.dims["eps"]}
    params = {f"norm.{name}": t for name, t in norm.params.items()} | {f"mixer.{name}": t for name, t in mixer.params.items()}
    if norm.dims["d_model"] != mixer.dims["d_model"]:
        raise Problem(
            f"{norm.path}: found d_model {norm.dims['d_model']}, wanted that of {mixer.path}, {mixer.dims['d_model']}"
        )
    return Layer(path, "ResidualBlock", dims, params)


def refuse_foreign(names):
    """Raises Problem if a name in `names` is that of a tensor of a layer that Krait does not have; the message names the
    layer."""
    for name in names:
        for pattern, layer in FOREIGN:
            if re.fullmatch(pattern, name):
                merge = "merge it into the weights first, by PEFT's model = model.merge_and_unload()"
                raise Problem(f"{name}: {layer} is not supported: {merge if layer == ADAPTER else 'Krait has no such layer'}")
