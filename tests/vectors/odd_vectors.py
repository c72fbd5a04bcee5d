#!/usr/bin/env python3
"""Writes reference vectors with unusual dims and random weights, one for each case of CASES, with mamba_reference.py's outputs.

  odd_vectors.py FOLDER [--seed N] [NAME]...     default: all cases, seed 1

The files in odd/ are the cases listed in SMALL with seed 1. numpy 1.24 and 2.4 write the same bytes.
"""
import argparse
import functools
import json
import math
import pathlib
import struct
import sys

import numpy as np

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "data" / "reference"))
import heads_reference as heads
import mamba_reference as reference
from stack_reference import stack

# Name -> (model type, number of tokens, sizes, options). The options:
#   bias      the layers that have a bias
#   dtype     the dtype of the weights in the file
#   names     the library whose parameter names the file has, mamba-ssm or "hf" for Hugging Face
#   head      tied, own, or copy (tied, and the file contains a copy of the embedding as head)
#   eps, dt_b_c_eps   members norm_eps and dt_b_c_eps of the dims
#   norm      rms_norm (default) or layer_norm
#   settings  ngroups, dt_limit, norm_before_gate and rope_fraction of blocks of Mamba-2 and Mamba-3
#   without   norm: blocks of Mamba-2 or Mamba-3 have no norm; D_has_hdim: D has an element for each channel
#   order     the order of a Stack, as for krait pack's --order. The sizes of a Stack are the shapes of its layers' weights, or
#             the type and sizes of a block
#   d_in      d_in of a Stack; by default, d_in of its layer `into`
#   metadata  False: the file has no metadata
CASES = {
    "ssm_ones": ("SelectiveStateSpaceModel", 1, dict(d_inner=1, d_state=1, dt_rank=1), {}),
    "ssm_full_rank": ("SelectiveStateSpaceModel", 65, dict(d_inner=17, d_state=3, dt_rank=17),
        dict(bias="x_proj dt_proj")),
    "ssm_wide_state": ("SelectiveStateSpaceModel", 130, dict(d_inner=100, d_state=33, dt_rank=2), dict(bias="x_proj")),
    "ssm_5000_steps": ("SelectiveStateSpaceModel", 5000, dict(d_inner=5, d_state=2, dt_rank=1), dict(metadata=False)),
    "sss_ones": ("SelectiveStateSpace", 3, dict(d_inner=1, d_state=1, dt_rank=1, d_model=1), {}),
    "sss_odd": ("SelectiveStateSpace", 70, dict(d_inner=19, d_state=5, dt_rank=2, d_model=33),
        dict(bias="x_proj dt_proj")),
    "sss_many_channels": ("SelectiveStateSpace", 9, dict(d_inner=35, d_state=17, dt_rank=1, d_model=2),
        dict(metadata=False)),
    "block_ones": ("MambaBlock", 4, dict(d_model=1, d_inner=1, d_state=1, dt_rank=1, d_conv=1), dict(bias="conv1d")),
    "block_one_tap": ("MambaBlock", 67, dict(d_model=9, d_inner=31, d_state=4, dt_rank=5, d_conv=1),
        dict(bias="in_proj x_proj out_proj")),
    "block_long_taps": ("MambaBlock", 3, dict(d_model=7, d_inner=12, d_state=2, dt_rank=1, d_conv=9),
        dict(bias="dt_proj")),
    "block_narrow": ("MambaBlock", 100, dict(d_model=40, d_inner=6, d_state=20, dt_rank=3, d_conv=5),
        dict(bias="in_proj conv1d x_proj dt_proj out_proj", metadata=False)),
    "block_3000_steps": ("MambaBlock", 3000, dict(d_model=4, d_inner=8, d_state=3, dt_rank=1, d_conv=4),
        dict(bias="conv1d dt_proj")),
    "block_f16": ("MambaBlock", 20, dict(d_model=16, d_inner=32, d_state=16, dt_rank=1, d_conv=4),
        dict(bias="conv1d dt_proj", dtype="F16")),
    "residual_plain": ("ResidualBlock", 33, dict(d_model=11, d_inner=22, d_state=5, dt_rank=1, d_conv=4),
        dict(bias="conv1d dt_proj")),
    "residual_all_biases": ("ResidualBlock", 66, dict(d_model=24, d_inner=25, d_state=1, dt_rank=25, d_conv=2),
        dict(bias="norm in_proj conv1d x_proj dt_proj out_proj", metadata=False)),
    "residual_eps": ("ResidualBlock", 8, dict(d_model=5, d_inner=9, d_state=2, dt_rank=1, d_conv=3), dict(eps=0.01)),
    "mamba_one_word": ("Mamba", 2, dict(vocab_size=1, n_layers=1, d_model=3, d_inner=2, d_state=1, dt_rank=1, d_conv=1),
        {}),
    "mamba_hugging_face": ("Mamba", 200,
        dict(vocab_size=77, n_layers=3, d_model=18, d_inner=36, d_state=16, dt_rank=2, d_conv=4),
        dict(bias="conv1d dt_proj", names="hf", head="copy", metadata=False)),
    "mamba_own_head": ("Mamba", 90,
        dict(vocab_size=33, n_layers=2, d_model=13, d_inner=29, d_state=7, dt_rank=3, d_conv=3),
        dict(bias="norm in_proj x_proj out_proj", head="own")),
    "mamba_bf16": ("Mamba", 40,
        dict(vocab_size=50, n_layers=2, d_model=32, d_inner=64, d_state=16, dt_rank=2, d_conv=4),
        dict(bias="conv1d dt_proj", dtype="BF16")),
    "mamba_2000_steps": ("Mamba", 2000,
        dict(vocab_size=20, n_layers=1, d_model=6, d_inner=12, d_state=4, dt_rank=1, d_conv=4),
        dict(bias="conv1d dt_proj")),
    "ssm_dt_b_c_norms": ("SelectiveStateSpaceModel", 40, dict(d_inner=19, d_state=5, dt_rank=3),
        dict(bias="x_proj dt_proj", dt_b_c_eps=1e-2)),
    "block_dt_b_c_norms": ("MambaBlock", 70, dict(d_model=9, d_inner=18, d_state=17, dt_rank=2, d_conv=4),
        dict(bias="conv1d dt_proj", dt_b_c_eps=1e-6)),
    "mamba_dt_b_c_norms": ("Mamba", 30,
        dict(vocab_size=30, n_layers=2, d_model=16, d_inner=32, d_state=16, dt_rank=1, d_conv=4),
        dict(bias="conv1d dt_proj", dt_b_c_eps=1e-6)),
    "residual_layer_norm": ("ResidualBlock", 33, dict(d_model=13, d_inner=20, d_state=3, dt_rank=2, d_conv=4),
        dict(bias="norm conv1d dt_proj", norm="layer_norm", eps=1e-3)),
    "mamba_layer_norm": ("Mamba", 40,
        dict(vocab_size=31, n_layers=2, d_model=17, d_inner=34, d_state=5, dt_rank=2, d_conv=4),
        dict(bias="norm conv1d dt_proj", norm="layer_norm")),
    "mamba2_ones": ("Mamba2Block", 3, dict(d_model=1, heads=1, headdim=1, d_state=1, d_conv=1), {}),
    "mamba2_odd": ("Mamba2Block", 70, dict(d_model=9, heads=6, headdim=5, d_state=3, d_conv=3),
        dict(bias="in_proj conv1d out_proj", D_has_hdim=True, settings=dict(ngroups=3))),
    "mamba2_limits": ("Mamba2Block", 33, dict(d_model=12, heads=2, headdim=20, d_state=4, d_conv=4),
        dict(bias="conv1d", settings=dict(dt_limit=(0.01, 0.2), norm_before_gate=True))),
    "mamba2_no_norm": ("Mamba2Block", 40, dict(d_model=16, heads=1, headdim=40, d_state=6, d_conv=4),
        dict(without="norm", metadata=False)),
    "mamba2_wide": ("Mamba2Block", 130, dict(d_model=24, heads=5, headdim=33, d_state=17, d_conv=4),
        dict(bias="conv1d")),
    "mamba2_residual": ("ResidualBlock", 25, dict(d_model=11, heads=4, headdim=8, d_state=7, d_conv=2),
        dict(bias="norm conv1d", kind="Mamba2", norm="layer_norm")),
    "mamba2_model": ("Mamba", 50, dict(vocab_size=19, n_layers=2, d_model=16, heads=2, headdim=16, d_state=16, d_conv=4),
        dict(bias="conv1d", kind="Mamba2", head="own")),
    "mamba3_ones": ("Mamba3Block", 3, dict(d_model=1, heads=1, headdim=1, d_state=2, mimo_rank=1, angles=1),
        dict(without="norm")),
    "mamba3_odd": ("Mamba3Block", 70, dict(d_model=9, heads=6, headdim=7, d_state=10, mimo_rank=1, angles=5),
        dict(bias="in_proj out_proj", settings=dict(ngroups=2, rope_fraction=1.0))),
    "mamba3_plain": ("Mamba3Block", 60, dict(d_model=16, heads=2, headdim=16, d_state=16, mimo_rank=1, angles=4),
        dict(without="norm", metadata=False)),
    "mamba3_mimo": ("Mamba3Block", 50, dict(d_model=12, heads=3, headdim=20, d_state=6, mimo_rank=2, angles=1),
        dict(without="norm")),
    "mamba3_mimo_norm": ("Mamba3Block", 30, dict(d_model=8, heads=2, headdim=16, d_state=8, mimo_rank=4, angles=4),
        dict(settings=dict(rope_fraction=1.0))),
    "mamba3_residual": ("ResidualBlock", 25, dict(d_model=11, heads=2, headdim=9, d_state=4, mimo_rank=1, angles=1),
        dict(without="norm", kind="Mamba3", eps=1e-3)),
    "mamba3_model": ("Mamba", 50,
        dict(vocab_size=19, n_layers=2, d_model=16, heads=2, headdim=16, d_state=16, mimo_rank=1, angles=4),
        dict(without="norm", kind="Mamba3")),
    "mamba3_10000_steps": ("Mamba3Block", 10000, dict(d_model=3, heads=1, headdim=4, d_state=4, mimo_rank=1, angles=1),
        dict(without="norm")),
    "mamba_deep": ("Mamba", 12, dict(vocab_size=9, n_layers=11, d_model=8, d_inner=16, d_state=2, dt_rank=1, d_conv=4),
        dict(bias="conv1d dt_proj", metadata=False)),
    "stack_every_token": ("Stack", 33,
        dict(into=(19, 5), norm=(19,), positions=(20, 19), a=(17, 19), b=(21, 17), c=(16, 21), d=(18, 16), e=(9, 18),
             head=(3, 9)),
        dict(bias="into norm a b c d e", eps=1e-3,
             order="into,layer_norm(norm),positional(positions),gelu,a,gelu_tanh,b,tanh,c,silu,d,sigmoid,e,relu,head")),
    "stack_max": ("Stack", 25, dict(into=(20, 7), norm=(20,), norm_f=(20,), head=(4, 20)),
        dict(bias="into head", order="into,rms_norm(norm),max,layer_norm(norm_f),relu,head")),
    "stack_residuals": ("Stack", 33,
        {"into": (19, 5), "taps": (19, 1, 3), "norm": (19,), "ff.a": (35, 19), "ff.b": (35, 35), "ff.c": (19, 35),
         "positions": (7, 19), "head": (4, 19)},
        dict(bias="into taps norm ff.a ff.c",
             order="into,residual(taps),residual(tanh),residual(positional(positions)),"
                   "residual(layer_norm(norm),ff.a,residual(gelu,residual(ff.b),relu),ff.c),head")),
    "stack_residual_blocks": ("Stack", 40,
        dict(one=("MambaBlock", dict(d_model=12, d_inner=20, d_state=3, dt_rank=2, d_conv=3)), norm=(12,),
             two=("Mamba2Block", dict(d_model=12, heads=2, headdim=9, d_state=5, d_conv=4)),
             three=("Mamba3Block", dict(d_model=12, heads=3, headdim=5, d_state=8, mimo_rank=1, angles=2)), last=(12,)),
        dict(bias="conv1d dt_proj", d_in=12, without="norm",
             order="residual(one),residual(rms_norm(norm),residual(two),silu,residual(three)),rms_norm(last)")),
    "conv_padding": ("Stack", 21, dict(conv=(18, 3, 7), norm=(18,), head=(5, 18)),
        dict(bias="conv norm", d_in=12, order="conv1d(conv,stride=4,padding=3),layer_norm(norm),residual(relu),head")),
    "conv_warm_up": ("Stack", 20, dict(conv=(17, 2, 11), one=("MambaBlock", dict(d_model=17, d_inner=18, d_state=2, dt_rank=1,
                                                                                 d_conv=2)), head=(3, 17)),
        dict(bias="head", d_in=6, order="conv1d(conv,stride=3,padding=1),residual(one),head")),
    "conv_pool": ("Stack", 15, dict(conv=(9, 1, 4), head=(2, 9)),
        dict(bias="conv", d_in=2, order="conv1d(conv,channels=1,stride=2),relu,mean,head")),
    "conv_newest_taps": ("Stack", 12, dict(conv=(5, 3, 2)), dict(bias="conv", d_in=3, order="conv1d(conv,padding=3)")),
    "conv_short": ("Stack", 2, dict(conv=(5, 3, 9)), dict(d_in=3, order="conv1d(conv,padding=6)")),
    "stack_mean": ("Stack", 25, dict(into=(6, 7), positions=(40, 6), norm=(6,), head=(4, 6)),
        dict(bias="into norm", order="into,positional(positions),mean,layer_norm(norm),head")),
}
SMALL = ["stack_residuals", "stack_residual_blocks", "conv_padding", "conv_warm_up", "conv_newest_taps", "mamba2_odd",
         "mamba2_limits", "mamba2_no_norm", "mamba2_residual", "mamba2_model", "mamba3_ones", "mamba3_odd", "mamba3_mimo",
         "mamba3_mimo_norm", "mamba3_residual", "mamba3_model", "stack_every_token", "stack_max", "block_dt_b_c_norms",
         "mamba_dt_b_c_norms", "ssm_ones", "sss_odd", "block_long_taps", "block_narrow", "residual_all_biases",
         "residual_eps", "residual_layer_norm", "mamba_layer_norm", "mamba_own_head", "mamba_bf16"]


def mixer_weights(component, sizes, biased, draw):
    """Returns one mixer's weights by name. draw(shape, spread) returns normal random numbers of standard deviation spread."""
    def layer(name, outputs, inputs, shape=None):
        weights[f"{name}.weight"] = draw(shape or (outputs, inputs), inputs**-0.5)
        if name in biased:
            weights[f"{name}.bias"] = draw((outputs,), 0.3)

    weights = {}
    d_inner, d_state, dt_rank = sizes["d_inner"], sizes["d_state"], sizes["dt_rank"]
    if not component.startswith("Selective"):
        layer("in_proj", 2 * d_inner, sizes["d_model"])
        layer("conv1d", d_inner, sizes["d_conv"], (d_inner, 1, sizes["d_conv"]))
    layer("x_proj", dt_rank + 2 * d_state * (d_inner if component == "SelectiveStateSpace" else 1), d_inner)
    layer("dt_proj", d_inner, dt_rank)
    weights["A_log"] = draw((d_inner, d_state), 1.0)
    weights["D"] = 1 + draw((d_inner,), 0.3)
    if component != "SelectiveStateSpaceModel":
        layer("out_proj", sizes["d_model"], d_inner)
    return weights


def heads_weights(component, sizes, options, draw):
    """Returns the weights of a block of Mamba-2 or Mamba-3 by name. delta is about 0.1, as in trained models."""
    H, P, N, groups = sizes["heads"], sizes["headdim"], sizes["d_state"], options.get("settings", {}).get("ngroups", 1)
    rank, d_model, biased = sizes.get("mimo_rank", 1), sizes["d_model"], options.get("bias", "").split()
    of_groups = 2 * groups * N * rank
    rows = 2 * H * P + of_groups + (H if component == "Mamba2Block" else 3 * H + sizes["angles"])
    weights = {"in_proj.weight": draw((rows, d_model), d_model**-0.5), "dt_bias": draw((H,), 1.0) - 2,
               "D": 1 + draw((H * P if options.get("D_has_hdim") else H,), 0.3),
               "out_proj.weight": draw((d_model, H * P), P**-0.5)}
    biases = {"in_proj": rows, "out_proj": d_model}
    if component == "Mamba2Block":
        channels = H * P + of_groups
        weights |= {"conv1d.weight": draw((channels, 1, sizes["d_conv"]), sizes["d_conv"]**-0.5), "A_log": draw((H,), 1.0)}
        biases["conv1d"] = channels
    else:
        for name in ("B", "C"):
            weights |= {f"{name}_bias": 1 + draw((H, rank, N), 0.3), f"{name}_norm.weight": 1 + draw((N,), 0.3)}
        if rank > 1:
            weights |= {f"mimo_{name}": 0.5 + draw((H, rank, P), 0.3) for name in "xzo"}
    if "norm" not in options.get("without", ""):
        weights["norm.weight"] = 1 + draw((H * P,), 0.3)
    return weights | {f"{name}.bias": draw((count,), 0.3) for name, count in biases.items() if name in biased}


def mixer_of(component, sizes, options):
    """Returns the function that computes a block of Mamba-2 or Mamba-3 in heads_reference.py, with the settings of a case."""
    settings = {name: value for name, value in options.get("settings", {}).items() if name != "rope_fraction"}
    block = heads.mamba2_block if component == "Mamba2Block" else heads.mamba3_block
    return functools.partial(block, headdim=sizes["headdim"], **settings)


def block_weights(component, sizes, biased, draw, options=None):
    norm = {"norm.weight": 1 + draw((sizes["d_model"],), 0.3)}
    if "norm" in biased:
        norm["norm.bias"] = draw((sizes["d_model"],), 0.3)
    kind = (options or {}).get("kind")
    mixer = heads_weights(f"{kind}Block", sizes, options, draw) if kind else mixer_weights(component, sizes, biased, draw)
    return norm | {f"mixer.{name}": value for name, value in mixer.items()}


def model_weights(sizes, biased, draw, options):
    names, head = options.get("names"), options.get("head", "tied")
    embedding = "backbone.embeddings.weight" if names == "hf" else "backbone.embedding.weight"
    weights = {embedding: draw((sizes["vocab_size"], sizes["d_model"]), 1.0)}
    for layer in range(sizes["n_layers"]):
        block = block_weights("Mamba", sizes, biased, draw, options)
        weights |= {f"backbone.layers.{layer}.{name}": value for name, value in block.items()}
    weights["backbone.norm_f.weight"] = 1 + draw((sizes["d_model"],), 0.3)
    if "norm" in biased:
        weights["backbone.norm_f.bias"] = draw((sizes["d_model"],), 0.3)
    if head != "tied":
        weights["lm_head.weight"] = weights[embedding] if head == "copy" else draw(weights[embedding].shape, 0.3)
    return weights


def stack_weights(sizes, options, draw):
    weights, biased = {}, options.get("bias", "").split()
    for name, shape in sizes.items():
        if isinstance(shape[0], str):
            component, inner = shape
            block = heads_weights(component, inner, options, draw) if "heads" in inner else \
                mixer_weights(component, inner, biased, draw)
            weights |= {f"{name}.{rest}": value for rest, value in block.items()}
            continue
        weights[f"{name}.weight"] = 1 + draw(shape, 0.3) if len(shape) == 1 else draw(shape, 2 * math.prod(shape[1:]) ** -0.5)
        if name in biased:
            weights[f"{name}.bias"] = draw(shape[:1], 0.3)
    return weights


def encode(value, dtype):
    """Returns a float array as bytes of the dtype, and the values of these bytes as a float64 array."""
    if dtype == "BF16":
        high = (value.astype("<f4").view("<u4") >> 16).astype("<u2")
        return high.tobytes(), (high.astype("<u4") << 16).view("<f4").astype(np.float64)
    stored = value.astype({"F16": "<f2", "F32": "<f4"}[dtype])
    return stored.tobytes(), stored.astype(np.float64)


def write(path, tensors, metadata):
    """Writes a safetensors file. `tensors` maps names to (dtype, shape, bytes)."""
    header, at = ({"__metadata__": metadata} if metadata else {}), 0
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(content)]}
        at += len(content)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(content for _, _, content in tensors.values()))


def make(path, seed, component, steps, sizes, options):
    random = np.random.default_rng(seed)
    dtype, eps, dt_b_c_eps = options.get("dtype", "F32"), options.get("eps", 1e-5), options.get("dt_b_c_eps", 0)
    norm = getattr(reference, options.get("norm", "rms_norm"))
    biased = options.get("bias", "").split()

    def draw(shape, spread):
        return random.normal(size=shape) * spread

    if component == "Mamba":
        weights = model_weights(sizes, biased, draw, options)
    elif component == "Stack":
        weights = stack_weights(sizes, options, draw)
    elif "heads" in sizes and component != "ResidualBlock":
        weights = heads_weights(component, sizes, options, draw)
    elif component == "ResidualBlock":
        weights = block_weights(component, sizes, biased, draw, options)
    else:
        weights = mixer_weights(component, sizes, biased, draw)
    block = f"{options['kind']}Block" if "kind" in options else component
    mixer = mixer_of(block, sizes, options) if "heads" in sizes else None
    tensors, exact = {}, {}
    for name, value in weights.items():
        content, exact[name] = encode(value, dtype)
        tensors[name] = (dtype, value.shape, content)

    if component == "Mamba":
        tokens = random.integers(sizes["vocab_size"], size=steps).astype("<i4")
        tensors["tokens"] = ("I32", tokens.shape, tokens.tobytes())
        if mixer:
            results = {"logits": heads.language_model(tokens, exact, mixer, eps, norm)}
        else:
            results = {"logits": reference.mamba(tokens, exact, eps, dt_b_c_eps, norm)}
    else:
        name = "d_inner" if component.startswith("Selective") else "d_model"
        d_in = options.get("d_in") or (sizes["into"][1] if component == "Stack" else sizes[name])
        content, x = encode(draw((steps, d_in), 1.0), "F32")
        tensors["input"] = ("F32", x.shape, content)
        if component == "SelectiveStateSpaceModel":
            y, state = reference.selective_state_space_model(x, exact, dt_b_c_eps=dt_b_c_eps)
            results = {"output": y, "final_state": state}
        elif component == "Stack":
            results = {"output": stack(x, exact, options["order"], eps)}
        elif component == "Mamba2Block":
            results = dict(zip(("output", "final_state"), mixer(x, exact)))
        elif component == "Mamba3Block":
            y, state = mixer(x, exact)
            results = {"output": y, **dict(zip(("final_state", "final_angle", "final_k", "final_x"), state))}
        elif mixer:
            results = {"output": heads.residual_block(x, exact, mixer, eps, norm)}
        elif component == "ResidualBlock":
            results = {"output": reference.residual_block(x, exact, eps, dt_b_c_eps, norm)}
        elif component == "MambaBlock":
            results = {"output": reference.mamba_block(x, exact, dt_b_c_eps)}
        else:
            results = {"output": reference.selective_state_space(x, exact)}
    for name, value in results.items():
        tensors[name] = ("F32", value.shape, encode(value, "F32")[0])

    metadata = {"component": component, "seq_len": str(steps)}
    if component == "Stack":
        metadata["order"] = options["order"]
    else:
        sizes = dict(sizes) | ({"d_inner": sizes["heads"] * sizes["headdim"]} if "heads" in sizes else {})
        metadata |= {name: str(size) for name, size in sizes.items() if name not in ("heads", "angles")}
        metadata |= {name: ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
                     for name, value in options.get("settings", {}).items()}
    if eps != 1e-5:
        metadata["norm_eps"] = str(eps)
    if "norm" in options:
        metadata["norm"] = options["norm"]
    if dt_b_c_eps:
        metadata["dt_b_c_eps"] = str(dt_b_c_eps)
    write(path, tensors, metadata if options.get("metadata", True) else None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(CASES)}")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.names or CASES:
        make(options.folder / f"{name}.safetensors", options.seed, *CASES[name])


if __name__ == "__main__":
    main()
