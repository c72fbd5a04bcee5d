#!/usr/bin/env python3
"""Checks that step, prefill and forward allocate no heap memory, with the program no_heap.

  no_heap.py PROGRAM

The program calls these functions for every layer while allocations are forbidden, and must end with 0. Then it is run with
the name of each allocating function, which it calls while allocations are forbidden; this must be detected each time. Exit code
0: all is as it must be; 1: it is not; 77: the C library is not glibc.
"""
import subprocess
import sys

BITTEN = 42
SKIPPED = 77


def main():
    program = sys.argv[1]
    code = subprocess.run([program]).returncode
    if code == SKIPPED:
        print("skipped: the C library is not glibc")
        return SKIPPED
    if code == BITTEN:
        print("a function of the library allocated heap memory")
    if code != 0:
        return 1
    for how in ("malloc", "calloc", "realloc", "aligned", "free", "new", "string"):
        code = subprocess.run([program, how]).returncode
        if code != BITTEN:
            print(f"an allocation by {how} was not detected: exit code {code}")
            return 1
    print("allocations are detected with every allocating function")
    return 0


if __name__ == "__main__":
    sys.exit(main())
