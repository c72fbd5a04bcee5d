#!/usr/bin/env python3
"""Checks that training gives the same weights, moments and losses on all targets with fused multiply-add, and for any threads.

  same_training.py [--further | --all] [--only WORD]

Compiles hash.cpp for rows of the table MATRIX of tests/bits/same_bits and for emulated boards, runs it and compares the hashes
that it prints: those of one worker with those of two (on two threads, except on boards and in emulation), and those of all rows
with each other. --further selects the rows of the long tests; --all every row whose target has fused multiply-add. Rows whose
compiler, emulator or processor feature is missing are skipped. Exit code 0: all hashes agree; 1: some do not; 77: fewer than
two rows could be run.
"""
import argparse
import importlib.machinery
import importlib.util
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests" / "device"))
sys.path.insert(0, str(ROOT / "tests" / "headers"))
from boards import SKIPPED, boards_here  # noqa: E402
from symbols import forbidden  # noqa: E402

loader = importlib.machinery.SourceFileLoader("same_bits", str(ROOT / "tests" / "bits" / "same_bits"))
same_bits = importlib.util.module_from_spec(importlib.util.spec_from_loader("same_bits", loader))
loader.exec_module(same_bits)

# The rows of the default run and those that --further adds: compiler, flags, optimisation level.
DEFAULT = [("g++", same_bits.AVX2, "2"), ("g++", same_bits.SCALAR_FMA, "0")]
FURTHER = [("g++", same_bits.AVX3, "2"), ("g++", same_bits.AVX2, "0"), ("clang++-16", same_bits.AVX2, "2"),
           ("clang++-16", same_bits.SCALAR_FMA, "2"), ("clang++-16", same_bits.AVX3, "0"),
           ("aarch64-linux-gnu-g++", "-static", "2")]
BOARD = "mps2-an500"  # a Cortex-M7


def rows(options):
    """Yields (compiler, flags, level, emulator) for each row of the table that is to be run."""
    emulators = {(row[0], row[1]): row[6] for row in same_bits.MATRIX}
    chosen = FURTHER if options.further else DEFAULT
    if options.all:
        chosen = [(row[0], row[1],
                   level) for row in same_bits.MATRIX if row[7] and row[5] != "*" for level in row[2] + row[3] + row[4]]
    for compiler, flags, level in chosen:
        if options.only in f"{compiler} -O{level} {flags}":
            yield compiler, flags, level, emulators[compiler, flags]


def program_output(compiler, flags, level, emulator, folder):
    """Compiles and runs hash.cpp. Returns the lines that it prints, or None and the reason."""
    target = next(row[5] for row in same_bits.MATRIX if row[0] == compiler and row[1] == flags)
    if not shutil.which(compiler) or (emulator and not shutil.which(emulator)):
        return None, "compiler or emulator not installed"
    if not emulator and not same_bits.runs_here(target, flags):
        return None, "the processor lacks the instructions"
    program = folder / ("hash.exe" if "mingw" in compiler else "hash")
    threads = [] if emulator else ["-DTWO_THREADS", "-pthread"]
    subprocess.run([compiler, "-std=c++20", f"-O{level}", *flags.split(), *threads, "-DKRAIT_QUIET", f"-I{ROOT / 'include'}",
                    str(HERE / "hash.cpp"), "-o", str(program)], check=True)
    done = subprocess.run([*([emulator] if emulator else []), str(program)], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines(), ""


def board_output(board, folder):
    board.compile(HERE / "hash.cpp", folder / "hash.o", f"-I{ROOT / 'include'}")
    board.link([folder / "hash.o"], folder / "hash.elf")
    found = forbidden(board.binaries["nm"], folder / "hash.o")
    if found:
        raise SystemExit(f"{board.name}: symbols of the heap, exceptions or streams: {', '.join(found)}")
    return board.execute(folder / "hash.elf", timeout=300)


def hashes_of(lines):
    """Returns {(model, hash's name): its values for one worker and for two}, and the lines that report a problem."""
    found, problems = {}, [line for line in lines if "NOT" in line]
    for line in lines[1:]:
        model, *words = line.split()
        for word in words:
            if "=" in word:
                name, value = word.split("=")
                found.setdefault((model, name), []).append(value)
    for (model, name), values in found.items():
        if len(values) != 2 or len(set(values)) != 1:
            problems.append(f"{model}: {name} with one worker and with two: {', '.join(values)}")
    if len(found) != 6:
        problems.append(f"{len(found)} hashes, wanted 6")
    return {key: values[0] for key, values in found.items()}, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--further", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    expected, wrong, done = None, 0, 0
    with tempfile.TemporaryDirectory(prefix="krait_training_") as folder:
        folder = pathlib.Path(folder)
        outputs = [(f"{row[0]} -O{row[2]} {row[1]}", *program_output(*row, folder)) for row in rows(options)]
        if options.only in BOARD:
            outputs += [(board.name, board_output(board, folder), "") for board in boards_here(BOARD)]
    for name, lines, why in outputs:
        if lines is None:
            print(f"{name}: skipped: {why}")
            continue
        done += 1
        found, problems = hashes_of(lines)
        if "fma" not in lines[0]:
            problems.append("the target has no fused multiply-add")
        expected = expected or found
        problems += [f"{' '.join(key)} is {value}, in the first row {expected.get(key)}" for key, value in found.items()
                     if expected.get(key) != value]
        print(f"{lines[0].split()[0]:9}{' '.join(value[:8] for value in found.values())}  {name}", *problems, sep="\n    ")
        wrong += len(problems)
    return 1 if wrong else 0 if done > 1 else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
