#!/usr/bin/env python3
"""Counts the instructions of a step and of a prefill on emulated processors, where times would be meaningless.

  instructions.py [--machines NAME,...] [--types TYPE,...] [--record]

The model has vocab_size 256, d_model 128 and 4 layers. Prints a table and compares the counts with
bench/results/instructions.json; --record writes that file instead. Exit code 0: no count grew by more than 2 %; 1: a count grew
by more, or is not recorded; 77: no compiler or emulator is installed.
"""
import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

from recorded import Recorded

ROOT = pathlib.Path(__file__).resolve().parent.parent
MOST_GROWTH = 1.02
MACHINES = {  # compiler, emulator, floats in a vector
    "aarch64 NEON": ("aarch64-linux-gnu-g++", "qemu-aarch64", 4),
    "riscv64 scalar": ("riscv64-linux-gnu-g++", "qemu-riscv64", 1),
}
TOKENS = 8  # tokens of the prefill
SOURCE = """#include <cstdio>
#include <cstdlib>
#include <krait.hpp>
constexpr auto dims = krait::resolve(
    krait::ModelDims{{.vocab_size = 256, .d_model = 128, .n_layers = 4, .storage = krait::Storage::{storage}}});
using Model = krait::Mamba<dims>;
constexpr std::size_t multiply_adds = krait::multiply_adds_per_step<Model>;
Model model;
krait::State<Model> state;
krait::Scratch<Model> scratch;
krait::Scratch<Model, {tokens}> prefill_scratch;
krait::Tensor<float, dims.vocab_size> logits;
// Arguments: number of steps, number of prefills. Without arguments it prints the multiply-adds of a step.
int main(int argc, char** argv) {{
  if (argc < 3) return std::printf("%zu\\n", multiply_adds), 0;
  const int tokens[{tokens}]{{}};
  for (int i = std::atoi(argv[1]); i > 0; --i) krait::step(model, state, 0, logits, scratch);
  for (int i = std::atoi(argv[2]); i > 0; --i) krait::prefill(model, state, std::span<const int>(tokens), logits, prefill_scratch);
}}
"""


def instructions(emulator, program, *arguments):
    """Runs a program in the emulator `emulator`, and returns the number of instructions that the program executes. The emulator
    prints a line for each instruction."""
    with subprocess.Popen([emulator, "-singlestep", "-d", "nochain,exec", program, *arguments], stderr=subprocess.PIPE) as running:
        return sum(block.count(b"\nTrace ") for block in iter(lambda: running.stderr.read(1 << 20), b""))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", default=",".join(MACHINES))
    parser.add_argument("--types", default="f32,bf16,f16,int8")
    parser.add_argument("--record", action="store_true", help="write the counts to bench/results/instructions.json")
    options = parser.parse_args()
    recorded = Recorded("instructions.json", MOST_GROWTH, options.record)
    print(f"{'instructions':24} {'a step':>12} {'a prefilled token':>18} {'for a vector of multiply-adds':>32}")
    for machine in options.machines.split(","):
        compiler, emulator, lanes = MACHINES[machine]
        missing = next((tool for tool in (compiler, emulator) if not shutil.which(tool)), None)
        if missing:
            print(f"{machine}: skipped: no {missing} on this machine")
            continue
        for storage in options.types.split(","):
            with tempfile.TemporaryDirectory(prefix="krait_instructions_") as folder:
                source, program = pathlib.Path(folder) / "model.cpp", pathlib.Path(folder) / "model"
                source.write_text(SOURCE.format(storage=storage, tokens=TOKENS))
                # Of the host's /usr/include, the cross compiler must find only Highway and Boost.
                for name in ("hwy", "boost"):
                    (pathlib.Path(folder) / name).symlink_to(f"/usr/include/{name}")
                subprocess.run([compiler, "-std=c++20", "-O2", "-static", f"-I{ROOT / 'include'}", "-isystem", folder, source,
                                "-o", program], check=True)
                start = instructions(emulator, program, "0", "0")
                step = instructions(emulator, program, "1", "0") - start
                prefill = (instructions(emulator, program, "0", "1") - start) // TOKENS
                vectors = int(subprocess.run([emulator, program], stdout=subprocess.PIPE, check=True).stdout) / lanes
            row = f"{machine} {storage}"
            found = {"step": step, "prefill": prefill}
            print(f"{row:24} {step:12,} {prefill:18,} {step / vectors:25.2f}, {prefill / vectors:.2f}", flush=True)
            recorded.judge(row, found, found)
    return recorded.exit_code()


if __name__ == "__main__":
    sys.exit(main())
