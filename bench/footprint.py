#!/usr/bin/env python3
"""Measures a model's code size by dims and target: bytes of code and constants (without weights), RAM, object file and largest
stack frame, and the compile time.

  footprint.py [--models NAME;...] [--targets NAME,...] [--record]

Prints a table and compares the bytes with bench/results/footprint.json; --record writes that file instead. Exit code 0: no
figure grew by more than 5 %; 1: a figure grew by more, or is not recorded; 77: no target's compiler is installed.
"""
import argparse
import pathlib
import re
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "device"))
from boards import Board, Host, run  # noqa: E402
from recorded import Recorded  # noqa: E402

MOST_GROWTH = 1.05
BYTES = ["code", "ram", "object", "frame"]

TINY = ".vocab_size = 256, .d_model = 32, .n_layers = 2"
SMALL = ".vocab_size = 256, .d_model = 128, .n_layers = 4"
LARGE = ".vocab_size = 50280, .d_model = 768, .n_layers = 24"
MODELS = {
    "d_model 32, 2 layers, f32": TINY,
    "d_model 32, 2 layers, int8": TINY + ", .storage = krait::Storage::int8",
    "d_model 128, 4 layers, f32": SMALL,
    "d_model 128, 4 layers, int8": SMALL + ", .storage = krait::Storage::int8",
    "d_model 768, 24 layers, f32": LARGE,
}
SOURCE = """#include <krait.hpp>
inline constexpr auto dims = krait::resolve(krait::ModelDims{{{dims}}});
using Model = krait::Mamba<dims>;
extern const Model model;
krait::State<Model> state;
krait::Scratch<Model> scratch;
krait::Tensor<float, dims.vocab_size> logits;
void step(int token) {{ krait::step(model, state, token, logits, scratch); }}
"""


class AVX2(Host):
    """The compilation target x86-64 AVX2: the host's compiler with fixed flags, so that the measured sizes do not depend on the
    host's processor."""
    name = "x86-64 AVX2"
    flags = ["-march=haswell", "-maes", "-mpclmul"]
    binaries = {"size": "size"}

    def missing(self):
        return None


TARGETS = {board.name: board for board in (Board("mps2-an386"), Board("mps3-an547"), Board("qemu-virt-rv32"), AVX2())}


def measure(target, dims, folder):
    source, built = folder / "model.cpp", folder / "model.o"
    source.write_text(SOURCE.format(dims=dims))
    start = time.monotonic()
    target.compile(source, built, f"-I{ROOT / 'include'}", "-fstack-usage")
    seconds = time.monotonic() - start
    sections = {"code": 0, "ram": 0}
    for name, size in re.findall(r"^(\.\S+) +(\d+)", run([target.binaries["size"], "-A", "-d", str(built)]), re.MULTILINE):
        if name.startswith((".text", ".rodata")):
            sections["code"] += int(size)
        elif name.startswith((".bss", ".data")):
            sections["ram"] += int(size)
    frames = [int(size) for size in re.findall(r"\t(\d+)\t", built.with_suffix(".su").read_text())]
    return {**sections, "object": built.stat().st_size, "frame": max(frames), "seconds": round(seconds, 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=";".join(MODELS), help="semicolon-separated names")
    parser.add_argument("--targets", default=",".join(TARGETS))
    parser.add_argument("--record", action="store_true", help="write the measured figures to bench/results/footprint.json")
    options = parser.parse_args()
    recorded = Recorded("footprint.json", MOST_GROWTH, options.record)
    print(f"{'bytes':42} {'code':>9} {'RAM':>9} {'object':>9} {'frame':>9} {'seconds':>9}")
    with tempfile.TemporaryDirectory(prefix="krait_footprint_") as folder:
        for target in (TARGETS[name] for name in options.targets.split(",")):
            if target.missing():
                print(f"{target.name}: skipped: no {target.missing()} on this machine")
                continue
            for model in options.models.split(";"):
                row = f"{target.name}: {model}"
                found = measure(target, MODELS[model], pathlib.Path(folder))
                print(f"{row:42}", *(f"{value:>9,}" for value in found.values()), flush=True)
                recorded.judge(row, found, BYTES)
    return recorded.exit_code()


if __name__ == "__main__":
    sys.exit(main())
