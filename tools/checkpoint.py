"""Reads a safetensors file and finds its model: the layers, and their dims from the tensors' names and shapes."""
import array
import json
import math
import re
import struct
import sys

COMPONENTS = ["SelectiveStateSpaceModel", "SelectiveStateSpace", "MambaBlock", "ResidualBlock", "Mamba"]


def printable(text):
    """Printable ASCII only: a '?' replaces each control character and each other code point outside ASCII."""
    return "".join(c if " " <= c <= "~" else "?" for c in str(text))


class Problem(Exception):
    """A refused file or option. The arguments are the lines of the message."""

    def __str__(self):
        return "\n    ".join(map(printable, self.args))


# The dtypes of safetensors 0.8 and the bits of an element. A dtype that is not here may be in a file, too: newer versions
# of the format may have more.
DTYPE_BITS = {"F32": 32, "F16": 16, "BF16": 16, "F64": 64, "C64": 64, "BOOL": 8, "I8": 8, "U8": 8, "I16": 16, "U16": 16,
              "I32": 32, "U32": 32, "I64": 64, "U64": 64, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8,
              "F8_E5M2FNUZ": 8, "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4}
# The dtypes that numbers() reads, with array's type code; halves are converted.
TYPE_CODES = {"F64": "d", "F32": "f", "F16": None, "BF16": None, "I64": "q", "U64": "Q", "I32": "i", "U32": "I", "I16": "h",
              "U16": "H", "I8": "b", "U8": "B"}
HEADER_LIMIT = 100_000_000  # the largest header that the reference implementation takes
# Files that are often passed in place of a safetensors file, by their first bytes, and what the user should pass.
SAVE = 'a file from safetensors.torch.save_file(model.state_dict(), "model.safetensors")'
OTHER_FORMATS = [(b"PK\3\4", "a PyTorch pickle of torch.save, or another zip archive", SAVE),
                 (b"\x80\2\x8a\n", "a PyTorch pickle of torch.save in the legacy format", SAVE),
                 (b"GGUF", "a GGUF file", "a safetensors file"), (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "a safetensors file")]


class File:
    """A safetensors file: its metadata, and its tensors by name."""

    def __init__(self, path):
        try:
            with open(path, "rb") as stream:
                content = stream.read()
        except OSError as error:
            raise Problem(f"cannot be read: {error.strerror}") from None
        size = int.from_bytes(content[:8], "little")
        # The bytes of "PK\3\4" are also a length within the limit, so "{" decides.
        if size > HEADER_LIMIT or content[8:9] != b"{":
            for magic, found, wanted in OTHER_FORMATS:
                if content.startswith(magic):
                    raise Problem(f"not a safetensors file: found {found}, wanted {wanted}")
        if len(content) < 8:
            raise Problem(f"not a safetensors file: found {len(content)} bytes, wanted at least 8, the header's length")
        if size > len(content) - 8:
            raise Problem(f"not a safetensors file: its first 8 bytes are a header length of {size} bytes, "
                          f"but {len(content) - 8} bytes follow")
        try:
            self.tensors = json.loads(content[8 : 8 + size].decode())
        except (ValueError, RecursionError) as error:
            raise Problem(f"not a safetensors file: its header is not JSON: {error}") from None
        if not isinstance(self.tensors, dict):
            raise Problem("not a safetensors file: its header is not an object")
        self.metadata = self.tensors.pop("__metadata__", {})
        if not isinstance(self.metadata, dict):
            raise Problem("not a safetensors file: __metadata__ is not an object")
        self.data = content[8 + size :]
        for name, entry in self.tensors.items():
            self.check_entry(name, entry)

    def check_entry(self, name, entry):
        def whole(values):
            return isinstance(values, list) and all(type(v) is int and 0 <= v < 2**64 for v in values)

        if not (isinstance(entry, dict) and isinstance(entry.get("dtype"), str) and whole(entry.get("shape"))
                and whole(entry.get("data_offsets")) and len(entry["data_offsets"]) == 2):
            raise Problem(f"not a safetensors file: {name}: wanted dtype, shape and data_offsets")
        begin, end = entry["data_offsets"]
        tensor = f"{entry['dtype']}{entry['shape']}"
        bits = math.prod(entry["shape"]) * DTYPE_BITS.get(entry["dtype"], 1)
        if bits >= 2**64:
            raise Problem(f"{name}: shape is wrong: found {entry['shape']}, wanted a size below 2^64 bits")
        if entry["dtype"] in DTYPE_BITS and bits % 8:
            raise Problem(f"{name}: shape is wrong: found {bits} bits for {tensor}, wanted a whole number of bytes")
        if begin > end or end > len(self.data):
            raise Problem(f"{name}: data offsets are wrong: found [{begin}, {end}], wanted begin <= end <= {len(self.data)}")
        if entry["dtype"] in DTYPE_BITS and end - begin != bits // 8:
            raise Problem(f"{name}: data offsets are wrong: found {end - begin} bytes, wanted {bits // 8} bytes for {tensor}")

    def shape(self, name, *axes):
        """The shape of a tensor that must be there, with as many axes as are named."""
        if name not in self.tensors:
            raise Problem(f"{name} is missing: wanted a tensor [{', '.join(axes)}]")
        shape = self.tensors[name]["shape"]
        if len(shape) != len(axes):
            raise Problem(f"{name}: found shape {shape}, wanted [{', '.join(axes)}]")
        if 0 in shape:
            raise Problem(f"{name}: found shape {shape}, which is empty")
        return shape

    def is_tied(self, embedding):
        """Whether the head is the embedding: it is not there, or a copy."""
        head, embedding = self.tensors.get("lm_head.weight"), self.tensors[embedding]
        return head is None or (head["dtype"] == embedding["dtype"] and
                                self.data[slice(*head["data_offsets"])] == self.data[slice(*embedding["data_offsets"])])

    def numbers(self, name):
        """All elements of a tensor, row by row."""
        entry = self.tensors[name]
        if entry["dtype"] not in TYPE_CODES:
            raise Problem(f"{name}: dtype is not supported: found {entry['dtype'] or 'an empty string'}, "
                          f"wanted one of {', '.join(TYPE_CODES)}")
        code = TYPE_CODES[entry["dtype"]]
        content = self.data[slice(*entry["data_offsets"])]
        if entry["dtype"] == "F16":
            return list(struct.unpack(f"<{len(content) // 2}e", content))
        if entry["dtype"] == "BF16":
            code, content = "f", b"".join(b"\0\0" + content[i : i + 2] for i in range(0, len(content), 2))
        values = array.array(code, content)
        if sys.byteorder == "big":
            values.byteswap()
        return values


def component_of(file):
    """The metadata's word, or what the tensors look like."""
    if "component" in file.metadata:
        if file.metadata["component"] not in COMPONENTS:
            raise Problem(f"unknown component {file.metadata['component']!r}: wanted one of {', '.join(COMPONENTS)}")
        return file.metadata["component"]
    if any(name.startswith("backbone.") for name in file.tensors):
        return "Mamba"
    if "mixer.in_proj.weight" in file.tensors:
        return "ResidualBlock"
    if "in_proj.weight" in file.tensors:
        return "MambaBlock"
    return "SelectiveStateSpace" if "out_proj.weight" in file.tensors else "SelectiveStateSpaceModel"


def dims_of(file, component, prefix=""):
    """The component's dims from the shapes of its tensors. The loader compares every shape with them later."""
    dims = {}
    block = {"Mamba": "backbone.layers.0.", "ResidualBlock": prefix}.get(component)
    mixer = prefix if block is None else block + "mixer."
    if component == "Mamba":
        embedding = "backbone.embedding.weight"
        if embedding not in file.tensors and "backbone.embeddings.weight" in file.tensors:
            embedding = "backbone.embeddings.weight"  # Hugging Face's word
        dims["vocab_size"], _ = file.shape(embedding, "vocab_size", "d_model")
        layers = {name.split(".")[2] for name in file.tensors if re.match(r"backbone\.layers\.\d+\.", name)}
        dims["n_layers"] = max(len(layers), 1)
        if layers - set(map(str, range(len(layers)))):
            raise Problem(f"found layers {', '.join(sorted(layers))}, wanted them numbered from 0 on")
    dims["d_inner"], dims["d_state"] = file.shape(mixer + "A_log", "d_inner", "d_state")
    _, dims["dt_rank"] = file.shape(mixer + "dt_proj.weight", "d_inner", "dt_rank")
    if dims["dt_rank"] > dims["d_inner"]:
        raise Problem(f"{mixer}dt_proj.weight: found dt_rank {dims['dt_rank']}, wanted at most d_inner, "
                      f"{dims['d_inner']}")
    biases = {"x_bias": "x_proj", "dt_bias": "dt_proj"}
    if component == "SelectiveStateSpace":
        dims["d_model"], _ = file.shape(prefix + "out_proj.weight", "d_model", "d_inner")
        biases["out_bias"] = "out_proj"
    elif component != "SelectiveStateSpaceModel":
        _, dims["d_model"] = file.shape(mixer + "in_proj.weight", "2 d_inner", "d_model")
        _, _, dims["d_conv"] = file.shape(mixer + "conv1d.weight", "d_inner", "1", "d_conv")
        biases.update(in_bias="in_proj", conv_bias="conv1d", out_bias="out_proj")
    dims.update({bias: f"{mixer}{layer}.bias" in file.tensors for bias, layer in biases.items()})
    if block is not None:
        dims["norm_bias"] = block + "norm.bias" in file.tensors
        dims["norm_eps"] = float(file.metadata.get("norm_eps", file.metadata.get("eps", 1e-5)))
    if component != "SelectiveStateSpace" and "dt_b_c_eps" in file.metadata:
        dims["dt_b_c_eps"] = float(file.metadata["dt_b_c_eps"])
    if component == "Mamba":
        dims["tied"] = flag(file.metadata.get("tied", file.is_tied(embedding)))
    return dims


def flag(text):
    return str(text).strip().lower() in ("true", "1", "yes")


KINDS = {"Linear": "LinearDims", "RmsNorm": "NormDims", "Conv1d": "Conv1dDims", "MambaBlock": "BlockDims",
         "ResidualBlock": "BlockDims", "Mamba": "ModelDims", "SelectiveStateSpace": "SsmDims",
         "SelectiveStateSpaceModel": "SsmDims"}
FIELDS = {"LinearDims": ["d_in", "d_out", "bias"], "NormDims": ["d_model", "bias", "eps"],
          "Conv1dDims": ["channels", "d_conv", "bias"],
          "SsmDims": ["d_inner", "d_model", "d_state", "dt_rank", "x_bias", "dt_bias", "out_bias", "dt_b_c_eps"],
          "BlockDims": ["d_model", "d_state", "d_conv", "d_inner", "dt_rank", "in_bias", "conv_bias", "x_bias", "dt_bias",
                        "out_bias", "norm_bias", "dt_b_c_eps", "norm_eps"],
          "ModelDims": ["vocab_size", "d_model", "n_layers", "d_state", "d_conv", "d_inner", "dt_rank", "in_bias",
                        "conv_bias", "x_bias", "dt_bias", "out_bias", "norm_bias", "dt_b_c_eps", "tied", "norm_eps"]}


def dims_text(component, dims, storage=None):
    """The dims in C++, every one of them given: krait::BlockDims{.d_model = 64, ...}."""
    kind = KINDS[component]
    fields = [f".{name} = {str(dims[name]).lower()}" for name in FIELDS[kind] if name in dims]
    if storage is not None and component not in ("RmsNorm", "Conv1d"):
        fields.append(f".storage = {storage}")
    return f"krait::{kind}{{{', '.join(fields)}}}"


class Layer:
    """A member of a stack, or a model that is no stack: its C++ type, and what comes in and goes out of it."""

    def __init__(self, name, component, dims, count=None):
        self.name, self.component, self.dims, self.count = name, component, dims, count
        width = dims.get("channels", dims.get("d_model", dims.get("d_inner")))
        self.d_in = dims.get("d_in", dims["d_inner"] if component.startswith("Selective") else width)
        self.d_out = dims.get("d_out", dims["d_inner"] if component == "SelectiveStateSpaceModel" else width)
        if component == "Embedding":
            self.d_in = None  # tokens
        self.has_state = component not in ("Linear", "RmsNorm", "Embedding", "MeanPool", "LastPool")

    def type(self, dims_name, storage):
        if self.component == "Embedding":
            return f"krait::Embedding<{self.dims['vocab_size']}, {self.dims['d_model']}, {storage}>"
        if self.component in ("MeanPool", "LastPool"):
            return f"krait::{self.component}<{self.dims['d_model']}>"
        one = f"krait::{self.component}<{dims_name}>"
        return one if self.count is None else f"std::array<{one}, {self.count}>"

    def describe(self):
        sizes = " ".join(f"{name} {value}" for name, value in self.dims.items() if type(value) is int)
        return f"{self.component}{'' if self.count is None else f' x {self.count}'} ({sizes})"


def layer_of(file, name, rests, norm_eps):
    """The layer whose tensors are name.REST."""
    prefix = name + "."
    first = {rest.split(".")[0] for rest in rests}
    if all(word.isdigit() for word in first):
        layers = [layer_of(file, prefix + word, [r[len(word) + 1 :] for r in rests if r.startswith(word + ".")], norm_eps)
                  for word in sorted(first, key=int)]
        if [int(layer.name[len(prefix) :]) for layer in layers] != list(range(len(layers))):
            raise Problem(f"{name}: found elements {', '.join(sorted(first, key=int))}, wanted 0 to {len(layers) - 1}")
        for layer in layers:
            if layer.component != "ResidualBlock":
                raise Problem(f"{layer.name}: found a {layer.component}, wanted a ResidualBlock: norm and mixer")
            if layer.dims != layers[0].dims:
                raise Problem(f"{layer.name}: found {layer.describe()}, wanted {layers[0].name}'s {layers[0].describe()}")
        return Layer(name, "ResidualBlock", layers[0].dims, len(layers))
    if first == {"norm", "mixer"}:
        return Layer(name, "ResidualBlock", {**dims_of(file, "ResidualBlock", prefix), "norm_eps": norm_eps})
    if "A_log" in first:
        component = "MambaBlock" if "in_proj" in first else \
            "SelectiveStateSpace" if "out_proj" in first else "SelectiveStateSpaceModel"
        return Layer(name, component, dims_of(file, component, prefix))
    rank = len(file.tensors[prefix + "weight"]["shape"]) if "weight" in rests else None
    bias = "bias" in rests
    if rank == 1 and first <= {"weight", "bias"}:
        (d_model,) = file.shape(prefix + "weight", "d_model")
        return Layer(name, "RmsNorm", {"d_model": d_model, "bias": bias, "eps": norm_eps})
    if rank == 2 and "embed" in name.lower() and first == {"weight"}:
        vocab_size, d_model = file.shape(prefix + "weight", "vocab_size", "d_model")
        return Layer(name, "Embedding", {"vocab_size": vocab_size, "d_model": d_model})
    if rank == 2 and first <= {"weight", "bias"}:
        d_out, d_in = file.shape(prefix + "weight", "d_out", "d_in")
        return Layer(name, "Linear", {"d_in": d_in, "d_out": d_out, "bias": bias})
    if rank == 3 and first <= {"weight", "bias"}:
        channels, one, d_conv = file.shape(prefix + "weight", "channels", "1", "d_conv")
        if one == 1:
            return Layer(name, "Conv1d", {"channels": channels, "d_conv": d_conv, "bias": bias})
    raise Problem(f"{name}: found {', '.join(sorted(rests))}, wanted the tensors of a Linear, Embedding, RmsNorm, Conv1d, "
                  f"MambaBlock, ResidualBlock or selective state space; skip them with --ignore '{name}.*'")


def fits(before, layer):
    return layer.d_in is not None and before.d_out == layer.d_in


def orders_of(layers, chain=()):
    """Every order in which each layer takes what the one before gives."""
    if not layers:
        yield list(chain)
    for layer in layers:
        if not chain or fits(chain[-1], layer):
            yield from orders_of([other for other in layers if other is not layer], (*chain, layer))


def in_order(layers, order):
    """The layers one after the other: as told, or the only order that fits, or the file's if that is one that does."""
    names = [layer.name for layer in layers]
    if order is not None:
        if sorted(order) != sorted(names):
            raise Problem(f"--order: found {', '.join(order)}, wanted each of {', '.join(names)} once")
        chosen = [layers[names.index(name)] for name in order]
        for before, layer in zip(chosen, chosen[1:]):
            if not fits(before, layer):
                raise Problem(f"--order: {before.name} has d_out {before.d_out}, "
                              f"{layer.name} takes {'token ids' if layer.d_in is None else f'd_in {layer.d_in}'}")
        return chosen
    found = []
    for chosen in orders_of(layers):
        found.append(chosen)
        if len(found) == 2:
            break
    if not found:
        seams = ", ".join(f"{layer.name} {'tokens' if layer.d_in is None else layer.d_in} to {layer.d_out}" for layer in layers)
        raise Problem(f"no order of its layers fits: {seams}")
    if len(found) == 2 and not all(map(fits, layers, layers[1:])):
        raise Problem("several orders of its layers fit: choose with --order NAME,NAME,..., for example "
                      + ",".join(layer.name for layer in found[0]))
    return layers if len(found) == 2 else found[0]


class Model:
    """A checkpoint's model as C++ types: one component of the library, or a stack of layers."""

    def __init__(self, file, ignored=(), pool="mean", order=None, norm_eps=None):
        names = [name for name in file.tensors if name not in ignored]
        top = dict.fromkeys(name.split(".")[0] for name in names)  # in the file's order
        eps = float(file.metadata.get("norm_eps", file.metadata.get("eps", 1e-5))) if norm_eps is None else norm_eps
        if "backbone" in top:
            self.component, expected = "Mamba", {"backbone", "lm_head"}
        elif {"in_proj", "A_log"} <= top.keys() or {"norm", "mixer"} == top.keys() or {"x_proj", "A_log"} <= top.keys():
            self.component, expected = component_of(file), {"norm", "mixer", "in_proj", "conv1d", "x_proj", "dt_proj", "A_log",
                                                           "D", "out_proj"}
        else:
            self.component, expected = "Stack", {name.split(".")[0] for name in names if "." in name}
        for name in names:
            if name.split(".")[0] not in expected:
                raise Problem(f"{name}: found a tensor {file.tensors[name]['shape']}, wanted only tensors of layers: "
                              f"skip it with --ignore {name}")
        if not names:
            raise Problem("found no tensors, wanted those of a model")
        if self.component == "Stack":
            for name in top:  # becomes a member of a struct
                if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                    raise Problem(f"{name}: found a layer's name that is not a C++ name, wanted letters, digits and _")
            layers = [layer_of(file, name, [n[len(name) + 1 :] for n in names if n.startswith(name + ".")], eps) for name in top]
            self.layers = self.with_pool(in_order(layers, order), pool)
        else:
            if order is not None:
                raise Problem(f"--order is for stacks: this is a {self.component}")
            dims = dims_of(file, self.component)
            if "norm_eps" in dims:
                dims["norm_eps"] = eps
            self.layers = [Layer("", self.component, dims)]

    @staticmethod
    def with_pool(layers, pool):
        """Pooling stands behind the last layer that knows time: what follows then sees one row."""
        timed = [at for at, layer in enumerate(layers) if layer.has_state]
        if pool == "none" or not timed:
            return layers
        at = timed[-1] + 1
        while at < len(layers) and layers[at].component == "RmsNorm":
            at += 1
        name = "pool" if all(layer.name != "pool" for layer in layers) else "pooling"
        pooling = Layer(name, "MeanPool" if pool == "mean" else "LastPool", {"d_model": layers[at - 1].d_out})
        return [*layers[:at], pooling, *layers[at:]]

    def declarations(self, constant, storage):
        """C++ that declares the dims, each as `constant`, and Model, with weights stored as `storage`."""
        if self.component != "Stack":
            (layer,) = self.layers
            return [f"{constant} auto dims = {dims_text(self.component, layer.dims, storage)};",
                    f"using Model = {layer.type('dims', storage)};"]
        lines, members = [], []
        for layer in self.layers:
            name = layer.name.replace(".", "_") + "_dims"
            if layer.component in KINDS:
                lines.append(f"{constant} auto {name} = {dims_text(layer.component, layer.dims, storage)};")
            member = layer.type(name, storage)
            members.append(f"({member}, {layer.name})")
        parts = ",\n    ".join(members)
        return [*lines, f"struct Parts {{\n  KRAIT_PARAMS(Parts,\n    {parts});\n}};", "using Model = krait::Stack<Parts>;"]

    def describe(self):
        return ", ".join(f"{layer.name + ': ' if layer.name else ''}{layer.describe()}" for layer in self.layers)
