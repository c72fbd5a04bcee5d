#!/usr/bin/env python3
"""Writes reference vectors of gradients with random weights, one for each case of CASES, by autograd.py in float64.

  gradient_vectors.py FOLDER [--seed N] [NAME]...     default: all cases, seed 1

The files grad_*.safetensors of tests/data/reference are these cases with seed 1.
"""
import argparse
import pathlib

import numpy as np

from odd_vectors import block_weights, encode, mixer_weights, model_weights, reference, write
import autograd  # in the folder of mamba_reference.py

# Name -> (model type, number of tokens, sizes, options), as in odd_vectors.py.
CASES = {
    "grad_ssm": ("SelectiveStateSpaceModel", 45, dict(d_inner=19, d_state=7, dt_rank=3), dict(bias="x_proj dt_proj")),
    "grad_ssm_long": ("SelectiveStateSpaceModel", 600, dict(d_inner=9, d_state=3, dt_rank=1), dict(bias="dt_proj")),
    "grad_ssm_norms": ("SelectiveStateSpaceModel", 20, dict(d_inner=17, d_state=5, dt_rank=2),
        dict(bias="dt_proj", dt_b_c_eps=1e-2)),
    "grad_sss": ("SelectiveStateSpace", 30, dict(d_inner=11, d_state=3, dt_rank=2, d_model=6), dict(bias="x_proj dt_proj")),
    "grad_block": ("MambaBlock", 40, dict(d_model=13, d_inner=21, d_state=5, dt_rank=2, d_conv=4),
        dict(bias="in_proj conv1d x_proj dt_proj out_proj")),
    "grad_block_one_tap": ("MambaBlock", 9, dict(d_model=5, d_inner=16, d_state=1, dt_rank=1, d_conv=1), {}),
    "grad_residual": ("ResidualBlock", 33, dict(d_model=16, d_inner=32, d_state=16, dt_rank=1, d_conv=4),
        dict(bias="conv1d dt_proj")),
    "grad_residual_layer_norm": ("ResidualBlock", 12, dict(d_model=11, d_inner=18, d_state=4, dt_rank=2, d_conv=3),
        dict(bias="norm conv1d dt_proj", norm="layer_norm", eps=1e-3)),
    "grad_mamba_tied": ("Mamba", 70, dict(vocab_size=37, n_layers=2, d_model=18, d_inner=34, d_state=8, dt_rank=2, d_conv=4),
        dict(bias="conv1d dt_proj")),
    "grad_mamba_untied": ("Mamba", 50, dict(vocab_size=21, n_layers=2, d_model=16, d_inner=24, d_state=5, dt_rank=2, d_conv=3),
        dict(bias="norm in_proj conv1d x_proj dt_proj out_proj", head="own")),
}


def forward_of(component, eps, dt_b_c_eps, norm):
    """Returns the function of the numpy reference that computes a model type's outputs from its input and weights."""
    return {
        "SelectiveStateSpaceModel": lambda x, p: reference.selective_state_space_model(x, p, dt_b_c_eps=dt_b_c_eps)[0],
        "SelectiveStateSpace": reference.selective_state_space,
        "MambaBlock": reference.mamba_block,
        "ResidualBlock": lambda x, p: reference.residual_block(x, p, eps, dt_b_c_eps, norm),
        "Mamba": lambda x, p: reference.mamba(x, p, eps, dt_b_c_eps, norm),
    }[component]


def make(path, seed, component, steps, sizes, options):
    random = np.random.default_rng(seed)
    eps, dt_b_c_eps = options.get("eps", 1e-5), options.get("dt_b_c_eps", 0)
    biased = options.get("bias", "").split()

    def draw(shape, spread):
        return random.normal(size=shape) * spread

    if component == "Mamba":
        weights = model_weights(sizes, biased, draw, options)
    else:
        weights = (block_weights if component == "ResidualBlock" else mixer_weights)(component, sizes, biased, draw)
    tensors, exact = {}, {}

    def add(name, value):
        content, numbers = encode(value, "F32")
        tensors[name] = ("F32", value.shape, content)
        return numbers

    for name, value in weights.items():
        exact[name] = add(name, value)
    if component == "Mamba":
        x, cotangent = (random.integers(sizes["vocab_size"], size=steps).astype("<i4") for _ in range(2))
        for name, ids in (("tokens", x), ("targets", cotangent)):
            tensors[name] = ("I32", ids.shape, ids.tobytes())
    else:
        d_in = sizes["d_inner" if component.startswith("Selective") else "d_model"]
        x = add("input", draw((steps, d_in), 1.0))
        cotangent = add("cotangent", draw((steps, sizes.get("d_model", d_in)), 1.0))
    norm = getattr(reference, options.get("norm", "rms_norm"))
    for name, value in autograd.gradients(forward_of(component, eps, dt_b_c_eps, norm), exact, x, cotangent).items():
        add(name, value)
    metadata = {"component": component, "seq_len": str(steps)}
    metadata |= {"norm_eps": str(eps)} if eps != 1e-5 else {}
    metadata |= {"norm": options["norm"]} if "norm" in options else {}
    metadata |= {"dt_b_c_eps": str(dt_b_c_eps)} if dt_b_c_eps else {}
    write(path, tensors, metadata)


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
