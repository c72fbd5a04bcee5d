#!/usr/bin/env python3
"""Checks the keyword-spotting example: it gives the same bits on the host and on boards with fused multiply-add, and its error,
its RAM and its instructions for an inference of 100 frames are within limits. With --profile, prints the instructions by
kernel.

  keyword_example.py [--boards NAME,...] [--types TYPE,...] [--profile] [--loops] [--flags "..."] [--headers DIR]
                     [--checkpoint FILE] [--mixer mamba|mamba2|mamba3]

The weights are seeded (keyword_checkpoint.py). --checkpoint names another checkpoint with the same tensor names and shapes,
which is checked in the same way, after the seeded weights. With --mixer, the block is one of Mamba-2 or Mamba-3 of the same
dims, with heads of 32 channels.
"""
import argparse
import collections
import itertools
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
NOT_WEIGHTS = ["input", "logits", "mixer_input", "mixer_output"]  # prefixes of tensors that are not weights
KNOWN_LOOP = 400_001  # the number of instructions that known_loop executes
TOLERANCE = {"f32": 1e-5, "int8": 2e-2}  # the largest error, relative to the largest score
RAM_LIMITS = {"mamba": 12_288, "mamba2": 12_800, "mamba3": 12_800}  # the largest RAM: bytes of State, Scratch and stack
# The most instructions that an inference may take, in millions.
LIMITS = {("mps2-an386", "f32"): 9.4, ("mps2-an386", "int8"): 9.5,
          ("mps3-an547", "f32"): 6.65, ("mps3-an547", "int8"): 5.45}
HEADS_LIMITS = {("mps2-an386", "f32"): 6.5, ("mps2-an386", "int8"): 6.5, ("mps3-an547", "int8"): 4.3}  # Mamba-2, Mamba-3
PER_TICK = {"mps2-an386": 40.0, "mps2-an500": 40.0, "mps2-an505": 50.0, "mps3-an547": 31.25, "qemu-virt-rv32": 1.0}


class Checkpoint:
    """A checkpoint of the keyword model, and the folder for the headers that are packed from it."""

    order = "linear_in,mixer,mean,classifier"

    def __init__(self, path, headers):
        self.path, self.headers, self.tensors = path, headers, arrays.read_tensors(path)

    @staticmethod
    def seeded(headers, mixer="mamba"):
        path = headers / "keyword.safetensors"
        if not path.exists():
            run([sys.executable, str(ROOT / "tests" / "device" / "keyword_checkpoint.py"), "--mixer", mixer, str(path)])
        return Checkpoint(path, headers)

    def complaints(self, seeded):
        """Compares a checkpoint with `seeded`, the example's own. Yields a message for each tensor of `seeded` that the
        checkpoint lacks or has with another shape."""
        for name, (wanted, _) in seeded.tensors.items():
            found = self.tensors[name][0] if name in self.tensors else "no such tensor"
            if found != wanted:
                yield f"{self.path}: {name}: found {found}, wanted {wanted}"


class Program:
    """The keyword example with weights of one storage type, compiled for a board or for this machine."""

    def __init__(self, board, storage, checkpoint, flags, folder):
        self.board, self.storage, self.folder, self.tensors = board, storage, folder, checkpoint.tensors
        self.weights = checkpoint.headers / f"keyword_{storage}.hpp"
        if not self.weights.exists():
            run([sys.executable, str(ROOT / "tools" / "krait"), "pack", str(checkpoint.path), "--type", storage, "--name", "keyword",
                 *(word for name in checkpoint.tensors if name.startswith(tuple(NOT_WEIGHTS)) for word in ("--ignore", name)),
                 *(("--A-formula", "heavy_tail") if "mixer.B_bias" in checkpoint.tensors else ()),
                 "--order", checkpoint.order, "--header", str(self.weights)])
        self.flags = ["-g", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'include'}", f"-I{checkpoint.headers}",
                      f'-DKEYWORD_WEIGHTS="keyword_{storage}.hpp"', *shlex.split(flags)]

    def image(self, frames, inferences):
        name = self.folder / f"{self.board.name}_{self.storage}_{frames}"
        data = self.folder / f"{frames}_{inferences}"
        data.mkdir(exist_ok=True)
        (tokens, width), _ = self.tensors["input"]
        (data / "recordings.hpp").write_text(f"""#include <krait.hpp>
namespace recordings {{
using Recording = krait::Tensor<float, {tokens}, {width}>;
inline constexpr std::size_t inferences = {inferences};
inline const volatile std::size_t frames = {frames};  // volatile, so that the code is the same for any number
inline constexpr Recording all[2]{{
{arrays.rows(*self.tensors["input"])},
{arrays.rows(*self.tensors["input_unit"])}}};
}}
""")
        self.board.compile(EXAMPLE, f"{name}.o", *self.flags, f"-I{data}")
        self.board.link([f"{name}.o"], f"{name}.elf")
        return f"{name}.elf"


class Answer:
    """The parsed output of the keyword example: scores, instruction counts and memory."""

    def __init__(self, board, image):
        self.image, lines = image, board.execute(image)
        words = [line.split() for line in lines]
        self.known_loop = int(words[0][1])
        self.ticks, self.stack = (max(int(line[i]) for line in words[1:3]) for i in (1, 3))
        self.bits = [line[5:] for line in words[1:3]]
        self.scores = [[struct.unpack(">f", bytes.fromhex(word))[0] for word in line] for line in self.bits]
        self.inferences = int(words[3][1])
        self.state, self.scratch, self.weights = (int(words[4][i]) for i in (1, 3, 5))

    def error(self, tensors):
        """Returns the largest error of the scores, relative to the reference's largest score. `tensors` has the reference's
        scores."""
        wanted = [tensors[name][1] for name in ("logits", "logits_unit")]
        return max(abs(a - b) / max(map(abs, target)) for found, target in zip(self.scores, wanted)
                   for a, b in zip(found, target))


def judge(board, storage, answer, host, tensors, limits, ram_limit):
    """Prints the results of one program. Yields a message for each fault: a large error, too many instructions, too much RAM,
    or other bits than the host's. `limits` contains the largest number of million instructions by board and storage type."""
    error = answer.error(tensors)
    ram = answer.state + answer.scratch + answer.stack
    line = f"{board.name} {storage}: error {error:.1e}, {answer.inferences} inferences alike"
    if board.name != "host":
        per_tick = KNOWN_LOOP / answer.known_loop
        millions = answer.ticks * PER_TICK[board.name] / 1e6
        line += (f", {millions:.3f} M instructions; RAM: state {answer.state} + scratch {answer.scratch} + stack {answer.stack}"
                 f" = {ram}; weights {answer.weights}")
        if abs(per_tick / PER_TICK[board.name] - 1) > 1e-3:
            yield f"{board.name}: a tick is {per_tick:.3f} instructions, wanted {PER_TICK[board.name]}"
        limit = limits.get((board.name, storage), 1e9)
        if millions > limit:
            yield f"{board.name} {storage}: {millions:.3f} M instructions, wanted at most {limit}"
        if ram > ram_limit:
            yield f"{board.name} {storage}: RAM {ram}, wanted at most {ram_limit}"
        if answer.bits != host.bits:
            yield f"{board.name} {storage}: not the same bits as on the host"
        yield from images.complaints(board, answer.image)
    print(line, flush=True)
    if not error <= TOLERANCE[storage]:
        yield f"{board.name} {storage}: error {error:.1e}, wanted at most {TOLERANCE[storage]:.0e}"


def print_profile(program, loops):
    """Prints a profile of one step, which is the difference between a run of the program with two frames and a run with one."""
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
    parser.add_argument("--headers", type=pathlib.Path,
                        help="where keyword.safetensors and keyword_TYPE.hpp are; else they are made")
    parser.add_argument("--checkpoint", type=pathlib.Path, help="another checkpoint, which is checked too")
    parser.add_argument("--mixer", choices=RAM_LIMITS, default="mamba")
    options = parser.parse_args()
    if options.headers and options.mixer != "mamba":
        parser.error("--headers: the folder has the checkpoint of --mixer mamba")
    if options.checkpoint and not options.checkpoint.is_file():
        parser.error(f"--checkpoint: found no file {options.checkpoint}")
    wrong, done = [], 0
    limits = (LIMITS if options.mixer == "mamba" else HEADS_LIMITS), RAM_LIMITS[options.mixer]
    with tempfile.TemporaryDirectory(prefix="krait_keyword_") as folder:
        folder = pathlib.Path(folder)
        checkpoints = [Checkpoint.seeded(options.headers or folder, options.mixer)]
        if options.checkpoint:
            (folder / "given").mkdir()
            given = Checkpoint(options.checkpoint, folder / "given")
            wrong += given.complaints(checkpoints[0])
            checkpoints += [] if wrong else [given]
        for checkpoint, storage in itertools.product(checkpoints, options.types.split(",")):
            print(f"{checkpoint.path.name}, {storage}:")
            host = Program(Host(), storage, checkpoint, options.flags, folder)
            expected = Answer(host.board, host.image(100, 1000))
            wrong += judge(host.board, storage, expected, expected, checkpoint.tensors, *limits)
            for board in boards_here(options.boards):
                done += 1
                program = Program(board, storage, checkpoint, options.flags, folder)
                answer = Answer(board, program.image(100, 4))
                wrong += judge(board, storage, answer, expected, checkpoint.tensors, *limits)
                if options.profile or options.loops:
                    print_profile(program, options.loops)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0 if done else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
