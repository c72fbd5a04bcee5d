#!/usr/bin/env python3
"""Checks that krait::load rejects NaN and infinities in every storage type, even if it is compiled with -ffast-math.

  fast_math_test.py [COMPILER]...     default: g++ and clang++-16

Compiles and runs fast_math.cpp. Exit code 0: all such files were rejected; 1: one was not; 77: no compiler found.
"""
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "headers"))
from compilers import INCLUDE, SKIPPED, present, run  # noqa: E402

FLAGS = ["-O1 -ffast-math"]


def complaint(compiler, flags, folder):
    binary = folder / "fast_math"
    code, said = run([compiler, "-std=c++20", *flags.split(), "-DKRAIT_ALLOW_FAST_MATH", f"-I{INCLUDE}", HERE / "fast_math.cpp",
                      "-o", binary])
    if code == 0:
        code, said = run([binary])
    print(f"{compiler} {flags}: {said.strip()}")
    return code != 0


def main():
    compilers = [compiler for compiler in sys.argv[1:] or ["g++", "clang++-16"] if present(compiler)]
    with tempfile.TemporaryDirectory() as folder:
        wrong = [complaint(compiler, flags, pathlib.Path(folder)) for compiler in compilers for flags in FLAGS]
    return 1 if any(wrong) else 0 if wrong else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
