#!/usr/bin/env python3
"""Checks that the code sizes of a step on a Cortex-M4F, for one model and for a second model with other dims, are within 5 % of
the figures in docs/firmware.md.

  code_size.py
"""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests" / "device"))
from boards import SKIPPED, Board  # noqa: E402

BOARD = Board("mps2-an386")
TOLERANCE = 0.05
SOURCE = """#include <krait.hpp>
template <std::size_t d_model, std::size_t vocab_size>
using Model = krait::Mamba<krait::resolve(
    krait::ModelDims{{.vocab_size = vocab_size, .d_model = d_model, .n_layers = 4, .storage = krait::Storage::{storage}}})>;
template <class M, std::size_t vocab_size>
void step(const M& m, krait::State<M>& s, krait::Scratch<M>& scratch, int token, krait::Tensor<float, vocab_size>& logits) {{
  krait::step(m, s, token, logits, scratch);
}}
"""
FIRST = ("template void step(const Model<128, 256>&, krait::State<Model<128, 256>>&, krait::Scratch<Model<128, 256>>&, int, "
         "krait::Tensor<float, 256>&);\n")
SECOND = FIRST.replace("128", "64").replace("256", "128")


def code(storage, instances, folder):
    source = folder / "step.cpp"
    source.write_text(SOURCE.format(storage=storage) + instances)
    BOARD.compile(source, folder / "step.o", f"-I{ROOT / 'include'}")
    return int(subprocess.run([BOARD.binaries["size"], folder / "step.o"], stdout=subprocess.PIPE, text=True,
                              check=True).stdout.splitlines()[1].split()[0])


def main():
    if BOARD.missing():
        print(f"skipped: no {BOARD.missing()} on this machine")
        return SKIPPED
    page, wrong = (ROOT / "docs" / "firmware.md").read_text(), []
    rows = re.findall(r"^\| (f32|int8) \| ([\d,]+) \| ([\d,]+) \|$", page, re.M)
    if {row[0] for row in rows} != {"f32", "int8"}:
        wrong.append("docs/firmware.md: found no figures of f32 and int8")
    with tempfile.TemporaryDirectory(prefix="krait_code_") as folder:
        for storage, *figures in rows:
            one, both = (code(storage, instances, pathlib.Path(folder)) for instances in (FIRST, FIRST + SECOND))
            print(f"{storage}: the first model {one:,} bytes, the second {both - one:,}")
            for found, figure in zip((one, both - one), figures):
                if abs(found / int(figure.replace(",", "")) - 1) > TOLERANCE:
                    wrong.append(f"{storage}: found {found:,} bytes, docs/firmware.md has {figure}")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
