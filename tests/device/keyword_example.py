#!/usr/bin/env python3
"""The keyword-spotting example: the same bits on the host and on boards with fused multiply-add, its error, its RAM, its
instructions for an inference of 100 frames, and where they go.

  keyword_example.py [--boards NAME,...] [--types TYPE,...] [--profile] [--loops] [--flags "..."] [--headers DIR] [--checkpoint FILE]

The checkpoint is no part of the project; where it is not there, the test is skipped.
"""
import argparse
import collections
import pathlib
import shlex
import struct
import sys
import tempfile

import arrays
import image as images
import kernel_counts
from boards import ROOT, SKIPPED, Host, boards_here, run

EXAMPLE = ROOT / "examples" / "keyword" / "keyword.cpp"
NOT_WEIGHTS = ["input*", "logits*", "mixer_input", "mixer_output*"]
KNOWN_LOOP = 400_001  # instructions
TOLERANCE = 1e-5      # of the largest score, f32
RAM_LIMIT = 12_288    # State, Scratch and stack; h and the window take 9,728 of it
# Instructions of an inference that must not be passed, in millions.
LIMITS = {("mps2-an386", "f32"): 9.4, ("mps2-an386", "int8"): 9.5,
          ("mps3-an547", "f32"): 6.65, ("mps3-an547", "int8"): 5.45}
PER_TICK = {"mps2-an386": 40.0, "mps2-an500": 40.0, "mps2-an505": 50.0, "mps3-an547": 31.25, "qemu-virt-rv32": 1.0}


class Program:
    """The example with a storage type's weights, on a board or on this machine."""

    def __init__(self, board, storage, options, folder):
        self.board, self.storage, self.folder, self.checkpoint = board, storage, folder, options.checkpoint
        self.headers = pathlib.Path(options.headers or folder)
        self.weights = self.headers / f"keyword_{storage}.hpp"
        if not self.weights.exists():
            run([sys.executable, str(ROOT / "tools" / "krait-pack"), str(self.checkpoint), "--type", storage, "--name", "keyword",
                 *(word for name in NOT_WEIGHTS for word in ("--ignore", name)), "--header", str(self.weights)])
        self.flags = ["-g", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'include'}", f"-I{self.headers}",
                      f'-DKEYWORD_WEIGHTS="keyword_{storage}.hpp"', *shlex.split(options.flags)]

    def image(self, frames, inferences):
        tensors = arrays.read_tensors(self.checkpoint)
        name = self.folder / f"{self.board.name}_{self.storage}_{frames}"
        data = self.folder / f"{frames}_{inferences}"
        data.mkdir(exist_ok=True)
        (data / "recordings.hpp").write_text(f"""#include <krait.hpp>
namespace recordings {{
using Recording = krait::Tensor<float, 100, 40>;
inline constexpr std::size_t inferences = {inferences};
inline const volatile std::size_t frames = {frames};  // unknown to the compiler: the same code for any number
inline constexpr Recording all[2]{{
{arrays.rows(*tensors["input"])},
{arrays.rows(*tensors["input_unit"])}}};
}}
""")
        self.board.compile(EXAMPLE, f"{name}.o", *self.flags, f"-I{data}")
        self.board.link([f"{name}.o"], f"{name}.elf")
        return f"{name}.elf"


class Answer:
    """What the program printed."""

    def __init__(self, board, image):
        self.image, lines = image, board.execute(image)
        words = [line.split() for line in lines]
        self.known_loop = int(words[0][1])
        self.ticks, self.stack = (max(int(line[i]) for line in words[1:3]) for i in (1, 3))
        self.bits = [line[5:] for line in words[1:3]]
        self.scores = [[struct.unpack(">f", bytes.fromhex(word))[0] for word in line] for line in self.bits]
        self.inferences = int(words[3][1])
        self.state, self.scratch, self.weights = (int(words[4][i]) for i in (1, 3, 5))

    def error(self, checkpoint):
        """The largest, relative to the largest score."""
        tensors = arrays.read_tensors(checkpoint)
        wanted = [tensors[name][1] for name in ("logits", "logits_unit")]
        return max(abs(a - b) / max(map(abs, target)) for found, target in zip(self.scores, wanted)
                   for a, b in zip(found, target))


def judge(board, storage, answer, host, checkpoint):
    """What is wrong."""
    error = answer.error(checkpoint)
    ram = answer.state + answer.scratch + answer.stack
    line = f"{board.name} {storage}: error {error:.1e}, {answer.inferences} inferences alike"
    if board.name != "host":
        per_tick = KNOWN_LOOP / answer.known_loop
        millions = answer.ticks * PER_TICK[board.name] / 1e6
        line += (f", {millions:.3f} M instructions; RAM: state {answer.state} + scratch {answer.scratch} + stack {answer.stack}"
                 f" = {ram}; weights {answer.weights}")
        if abs(per_tick / PER_TICK[board.name] - 1) > 1e-3:
            yield f"{board.name}: a tick is {per_tick:.3f} instructions, wanted {PER_TICK[board.name]}"
        if millions > LIMITS.get((board.name, storage), 1e9):
            yield f"{board.name} {storage}: {millions:.3f} M instructions, wanted at most {LIMITS[board.name, storage]}"
        if ram > RAM_LIMIT:
            yield f"{board.name} {storage}: RAM {ram}, wanted at most {RAM_LIMIT}"
        if answer.bits != host.bits:
            yield f"{board.name} {storage}: other bits than on the host"
        yield from images.complaints(board, answer.image)
    print(line, flush=True)
    if storage == "f32" and not error <= TOLERANCE:
        yield f"{board.name} {storage}: error {error:.1e}, wanted at most {TOLERANCE:.0e}"


def print_profile(program, loops):
    """Where the instructions of a step go: one frame more, the same program."""
    one, two = (kernel_counts.executed(program.board, program.image(frames, 2), program.folder) for frames in (1, 2))
    step = collections.Counter({address: (two[address] - one[address]) / 2 for address in two})
    kernel_counts.report(program.board, program.image(2, 2), step)
    if loops:
        kernel_counts.hot_loops(program.board, program.image(2, 2), step)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", default=",".join(PER_TICK))
    parser.add_argument("--types", default="f32,int8")
    parser.add_argument("--profile", action="store_true", help="instructions of a step by kernel, and the line that calls it")
    parser.add_argument("--loops", action="store_true", help="and the busiest instructions")
    parser.add_argument("--flags", default="", help="more flags for the compiler")
    parser.add_argument("--headers", help="where keyword_TYPE.hpp are; else they are made")
    parser.add_argument("--checkpoint", type=pathlib.Path, default=ROOT.parent / "shared" / "reference" / "mambalite_kws.safetensors")
    options = parser.parse_args()
    if not options.checkpoint.exists():
        print(f"skipped: no {options.checkpoint}, which is no part of the project")
        return SKIPPED
    wrong, done = [], 0
    with tempfile.TemporaryDirectory(prefix="krait_keyword_") as folder:
        folder = pathlib.Path(folder)
        for storage in options.types.split(","):
            host = Program(Host(), storage, options, folder)
            expected = Answer(host.board, host.image(100, 1000))
            wrong += judge(host.board, storage, expected, expected, options.checkpoint)
            for board in boards_here(options.boards):
                done += 1
                program = Program(board, storage, options, folder)
                wrong += judge(board, storage, Answer(board, program.image(100, 4)), expected, options.checkpoint)
                if options.profile or options.loops:
                    print_profile(program, options.loops)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0 if done else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
