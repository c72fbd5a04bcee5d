#!/usr/bin/env python3
"""Runs an example and compares what it prints with a file, line by line; * in the file stands for anything, and a last line
of three dots for any number of lines.

  check.py PROGRAM FILE [ARGUMENT...]
"""
import fnmatch
import itertools
import pathlib
import subprocess
import sys


def main():
    program, file, *arguments = sys.argv[1:]
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, text=True)
    print(done.stdout, end="")
    found, wanted = done.stdout.splitlines(), pathlib.Path(file).read_text().splitlines()
    if not wanted:
        print(f"{file} is empty")
        return 1
    if wanted[-1] == "...":
        wanted.pop()
        found = found[:len(wanted)]
    for line, pattern in itertools.zip_longest(found, wanted, fillvalue="(nothing)"):
        if not fnmatch.fnmatchcase(line, pattern.replace("[", "[[]")):
            print(f"wanted: {pattern}\nfound:  {line}")
            return 1
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
