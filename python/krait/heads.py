"""Determines the dims of the blocks of Mamba-2 and Mamba-3, whose recurrence has heads, from their tensors and settings."""

import math

from .safetensors_file import Problem

# The settings that shapes do not determine, with mamba-ssm's defaults. dt_limit is a pair of floats.
MAMBA2_DEFAULTS = {"ngroups": 1, "dt_limit": (0.0, math.inf), "norm_before_gate": False, "mixer_norm_eps": 1e-5}
MAMBA3_DEFAULTS = {"A_floor": 1e-4, "mixer_norm_eps": 1e-5, "rope_fraction": None}  # None: determined by the shapes
MAMBA2_NAMES = ["in_proj.weight", "conv1d.weight", "dt_bias", "A_log", "D", "out_proj.weight"]
MAMBA3_NAMES = ["in_proj.weight", "dt_bias", "D", "B_bias", "C_bias", "B_norm.weight", "C_norm.weight", "out_proj.weight"]
MIMO_NAMES = ["mimo_x", "mimo_z", "mimo_o"]


def with_defaults(settings, defaults):
    return {name: defaults[name] if settings.get(name) is None else settings[name] for name in defaults}


def settings_of_metadata(metadata):
    """Returns the settings of blocks of Mamba-2 and Mamba-3 that the metadata of a checkpoint gives."""
    settings = {}
    try:
        if "ngroups" in metadata:
            settings["ngroups"] = int(metadata["ngroups"])
        if "dt_limit" in metadata:
            settings["dt_limit"] = tuple(float(text) for text in metadata["dt_limit"].strip("()[]").split(","))
        if "norm_before_gate" in metadata:
            settings["norm_before_gate"] = metadata["norm_before_gate"].strip().lower() in ("true", "1")
        for name in ("mixer_norm_eps", "A_floor", "rope_fraction"):
            if name in metadata:
                settings[name] = float(metadata[name])
    except (AttributeError, TypeError, ValueError) as error:
        raise Problem(f"metadata: {error}") from None
    check_settings(settings, "metadata: ")
    return settings


def check_settings(settings, where):
    """Raises Problem if a setting of blocks of Mamba-2 or Mamba-3 has an impossible value; the message starts with `where`. The
    value None means that the setting is not given."""
    limit, ngroups = settings.get("dt_limit"), settings.get("ngroups")
    if limit is not None and not (len(limit) == 2 and 0 <= limit[0] <= limit[1]):
        raise Problem(f"{where}dt_limit: found {limit}, wanted two numbers, least and most, with 0 <= least <= most")
    if ngroups is not None and ngroups < 1:
        raise Problem(f"{where}ngroups: found {ngroups}, wanted at least 1")
    if settings.get("rope_fraction") is not None and not 0 < settings["rope_fraction"] <= 1:
        raise Problem(f"{where}rope_fraction: found {settings['rope_fraction']}, wanted a number above 0, at most 1")
    for name in ("mixer_norm_eps", "A_floor"):
        if settings.get(name) is not None and not 0 < settings[name] < 1:
            raise Problem(f"{where}{name}: found {settings[name]}, wanted a number between 0 and 1")


def is_mamba2(group):
    """Returns whether a group of tensors is a block of Mamba-2: its A_log has one axis, [heads]."""
    return "A_log" in group.tensors and len(group.tensors["A_log"].shape) == 1


def is_mamba3(group):
    """Returns whether a group of tensors is a block of Mamba-3."""
    return "B_bias" in group.tensors and "A_log" not in group.tensors


def possible_ngroups(dims):
    """Returns the values of ngroups that the shapes of a Mamba2Block allow."""
    heads, of_groups = dims["d_inner"] // dims["headdim"], dims["ngroups"] * dims["d_state"]
    return [ngroups for ngroups in range(1, heads + 1) if heads % ngroups == 0 and of_groups % ngroups == 0]


def divide(where, what, number, by_what, by):
    """Returns number / by. Raises Problem if this is no integer; the message names the tensor `where`, and calls the two
    numbers `what` and `by_what`."""
    if by < 1 or number % by:
        raise Problem(f"{where}: found {what} {number} and {by_what} {by}, wanted {what} to be a multiple of {by_what}")
    return number // by


def check_names(group, kind, needed, optional):
    """Raises Problem if a group of tensors lacks one of the tensors `needed` by this kind of block, or contains a tensor that
    is neither in `needed` nor in `optional`."""
    for name, tensor in group.tensors.items():
        if name not in needed and name not in optional:
            wanted = ", ".join([*needed, *optional])
            raise Problem(f"{group.name(name)}: found a tensor {tensor.shape} within a {kind}, wanted only {wanted}")
    for name in needed:
        if name not in group.tensors:
            raise Problem(f"{group.name(name)} is missing: a {kind} has this tensor")


def mamba2_dims(group, settings):
    """Returns the dims of a Mamba2Block. The loader compares every shape with the dims later."""
    check_names(
        group, "Mamba2Block", MAMBA2_NAMES, ["in_proj.bias", "conv1d.bias", "norm.weight", "out_proj.bias"]
    )  # fmt: skip
    settings = with_defaults(settings, MAMBA2_DEFAULTS)
    (heads,) = group.shape("A_log", "heads")
    d_model, d_inner = group.shape("out_proj.weight", "d_model", "d_inner")
    channels, _, d_conv = group.shape("conv1d.weight", "d_inner + 2 ngroups d_state", "1", "d_conv")
    rows, _ = group.shape("in_proj.weight", "rows of z, x, B, C and dt", "d_model")
    (of_skip,) = group.shape("D", "heads or d_inner")
    if channels <= d_inner or (channels - d_inner) % 2:
        raise Problem(
            f"{group.name('conv1d.weight')}: found {channels} channels, wanted d_inner + 2 ngroups d_state, "
            f"where d_inner is {d_inner}"
        )
    ngroups = settings["ngroups"]
    where = group.name("conv1d.weight")
    dims = {
        "d_model": d_model,
        "d_state": divide(where, "ngroups d_state", (channels - d_inner) // 2, "ngroups", ngroups),
        "d_conv": d_conv,
        "d_inner": d_inner,
        "headdim": divide(group.name("A_log"), "d_inner", d_inner, "the number of heads", heads),
        "ngroups": ngroups,
        "in_bias": "in_proj.bias" in group.tensors,
        "conv_bias": "conv1d.bias" in group.tensors,
        "out_bias": "out_proj.bias" in group.tensors,
        "D_has_hdim": of_skip != heads,
        "rmsnorm": "norm.weight" in group.tensors,
        "norm_before_gate": settings["norm_before_gate"],
        "dt_limit": tuple(settings["dt_limit"]),
        "mixer_norm_eps": settings["mixer_norm_eps"],
    }
    divide(group.name("A_log"), "the number of heads", heads, "ngroups", ngroups)
    if rows > d_inner + channels + heads:
        raise Problem(
            f"{group.name('in_proj.weight')}: found {rows} rows, wanted {d_inner + channels + heads}, those of z, x, B, C and "
            f"dt: rows of an MLP (mamba-ssm's d_ssm < d_inner) are not supported"
        )
    return dims


def mamba3_dims(group, settings):
    """Returns the dims of a Mamba3Block. The loader compares every shape with the dims later."""
    is_mimo = "mimo_x" in group.tensors
    check_names(
        group, "Mamba3Block", MAMBA3_NAMES + MIMO_NAMES * is_mimo, ["in_proj.bias", "norm.weight", "out_proj.bias"]
    )  # fmt: skip
    settings = with_defaults(settings, MAMBA3_DEFAULTS)
    heads, rank, d_state = group.shape("B_bias", "heads", "mimo_rank", "d_state")
    d_model, d_inner = group.shape("out_proj.weight", "d_model", "d_inner")
    rows, _ = group.shape("in_proj.weight", "rows of z, x, B, C, dt, a, trap and angle", "d_model")
    if rank > 1 and not is_mimo:
        raise Problem(f"{group.name('B_bias')}: found mimo_rank {rank}, but there is no {group.name('mimo_x')}")
    if rank == 1 and is_mimo:
        raise Problem(f"{group.name('mimo_x')}: found mimo_rank 1, wanted at least 2 for a block with mimo_x")
    # There are at most d_state / 2 angles, so the remainder of the division has no other solution.
    ngroups, angles = divmod(rows - 2 * d_inner - 3 * heads, 2 * d_state * rank)
    if ngroups < 1 or not 1 <= angles <= d_state // 2:
        raise Problem(
            f"{group.name('in_proj.weight')}: found {rows} rows, wanted 2 d_inner + 2 ngroups d_state mimo_rank + 3 heads + "
            f"angles, where d_inner is {d_inner}, d_state {d_state}, mimo_rank {rank}, heads {heads}, and angles 1 to "
            f"{d_state // 2}"
        )
    divide(group.name("in_proj.weight"), "the number of heads", heads, "ngroups", ngroups)
    rope_fraction = 2 * angles / d_state if settings["rope_fraction"] is None else settings["rope_fraction"]
    if angles_of(d_state, rope_fraction) != angles:
        raise Problem(
            f"{group.name('in_proj.weight')}: found {rows} rows, of which {angles} are those of angles, wanted "
            f"{angles_of(d_state, rope_fraction)}: rope_fraction is {rope_fraction} and d_state {d_state}"
        )
    return {
        "d_model": d_model,
        "d_state": d_state,
        "d_inner": d_inner,
        "headdim": divide(group.name("B_bias"), "d_inner", d_inner, "the number of heads", heads),
        "ngroups": ngroups,
        "mimo_rank": rank,
        "rope_fraction": rope_fraction,
        "in_bias": "in_proj.bias" in group.tensors,
        "out_bias": "out_proj.bias" in group.tensors,
        "is_outproj_norm": "norm.weight" in group.tensors,
        "A_floor": settings["A_floor"],
        "mixer_norm_eps": settings["mixer_norm_eps"],
    }


def angles_of(d_state, rope_fraction):
    """Returns the number of angles of a head, as angles_of of core/mamba3_dims.hpp does."""
    return int(d_state * rope_fraction + 1e-4) // 2
