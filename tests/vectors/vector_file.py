"""Reads a file of a test vector (weights, inputs and expected outputs), and derives the model type and dims from it."""
import argparse
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../python"))
from krait.heads import is_mamba2, is_mamba3, settings_of_metadata  # noqa: E402
from krait.layers import BLOCK_MEMBERS, NORMS, Group, mamba_layer  # noqa: E402
from krait.safetensors_file import Problem, read  # noqa: E402
from krait.checkpoint import Checkpoint  # noqa: E402
from krait.structure import COMPONENTS, Model, flag  # noqa: E402


class File(Group):
    """A safetensors file with a test case: its metadata, and by name its weights, inputs and expected outputs."""

    def __init__(self, path):
        tensors, self.metadata = read(path)
        super().__init__("", tensors)

    def is_tied(self, embedding):
        """Returns whether the head is tied: the file contains no output head, or a copy of the embedding as the output head."""
        head, embedding = self.tensors.get("lm_head.weight"), self.tensors[embedding]
        return head is None or (head.dtype == embedding.dtype and head.data == embedding.data)

    def numbers(self, name):
        """Returns all elements of the tensor `name`, row by row."""
        return self.tensors[name].numbers(name)


def component_of(file):
    """Returns the model type: the metadata's `component` or, without metadata, the type whose parameter names are in the
    file."""
    if "component" in file.metadata:
        if file.metadata["component"] not in (*COMPONENTS, "Mamba2", "Mamba3", "Stack"):
            raise Problem(f"unknown component {file.metadata['component']!r}: wanted one of {', '.join(COMPONENTS)}, Mamba2, "
                          "Mamba3, Stack")
        # The C++ type of every language model is krait::Mamba; the type of its dims selects the kind of its blocks.
        return {"Mamba2": "Mamba", "Mamba3": "Mamba"}.get(file.metadata["component"], file.metadata["component"])
    if any(name.startswith("backbone.") for name in file.tensors):
        return "Mamba"
    if "mixer.in_proj.weight" in file.tensors:
        return "ResidualBlock"
    if "in_proj.weight" in file.tensors:
        return "Mamba2Block" if is_mamba2(file) else "Mamba3Block" if is_mamba3(file) else "MambaBlock"
    return "SelectiveStateSpace" if "out_proj.weight" in file.tensors else "SelectiveStateSpaceModel"


def stack_of(file):
    """Returns krait pack's Model for a reference vector of a Stack. The `order` in the vector's metadata lists the layers."""
    if "order" not in file.metadata:
        raise Problem("metadata: order is missing: a Stack has krait pack's --order there")
    weights = {name: tensor for name, tensor in file.tensors.items() if name not in ("input", "output")}
    metadata = {name: text for name, text in file.metadata.items() if name in ("eps", "norm_eps")} | {"A_formula": "heavy_tail"}
    options = argparse.Namespace(order=file.metadata["order"], norm=None, norm_eps=None, head=None, A_formula=None)
    return Model(Checkpoint(weights, metadata), options)


def dims_of(file, component, prefix=""):
    """Returns the dims of the model in a file of test vectors, from the shapes of its tensors. krait::load compares
    every shape with these dims later."""
    dims = {}
    block = {"Mamba": "backbone.layers.0.", "ResidualBlock": prefix}.get(component)
    mixer = prefix if block is None else block + "mixer."
    if component == "Mamba":
        dims["vocab_size"], _ = file.shape(embedding_of(file), "vocab_size", "d_model")
        layers = {name.split(".")[2] for name in file.tensors if re.match(r"backbone\.layers\.\d+\.", name)}
        dims["n_layers"] = max(len(layers), 1)
        if layers - set(map(str, range(len(layers)))):
            raise Problem(f"found layers {', '.join(sorted(layers))}, wanted layers numbered from 0 on")
    blocks = file if mixer == "" else file.sub(mixer[:-1])
    if is_mamba2(blocks) or is_mamba3(blocks):
        if block is None:  # the file contains a single block, besides the input and the outputs
            blocks = Group("", {name: tensor for name, tensor in file.tensors.items() if name.split(".")[0] in BLOCK_MEMBERS})
        mixer_dims = mamba_layer(blocks, settings_of_metadata(file.metadata)).dims
        return {**dims, **mixer_dims, **dims_around(file, component, block)}
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
    if component != "SelectiveStateSpace" and "dt_b_c_eps" in file.metadata:
        dims["dt_b_c_eps"] = float(file.metadata["dt_b_c_eps"])
    return {**dims, **dims_around(file, component, block)}


def dims_around(file, component, block):
    """Returns the dims of the norms around the blocks and of the head. `block` is the prefix of a ResidualBlock's tensors, or
    None."""
    dims = {}
    if block is not None:
        dims["norm_bias"] = block + "norm.bias" in file.tensors
        dims["norm"] = NORMS[file.metadata.get("norm", "rms_norm")]
        dims["norm_eps"] = float(file.metadata.get("norm_eps", file.metadata.get("eps", 1e-5)))
    if component == "Mamba":
        dims["tied"] = flag(file.metadata.get("tied", file.is_tied(embedding_of(file))))
    return dims


def embedding_of(file):
    """Returns the name of the embedding's weight: Hugging Face's, or mamba-ssm's."""
    hugging_face, name = "backbone.embeddings.weight", "backbone.embedding.weight"
    return hugging_face if name not in file.tensors and hugging_face in file.tensors else name
