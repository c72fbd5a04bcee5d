"""Converts tensors of safetensors files to C++ arrays, as test data for boards without a file system."""
import json
import struct


def read_tensors(path):
    """Returns {name: (shape, values row by row)} for the F32, I32 and U8 tensors of a safetensors file."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(size)), file.read()
    codes = {"F32": "f", "I32": "i", "U8": "B"}
    found = {}
    for name, entry in header.items():
        if name != "__metadata__":
            raw = data[slice(*entry["data_offsets"])]
            found[name] = (entry["shape"], [value for (value,) in struct.iter_unpack("<" + codes[entry["dtype"]], raw)])
    return found


def float_text(value):
    return f"{value:.9g}" + ("f" if any(c in f"{value:.9g}" for c in ".e") else ".f")


def rows(shape, values):
    """Returns the C++ initialiser of a krait::Tensor<float, rows, columns>."""
    columns = shape[1]
    lines = ["  {{{" + ", ".join(map(float_text, values[i : i + columns])) + "}}},\n" for i in range(0, len(values), columns)]
    return "{{{\n" + "".join(lines) + "}}}"


def row(values):
    """Returns the C++ initialiser of a krait::Tensor<float, n>, or of a std::array of integers."""
    if all(isinstance(value, int) for value in values):
        return "{" + ", ".join(map(str, values)) + "}"
    return "{{{" + ", ".join(map(float_text, values)) + "}}}"
