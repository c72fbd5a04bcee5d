#!/usr/bin/env python3
"""Checks that every header of include/ compiles alone and if included twice, without warnings, with exceptions and RTTI off.

  alone.py --compiler COMMAND [--public] [--jobs N] [HEADER]...     default: all headers; --public: those that users include

Exit code 0: all compile; 1: some do not; 77: the compiler is not installed.
"""
import argparse
import concurrent.futures
import pathlib
import shlex
import sys
import time

from compilers import INCLUDE, SKIPPED, present, run

FLAGS = ["-std=c++20", "-fsyntax-only", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic",
         "-Werror"]


def complaint(compiler, header):
    name = header.relative_to(INCLUDE)
    text = f"#include <{name}>\n#include <{name}>\nint main() {{}}\n"
    code, said = run(shlex.split(compiler) + FLAGS + [f"-I{INCLUDE}", "-x", "c++", "-"], input=text)
    return f"{name}: {compiler}:\n{said}" if code != 0 else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--public", action="store_true", help="only krait.hpp and the headers in krait/ itself and krait/nn/")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("headers", nargs="*", type=lambda path: pathlib.Path(path).resolve(), help="all, if none is given")
    args = parser.parse_args()
    if not present(args.compiler):
        print(f"skipped: no {args.compiler} on this machine")
        return SKIPPED
    folders = ["*.hpp", "krait/*.hpp", "krait/nn/*.hpp"] if args.public else ["**/*.hpp"]
    headers = args.headers or sorted(path for folder in folders for path in INCLUDE.glob(folder))
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        found = [text for text in pool.map(lambda header: complaint(args.compiler, header), headers) if text]
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{len(headers) - len(found)} of {len(headers)} headers compile alone ({time.monotonic() - start:.0f} s)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
