"""Implements krait pack --check, which compares the outputs of the packed model with those that PyTorch computed."""

import array
import math

from . import safetensors_file
from .safetensors_file import Problem, Tensor, printable

# The largest errors that are accepted by default, relative to the largest |y|. The limit for f32 detects wrong structures; the
# other limits only bound the rounding of weights.
TOLERANCES = {"f32": 1e-4, "bf16": 5e-2, "f16": 1e-2, "int8": 5e-2}


class Expected:
    """The inputs x of a model and PyTorch's outputs y for them, as --check reads them from a file. x has the shape [tokens,
    d_in], or [tokens] for token ids, and may have a batch axis before these axes. If the first layer is a StridedConv1d, x may
    also have the shape [frames, channels], and y may lack the last outputs."""

    def __init__(self, path, model):
        try:
            tensors, _ = safetensors_file.read(path)
        except Problem as problem:
            raise Problem(f"--check {path}: {problem}") from None
        lacking = [name for name in ("x", "y") if name not in tensors]
        if lacking:
            raise Problem(
                f"--check {path}: found {', '.join(tensors) or 'no tensors'}, wanted x and y: {lacking[0]} is missing"
            )
        x, y = tensors["x"], tensors["y"]
        first, last = model.layers[0], model.layers[-1]
        self.pools = any(layer.pools for layer in model.layers)
        takes_ids = first.d_in is None
        shape, convolution = x.shape if takes_ids else x.shape[:-1], first.convolution
        widths = {first.d_in} if convolution is None else {first.d_in, first.dims["channels"]}
        if 0 in x.shape or len(shape) not in (1, 2) or (not takes_ids and x.shape[-1] not in widths):
            wanted = "[tokens] or [batch, tokens]"
            if not takes_ids:
                wanted = " or ".join(f"[tokens, {width}] or [batch, tokens, {width}]" for width in sorted(widths, reverse=True))
            raise Problem(f"--check {path}: x: found shape {x.shape}, wanted {wanted}")
        if takes_ids != (x.dtype in ("I64", "I32", "I16", "U8", "U16", "U32")):
            raise Problem(f"--check {path}: x: found {x.dtype}, wanted {'I64 or I32: token ids' if takes_ids else 'F32'}")
        self.d_out, self.warm_up = last.d_out, first.warm_up
        numbers = x.numbers("x")
        if convolution is not None:
            channels, sequences = first.dims["channels"], math.prod(shape[:-1])
            frames = shape[-1] * x.shape[-1] // channels
            outputs = convolution.outputs(frames)
            if not self.pools and len(y.shape) > 1:
                outputs = min(outputs, y.shape[-2])
            if outputs == 0:
                raise Problem(f"--check {path}: x: found {frames} frames, wanted enough for an output")
            used = (outputs + self.warm_up) * first.d_in  # the floats of a sequence that are read; zeros follow a shorter x
            values = list(numbers)
            parts = [values[i * frames * channels : (i + 1) * frames * channels] for i in range(sequences)]
            numbers = [one for part in parts for one in (part + [0.0] * used)[:used]]
            shape = [*shape[:-1], outputs]
            x = Tensor("F32", [*shape[:-1], outputs + self.warm_up, first.d_in], b"")
        self.length = x.shape[-1 if takes_ids else -2]
        rows = math.prod(shape[:-1] if self.pools else shape)
        if math.prod(y.shape) != rows * last.d_out or y.shape[-1:] != [last.d_out]:
            raise Problem(
                f"--check {path}: y: found shape {y.shape}, wanted {[*(shape[:-1] if self.pools else shape), last.d_out]}: an "
                f"output for {'each sequence, because the model pools' if self.pools else 'every token'}"
            )
        if takes_ids and not all(0 <= one < first.dims["vocab_size"] for one in numbers):
            raise Problem(f"--check {path}: x: found id {max(numbers)}, wanted 0 to {first.dims['vocab_size'] - 1}")
        self.inputs = array.array("i", numbers).tobytes() if takes_ids else Tensor.of_floats(x.shape, numbers).data
        self.wanted, self.path = y.numbers("y"), path
        self.largest = max(map(abs, self.wanted))
        if not all(map(math.isfinite, self.wanted)) or self.largest == 0:
            raise Problem(
                f"--check {path}: y: found {'only zeros' if self.largest == 0 else 'NaN or infinity'}, wanted finite "
                "numbers that are not all 0"
            )

    def write_inputs(self, inputs, outputs):
        """Writes the inputs x to the file `inputs`. Returns the arguments with which the packing program reads them and writes
        its outputs to the file `outputs`."""
        inputs.write_bytes(self.inputs)
        return [inputs, str(self.length), outputs]

    def compare(self, outputs, storage, tolerance, say):
        """Reads the outputs that the packing program computed, with f32 weights and with the packed weights, and compares them
        with y. Calls `say` with a line for each largest error. Raises Problem if an error is above its tolerance."""
        for kind, name in {"f32": "f32", storage: "f32" if storage == "f32" else "packed"}.items():
            limit = TOLERANCES[kind] if tolerance is None or kind != storage else tolerance
            found = array.array("f", outputs.with_suffix("." + name).read_bytes())
            skipped = self.length - 1 if self.pools else self.warm_up  # the tokens of a sequence whose outputs are not compared
            rows = [row for row in range(len(found) // self.d_out) if row % self.length >= skipped]
            found = array.array("f", (one for row in rows for one in found[row * self.d_out : (row + 1) * self.d_out]))
            errors = [abs(one - other) if math.isfinite(one) else math.inf for one, other in zip(found, self.wanted)]
            error = max(errors) / self.largest
            text = f"check with {kind} weights: largest error {error:.2g} of the largest |y|, {len(errors):,} numbers"
            if not error <= limit or len(found) != len(self.wanted):
                raise Problem(
                    f"{text}: wanted at most {limit:g}, so nothing is written",
                    (
                        "Compare order, activations, residuals, pooling and eps with the model's forward(); y is computed in "
                        "float32, in evaluation mode"
                        if kind == "f32"
                        else "The model with f32 weights agrees, so this error is that of rounded weights. Give another "
                        "--type, or a larger --tolerance if the task allows it"
                    ),
                )
            say(printable(f"{text} (tolerance {limit:g})"))
