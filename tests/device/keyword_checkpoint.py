#!/usr/bin/env python3
"""Writes the checkpoint of examples/keyword: seeded weights, two recordings [100, 40] and the float64 reference's scores.

  keyword_checkpoint.py FILE

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
import mamba_reference as reference  # noqa: E402
from odd_vectors import encode, mixer_weights, write  # noqa: E402

SEED = 1
FRAMES, FEATURES, CLASSES = 100, 40, 10
SIZES = dict(d_model=64, d_inner=128, d_state=16, d_conv=4, dt_rank=4)
DELTA = 1e-3, 1e-1  # the range of softplus(dt_proj.bias), as mamba-ssm draws it


def draw(shape, spread):
    """Returns uniform random numbers of mean 0 and standard deviation `spread`."""
    values = [random.random() for _ in range(math.prod(shape))]
    return spread * math.sqrt(12) * (np.reshape(values, shape) - 0.5)


def linear(name, outputs, inputs):
    return {f"{name}.weight": draw((outputs, inputs), inputs**-0.5), f"{name}.bias": draw((outputs,), inputs**-0.5)}


def mixer():
    weights = mixer_weights("MambaBlock", SIZES, ["conv1d", "dt_proj"], draw)
    low, high = map(math.log, DELTA)
    middle = draw((SIZES["d_inner"],), (high - low) / math.sqrt(12)) + (low + high) / 2
    weights["dt_proj.bias"] = np.log(np.expm1(np.exp(middle)))
    weights["A_log"] = np.log(np.arange(1.0, SIZES["d_state"] + 1)) + draw(weights["A_log"].shape, 0.1)
    return {f"mixer.{name}": value for name, value in weights.items()}


def recordings():
    """Returns two recordings of random features: one that drifts slowly, as a microphone's features do, and one of noise."""
    slow = draw((FRAMES, FEATURES), 1.0)
    for t in range(1, FRAMES):
        slow[t] += 0.9 * slow[t - 1]
    return {"input": slow, "input_unit": draw((FRAMES, FEATURES), 3**-0.5)}


def scores(frames, weights):
    rows = reference.mamba_block(reference.linear(frames, weights["linear_in.weight"], weights["linear_in.bias"]),
                                 reference.sub(weights, "mixer."))
    return reference.linear(rows.mean(0), weights["classifier.weight"], weights["classifier.bias"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=pathlib.Path)
    options = parser.parse_args()
    random.seed(SEED)
    tensors = linear("linear_in", SIZES["d_model"], FEATURES) | mixer() | linear("classifier", CLASSES, SIZES["d_model"])
    tensors |= recordings()
    exact = {name: encode(value, "F32")[1] for name, value in tensors.items()}
    tensors |= {name.replace("input", "logits"): scores(exact[name], exact) for name in ("input", "input_unit")}
    write(options.file, {name: ("F32", value.shape, encode(value, "F32")[0]) for name, value in tensors.items()},
          {"model": "logits = classifier(mean of mixer(linear_in(input)))"})


if __name__ == "__main__":
    main()
