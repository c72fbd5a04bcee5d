#!/usr/bin/env python3
"""Checks krait.hpp's hint for x86 flags that enable FMA but leave Highway on a target without it.

  flags.py [COMPILER]...     default: g++ and clang++-16

For such flags the compiler must print which flags to add, and with the added flags the target must be AVX2. For other flags the
compiler must print nothing. Exit code 0: all is as it must be; 1: it is not; 77: no compiler, or another processor than x86-64.
"""
import platform
import sys

from compilers import INCLUDE, SKIPPED, present, run

ADVICE = "-maes -mpclmul"
LACKING = ["-march=haswell", "-march=x86-64-v3", "-mavx2 -mfma"]
GOOD = ["", "-march=native", "-mfma -DHWY_COMPILE_ONLY_SCALAR", "-march=haswell -DKRAIT_QUIET"]
USE = "#include <krait.hpp>\n"
HAS_AVX2 = USE + "static_assert(HWY_STATIC_TARGET <= HWY_AVX2);\n"


def compile_with(compiler, flags, source):
    return run([compiler, "-std=c++20", "-fsyntax-only", f"-I{INCLUDE}", *flags.split(), "-x", "c++", "-"], input=source)


def complaints(compiler):
    for flags in LACKING:
        code, said = compile_with(compiler, flags, USE)
        if code != 0 or f"add {ADVICE}" not in said:
            yield f"{compiler} {flags}: wanted a hint to add {ADVICE}, found: {said or 'nothing'}"
    for flags in GOOD:
        code, said = compile_with(compiler, flags, USE)
        if code != 0 or said:
            yield f"{compiler} {flags}: wanted nothing, found: {said}"
    # With the flags that the hint recommends, Highway's target must be AVX2.
    code, said = compile_with(compiler, f"{LACKING[0]} {ADVICE}", HAS_AVX2)
    if code != 0 or said:
        yield f"{compiler} {LACKING[0]} {ADVICE}: wanted AVX2 and no output, found: {said}"


def main():
    if platform.machine() != "x86_64":
        print("skipped: the flags are for x86-64")
        return SKIPPED
    compilers = [compiler for compiler in sys.argv[1:] or ["g++", "clang++-16"] if present(compiler)]
    found = [text for compiler in compilers for text in complaints(compiler)]
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{', '.join(compilers)}: {len(found)} complaints")
    return 1 if found else 0 if compilers else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
