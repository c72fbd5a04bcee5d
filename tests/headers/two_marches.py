#!/usr/bin/env python3
"""Checks that translation units compiled for different processors can be linked into one program (no ODR violation).

  two_marches.py --compiler COMMAND [--levels=LEVEL,...]

Links an AVX-512 and an AVX2 unit in every order and runs the AVX2 unit on an emulated processor without AVX-512. In the
assembly, no function that the linker may merge (a weak symbol) may belong to the library or contain AVX instructions. Exit code
0: all is as it must be; 1: it is not; 77: the compiler or QEMU is not installed.
"""
import argparse
import itertools
import pathlib
import re
import shlex
import sys
import tempfile

from compilers import INCLUDE, SKIPPED, present, run

HERE = pathlib.Path(__file__).resolve().parent
FLAGS = ["-std=c++20", "-DKRAIT_QUIET", "-Wno-psabi", f"-I{INCLUDE}", f"-I{HERE}"]
UNITS = {"AVX3": ["-march=x86-64-v4", "-maes", "-mpclmul"], "AVX2": ["-march=haswell", "-maes", "-mpclmul"]}
PROCESSOR = ["qemu-x86_64", "-cpu", "Haswell"]
IN_A_BUILD = re.compile(r"\dfor_[a-z0-9_]+|krait_unit")  # mangled names contain such a part if they depend on the flags
# Highway's functions are in a namespace that names the target, so units for other targets do not share them.
ELSEWHERE = re.compile(r"_ZZ?NK?3hwy\d+N_")  # mangled
# Matches instructions of AVX and later: mnemonics that start with v, registers wider than 128 bits, mask registers.
NOT_EVERYWHERE = re.compile(r"^\s+v[a-z]|%[yz]mm|%xmm(1[6-9]|2\d|3[01])\b|%k[0-7]\b", re.M)


def shared_functions(assembly):
    """Returns {mangled name: code} of the functions that the linker may merge with those of another unit (weak symbols)."""
    shared, code, function = set(), {}, None
    for line in assembly.read_text().splitlines():
        words = line.split()
        if words[:1] == [".weak"]:
            shared.add(words[1])
        elif words[:1] == [".type"] and words[-1] in ("@function", "%function"):
            name = words[1].rstrip(",")
            function = code.setdefault(name, []) if name in shared and not IN_A_BUILD.search(name) else None
        elif words[:1] == [".size"]:
            function = None
        elif function is not None:
            function.append(line)
    return {name: "\n".join(lines) for name, lines in code.items()}


def complaints(assembly):
    functions = shared_functions(assembly)
    readables = run(["c++filt"], input="\n".join(functions))[1].splitlines()
    for (name, code), readable in zip(functions.items(), readables, strict=True):
        if re.match(r"_ZN?K?5krait", name) and "hana_accessors" not in name:  # Hana's return empty objects
            yield f"the library's function is shared: {readable}"
        elif not ELSEWHERE.match(name) and (found := NOT_EVERYWHERE.search(code)):
            yield f"a shared function has {found[0].strip()!r}: {readable}"


def check_files(compiler, folder):
    """Yields a message for each function of krait/io that the linker may merge with the same function of another translation
    unit. Functions of std and of the JSON library may be merged."""
    assembly = folder / "files.s"
    code, said = run([*compiler, *FLAGS, "-O0", *UNITS["AVX3"], "-DUNIT=AVX3", "-DWITH_FILES", "-S", str(HERE / "two_marches.cpp"),
                      "-o", str(assembly)])
    yield from ([said] if code != 0 else [text for text in complaints(assembly) if text.startswith("the library's")])


def check(compiler, level, folder):
    objects = {}
    for target, flags in {**UNITS, "main": []}.items():
        objects[target] = folder / f"{target}{level}.s"
        code, said = run([*compiler, *FLAGS, level, *flags, f"-DUNIT={target}", "-S", str(HERE / "two_marches.cpp"), "-o",
                          str(objects[target])])
        if code != 0:
            yield f"{level} {target}: {said}"
            return
        if flags:
            yield from (f"{level} {target}: {text}" for text in complaints(objects[target]))
        assembled = objects[target].with_suffix(".o")
        code, said = run([*compiler, "-c", str(objects[target]), "-o", str(assembled)])
        if code != 0:
            yield f"{level} {target}: {said}"
            return
        objects[target] = assembled
    for order in itertools.permutations(objects):
        code, said = run([*compiler, *(str(objects[target]) for target in order), "-o", str(folder / "program")])
        if code != 0:
            yield f"{level}: does not link: {said}"
            return
        code, said = run([*PROCESSOR, str(folder / "program")])
        said = "\n".join(line for line in said.splitlines() if "TCG doesn't support" not in line)
        if code != 0 or said.split() != ["AVX2", "is", "AVX2"]:
            yield f"{level}, linked in the order {', '.join(order)}: ends with {code}: {said}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--levels", default="-O0,-O2", help="default: -O0,-O2")
    args = parser.parse_args()
    compiler, levels = shlex.split(args.compiler), args.levels.split(",")
    for program in (compiler[0], PROCESSOR[0]):
        if not present(program):
            print(f"skipped: no {program} on this machine")
            return SKIPPED
    wrong = []
    with tempfile.TemporaryDirectory(prefix="krait_two_marches_") as folder:
        for level in levels:
            wrong += check(compiler, level, pathlib.Path(folder))
        wrong += check_files(compiler, pathlib.Path(folder))
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{args.compiler}: {len(levels)} levels, {len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
