#!/usr/bin/env python3
"""Checks that Meson, with only a board's cross file, configures and builds the firmware and runs it in the emulator.

  cross_file.py MESON BOARD    builds and runs the two tests of examples/firmware
"""
import os
import sys
import tempfile

from boards import ROOT, SKIPPED, Board, run


def main():
    meson, board = sys.argv[1], Board(sys.argv[2])
    if board.missing():
        print(f"skipped: no {board.missing()} on this machine")
        return SKIPPED
    os.environ.pop("MESON_TESTTHREADS", None)
    with tempfile.TemporaryDirectory(prefix="krait_cross_") as folder:
        run([meson, "setup", folder, str(ROOT), "--cross-file", str(board.cross_file)])
        said = run([meson, "test", "-C", folder, "--print-errorlogs"])
    passed = [line for line in said.splitlines() if " OK " in line]
    print(*passed, sep="\n")
    return 0 if len(passed) == 2 else 1


if __name__ == "__main__":
    sys.exit(main())
