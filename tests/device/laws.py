#!/usr/bin/env python3
"""Checks on emulated boards, with every storage type, that forward, prefill, step and streams give the same bits.

On cores with fused multiply-add, these bits must equal the host's, and so must the bits of the activation functions and of the
recurrence's decay for floats of every magnitude. On cores without fused multiply-add, the outputs must be within a tolerance of
the host's outputs.

  laws.py [--quick] [--boards NAME,...] [--headers DIR]
"""
import argparse
import pathlib
import struct
import sys
import tempfile

import arrays
from boards import BOARDS, ROOT, SKIPPED, Host, boards_here, run

HERE = pathlib.Path(__file__).resolve().parent
REFERENCE = ROOT / "tests" / "data" / "reference"
TOKENS = 60
# The largest difference from the host's outputs on a core without fused multiply-add, relative to the largest output. With
# int8, an input in the middle between two 16-bit numbers may be rounded up on one core and down on another.
TOLERANCES = {"f32": 1e-5, "bf16": 1e-5, "f16": 1e-5, "int8": 1e-4}


def write_headers(headers, names=("block", "tied")):
    for name, file, data in (("block", "block_odd_all_biases", ("input", "output")), ("tied", "mamba_tied", ("tokens", "logits"))):
        if name in names and not (headers / f"{name}.hpp").exists():
            run([sys.executable, str(ROOT / "tools" / "krait"), "pack", str(REFERENCE / f"{file}.safetensors"), "--name", name,
                 *(word for tensor in data for word in ("--ignore", tensor)), "--header", str(headers / f"{name}.hpp")])


def write_data(folder):
    rows = arrays.read_tensors(REFERENCE / "block_odd_all_biases.safetensors")["input"]
    tokens = arrays.read_tensors(REFERENCE / "mamba_tied.safetensors")["tokens"][1][:TOKENS]
    (folder / "data.hpp").write_text(f"""#include <array>
#include <krait.hpp>
namespace data {{
inline constexpr krait::Tensor<float, {rows[0][0]}, {rows[0][1]}> rows{arrays.rows(*rows)};
inline constexpr std::array<int, {TOKENS}> tokens{arrays.row(tokens)};
}}
""")


def answers(board, folder, headers, *flags):
    """Runs laws.cpp on a board. Returns whether the board has fused multiply-add, {model and storage type: [{name: hash}, last
    output]} and {function: hash}."""
    board.compile(HERE / "laws.cpp", folder / f"{board.name}.o", "-Wall", "-Wextra", "-Wno-psabi", "-Werror",
                  f"-I{ROOT / 'include'}", f"-I{headers}", f"-I{folder}", *flags)
    board.link([folder / f"{board.name}.o"], folder / f"{board.name}.elf")
    lines = [line.split() for line in board.execute(folder / f"{board.name}.elf")]
    found, functions, here = {}, {}, None
    for words in lines[1:]:
        if words[0] == "function":
            functions[words[1]] = words[2]
        elif words[0] == "last":
            here[1] += [struct.unpack(">f", bytes.fromhex(word))[0] for word in words[1:]]
        else:
            here = found[f"{words[0]} {words[1]}"] = [dict(zip(words[2::2], words[3::2])), []]
    return lines[0] == ["fma", "1"], found, functions


def judge(board, answer, right, models):
    """Compares a board's results (`answer`) with the host's (`right`), prints a summary, and yields a message for each
    difference."""
    (fused, found, functions), (_, expected, right_functions) = answer, right
    if functions["heads_prefill"] != functions["heads_step"]:
        yield f"{board.name}: models of Mamba-2 and Mamba-3: prefill and step differ: {functions}"
    if len(functions) != 12 or (fused and functions != right_functions):
        yield f"{board.name}: functions {functions}, the host has {right_functions}"
    if found.keys() != expected.keys() or len(found) != models:
        yield f"{board.name}: answers for {', '.join(found)}, wanted {', '.join(expected)}"
        return
    furthest = 0.0
    for name, (hashes, last) in found.items():
        if not hashes["forward"] == hashes["prefill"] == hashes["steps"] == hashes["streams"]:
            yield f"{board.name}: {name}: forward, prefill, step and step_streams differ: {hashes}"
        if not hashes["state"] == hashes["prefill_state"] == hashes["stream_state"]:
            yield f"{board.name}: {name}: the states of prefill, step and step_streams differ: {hashes}"
        wanted_hashes, wanted = expected[name]
        if hashes["weights"] != wanted_hashes["weights"]:
            yield f"{board.name}: {name}: converted weights are {hashes['weights']}, the host's {wanted_hashes['weights']}"
        if fused and (hashes, last) != (wanted_hashes, wanted):
            yield f"{board.name}: {name}: {hashes}, the host has {wanted_hashes}"
        error = max(abs(a - b) for a, b in zip(last, wanted)) / max(map(abs, wanted))
        furthest = max(furthest, error)
        if not error <= TOLERANCES[name.split()[1]]:
            yield f"{board.name}: {name}: {error:.1e} from the host, wanted at most {TOLERANCES[name.split()[1]]:.0e}"
    print(f"{board.name}: {len(found)} models, {'the same bits' if fused else f'no fused multiply-add: within {furthest:.1e}'}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a block with f32 and int8 weights and a stack, with -O1")
    parser.add_argument("--boards", default=",".join(BOARDS))
    parser.add_argument("--headers", type=pathlib.Path, help="the folder of block.hpp and tied.hpp; generated by default")
    options = parser.parse_args()
    wrong = []
    with tempfile.TemporaryDirectory(prefix="krait_laws_") as folder:
        folder = pathlib.Path(folder)
        headers = options.headers or folder
        boards = list(boards_here(options.boards))
        if not boards:
            return SKIPPED
        flags, models = (["-DLAWS_QUICK", "-O1"], 3) if options.quick else ([], 6)
        write_headers(headers, ("block",) if options.quick else ("block", "tied"))
        write_data(folder)
        right = answers(Host(), folder, headers, *flags)
        wrong += judge(Host(), right, right, models)
        for board in boards:
            answer = answers(board, folder, headers, *flags)
            if answer[0] != (board.name not in ("mps2-an385", "mps2-an385-m0plus")):
                wrong.append(f"{board.name}: says {answer[0]} of fused multiply-add")
            wrong += judge(board, answer, right, models)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
