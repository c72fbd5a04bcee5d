#!/usr/bin/env python3
"""Runs no_heap: it must end well by itself, and be bitten wherever it takes memory while the trap is armed.

  no_heap.py PROGRAM
"""
import subprocess
import sys

BITTEN = 42
SKIPPED = 77


def main():
    program = sys.argv[1]
    code = subprocess.run([program]).returncode
    if code == SKIPPED:
        print("skipped: not this C library's names")
        return SKIPPED
    if code == BITTEN:
        print("a verb has taken memory from the heap")
    if code != 0:
        return 1
    for how in ("malloc", "calloc", "realloc", "aligned", "free", "new", "string"):
        code = subprocess.run([program, how]).returncode
        if code != BITTEN:
            print(f"the trap does not bite on {how}: {code}")
            return 1
    print("and the trap bites")
    return 0


if __name__ == "__main__":
    sys.exit(main())
