#!/usr/bin/env python3
"""The text model as firmware, with int8 weights in flash: the very text that the host writes.

  generate.py --generate PROGRAM [--boards NAME,...] [--headers DIR]
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import image as images
from boards import ROOT, SKIPPED, boards_here, run

SOURCE = ROOT / "examples" / "firmware" / "generate.cpp"
MODEL = ROOT / "examples" / "generate" / "kjv.safetensors"


def host_text(program):
    """What the generate example writes from the firmware's prompt, seed and temperature."""
    done = subprocess.run([program, "--storage", "int8", "--prompt", "In the beginning", "--tokens", "240", "--seed", "1",
                           "--temperature", "0.7"], capture_output=True, check=True)
    return done.stdout.decode("latin-1")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generate", required=True, help="the generate example, built for this machine")
    parser.add_argument("--boards", default="mps2-an500")
    parser.add_argument("--headers", type=pathlib.Path, help="where generate_int8.hpp is; else it is made")
    options = parser.parse_args()
    wanted, wrong, done = host_text(options.generate), [], 0
    with tempfile.TemporaryDirectory(prefix="krait_generate_") as folder:
        folder = pathlib.Path(folder)
        headers = options.headers or folder
        if not (headers / "generate_int8.hpp").exists():
            run([sys.executable, str(ROOT / "tools" / "krait-pack"), str(MODEL), "--type", "int8", "--name", "weights",
                 "--header", str(headers / "generate_int8.hpp")])
        for board in boards_here(options.boards):
            done += 1
            board.compile(SOURCE, folder / "generate.o", "-Wall", "-Wextra", "-Wno-psabi", "-Werror", f"-I{ROOT / 'include'}",
                          f"-I{headers}")
            board.link([folder / "generate.o"], folder / "generate.elf")
            *text, facts = board.execute(folder / "generate.elf")
            text = "\n".join(text) + "\n"
            print(f"{board.name}: flash {images.flash(board, folder / 'generate.elf')}; RAM: {facts}; "
                  f"sections: {images.sections_text(board, folder / 'generate.elf')}\n{text}", end="")
            if text != wanted:
                wrong.append(f"{board.name}: the host writes another text:\n{wanted}")
            wrong += images.complaints(board, folder / "generate.elf")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0 if done else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
