"""Reads and writes safetensors files."""

import array
import contextlib
import difflib
import json
import math
import struct
import sys


def printable(text):
    """Returns a text in printable ASCII, where a '?' replaces each control character and each code point outside ASCII."""
    return "".join(c if " " <= c <= "~" else "?" for c in str(text))


def closest(word, words):
    """Returns the end of a message about a mistyped word: a question that contains the most similar one of `words`, which may
    end with parentheses. Returns an empty text if none is similar."""
    shown = {one.partition("(")[0].lower(): one for one in words}
    found = difflib.get_close_matches(word.partition("(")[0].lower(), shown, 1)
    return f": did you mean {shown[found[0]]!r}?" if found else ""


class Problem(Exception):
    """Raised for a rejected file or option. The arguments are the lines of the message."""

    def __str__(self):
        return "\n    ".join(map(printable, self.args))


@contextlib.contextmanager
def naming(path):
    """Puts the path of a checkpoint before the message of a Problem that the body of the with statement raises."""
    try:
        yield
    except Problem as problem:
        problem.args = (f"{path}: {problem.args[0]}", *problem.args[1:])
        raise


# The dtypes of safetensors 0.8 and the bits of an element. A file may contain other dtypes, because newer versions of the
# format may add dtypes.
DTYPE_BITS = {
    "F32": 32,
    "F16": 16,
    "BF16": 16,
    "F64": 64,
    "C64": 64,
    "BOOL": 8,
    "I8": 8,
    "U8": 8,
    "I16": 16,
    "U16": 16,
    "I32": 32,
    "U32": 32,
    "I64": 64,
    "U64": 64,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "F4": 4,
}
# The dtypes that Tensor.numbers() reads, with array's type code; halves are converted.
TYPE_CODES = {
    "F64": "d",
    "F32": "f",
    "F16": None,
    "BF16": None,
    "I64": "q",
    "U64": "Q",
    "I32": "i",
    "U32": "I",
    "I16": "h",
    "U16": "H",
    "I8": "b",
    "U8": "B",
}
HEADER_LIMIT = 100_000_000  # the largest header that the reference implementation accepts
# Files that are often passed in place of a safetensors file, by their first bytes, and the file to pass instead.
SAVE = 'a file from safetensors.torch.save_model(model, "model.safetensors")'
OTHER_FORMATS = [
    (b"PK\3\4", "a PyTorch pickle of torch.save, or another zip archive", SAVE),
    (b"\x80\2\x8a\n", "a PyTorch pickle of torch.save in the legacy format", SAVE),
    (b"GGUF", "a GGUF file", "a safetensors file"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "a safetensors file"),
]


class Tensor:
    """A tensor as a safetensors file stores it: the dtype, the shape, and little-endian bytes in row-major order."""

    def __init__(self, dtype, shape, data):
        self.dtype, self.shape, self.data = dtype, list(shape), data

    @classmethod
    def of_floats(cls, shape, values):
        values = array.array("f", values)
        if sys.byteorder == "big":
            values.byteswap()
        return cls("F32", shape, values.tobytes())

    def numbers(self, name):
        """Returns all elements of the tensor in row-major order. The message about an unsupported dtype contains `name`."""
        if self.dtype not in TYPE_CODES:
            raise Problem(
                f"{name}: dtype is not supported: found {self.dtype or 'an empty string'}, "
                f"wanted one of {', '.join(TYPE_CODES)}"
            )
        code, content = TYPE_CODES[self.dtype], bytes(self.data)
        if self.dtype == "F16":
            return list(struct.unpack(f"<{len(content) // 2}e", content))
        if self.dtype == "BF16":
            code, content = "f", b"".join(b"\0\0" + content[i : i + 2] for i in range(0, len(content), 2))
        values = array.array(code, content)
        if sys.byteorder == "big":
            values.byteswap()
        return values


def read(path):
    """Returns the tensors of a safetensors file by name, and its metadata."""
    try:
        with open(path, "rb") as stream:
            content = stream.read()
    except OSError as error:
        raise Problem(f"cannot be read: {error.strerror}") from None
    size = int.from_bytes(content[:8], "little")
    # The bytes of "PK\3\4" are also a valid header length, so the "{" that a JSON header starts with decides.
    if size > HEADER_LIMIT or content[8:9] != b"{":
        for magic, found, wanted in OTHER_FORMATS:
            if content.startswith(magic):
                raise Problem(f"not a safetensors file: found {found}, wanted {wanted}")
    if len(content) < 8:
        raise Problem(f"not a safetensors file: found {len(content)} bytes, wanted at least 8, the header's length")
    if size > len(content) - 8:
        raise Problem(
            f"not a safetensors file: its first 8 bytes are a header length of {size} bytes, "
            f"but {len(content) - 8} bytes follow"
        )
    try:
        header = json.loads(content[8 : 8 + size].decode(), object_pairs_hook=without_duplicates)
    except (ValueError, RecursionError) as error:
        raise Problem(f"not a safetensors file: its header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise Problem("not a safetensors file: its header is not an object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict):
        raise Problem("not a safetensors file: __metadata__ is not an object")
    if not all(isinstance(value, str) for value in metadata.values()):
        raise Problem("not a safetensors file: __metadata__: found a value that is no text, wanted only texts")
    data = memoryview(content)[8 + size :]
    tensors = {name: entry_tensor(name, entry, data) for name, entry in header.items()}
    check_places(header, len(data))
    return tensors, metadata


def without_duplicates(pairs):
    """Returns a JSON object as a dict. Raises Problem if a name occurs twice."""
    found = {}
    for name, value in pairs:
        if name in found:
            raise Problem(f"not a safetensors file: found {name} twice in its header, wanted it once")
        found[name] = value
    return found


def check_places(header, size):
    """Raises Problem if one of the `size` bytes of data belongs to several tensors or to none, as krait::load does."""
    at = 0
    for begin, end, name in sorted((*entry["data_offsets"], name) for name, entry in header.items()):
        if begin < at:
            raise Problem(f"{name}: data overlaps another tensor's data: found begin {begin}, wanted begin {at}")
        if begin > at:
            raise Problem(f"{name}: bytes belong to no tensor: found {begin - at} bytes before it, wanted none")
        at = end
    if at < size:
        raise Problem(f"bytes belong to no tensor: found {size - at} bytes at the end, wanted none")


def entry_tensor(name, entry, data):
    """Checks the form of a header entry and returns its tensor."""

    def whole(values):
        return isinstance(values, list) and all(type(v) is int and 0 <= v < 2**64 for v in values)

    if not (
        isinstance(entry, dict)
        and isinstance(entry.get("dtype"), str)
        and whole(entry.get("shape"))
        and whole(entry.get("data_offsets"))
        and len(entry["data_offsets"]) == 2
    ):
        raise Problem(f"not a safetensors file: {name}: wanted dtype, shape and data_offsets")
    dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    bits = math.prod(shape) * DTYPE_BITS.get(dtype, 1)
    if bits >= 2**64:
        raise Problem(f"{name}: shape is wrong: found {shape}, wanted a size below 2^64 bits")
    if dtype in DTYPE_BITS and bits % 8:
        raise Problem(f"{name}: shape is wrong: found {bits} bits for {dtype}{shape}, wanted a whole number of bytes")
    if begin > end or end > len(data):
        raise Problem(f"{name}: data offsets are wrong: found [{begin}, {end}], wanted begin <= end <= {len(data)}")
    if dtype in DTYPE_BITS and end - begin != bits // 8:
        raise Problem(f"{name}: data offsets are wrong: found {end - begin} bytes, wanted {bits // 8} bytes for {dtype}{shape}")
    return Tensor(dtype, shape, data[begin:end])


def encode(tensors, metadata=None):
    """Returns the parts of a safetensors file with tensors {name: Tensor} and metadata {name: text}, as bytes."""
    header, at = {"__metadata__": metadata} if metadata else {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [at, at + len(tensor.data)]}
        at += len(tensor.data)
    text = json.dumps(header).encode()
    return [struct.pack("<Q", len(text)), text, *(tensor.data for tensor in tensors.values())]


def write(path, tensors, metadata=None):
    """Writes a safetensors file."""
    with open(path, "wb") as stream:
        stream.writelines(encode(tensors, metadata))
