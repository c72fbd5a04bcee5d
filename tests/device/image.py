"""Functions that list the section sizes and the forbidden symbols of linked firmware images."""
import pathlib
import sys

from boards import ROOT, run

sys.path.insert(0, str(ROOT / "tests" / "headers"))
import symbols  # noqa: E402


def complaints(board, image):
    """Returns a message for each symbol of the heap, exceptions, RTTI, guards of statics or stdio that a linked image contains,
    in the C library's part, too."""
    return [f"{board.name}: {pathlib.Path(image).name} has {name}" for name in symbols.forbidden(board.binaries["nm"], image)]


def sections(board, image):
    """Returns {name: bytes} for the sections of an image that take flash or RAM."""
    found = {}
    for line in run([board.binaries["size"], "-A", "-d", str(image)]).splitlines():
        words = line.split()
        if len(words) == 3 and words[0].startswith((".init", ".text", ".rodata", ".data", ".bss", ".except", ".ARM.ex", ".tdata", ".tbss")):
            found[words[0]] = int(words[1])
    return {name: size for name, size in found.items() if size and name != ".tbss_space"}


def sections_text(board, image):
    return ", ".join(f"{name} {size}" for name, size in sections(board, image).items())


def flash(board, image):
    return sum(size for name, size in sections(board, image).items() if not name.startswith((".bss", ".tbss")))
