#!/usr/bin/env python3
"""Checks that a step executes the same number of instructions for all data: ordinary, zero, NaN, infinite, denormal, huge.

  spread.py [--boards NAME,...] [--compiler NAME] [--headers DIR]
"""
import argparse
import collections
import pathlib
import sys
import tempfile

import laws
from boards import ROOT, SKIPPED, boards_here

HERE = pathlib.Path(__file__).resolve().parent
SHIFT = 10  # 2^10 ns per instruction, so that the counter's ticks distinguish single instructions
NS_PER_TICK = {"mps2-an386": 40, "mps3-an547": 31.25}
STEPS = 5 * 29


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", default=",".join(NS_PER_TICK))
    parser.add_argument("--compiler", default="g++", help="g++, or a clang++ of this machine")
    parser.add_argument("--headers", type=pathlib.Path, help="where block.hpp is; else it is made")
    options = parser.parse_args()
    wrong, done = [], 0
    with tempfile.TemporaryDirectory(prefix="krait_spread_") as folder:
        folder = pathlib.Path(folder)
        headers = options.headers or folder
        for board in boards_here(options.boards):
            name = board.name
            if not done:
                laws.write_headers(headers)
                laws.write_data(folder)
            done += 1
            board.compile(HERE / "spread.cpp", folder / f"{name}.o", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'include'}",
                          f"-I{headers}", f"-I{folder}", compiler=options.compiler)
            board.link([folder / f"{name}.o"], folder / f"{name}.elf")
            found = collections.defaultdict(list)
            for line in board.execute(folder / f"{name}.elf", shift=SHIFT):
                storage, ticks = line.split()
                found[storage].append(round(int(ticks) * NS_PER_TICK[name] / 2 ** SHIFT))
            for storage, counts in found.items():
                print(f"{name} {storage}: {min(counts)} to {max(counts)} instructions in {len(counts)} steps", flush=True)
                if len(counts) != STEPS or min(counts) != max(counts):
                    wrong.append(f"{name} {storage}: {sorted(set(counts))}, wanted one number in {STEPS} steps")
            if len(found) != 4:
                wrong.append(f"{name}: steps of {', '.join(found)}, wanted four storage types")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0 if done else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
