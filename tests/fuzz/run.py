#!/usr/bin/env python3
"""Builds a fuzz target with libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer, and runs it.

  run.py safetensors                                       a short run (2000 inputs), the same every time
  run.py safetensors --runs 10000000 --corpus DIR          a long run, which continues from the inputs kept in DIR

The targets are safetensors and image. An input that fails is written to the current folder. Exit code: libFuzzer's (0: no
failure), or 77 if the compiler is not installed.
"""
import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77  # the exit code that Meson reports as "skipped"
FLAGS = ["-std=c++20", "-g1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all",
         f"-I{HERE.parent.parent / 'include'}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", help="the name of a .cpp file in this folder, without .cpp")
    parser.add_argument("--compiler", default="clang++-16")
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=pathlib.Path, help="folder in which inputs that reach new code are kept")
    args = parser.parse_args()
    if shutil.which(args.compiler) is None:
        print(f"skipped: no {args.compiler} on this machine")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        binary = pathlib.Path(folder) / args.target
        level = "-O1" if args.runs > 20000 else "-O0"  # optimisation takes longer than it saves in a short run
        subprocess.run([args.compiler, *FLAGS, level, HERE / f"{args.target}.cpp", "-o", binary], check=True)
        corpus = args.corpus or pathlib.Path(folder) / "corpus"
        corpus.mkdir(parents=True, exist_ok=True)
        # libFuzzer writes an input that fails to the current folder.
        return subprocess.run([binary, f"-runs={args.runs}", f"-seed={args.seed}", "-max_len=8192", "-timeout=60",
                               "-rss_limit_mb=1024", "-print_final_stats=1", corpus]).returncode


if __name__ == "__main__":
    sys.exit(main())
