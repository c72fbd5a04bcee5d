"""Writes the model of a live PyTorch module as a safetensors file whose metadata gives its structure, and proves that Krait's
outputs are the module's."""

import contextlib
import copy
import pathlib
import re
import tempfile

import numpy as np

from . import packing, safetensors_file
from .layers import Group, block_of, mamba_layer
from .safetensors_file import Problem, Tensor

TOLERANCE = 1e-5
BLOCKS = {"MambaBlock": "Mamba", "Mamba2Block": "Mamba2", "Mamba3Block": "Mamba3"}


def export(module, example, path, outputs=None, order=None, tolerance=TOLERANCE, **options):
    """Writes the model of a PyTorch module to the safetensors file `path`, which krait.load and krait pack read without further
    options. Returns the text of its layers, in the notation of --order.

      module     an nn.Module, or named arrays (a dict, which may be nested, as of Flax or Equinox)
      example    inputs that the module accepts, with at least two tokens: [batch, tokens, channels], [batch, channels, tokens]
                 before a Conv1d, or ids [batch, tokens]; the axis of the batch may be missing

    The layers are found by their types and by running the module on the example. Krait then computes the outputs for the
    example, for other numbers, for its first half and for twice as many tokens, and compares them with the module's: an error
    above `tolerance` of the largest output raises krait.Problem, which names the first layer that differs. So does a layer that
    Krait lacks. On any error, nothing is written. Named arrays need also the model's `outputs` for the example, and the `order`
    of the layers. `options` are compiler, include, and for named arrays those of krait.load."""
    packing.check_folders([pathlib.Path(path)])
    if isinstance(module, dict):
        return export_arrays(module, example, path, outputs, order, tolerance, options)
    if not hasattr(module, "named_parameters"):
        wanted = "an nn.Module or a dict of arrays (of an nnx.State: flax.nnx.to_pure_dict(state))"
        raise TypeError(f"found {type(module).__name__}, wanted {wanted}")
    if outputs is not None or order is not None:
        raise TypeError("found outputs or order for an nn.Module, wanted them for named arrays only: the module gives both")
    import torch

    from .reading import Reader, is_leaf
    from .trace import Trace

    if isinstance(module, torch.jit.ScriptModule):
        raise TypeError(f"found {type(module).__name__}, wanted the nn.Module from which TorchScript was made")
    if not isinstance(example, torch.Tensor):
        try:
            if isinstance(example, tuple):
                raise TypeError
            example = torch.as_tensor(np.asarray(example))
        except (TypeError, ValueError, RuntimeError):
            found = f"{type(example).__name__} {str(example)[:40]}"
            raise TypeError(f"example: found {found}, wanted one tensor or array, the module's only input") from None
    module = getattr(module, "_orig_mod", module)  # the module within a wrapper of torch.compile
    example = example.float() if example.is_floating_point() else example
    tensors = [one for one in module.state_dict().values() if isinstance(one, torch.Tensor)]
    if any(one.is_floating_point() and one.dtype != torch.float32 for one in tensors):
        module = copy.deepcopy(module).float()
    with evaluating(module), torch.no_grad():
        trace = Trace(module, example, is_leaf)
        reader = read(Reader, trace, example)
        exported = Exported(reader)
        exported.metadata["proved_within"] = f"{tolerance:g}"
        wanted = trace.output.value
        positions = [len(item.arrays["weight"]) for item in every(exported.items) if item.kind == "positional"]
        examples = [("the example", example, wanted), *other_examples(module, example, max(positions, default=0))]
    content = b"".join(safetensors_file.encode(exported.tensors, exported.metadata))
    with tempfile.TemporaryDirectory(prefix="krait_export_") as folder:
        file = pathlib.Path(folder) / "model.safetensors"
        file.write_bytes(content)
        exported.prove(file, examples, tolerance, options)
    packing.write_all({pathlib.Path(path): content})
    return exported.order


@contextlib.contextmanager
def evaluating(module):
    """Sets a module and its parts to evaluation mode for the body of the with statement, and afterwards to their earlier
    modes."""
    modes = [(one, one.training) for one in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for one, mode in modes:
            one.training = mode


def read(make_reader, trace, example):
    """Returns make_reader(trace, axes), after it has read all layers, for the first axes of the example, such as (B, T, C) or
    (B, C, T), for which it raises no Problem. If there are none, raises the Problem of the reader that read the most layers."""
    shapes = {True: {2: ["TC", "CT"], 3: ["BTC", "BCT"]}, False: {1: ["T"], 2: ["BT"]}}[example.is_floating_point()]
    if example.dim() not in shapes:
        raise Problem(f"example: found shape {list(example.shape)}, wanted [batch, tokens, channels], or ids [batch, tokens]")
    problems = [(-1, Problem(f"example: found shape {list(example.shape)}, wanted at least two tokens"))]
    short = ""
    for axes in shapes[example.dim()]:
        if example.shape[axes.index("T")] < 2:
            short = "; as [batch, tokens, channels], the example has 1 token, wanted at least two" if axes[-1] == "C" else ""
            continue
        reader = make_reader(trace, tuple(axes))
        try:
            reader.read_all()
            return reader
        except Problem as problem:
            if axes[-2:] == "CT":  # a message that speaks of tokens would otherwise surprise
                problem.args = (f"{problem.args[0]} (with the example as {reader.text(trace.input)}{short})", *problem.args[1:])
            problems.append((len(reader.steps), problem))
    raise max(problems, key=lambda one: one[0])[1]


def other_examples(module, example, positions):
    """Yields (what it is, other input, output of the module for it): first other numbers in the shape of the example, then
    the first half of the example's tokens, twice as many tokens, and as many tokens as a table of positions has rows. Warns if
    the module runs for no other number of tokens than the example's."""
    import warnings

    import torch

    from .trace import output_tensor

    generator = torch.Generator().manual_seed(0)
    if example.is_floating_point():
        noise = torch.randn(example.shape, generator=generator).to(example)
        others = example.flip(0).flip(-1) * 0.5 + noise * (example.std() + 1e-3)
    else:
        order = torch.randperm(example.numel(), generator=generator).to(example.device)
        others = example.flatten()[order].reshape(example.shape)
    yield "other numbers", others, output_tensor(module(others))
    other_lengths = 0
    for axis in range(max(0, example.dim() - 2) if example.is_floating_point() else example.dim() - 1, example.dim()):
        count = example.shape[axis]
        lengths = {"the first half of the example": (count + 1) // 2, "twice as many tokens": 2 * count}
        if positions > 2 * count:
            lengths["as many tokens as positions"] = positions
        for name, length in lengths.items():
            other = torch.cat([example, others] * (length // (2 * count) + 1), axis).narrow(axis, 0, length)
            try:
                y = output_tensor(module(other))
            except Exception:  # this axis is the axis of channels, or the module does not accept this number of tokens
                continue
            other_lengths += 1
            yield name, other, y
    if other_lengths == 0:
        warnings.warn(
            f"krait.export: the module runs neither for half of the example's tokens nor for twice as many, shape "
            f"{list(example.shape)}, so the outputs for other numbers of tokens were not compared",
            stacklevel=3,
        )


class Writer:
    """Gives layers names and their words of --order, and collects their tensors."""

    def __init__(self):
        self.tensors, self.names = {}, set()

    def write(self, item, arrays):
        """Adds the arrays of a layer under a name that no other layer has, and returns the name."""
        path = item.path if item.node.op == "module" else f"{item.path}.{item.kind}".strip(".")
        stem = re.sub(r"[^\w.-]", "_", path) or item.kind
        name, count = stem, 1
        while any(name == one or name.startswith(one + ".") or one.startswith(name + ".") for one in self.names):
            count += 1
            name = f"{stem}_{count}"
        self.names.add(name)
        for key, one in arrays.items():
            self.tensors[f"{name}.{key}"] = tensor_of(one)
        return name

    def texts(self, items, is_top=False):
        """Returns the words of --order for layers, and adds their tensors."""
        found = []
        for before, item in zip([None, *items], items):
            if before is not None and before.kind == item.kind == "linear":
                found.append("identity")
            if item.kind in ("activation", "pool"):
                found.append(item.numbers["word"])
            elif item.kind == "residual":
                found.append(f"residual({','.join(self.texts(item.parts))})")
            elif item.kind == "mixer":
                name = self.write(item, item.arrays)
                found.append(f"plain({name})" if is_top else name)
            elif item.kind == "conv1d" and item.numbers["depthwise"]:
                name = self.write(item, item.arrays)
                found.append(f"conv1d({name},groups={len(item.arrays['weight'])})")
            elif item.kind == "conv1d":
                stride, left, right = (item.numbers[key] for key in ("stride", "left", "right"))
                extra = "" if right == left else f",right_padding={right}"
                channels = ",channels=1" if item.arrays["weight"].shape[1] == 1 else ""
                found.append(f"conv1d({self.write(item, item.arrays)},stride={stride},padding={left}{extra}{channels})")
            else:
                eps = f",eps={item.numbers['eps']!r}" if "eps" in item.numbers else ""
                found.append(f"{item.kind}({self.write(item, item.arrays)}{eps})")
        return found


class Exported:
    """The layers of a module as Krait's model: tensors, metadata, and the order of the layers."""

    def __init__(self, reader):
        self.reader, self.tensors, self.metadata, self.settings = reader, {}, {}, {}
        self.items = combine(reader.items, first=True)
        self.is_channels_first = reader.axes[reader.trace.input][-2:] == ("C", "T")
        if not any(item.arrays for item in self.items):
            raise Problem("found no layer with weights, wanted at least one")
        self.mixers = [item for item in every(self.items) if item.kind == "mixer"]
        self.check_mixers()
        if self.is_language_model():
            self.write_language_model()
        else:
            writer = Writer()
            self.order = ",".join(writer.texts(self.items, True))
            self.tensors, self.metadata["order"] = writer.tensors, self.order
            self.metadata["norm_eps"] = "1e-05"  # no norm takes it: each has an eps of its own in the order
        if any(item.layer.component == "Mamba3Block" for item in self.mixers):
            self.metadata["A_formula"] = "heavy_tail"
        self.metadata |= {name: setting_text(value) for name, value in self.settings.items()}

    # Mixers.

    def check_mixers(self):
        """Determines the dims of the mixers. Their settings are metadata of the file, so all mixers must have the same."""
        for item in self.mixers:
            settings = settings_of(item)
            for name, value in settings.items():
                if self.settings.setdefault(name, value) != value:
                    wanted = f"{self.settings[name]}, as in the mixers before it"
                    raise Problem(f"{item.name()}: found {name} {value}, wanted {wanted}")
            tensors = {name: Tensor("F32", one.shape, b"") for name, one in item.arrays.items()}
            item.layer = mamba_layer(Group(item.path, tensors), settings)

    # Language models.

    def is_language_model(self):
        """Returns whether the layers are those of krait::Mamba."""
        if len(self.items) < 4 or self.items[0].kind != "embedding" or self.items[-1].kind != "linear":
            return False
        *blocks, norm, head = self.items[1:]
        kinds = {tuple(part.kind for part in block.parts) for block in blocks}
        if len(kinds) != 1 or next(iter(kinds)) != (norm.kind, "mixer") or norm.kind not in ("rms_norm", "layer_norm"):
            return False
        norms = [norm, *(block.parts[0] for block in blocks)]
        layers = [block.parts[1].layer for block in blocks]
        return (
            len({one.numbers["eps"] for one in norms}) == 1
            and len({tuple(one.arrays) for one in norms}) == 1
            and all((one.component, one.dims) == (layers[0].component, layers[0].dims) for one in layers)
            and "bias" not in head.arrays
            and head.arrays["weight"].shape == self.items[0].arrays["weight"].shape
        )

    def write_language_model(self):
        embedding, *blocks, norm, head = self.items
        self.tensors["backbone.embedding.weight"] = tensor_of(embedding.arrays["weight"])
        parts = {"norm_f": norm}
        for at, block in enumerate(blocks):
            parts |= {f"layers.{at}.norm": block.parts[0], f"layers.{at}.mixer": block.parts[1]}
        for name, part in parts.items():
            self.tensors |= {f"backbone.{name}.{key}": tensor_of(one) for key, one in part.arrays.items()}
        tied = np.array_equal(head.arrays["weight"], embedding.arrays["weight"])
        if not tied:
            self.tensors["lm_head.weight"] = tensor_of(head.arrays["weight"])
        mixer = blocks[0].parts[1].layer
        component = BLOCKS[block_of(mixer.component, mixer.dims)]
        self.metadata |= {"component": component, "norm": norm.kind, "norm_eps": repr(norm.numbers["eps"])}
        self.metadata["tied"] = str(tied).lower()
        self.order = f"a language model: {component}, {len(blocks)} layers, {'tied' if tied else 'untied'} head"

    # Proof.

    def inputs(self, x):
        """Returns an input of the module as Krait takes it: [tokens or frames, channels], perhaps with an axis of the batch."""
        x = x.detach().cpu().numpy()
        return np.swapaxes(x, -1, -2) if self.is_channels_first else x

    def prove(self, file, examples, tolerance, options):
        from .runtime import open_model

        model = open_model(file, **options)
        for at, (where, x, y) in enumerate(examples):
            y = y.detach().cpu().double().numpy()
            found = model.outputs(self.inputs(x)).astype(np.float64)
            wanted = self.as_rows(y, found)
            self.compare(found, wanted, tolerance, where, at, options)

    def as_rows(self, y, found):
        """Returns the module's outputs y with the axes of `found`, Krait's outputs."""
        from .runtime import with_axes

        axes = self.reader.axes[self.reader.trace.output]
        return with_axes(np.swapaxes(y, -1, -2) if axes[-2:] == ("C", "T") else y, found)

    def compare(self, found, wanted, tolerance, where, at, options):
        if found.shape != wanted.shape:
            raise Problem(f"{where}: found outputs {list(found.shape)} of Krait, wanted the module's {list(wanted.shape)}")
        largest = np.abs(wanted).max(initial=0.0)
        if not np.isfinite(wanted).all() or largest == 0:
            raise Problem(f"{where}: found {'only zeros' if largest == 0 else 'NaN or infinity'} in the module's outputs")
        error = difference(found, wanted)
        if not error[0] <= tolerance:
            if at == 0:
                self.find_layer(tolerance, options)
            raise Problem(f"{where}: {error_text(error, found, wanted)}, wanted at most {tolerance:g}; {self.order}")

    def find_layer(self, tolerance, options):
        """Compares each layer alone with the module's, on the module's own numbers, and names the first that differs."""
        from .runtime import open_model

        for item in every(self.items):
            if item.kind in ("activation", "pool", "embedding", "positional"):
                continue
            writer = Writer()
            metadata = {name: setting_text(value) for name, value in self.settings.items()}
            metadata |= {"A_formula": "heavy_tail", "order": ",".join(writer.texts([item], True))}
            x, y = item.input.value, item.output.value
            with tempfile.TemporaryDirectory(prefix="krait_export_") as folder:
                file = pathlib.Path(folder) / "layer.safetensors"
                safetensors_file.write(file, writer.tensors, metadata)
                model = open_model(file, **options)
                swap = self.reader.axes[item.input][-2:] == ("C", "T")
                x, y = (np.swapaxes(one.cpu().numpy(), -1, -2) if swap else one.cpu().numpy() for one in (x, y))
                found = model.outputs(x).astype(np.float64)
            if found.shape == y.shape and not difference(found, y)[0] <= tolerance:
                raise Problem(
                    f"{item.name()}: differs from Krait's {item.kind}: {error_text(difference(found, y), found, y)}, "
                    f"wanted at most {tolerance:g}"
                )


def difference(found, wanted):
    """Returns (the largest error relative to the largest wanted number, the index of this error)."""
    errors = np.nan_to_num(np.abs(found - wanted), nan=np.inf)
    at = np.unravel_index(np.argmax(errors), errors.shape)
    return errors[at] / np.abs(wanted).max(), at


def error_text(error, found, wanted):
    largest, at = error
    return (
        f"found {found[at]:.9g} at {[int(one) for one in at]}, where the module has {wanted[at]:.9g}, an error of "
        f"{largest:.2g} of the largest number"
    )


def every(items):
    """Yields the layers in `items`; in the place of a residual connection, yields the layers within it."""
    for item in items:
        if item.parts:
            yield from every(item.parts)
        else:
            yield item


def tensor_of(numbers):
    return Tensor("F32", numbers.shape, np.ascontiguousarray(numbers, "<f4").tobytes())


def setting_text(value):
    return f"{value[0]},{value[1]}" if isinstance(value, tuple) else str(value)


def settings_of(item):
    """Returns {name: value} of the settings that the shapes of a mixer's parameters do not determine, from the attributes of
    its module."""
    module, arrays, found = item.numbers["module"], item.arrays, {}

    def attribute(*names):
        return next((getattr(module, name) for name in names if getattr(module, name, None) is not None), None)

    activation = attribute("activation", "act", "hidden_act")
    name = activation if isinstance(activation, str) else type(activation).__name__ if activation is not None else "silu"
    if name.lower() not in ("silu", "swish", "siluactivation", "function", "builtin_function_or_method"):
        raise Problem(f"{item.name()}: found the activation {name}, wanted SiLU")
    if "B_bias" in arrays:
        found["A_floor"] = float(attribute("A_floor") or 1e-4)
        if attribute("rope_fraction") is not None:
            found["rope_fraction"] = float(module.rope_fraction)
        found["mixer_norm_eps"] = norm_eps(attribute("B_norm"))
    elif arrays["A_log"].ndim == 1:
        limit = attribute("time_step_limit", "dt_limit")
        found["ngroups"] = int(attribute("n_groups", "ngroups") or 1)
        found["dt_limit"] = tuple(float(one) for one in limit) if limit is not None else (0.0, float("inf"))
        found["norm_before_gate"] = bool(attribute("norm_before_gate") or getattr(attribute("norm"), "norm_before_gate", False))
        found["mixer_norm_eps"] = norm_eps(attribute("norm"))
    elif isinstance(attribute("rms_eps", "mixer_rms_eps"), float):
        found["dt_b_c_eps"] = attribute("rms_eps", "mixer_rms_eps")
    return {name: value for name, value in found.items() if value is not None}


def norm_eps(norm):
    found = [getattr(norm, name) for name in ("eps", "variance_epsilon") if isinstance(getattr(norm, name, None), float)]
    return found[0] if found else None


# Combining layers.


def combine(items, first=False, pooled=False):
    """Returns a module's items as Krait's layers: paddings and cuts become part of the neighbouring convolution, scales and
    shifts are folded into a neighbour or become a Conv1d of one tap, and a convolution of one tap becomes a Linear."""
    found = []
    for item in items:
        if item.kind == "residual":
            item.parts = combine(item.parts)
        if item.kind == "cut":
            cut(item, found)
        elif item.kind == "pool" and item.numbers.get("times", 1) != 1:
            times = item.numbers.pop("times")
            found += [item, times_affine(item, float(times))]
        else:
            found.append(item)
    found = with_padding(found)
    found = [as_linear(item) for item in found]
    found = fold_affines(found)
    for at, item in enumerate(found):
        if item.kind == "conv1d":
            check_convolution(item, first and at == 0)
    pools = [at for at, item in enumerate(found) if item.kind == "pool"]
    for item in found[pools[0] + 1 :] if pools else []:
        over_tokens = [one for one in every([item]) if one.kind in ("pool", "mixer", "conv1d", "positional")]
        if over_tokens:
            raise Problem(f"{over_tokens[0].name()}: found a layer over tokens after pooling, wanted it before")
    return found


def times_affine(item, factor):
    """Returns an item that multiplies the output of `item`, the mean over all tokens, by `factor`, which gives their sum."""
    made, width = copy.copy(item), item.node.value.shape[-1]
    made.kind, made.numbers, made.input = "affine", {}, item.output
    made.arrays = {"scale": np.full(width, factor), "shift": np.zeros(width)}
    return made


def cut(item, found):
    """Makes a cut of the last tokens part of the convolution in `found` that gives more outputs than there are tokens: reduces
    its padding after the tokens."""
    for before in reversed(found):
        if before.kind == "conv1d":
            before.numbers["right"] -= item.numbers["count"] * before.numbers["stride"]
            return
        if before.kind == "pool":
            break
    count = item.numbers["count"]
    raise Problem(f"{item.name()}: found a cut of the last {count} tokens, wanted one after a Conv1d with padding")


def with_padding(items):
    found, pad = [], None
    for item in items:
        if item.kind == "pad":
            if pad is not None:
                item.numbers = {key: item.numbers[key] + pad.numbers[key] for key in ("left", "right")}
            pad = item
            continue
        if pad is not None and item.kind != "conv1d":
            break
        if pad is not None:
            item.numbers |= {key: item.numbers[key] + pad.numbers[key] for key in ("left", "right")}
            item.input, pad = pad.input, None
        found.append(item)
    if pad is not None:
        raise Problem(f"{pad.name()}: found padding of the tokens, wanted a Conv1d after it")
    return found


def as_linear(item):
    """Returns the item, as a Linear if it is a convolution of one tap."""
    if item.kind == "conv1d" and item.arrays["weight"].shape[2] == 1 and not item.numbers["depthwise"]:
        if (item.numbers["stride"], item.numbers["left"], item.numbers["right"]) == (1, 0, 0):
            item.kind, item.arrays["weight"] = "linear", item.arrays["weight"][..., 0]
    return item


def check_convolution(item, is_first):
    """Raises Problem for a convolution that Krait cannot compute. Makes a depthwise convolution dense if Krait can compute it
    only as a StridedConv1d, which has no groups."""
    numbers, kernel = item.numbers, item.arrays["weight"].shape[2]
    is_causal = (numbers["stride"], numbers["left"], numbers["right"]) == (1, kernel - 1, 0)
    if numbers["depthwise"] and not is_causal and is_first:
        from .reading import dense

        item.arrays["weight"] = dense(item.arrays["weight"], len(item.arrays["weight"]))
        numbers["depthwise"] = False
    found = f"stride {numbers['stride']}, {numbers['left']} zeros before the tokens and {numbers['right']} after them"
    if not is_first and not is_causal:
        raise Problem(
            f"{item.name()}: found a Conv1d of {kernel} taps with {found}, wanted stride 1, {kernel - 1} zeros before the "
            "tokens and none after them, as in every Conv1d but the first layer: a stream does not know later tokens"
        )
    if numbers["left"] < 0:
        raise Problem(f"{item.name()}: found a Conv1d of {kernel} taps with {found}, wanted no cut before the tokens")


def fold_affines(items):
    """Returns the items with each scale and shift folded into a neighbouring layer, if possible."""
    items, at = list(items), 0
    while at < len(items):
        item = items[at]
        if item.kind != "affine":
            at += 1
            continue
        scale, shift = item.arrays["scale"], item.arrays["shift"]
        before, after = (items[one] if 0 <= one < len(items) else None for one in (at - 1, at + 1))
        if (scale == 1).all() and (shift == 0).all():
            del items[at]
        elif after is not None and after.kind == "affine":
            factor, offset = after.arrays["scale"], after.arrays["shift"]
            after.arrays, after.input = {"scale": scale * factor, "shift": shift * factor + offset}, item.input
            del items[at]
        elif before is not None and before.kind in ("linear", "conv1d", "rms_norm", "layer_norm"):
            width = [len(scale)] + [1] * (before.arrays["weight"].ndim - 1)
            before.arrays["weight"] = before.arrays["weight"] * scale.reshape(width)
            if "bias" in before.arrays or (shift != 0).any():
                before.arrays["bias"] = before.arrays.get("bias", 0) * scale + shift
            before.output = item.output
            del items[at]
        elif before is not None and before.kind == "embedding":
            before.arrays["weight"] = before.arrays["weight"] * scale + shift
            before.output = item.output
            del items[at]
        elif after is not None and (after.kind == "linear" or after.kind == "conv1d" and is_foldable(after, shift)):
            fold_before(after, scale, shift)
            after.input = item.input
            del items[at]
        elif any(one.kind == "pool" for one in items[:at]):
            item.kind, item.arrays = "linear", {"weight": np.diag(scale), "bias": shift}
            at += 1
        else:
            item.kind, item.arrays = "conv1d", {"weight": scale[:, None, None], "bias": shift}
            item.numbers = {"stride": 1, "left": 0, "right": 0, "depthwise": True}
            at += 1
    return items


def is_foldable(item, shift):
    """Returns whether a shift before the convolution `item` may be folded into it. It may not if zeros pad the tokens, because
    these zeros are not shifted."""
    return not (shift != 0).any() or (item.numbers["left"] <= 0 and item.numbers["right"] <= 0)


def fold_before(item, scale, shift):
    """Folds a scale and shift of the inputs of `item`, a Linear or Conv1d, into its weight and bias."""
    weight = item.arrays["weight"]
    axes = [1, len(scale)] + [1] * (weight.ndim - 2)
    if item.kind == "conv1d" and item.numbers["depthwise"]:
        axes = [len(scale), 1, 1]
        bias = weight.sum((1, 2)) * shift
    else:
        bias = (weight.sum(2) if weight.ndim == 3 else weight) @ shift
    item.arrays["weight"] = weight * scale.reshape(axes)
    if "bias" in item.arrays or (shift != 0).any():
        item.arrays["bias"] = item.arrays.get("bias", 0) + bias


# Named arrays.


def export_arrays(arrays, example, path, outputs, order, tolerance, options):
    """Writes named arrays, with Flax's names and shapes as PyTorch's, and compares Krait's outputs with `outputs`."""
    from . import command
    from .runtime import open_model

    if outputs is None:
        raise TypeError("found no outputs, wanted outputs=, those of the model for the example: named arrays compute nothing")
    tensors = {}
    for name, one in flat(arrays, ""):
        numbers = np.asarray(one, np.float64)
        if name.endswith("kernel"):  # Flax: [inputs, outputs] of Dense, [taps, inputs, outputs] of Conv
            numbers = numbers.transpose(range(numbers.ndim)[::-1])
        name = re.sub(r"(^|\.)(kernel|scale|embedding)$", r"\1weight", name)
        tensors[name] = tensor_of(numbers)
    metadata = {"proved_within": f"{tolerance:g}"} | ({} if order is None else {"order": order})
    given = command.options_of(command.add_model_options, pathlib.Path("named arrays"), options)
    stated = "ngroups dt_limit norm_before_gate mixer_norm_eps A_floor norm_eps A_formula".split()
    metadata |= {name: setting_text(getattr(given, name)) for name in stated if getattr(given, name) is not None}
    with tempfile.TemporaryDirectory(prefix="krait_export_") as folder:
        file = pathlib.Path(folder) / "model.safetensors"
        safetensors_file.write(file, tensors, metadata)
        model = open_model(file, **options)
        model.check(np.asarray(outputs), np.asarray(example), tolerance)
    packing.write_all({pathlib.Path(path): b"".join(safetensors_file.encode(tensors, metadata))})
    return order or model.structure.describe()


def flat(arrays, prefix):
    """Yields the names and arrays of nested dicts and lists."""
    for name, one in arrays.items() if isinstance(arrays, dict) else enumerate(arrays):
        if isinstance(one, (dict, list, tuple)):
            yield from flat(one, f"{prefix}{name}.")
        elif one is not None:
            yield f"{prefix}{name}", one
