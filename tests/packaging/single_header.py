#!/usr/bin/env python3
"""Checks the single header that tools/amalgamate writes: a program of two translation units that both include it compiles
without warnings, links, and prints what the program prints with the library's own headers.

  single_header.py [--compilers COMMAND,...]

Exit code 0: no faults; 1: faults, which are printed.
"""
import argparse
import pathlib
import re
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True
from commands import run  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CONSUMER = ROOT / "tests" / "consume"
FLAGS = ["-std=c++20", "-O0", "-march=native", "-Wall", "-Wextra", "-Werror"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compilers", default="g++,clang++-16")
    options = parser.parse_args()
    wrong = []
    with tempfile.TemporaryDirectory(prefix="krait_single_header_") as folder:
        folder = pathlib.Path(folder)
        done = run(sys.executable, ROOT / "tools" / "amalgamate", folder / "krait_single.hpp")
        text = (folder / "krait_single.hpp").read_text() if done.returncode == 0 else ""
        print(done.stdout, end="")
        if '#include "' in text or "Boost Software License - Version 1.0" not in text:
            wrong.append("the single header includes another header of the library, or contains no licence")
        for name in ("main.cpp", "other.cpp"):
            source = re.sub(r"#include <krait[^\n]*\n", "", (CONSUMER / name).read_text())
            (folder / name).write_text(f'#include "krait_single.hpp"\n{source}')
        for compiler in filter(shutil.which, options.compilers.split(",")):
            printed = []
            for what, sources, include in (("own", CONSUMER, ROOT / "include"), ("single", folder, folder)):
                program = folder / f"{what}_{compiler}"
                done = run(compiler, *FLAGS, f"-I{include}", sources / "main.cpp", sources / "other.cpp", "-o", program)
                if done.returncode != 0:
                    wrong.append(f"{compiler}, {what} headers: {done.stdout[:2000]}")
                    break
                done = run(program)
                printed.append((done.returncode, done.stdout))
            print(f"{compiler}: {printed}")
            if printed != printed[:1] * 2 or printed[0][0] != 0:
                wrong.append(f"{compiler}: found {printed}, wanted the same number twice")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
