#!/usr/bin/env python3
"""Writes the checkpoint of examples/keyword: seeded weights, two recordings [100, 40] and the float64 reference's scores.

  keyword_checkpoint.py [--mixer mamba|mamba2|mamba3] FILE

The weights have mamba-ssm's initial scales. They and the recordings come from Python's own generator, so they are the same
with every version of numpy.
"""
import argparse
import math
import pathlib
import random
import sys

try:
    import numpy as np
except ImportError:
    sys.exit("keyword_checkpoint.py: found no numpy, which the float64 reference needs (Debian: python3-numpy)")

sys.dont_write_bytecode = True
TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "vectors"), str(TESTS / "data" / "reference")]
import heads_reference  # noqa: E402
import mamba_reference as reference  # noqa: E402
from odd_vectors import encode, heads_weights, mixer_weights, write  # noqa: E402

SEED = 1
FRAMES, FEATURES, CLASSES = 100, 40, 10
SIZES = dict(d_model=64, d_inner=128, d_state=16, d_conv=4, dt_rank=4)
HEADS = dict(d_model=64, heads=4, headdim=32, d_state=16, d_conv=4, mimo_rank=1, angles=4)  # blocks of Mamba-2 and Mamba-3
DELTA = 1e-3, 1e-1  # the range of softplus(dt_proj.bias) or softplus(dt_bias), as mamba-ssm draws it


def draw(shape, spread):
    """Returns uniform random numbers of mean 0 and standard deviation `spread`."""
    values = [random.random() for _ in range(math.prod(shape))]
    return spread * math.sqrt(12) * (np.reshape(values, shape) - 0.5)


def linear(name, outputs, inputs):
    return {f"{name}.weight": draw((outputs, inputs), inputs**-0.5), f"{name}.bias": draw((outputs,), inputs**-0.5)}


def inverse_softplus_of_delta(count):
    low, high = map(math.log, DELTA)
    middle = draw((count,), (high - low) / math.sqrt(12)) + (low + high) / 2
    return np.log(np.expm1(np.exp(middle)))


def mixer(kind):
    if kind != "mamba":
        options = {"bias": "conv1d"} if kind == "mamba2" else {"without": "norm"}
        weights = heads_weights(f"{kind.capitalize()}Block", HEADS, options, draw)
        weights["dt_bias"] = inverse_softplus_of_delta(HEADS["heads"])
        return {f"mixer.{name}": value for name, value in weights.items()}
    weights = mixer_weights("MambaBlock", SIZES, ["conv1d", "dt_proj"], draw)
    weights["dt_proj.bias"] = inverse_softplus_of_delta(SIZES["d_inner"])
    weights["A_log"] = np.log(np.arange(1.0, SIZES["d_state"] + 1)) + draw(weights["A_log"].shape, 0.1)
    return {f"mixer.{name}": value for name, value in weights.items()}


def recordings():
    """Returns two recordings of random features: one that drifts slowly, as a microphone's features do, and one of noise."""
    slow = draw((FRAMES, FEATURES), 1.0)
    for t in range(1, FRAMES):
        slow[t] += 0.9 * slow[t - 1]
    return {"input": slow, "input_unit": draw((FRAMES, FEATURES), 3**-0.5)}


def scores(frames, weights, kind):
    inputs = reference.linear(frames, weights["linear_in.weight"], weights["linear_in.bias"])
    of_mixer = reference.sub(weights, "mixer.")
    if kind == "mamba":
        rows = reference.mamba_block(inputs, of_mixer)
    else:
        rows, _ = getattr(heads_reference, f"{kind}_block")(inputs, of_mixer, HEADS["headdim"])
    return reference.linear(rows.mean(0), weights["classifier.weight"], weights["classifier.bias"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--mixer", choices=["mamba", "mamba2", "mamba3"], default="mamba")
    options = parser.parse_args()
    random.seed(SEED)
    tensors = linear("linear_in", SIZES["d_model"], FEATURES) | mixer(options.mixer)
    tensors |= linear("classifier", CLASSES, SIZES["d_model"])
    tensors |= recordings()
    exact = {name: encode(value, "F32")[1] for name, value in tensors.items()}
    tensors |= {name.replace("input", "logits"): scores(exact[name], exact, options.mixer) for name in ("input", "input_unit")}
    write(options.file, {name: ("F32", value.shape, encode(value, "F32")[0]) for name, value in tensors.items()},
          {"model": "logits = classifier(mean of mixer(linear_in(input)))"})


if __name__ == "__main__":
    main()
