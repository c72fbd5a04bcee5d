"""Compiles a checkpoint's model for this machine and runs it on NumPy arrays, with the bits of the C++ API."""

import contextlib
import ctypes
import io
import math
import pathlib
import tempfile
import threading

import numpy as np

from . import command, packing, safetensors_file
from .check import TOLERANCES
from .compiler import compiled_library
from .safetensors_file import Problem, naming

ALIGNMENT = 64  # the alignment in bytes of the memory for models and states, at least alignof of their C++ types
MESSAGE_ROOM = 512


def load(path, storage="f32", **options):
    """Returns the model of a checkpoint, with weights stored as `storage`: f32, bf16, f16 or int8.

    The first call for a structure compiles a library, which takes some seconds; later calls take it from the cache, the folder
    $KRAIT_CACHE or ~/.cache/krait. `options` are those of the command krait pack: order="proj,layers,mean,head",
    ignore=["extra*"], norm_eps=1e-6, compiler="clang++" and others. Raises krait.Problem.

    If the model starts with a Conv1d, a token consists of `stride` frames, one after the other (model.notes). PyTorch also pads
    the end of the sequence, so step and prefill give PyTorch's last outputs only after model.trailing_tokens tokens of zeros;
    model.outputs and model.check add them."""
    with naming(path):
        return open_model(path, storage, **options)


def open_model(path, storage="f32", **options):
    """Returns the same as load. Messages do not contain the path."""
    if "type" in options:
        raise TypeError("found the argument 'type', wanted storage, which is the name of krait pack's --type in krait.load")
    given = command.options_of(command.add_model_options, pathlib.Path(path), options)
    if storage not in packing.STORAGES:
        raise Problem(f"storage: found {storage!r}, wanted {command.one_of(packing.STORAGES, storage)}")
    command.check_model_options(given)
    return Model(packing.open_model(given), storage, given)


class Sizes(ctypes.Structure):
    """The C++ struct Sizes of runtime.hpp: the model's dims, sizes in bytes, and properties."""

    _fields_ = [
        (name, ctypes.c_uint64)
        for name in "takes_ids d_in d_out vocab_size model_bytes state_bytes snapshot_bytes warm_up pools".split()
    ]


def source_of(structure, storage):
    """Returns the C++ source of the shared library that runs a model with weights of the given storage type."""
    return f"""#include "pack.hpp"

{packing.packed_template(structure)}
using Model = Packed<krait::Storage::{storage}>::Model;

#include "runtime.hpp"
"""


def aligned(size):
    """Returns an array of bytes whose address is a multiple of ALIGNMENT."""
    memory = np.zeros(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]


def floats(array, name, shape):
    """Returns an array as float32 in row-major order. Raises TypeError for a dtype that is neither a float nor
    an integer of at most 32 bits, and ValueError for another shape than `shape`, in which None stands for any length. Messages
    name the array `name`."""
    array = np.asarray(array)
    if array.dtype.kind not in "fiu" or (array.dtype.kind != "f" and array.dtype.itemsize > 4):
        raise TypeError(f"{name}: found dtype {array.dtype}, wanted float32")
    check_shape(array, name, shape)
    return np.ascontiguousarray(array, np.float32)


def integers(array, name, shape, vocab_size):
    """Returns an array of token ids as int64. Raises TypeError if they are no integers, and ValueError for another shape than
    `shape`, as floats() does, or for an id outside the vocabulary."""
    array = np.asarray(array)
    if array.dtype.kind not in "iu" and array.size > 0:
        raise TypeError(f"{name}: found dtype {array.dtype}, wanted integers: the model takes token ids")
    check_shape(array, name, shape)
    outside = array[(array < 0) | (array >= (vocab_size or np.inf))]
    if outside.size > 0:
        wanted = f"0 to {vocab_size - 1}" if vocab_size else "0 or more"
        raise ValueError(f"{name}: found the token id {outside[0]}, wanted {wanted}")
    return np.ascontiguousarray(array, np.int64)


def check_shape(array, name, shape):
    if array.ndim != len(shape) or any(wanted not in (None, found) for found, wanted in zip(array.shape, shape)):
        text = ", ".join("tokens" if extent is None else str(extent) for extent in shape)
        raise ValueError(f"{name}: found shape {list(array.shape)}, wanted [{text}]")


class State:
    """The state of one sequence; model.state() returns the state of a new sequence. Only one thread at a time may use a state:
    a call with a state that another thread is using raises RuntimeError."""

    def __init__(self, model):
        self.model, self._memory, self._in_use = model, aligned(model.state_bytes), threading.Lock()
        model._library.krait_start(self._address)

    @property
    def _address(self):
        return self._memory.ctypes.data

    @contextlib.contextmanager
    def _locked(self):
        if not self._in_use.acquire(blocking=False):
            raise RuntimeError("a state is in use: another thread uses it, or it is twice in a list of states")
        try:
            yield
        finally:
            self._in_use.release()

    def copy(self):
        """Returns a state that continues the same sequence independently."""
        other = State(self.model)
        with self._locked():
            other._memory[:] = self._memory
        return other

    __copy__ = copy

    def __deepcopy__(self, memo):
        return self.copy()

    def save(self):
        """Returns a snapshot of the state, with the same bytes as krait::save_state. A board with the same model can restore
        it."""
        content = aligned(self.model._sizes.snapshot_bytes)
        with self._locked():
            self.model._library.krait_save_state(self._address, self.model.fingerprint, content.ctypes.data)
        return content.tobytes()

    def restore(self, snapshot):
        """Continues from a snapshot of this model. For any other bytes, raises krait.Problem and leaves the state
        unchanged."""
        content, message = np.frombuffer(snapshot, np.uint8), ctypes.create_string_buffer(MESSAGE_ROOM)
        with self._locked():
            if not self.model._library.krait_restore_state(
                content.ctypes.data, content.size, self.model.fingerprint, self._address, message, MESSAGE_ROOM
            ):
                raise Problem(message.value.decode())

    def reset(self):
        """Starts a new sequence."""
        with self._locked():
            self.model._library.krait_start(self._address)

    def is_finite(self):
        """Returns False if a number of the state is NaN or infinite."""
        with self._locked():
            return self.model._library.krait_is_finite(self._address)

    def __reduce__(self):
        raise TypeError("a krait State cannot be pickled: pickle state.save(), and call restore")


class Model:
    """A model that runs on NumPy arrays.

      state = model.state()               starts a sequence
      y = model.step(state, x)            processes one token: an id, or d_in floats; returns d_out floats
      ys = model.prefill(state, xs)       processes tokens; returns an output for each
      ys = model.forward(xs)              the same for a fresh state
      model.score(ids)                    log-probabilities, for a language model
      model.step([state, other], xs)      one token for each of several sequences

    Outputs are equal to the bit to those of krait::step and krait::prefill on this machine and on boards. A model is constant:
    threads may share it, and calls release Python's global lock. A state keeps its model alive."""

    def __init__(self, structure, storage, options):
        self.structure, self.storage, self._sizes = structure, storage, Sizes()
        library = compiled_library(source_of(structure, storage), options.compiler, options.include)
        for name, result, arguments in FUNCTIONS:
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        self._library = library
        library.krait_sizes(ctypes.byref(self._sizes))
        self._memory, message = aligned(self._sizes.model_bytes), ctypes.create_string_buffer(MESSAGE_ROOM)
        with tempfile.TemporaryDirectory(prefix="krait_load_") as folder:
            tensors = pathlib.Path(folder) / "model.safetensors"
            safetensors_file.write(tensors, structure.tensors)
            if not library.krait_load(bytes(tensors), self._address, message, MESSAGE_ROOM):
                raise Problem(message.value.decode().replace(str(tensors), "the checkpoint"))
        self.fingerprint = library.krait_fingerprint(self._address)

    @property
    def _address(self):
        return self._memory.ctypes.data

    @property
    def d_in(self):
        """The number of floats of a token, or None if tokens are ids."""
        return None if self._sizes.takes_ids else self._sizes.d_in

    @property
    def d_out(self):
        return self._sizes.d_out

    @property
    def vocab_size(self):
        """The number of tokens of a language model, or None for other models."""
        return self._sizes.vocab_size or None

    @property
    def flash_bytes(self):
        return self._sizes.model_bytes

    @property
    def state_bytes(self):
        return self._sizes.state_bytes

    @property
    def warm_up(self):
        """The number of tokens at the start of a sequence whose outputs are zeros."""
        return self._sizes.warm_up

    @property
    def trailing_tokens(self):
        """The number of tokens of zeros that must follow a sequence of whole tokens to get PyTorch's last outputs, which read
        the padding of a Conv1d after the sequence. 0 for models without such a padding."""
        return self.structure.trailing_tokens()

    @property
    def pools(self):
        """Whether the output is one vector for all tokens so far, as of a classifier."""
        return bool(self._sizes.pools)

    @property
    def notes(self):
        """The assumptions that krait.load made about the checkpoint."""
        return list(dict.fromkeys(self.structure.notes))

    def __repr__(self):
        inputs = "token ids" if self.d_in is None else f"{self.d_in} floats"
        return f"<krait.Model: {inputs} to {self.d_out} floats, {self.storage}, {self.flash_bytes:,} bytes of weights>"

    def __reduce__(self):
        raise TypeError("a krait Model cannot be pickled: call krait.load in each process; the library is cached")

    def state(self):
        """Returns the state of a new sequence."""
        return State(self)

    def _tokens(self, xs, *shape):
        if self.d_in is None:
            return integers(xs, "x", shape, self.vocab_size)
        return floats(xs, "x", (*shape, self.d_in))

    def _check_states(self, states):
        for state in states:
            if not isinstance(state, State):
                raise TypeError(f"state: found {type(state).__name__}, wanted a state of model.state(), or a list of states")
            if state.model is not self and state.model.fingerprint != self.fingerprint:
                raise ValueError("state: found a state of another model")

    def step(self, state, x):
        """Processes one token x of a sequence, an id or d_in floats, and returns d_out floats. For a list of n states, x has n
        tokens, and the outputs are [n, d_out]. Allocates the scratch memory of the call."""
        single = isinstance(state, State)
        states = [state] if single else list(state)
        self._check_states(states)
        n = len(states)
        xs = self._tokens(x, *(() if single else (n,)))
        ys = np.empty((n, self.d_out), np.float32)
        if n > 0:
            addresses = (ctypes.c_void_p * n)(*(one._address for one in states))
            with contextlib.ExitStack() as locks:
                for one in states:
                    locks.enter_context(one._locked())
                self._library.krait_step(self._address, addresses, n, xs.ctypes.data, ys.ctypes.data)
        return ys[0] if single else ys

    def prefill(self, state, xs, last=False):
        """Processes the tokens xs of a sequence, [tokens] ids or [tokens, d_in] floats. Returns an output for each token
        [tokens, d_out] or, with last=True, that of the last token [d_out]."""
        self._check_states([state])
        xs = self._tokens(xs, None)
        if last and len(xs) == 0:
            raise ValueError("x: found no tokens, wanted at least one for an output")
        ys = np.empty((self.d_out,) if last else (len(xs), self.d_out), np.float32)
        run = self._library.krait_prefill_last if last else self._library.krait_prefill
        with state._locked():
            run(self._address, state._address, len(xs), xs.ctypes.data, ys.ctypes.data)
        return ys

    def forward(self, xs, last=False):
        """Processes a whole sequence from a fresh state, as prefill does."""
        return self.prefill(self.state(), xs, last)

    def score(self, ids):
        """Returns the log-probabilities [tokens - 1] of the tokens ids[1:], each after the tokens before it. For a model that
        takes ids and outputs logits."""
        if self.d_in is not None or self.pools:
            raise TypeError("score: found a model whose outputs are not the logits of a language model")
        ids = integers(ids, "ids", (None,), self.d_out)
        scores = np.empty(max(0, len(ids) - 1), np.float32)
        self._library.krait_score(self._address, len(ids), ids.ctypes.data, scores.ctypes.data)
        return scores

    def outputs(self, x):
        """Returns the outputs of whole sequences as PyTorch's model gives them. x is [tokens] ids or [tokens, d_in] floats, or
        [frames, channels] for a model that starts with a Conv1d, and may have an axis for the batch before these. Tokens
        without an output are left out; a model that pools has one output for a sequence."""
        x = np.asarray(x)
        one = 1 if self.d_in is None else 2
        if x.ndim not in (one, one + 1):
            raise ValueError(f"x: found shape {list(x.shape)}, wanted {one} axes, or {one + 1} with one for the batch")
        if x.ndim > one and len(x) == 0:
            raise ValueError(f"x: found shape {list(x.shape)}, wanted at least one sequence")
        found = [self._outputs_of_one(sequence) for sequence in (x[None] if x.ndim == one else x)]
        return found[0] if x.ndim == one else np.stack(found)

    def _outputs_of_one(self, x):
        convolution = self.structure.layers[0].convolution
        channels = self.structure.layers[0].dims.get("channels")
        if convolution is not None and x.shape[1] == channels:
            used = convolution.tokens(len(x)) * convolution.stride
            padded = np.zeros((max(used, len(x)), channels), np.float32)
            padded[: len(x)] = floats(x, "x", (None, channels))
            x = padded[:used].reshape(-1, convolution.stride * channels)
        return self.forward(x, last=True) if self.pools else self.forward(x)[self.warm_up :]

    def check(self, reference, x, tolerance=None):
        """Compares the outputs for x with those of a PyTorch module, or with an array of its outputs. Returns the largest
        error, relative to the largest output. Raises krait.Problem if this error is above the tolerance (by default f32 1e-4,
        f16 1e-2, bf16 and int8 5e-2)."""
        if callable(reference) and not hasattr(reference, "modules"):
            raise TypeError(f"reference: found {type(reference).__name__}, wanted an nn.Module or its outputs")
        wanted = np.asarray(module_outputs(reference, x) if callable(reference) else reference, np.float64)
        x = x.detach().cpu().numpy() if hasattr(x, "detach") else np.asarray(x)
        channels = self.structure.layers[0].dims.get("channels")
        if channels is not None and x.ndim > 1 and x.shape[-1] != channels == x.shape[-2]:
            x = np.swapaxes(x, -1, -2)  # as nn.Conv1d takes it
        found = self.outputs(x)
        wanted = with_axes(wanted, found)
        if wanted.ndim == found.ndim > 1 and wanted.shape[-2] < found.shape[-2] and self.structure.layers[0].convolution:
            found = found[..., : wanted.shape[-2], :]
        if wanted.shape != found.shape:
            raise Problem(f"check: found outputs {list(found.shape)}, wanted the reference's shape {list(wanted.shape)}")
        largest = float(np.abs(wanted).max(initial=0))
        if not math.isfinite(largest) or largest == 0:
            found = "only zeros" if largest == 0 else "NaN or infinity"
            raise Problem(f"check: found {found} in the reference, wanted finite numbers that are not all 0")
        errors = np.abs(found - wanted)
        error, limit = float(errors.max()) / largest, TOLERANCES[self.storage] if tolerance is None else tolerance
        if not error <= limit:
            at = np.unravel_index(np.argmax(np.nan_to_num(errors, nan=np.inf)), errors.shape)
            raise Problem(
                f"check with {self.storage} weights: found an error of {error:.2g} of the largest output, wanted at most "
                f"{limit:g}: output {[int(i) for i in at]} is {found[at]:.9g}, the reference's {wanted[at]:.9g}"
            )
        return error


def with_axes(wanted, found):
    """Returns a module's outputs with the axes of `found`, Krait's outputs: the module may add or leave out axes of one
    element, and may give [channels, tokens], as nn.Conv1d does. Other shapes are returned unchanged."""
    for one in (wanted, np.swapaxes(wanted, -1, -2) if wanted.ndim > 1 else wanted):
        if [extent for extent in one.shape if extent != 1] == [extent for extent in found.shape if extent != 1]:
            return one.reshape(found.shape)
    return wanted


def module_outputs(module, x):
    """Runs a PyTorch module on x in evaluation mode, and returns its outputs as an array. Floats in x are converted to the
    dtype of the module's parameters, because NumPy's floats are float64 by default."""
    import torch

    from .trace import output_tensor

    modes = [(one, one.training) for one in module.modules()]
    try:
        module.eval()
        with torch.no_grad():
            x, dtypes = torch.as_tensor(x), [one.dtype for one in module.parameters() if one.is_floating_point()]
            y = module(x.to(dtypes[0]) if x.is_floating_point() and dtypes else x)
    finally:
        for one, mode in modes:
            one.training = mode
    return output_tensor(y).detach().cpu().to(torch.float64).numpy()


def read_inputs(path):
    """Returns the array of a .npy file, or the tensor x of a safetensors file."""
    if path.suffix == ".npy":
        try:
            return np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise Problem(f"{path}: {error}") from None
    tensors, _ = safetensors_file.read(path)
    if "x" not in tensors:
        raise Problem(f"{path}: found {', '.join(tensors) or 'no tensors'}, wanted a tensor x")
    dtype = np.int64 if tensors["x"].dtype.lstrip("U").startswith("I") else np.float32
    return np.array(tensors["x"].numbers("x"), dtype).reshape(tensors["x"].shape)


def run(options, say):
    """Runs the model of a checkpoint on the inputs of a file, for the command krait run."""
    if options.output is not None and options.output.suffix not in (".npy", ".safetensors"):
        raise Problem(f"--output: found {options.output.name}, wanted a file .npy or .safetensors")
    x = read_inputs(options.inputs)
    model = Model(packing.open_model(options), options.type, options)
    for note in model.notes:
        say(note)
    try:
        y = model.outputs(x)
    except (TypeError, ValueError) as error:
        raise Problem(f"{options.inputs}: {error}") from None
    say(f"outputs {list(y.shape)}; the last: {' '.join(f'{one:.6g}' for one in y.reshape(-1, y.shape[-1])[-1])}")
    if options.output is not None:
        content = io.BytesIO()
        if options.output.suffix == ".npy":
            np.save(content, y)
        else:
            content.writelines(safetensors_file.encode({"y": safetensors_file.Tensor("F32", y.shape, y.tobytes())}))
        packing.write_all({options.output: content.getvalue()})
        say(f"{options.output}: {content.tell():,} bytes")


_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_size_t
FUNCTIONS = [
    ("krait_sizes", None, [_POINTER]),
    ("krait_load", ctypes.c_bool, [ctypes.c_char_p, _POINTER, ctypes.c_char_p, _SIZE]),
    ("krait_fingerprint", ctypes.c_uint32, [_POINTER]),
    ("krait_start", None, [_POINTER]),
    ("krait_step", None, [_POINTER, _POINTER, _SIZE, _POINTER, _POINTER]),
    ("krait_prefill", None, [_POINTER, _POINTER, _SIZE, _POINTER, _POINTER]),
    ("krait_prefill_last", None, [_POINTER, _POINTER, _SIZE, _POINTER, _POINTER]),
    ("krait_score", None, [_POINTER, _SIZE, _POINTER, _POINTER]),
    ("krait_save_state", None, [_POINTER, ctypes.c_uint32, _POINTER]),
    ("krait_restore_state", ctypes.c_bool, [_POINTER, _SIZE, ctypes.c_uint32, _POINTER, ctypes.c_char_p, _SIZE]),
    ("krait_is_finite", ctypes.c_bool, [_POINTER]),
]
