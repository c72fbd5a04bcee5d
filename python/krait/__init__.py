"""Krait runs trained Mamba models on microcontrollers and in hard real-time loops.

  krait.export(module, example, path)                         writes the checkpoint of a live PyTorch module, proved
  krait.load(checkpoint, storage="int8")                      runs a model on NumPy arrays
  krait.pack(checkpoint, type="int8", header="weights.hpp")   writes a C++ header or an image
  krait.get_include()                                         the folder of the C++ headers
"""

import pathlib

from .compiler import include_folder, version
from .safetensors_file import Problem, naming

__all__ = ["Model", "Problem", "State", "export", "get_include", "load", "pack"]
Problem.__module__ = "krait"  # the name that users write


def get_include():
    """Returns the folder that contains krait.hpp. The folder of an installed package also contains the headers of Highway,
    Boost.Hana and nlohmann-json."""
    return str(include_folder())


def pack(checkpoint, **options):
    """Packs a checkpoint as `krait pack CHECKPOINT` does. The command's options are keyword arguments, for example type="int8",
    header="weights.hpp", order="proj,layers,mean,head", check="expected.safetensors".

    Returns (sizes, text): sizes[storage type] contains the bytes of flash, state and scratch, the parameters and the
    multiply-adds of a step; `text` is what the command prints. Raises krait.Problem, and then has written nothing."""
    from . import command, packing

    lines = []
    given = command.options_of(command.add_pack_options, pathlib.Path(checkpoint), options)
    command.check_options(given)
    try:
        with naming(checkpoint):
            sizes = packing.run(given, lines.append)
    except Problem as problem:
        problem.args += tuple(lines)
        raise
    return sizes, "\n".join(lines)


def __dir__():
    return sorted({*globals(), *__all__, "__version__"})


def __getattr__(name):
    if name in ("Model", "State", "load"):  # these need NumPy, and the rest of the package does not
        from . import runtime

        return getattr(runtime, name)
    if name == "export":
        from .exporting import export

        return export
    if name == "__version__":
        return version()
    raise AttributeError(f"module 'krait' has no attribute {name!r}")
