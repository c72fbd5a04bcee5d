"""The storage types bf16, f16 and int8 in numpy, and the reference's forward pass with such weights.

docs/design.md#storage-types defines them.
A quantiser returns the stored bits; the widened values are computed from these. Arithmetic is float64, except where the stored
bits depend on float32 operations.
"""
import numpy as np

import mamba_reference as reference

LINEAR_WEIGHTS = ("in_proj.weight", "x_proj.weight", "dt_proj.weight", "out_proj.weight", "embedding.weight",
                  "lm_head.weight")


def nearest_of(table, x):
    """Returns, for each x, the index of the nearest entry of an ascending table; in a tie, the even index."""
    above = np.clip(np.searchsorted(table, x), 1, len(table) - 1)
    below = above - 1
    to_below, to_above = x - table[below], table[above] - x
    take_above = (to_above < to_below) | ((to_above == to_below) & (above % 2 == 0))
    return np.where(take_above, above, below)


def sixteen_bits(x, mantissa_bits):
    """Converts float32 numbers to the bits of a 16-bit float format, rounding to nearest, ties to even.

    The format has a sign bit, 15 - mantissa_bits exponent bits and mantissa_bits. `table` contains every finite magnitude and,
    in place of infinity, the next power of two. NaN keeps its sign.
    """
    bias = (1 << (14 - mantissa_bits)) - 1
    bits = np.arange(((2 * bias + 1) << mantissa_bits) + 1)
    exponent, mantissa = bits >> mantissa_bits, bits & ((1 << mantissa_bits) - 1)
    denormal = exponent == 0
    table = np.ldexp((mantissa + (~denormal << mantissa_bits)).astype(np.float64), np.maximum(exponent, 1) - bias - mantissa_bits)
    with np.errstate(invalid="ignore"):
        wide = x.astype(np.float64)
        found = nearest_of(table, np.minimum(np.abs(np.where(np.isnan(wide), 0, wide)), table[-1]))
    found = np.where(np.isnan(wide), len(table), found)  # the bits of the first NaN, which follow infinity
    return (found | (np.signbit(wide).astype(int) << 15)).astype(np.uint16)


def bf16(x):
    """Converts float32 numbers to the bits of bf16."""
    return sixteen_bits(x, 7)


def f16(x):
    return sixteen_bits(x, 10)


def widened_bf16(bits):
    return (bits.astype("<u4") << 16).view("<f4").astype(np.float64)


def widened_f16(bits):
    return bits.view("<f2").astype(np.float64)


def int8(weight):
    """Quantises float32 weights [N, K] to integers [N, K] of -127 to 127 and float32 scales [N].

    A row's scale is its largest magnitude / 127. An integer is weight * (127 / largest), in float32, rounded to nearest, ties
    to even. Rows whose magnitudes are all below 2^-120 become zeros. Scales are limited so that 127 * scale is finite.
    """
    largest = np.abs(weight).max(axis=1).astype(np.float32)
    holds = largest >= np.float32(2.0**-120)
    with np.errstate(divide="ignore", over="ignore"):
        inverse = np.where(holds, np.float32(127) / largest, np.float32(0))
    whole = np.rint(weight * inverse[:, None])
    scales = np.where(holds, np.minimum(largest / np.float32(127), largest_scale()), np.float32(0))
    exact = weight.astype(np.float64) * np.where(holds, 127 / np.where(holds, largest.astype(np.float64), 1), 0)[:, None]
    assert np.abs(whole - exact).max() <= 0.5 + 1e-4  # `whole` is the nearest integer, apart from float32 rounding
    return whole.astype(np.int32), scales.astype(np.float32)


def largest_scale():
    """Returns the largest float32 scale for which 127 * scale is finite."""
    scale = np.float32(2.0**128 / 127)
    with np.errstate(over="ignore"):
        while not np.isfinite(scale * np.float32(127)):
            scale = np.nextafter(scale, np.float32(0))
    return scale


def rounded_inputs(x):
    """Quantises the inputs [tokens, K] of an int8 layer to integers, and returns these and each token's step.

    The step is the token's largest magnitude (at least 2^-100), divided by the largest integer. Arithmetic has x's precision:
    with float32, the results are the exact bits that a layer computes.
    """
    number = x.dtype.type
    most = number(min(127 * 256 + 127, (2**31 - 1) // (127 * x.shape[-1])))
    largest = np.maximum(np.abs(x).max(axis=-1, keepdims=True), number(2.0**-100))
    return np.rint(x * (most / largest)), largest / most


def with_storage(weights, storage):
    """Returns the weights of a model, rounded to a storage type, as float64."""
    def one(name, weight):
        if not name.endswith(LINEAR_WEIGHTS):
            return weight.astype(np.float64)
        if storage == "int8":
            whole, scales = int8(weight)
            return whole * scales.astype(np.float64)[:, None]
        return {"bf16": lambda w: widened_bf16(bf16(w)), "f16": lambda w: widened_f16(f16(w))}[storage](weight)

    return {name: one(name, weight) for name, weight in weights.items()}


def forward(component, x, weights, storage, eps=1e-5):
    """Returns the outputs that the reference computes for the inputs x, with the weights rounded to a storage type."""
    def linear_of_rounded(x, weight, bias=None):
        whole, step = rounded_inputs(x)
        return plain_linear(whole * step, weight, bias)

    stored = with_storage(weights, storage)
    plain_linear = reference.linear
    if storage == "int8":
        reference.linear = linear_of_rounded
    try:
        if component == "Mamba":
            return reference.mamba(x, stored, eps)
        if component == "SelectiveStateSpaceModel":
            return reference.selective_state_space_model(x, stored)[0]
        return {"MambaBlock": reference.mamba_block, "SelectiveStateSpace": reference.selective_state_space}[component](x, stored)
    finally:
        reference.linear = plain_linear
