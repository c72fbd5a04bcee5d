#!/usr/bin/env python3
"""Measures compile time and object size, and checks that these do not grow with the number of layers.

  compile_cost.py [--compiler COMMAND] [--runs N]

Compiles a model with 2 and one with 24 layers. Fails (exit code 1) if the second object is more than 2 % larger than the first.
Prints both compile times and the time to include krait.hpp, each the best of N interleaved runs. Exit code 77: no compiler.
"""
import argparse
import pathlib
import shlex
import sys
import tempfile
import time

from compilers import INCLUDE, SKIPPED, present, run

MODEL = """#include <krait.hpp>
using Model = krait::Mamba<krait::resolve(krait::ModelDims{.vocab_size = 256, .d_model = 64, .n_layers = LAYERS})>;
void step(const Model& model, krait::State<Model>& state, int token, krait::Tensor<float, 256>& logits) {
  krait::step(model, state, token, logits);
}
std::size_t prefill(const Model& model, krait::State<Model>& state, std::span<const int> tokens, krait::Tensor<float, 256>& logits) {
  return krait::prefill(model, state, tokens, logits);
}
"""
SOURCES = {
    "include": "#include <krait.hpp>\n",
    "2": MODEL.replace("LAYERS", "2"),
    "24": MODEL.replace("LAYERS", "24"),
}
MOST_GROWTH = 1.02


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--runs", type=int, default=2)
    args = parser.parse_args()
    if not present(args.compiler):
        print(f"skipped: no {args.compiler} on this machine")
        return SKIPPED
    best = dict.fromkeys(SOURCES, float("inf"))
    size = {}
    with tempfile.TemporaryDirectory(prefix="krait_cost_") as folder:
        for _ in range(args.runs):
            for name, text in SOURCES.items():
                source = pathlib.Path(folder) / f"{name}.cpp"
                source.write_text(text)
                built = source.with_suffix(".o")
                start = time.monotonic()
                code, said = run(shlex.split(args.compiler) + ["-std=c++20", "-O2", f"-I{INCLUDE}", "-c", str(source), "-o", str(built)])
                best[name] = min(best[name], time.monotonic() - start)
                if code != 0:
                    print(said)
                    return 1
                size[name] = built.stat().st_size
    growth = size["24"] / size["2"]
    print(f"{args.compiler}, best of {args.runs}: including krait.hpp takes {best['include']:.2f} s; a model of 2 layers "
          f"{best['2']:.2f} s and {size['2']} bytes, of 24 layers {best['24'] / best['2']:.2f} times the time and {growth:.3f} "
          "times the bytes")
    if growth > MOST_GROWTH:
        print(f"the object of 24 layers is more than {MOST_GROWTH} times as large as that of 2 layers")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
