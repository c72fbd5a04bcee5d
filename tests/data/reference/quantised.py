"""The storage types in numpy, and the reference's forward pass with weights of each: from docs/design.md#storage-types.

A quantiser gives what is stored and the numbers that it stands for. float32 operations are named where the stored bits
depend on them; all else is float64.
"""
import numpy as np

import mamba_reference as reference

LINEAR_WEIGHTS = ("in_proj.weight", "x_proj.weight", "dt_proj.weight", "out_proj.weight", "embedding.weight",
                  "lm_head.weight")


def nearest_of(table, x):
    """For each x the index of the nearest entry of an ascending table; of two equally near ones that with even index."""
    above = np.clip(np.searchsorted(table, x), 1, len(table) - 1)
    below = above - 1
    to_below, to_above = x - table[below], table[above] - x
    take_above = (to_above < to_below) | ((to_above == to_below) & (above % 2 == 0))
    return np.where(take_above, above, below)


def sixteen_bits(x, mantissa_bits):
    """float32 numbers to the bits of a format with a sign, 15 - mantissa_bits of exponent and mantissa_bits. The table holds
    every finite magnitude and, in place of infinity, the power of two that would follow; NaN keeps its sign."""
    bias = (1 << (14 - mantissa_bits)) - 1
    bits = np.arange(((2 * bias + 1) << mantissa_bits) + 1)
    exponent, mantissa = bits >> mantissa_bits, bits & ((1 << mantissa_bits) - 1)
    denormal = exponent == 0
    table = np.ldexp((mantissa + (~denormal << mantissa_bits)).astype(np.float64), np.maximum(exponent, 1) - bias - mantissa_bits)
    with np.errstate(invalid="ignore"):
        wide = x.astype(np.float64)
        found = nearest_of(table, np.minimum(np.abs(np.where(np.isnan(wide), 0, wide)), table[-1]))
    found = np.where(np.isnan(wide), len(table), found)  # the first NaN
    return (found | (np.signbit(wide).astype(int) << 15)).astype(np.uint16)


def bf16(x):
    """float32 numbers to bits."""
    return sixteen_bits(x, 7)


def f16(x):
    return sixteen_bits(x, 10)


def widened_bf16(bits):
    return (bits.astype("<u4") << 16).view("<f4").astype(np.float64)


def widened_f16(bits):
    return bits.view("<f2").astype(np.float64)


def int8(weight):
    """float32 [N, K] to whole numbers [N, K] within +-127, and float32 scales [N]: each row's largest magnitude / 127.
    A product with 127 / largest, both in float32, is rounded to the nearest whole number, ties to even. A row below 2^-120
    is zeros, and no scale is one of which 127 are infinite."""
    largest = np.abs(weight).max(axis=1).astype(np.float32)
    holds = largest >= np.float32(2.0**-120)
    with np.errstate(divide="ignore", over="ignore"):
        inverse = np.where(holds, np.float32(127) / largest, np.float32(0))
    whole = np.rint(weight * inverse[:, None])
    scales = np.where(holds, np.minimum(largest / np.float32(127), largest_scale()), np.float32(0))
    exact = weight.astype(np.float64) * np.where(holds, 127 / np.where(holds, largest.astype(np.float64), 1), 0)[:, None]
    assert np.abs(whole - exact).max() <= 0.5 + 1e-4  # it is the nearest, but for float32's rounding
    return whole.astype(np.int32), scales.astype(np.float32)


def largest_scale():
    """The largest float32 of which 127 are finite."""
    scale = np.float32(2.0**128 / 127)
    with np.errstate(over="ignore"):
        while not np.isfinite(scale * np.float32(127)):
            scale = np.nextafter(scale, np.float32(0))
    return scale


def rounded_inputs(x):
    """Rows of inputs of an int8 layer: whole numbers, and each row's step. Magnitudes below 2^-100 count as 2^-100 for
    the step. In x's own precision: float32 gives the bits that a layer works on."""
    number = x.dtype.type
    most = number(min(127 * 256 + 127, (2**31 - 1) // (127 * x.shape[-1])))
    largest = np.maximum(np.abs(x).max(axis=-1, keepdims=True), number(2.0**-100))
    return np.rint(x * (most / largest)), largest / most


def with_storage(weights, storage):
    """The numbers that a model's weights become."""
    def one(name, weight):
        if not name.endswith(LINEAR_WEIGHTS):
            return weight.astype(np.float64)
        if storage == "int8":
            whole, scales = int8(weight)
            return whole * scales.astype(np.float64)[:, None]
        return {"bf16": lambda w: widened_bf16(bf16(w)), "f16": lambda w: widened_f16(f16(w))}[storage](weight)

    return {name: one(name, weight) for name, weight in weights.items()}


def forward(component, x, weights, storage, eps=1e-5):
    """The reference's output for weights of a storage type."""
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
