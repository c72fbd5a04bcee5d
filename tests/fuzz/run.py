#!/usr/bin/env python3
"""Builds a fuzz target with clang's sanitizers and runs it: a while, or long with --runs and a --corpus to keep.

  run.py safetensors                                       the test: the same inputs every time
  run.py safetensors --runs 10000000 --corpus DIR          a long run, which continues where the last one in DIR ended
"""
import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77  # what Meson takes for "skipped"
FLAGS = ["-std=c++20", "-g", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all",
         f"-I{HERE.parent.parent / 'include'}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", help="the name of a .cpp here, without its ending")
    parser.add_argument("--compiler", default="clang++-16")
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=pathlib.Path, help="where inputs are kept that reach something new")
    args = parser.parse_args()
    if shutil.which(args.compiler) is None:
        print(f"skipped: no {args.compiler} on this machine")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        binary = pathlib.Path(folder) / args.target
        level = "-O1" if args.runs > 20000 else "-O0"  # a short run does not win back the time of optimising
        subprocess.run([args.compiler, *FLAGS, level, HERE / f"{args.target}.cpp", "-o", binary], check=True)
        corpus = args.corpus or pathlib.Path(folder) / "corpus"
        corpus.mkdir(parents=True, exist_ok=True)
        # What fails is left in the folder from which this was called.
        return subprocess.run([binary, f"-runs={args.runs}", f"-seed={args.seed}", "-max_len=8192", "-timeout=60",
                               "-rss_limit_mb=1024", "-print_final_stats=1", corpus]).returncode


if __name__ == "__main__":
    sys.exit(main())
