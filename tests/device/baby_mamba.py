#!/usr/bin/env python3
"""Runs a model with the dims of BabyMamba-HAR (arXiv 2602.09872) on emulated boards, with seeded weights: the host's bits, the
error, RAM, flash and instructions for a window of 128 samples.

  baby_mamba.py [--boards NAME,...] [--types TYPE,...]

A window of 128 samples of 9 channels goes through a convolution of kernel 16 and stride 4 to d_model 26 (31 outputs), four
blocks of d_inner 52, d_state 8 and dt_rank 2, each with RMSNorm and residual, a norm, the mean over time, and a Linear to 6
classes. BabyMamba's scan runs in both directions with one set of weights; this model runs forward, as a stream requires.
"""
import argparse
import pathlib
import sys
import tempfile

import keyword_checkpoint as weights_of  # also makes the modules of tests/data/reference importable
import keyword_example as example
import mamba_reference as reference
import numpy as np
from boards import SKIPPED, Host, boards_here
from odd_vectors import encode, mixer_weights, write

SAMPLES, CHANNELS, KERNEL, STRIDE, PADDING, CLASSES, LAYERS = 128, 9, 16, 4, 4, 6, 4
SIZES = dict(d_model=26, d_inner=52, d_state=8, d_conv=4, dt_rank=2)
OUTPUTS = (SAMPLES + 2 * PADDING - KERNEL) // STRIDE + 1  # 31 outputs
WARM_UP = (KERNEL - PADDING) // STRIDE - 1  # the number of first tokens, which have no output
TOKENS = OUTPUTS + WARM_UP  # tokens of 4 samples; the last token is zeros, the padding of PyTorch's convolution
SEED = 1
# The largest number of instructions for a window, in millions, and of bytes of State, Scratch and stack.
LIMITS = {("mps2-an386", "f32"): 3.46, ("mps2-an386", "int8"): 3.80, ("mps3-an547", "f32"): 2.39, ("mps3-an547", "int8"): 2.40}
RAM_LIMIT = 13 * 1024


class Checkpoint(example.Checkpoint):
    order = f"conv1d(conv,stride={STRIDE},padding={PADDING}),layers,norm_f,mean,head"


def layer():
    made = mixer_weights("MambaBlock", SIZES, ["conv1d", "dt_proj"], weights_of.draw)
    made["dt_proj.bias"] = weights_of.inverse_softplus_of_delta(SIZES["d_inner"])
    made["A_log"] = np.log(np.arange(1.0, SIZES["d_state"] + 1)) + weights_of.draw(made["A_log"].shape, 0.1)
    norm = 1 + weights_of.draw((SIZES["d_model"],), 0.1)
    return {"norm.weight": norm, **{f"mixer.{name}": one for name, one in made.items()}}


def scores(samples, weights):
    """Returns the scores of a window [samples, channels], in float64."""
    padded = np.pad(samples, ((PADDING, PADDING), (0, 0)))
    windows = np.stack([padded[STRIDE * at : STRIDE * at + KERNEL] for at in range(OUTPUTS)])
    rows = np.einsum("tkc,dck->td", windows, weights["conv.weight"]) + weights["conv.bias"]
    for at in range(LAYERS):
        rows = reference.residual_block(rows, reference.sub(weights, f"layers.{at}."))
    rows = reference.rms_norm(rows, weights["norm_f.weight"])
    return reference.linear(rows.mean(0), weights["head.weight"], weights["head.bias"])


def write_checkpoint(path):
    weights_of.random.seed(SEED)
    d_model = SIZES["d_model"]
    tensors = {"conv.weight": weights_of.draw((d_model, CHANNELS, KERNEL), (CHANNELS * KERNEL) ** -0.5),
               "conv.bias": weights_of.draw((d_model,), 0.1), "norm_f.weight": 1 + weights_of.draw((d_model,), 0.1),
               **weights_of.linear("head", CLASSES, d_model)}
    for at in range(LAYERS):
        tensors |= {f"layers.{at}.{name}": one for name, one in layer().items()}
    windows = {"": weights_of.draw((SAMPLES, CHANNELS), 1.0), "_unit": weights_of.draw((SAMPLES, CHANNELS), 3**-0.5)}
    exact = {name: encode(one, "F32")[1] for name, one in tensors.items()}
    for name, samples in windows.items():
        samples = encode(samples, "F32")[1]
        tokens = np.zeros((TOKENS * STRIDE, CHANNELS))
        tokens[:SAMPLES] = samples
        tensors[f"input{name}"] = tokens.reshape(TOKENS, STRIDE * CHANNELS)
        tensors[f"logits{name}"] = scores(samples, exact)
    write(path, {name: ("F32", one.shape, encode(one, "F32")[0]) for name, one in tensors.items()}, {})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", default="mps2-an386,mps3-an547")
    parser.add_argument("--types", default="f32,int8")
    options = parser.parse_args()
    wrong, done = [], 0
    with tempfile.TemporaryDirectory(prefix="krait_baby_mamba_") as folder:
        folder = pathlib.Path(folder)
        write_checkpoint(folder / "baby_mamba.safetensors")
        checkpoint = Checkpoint(folder / "baby_mamba.safetensors", folder)
        for storage in options.types.split(","):
            host = example.Program(Host(), storage, checkpoint, "", folder)
            expected = example.Answer(host.board, host.image(TOKENS, 100))
            wrong += example.judge(host.board, storage, expected, expected, checkpoint.tensors, LIMITS, RAM_LIMIT)
            for board in boards_here(options.boards):
                done += 1
                answer = example.Answer(board, example.Program(board, storage, checkpoint, "", folder).image(TOKENS, 4))
                wrong += example.judge(board, storage, answer, expected, checkpoint.tensors, LIMITS, RAM_LIMIT)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0 if done else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
