#!/usr/bin/env python3
"""Runs the example learn on the host and on an emulated Cortex-M7, which learns a ninth voice, and checks the accuracy, the
saved image, the RAM, the instructions of a step and the symbols.
"""
import collections
import itertools
import pathlib
import re
import sys
import tempfile

import arrays
import image as images
from boards import ROOT, SKIPPED, Host, boards_here, run

EXAMPLE = ROOT / "examples" / "learn"
SERIES = ROOT / "examples" / "speaker"
BOARD = "mps2-an500"  # a Cortex-M7
NINTH = 8
RAM_LIMIT = 128 * 1024
NEW_RIGHT = 0.95        # the least share of the ninth voice's test utterances that are right afterwards
OLD_LOST = 4            # the most test utterances of the other voices that learning may lose
STEP_LIMIT = 4_000_000  # instructions of the longest step
INSTRUCTIONS_OF_A_TICK = 40  # the board's clock has 25 MHz, and an instruction takes a nanosecond


def frames(name, tensors):
    """Returns the C++ array frames_NAME, with the frames of all utterances of a file."""
    (count, _), values = tensors["frames"]
    return f"inline constexpr krait::Tensor<float, {count}, 12> frames_{name}{arrays.rows([count, 12], values)};\n"


def utterances(name, of, tensors, wanted):
    """Returns the C++ source of an array `name` of the Utterances of all speakers for which wanted(speaker) is true, in the
    order: the first utterance of each speaker, then the second of each, and so on. They refer to the array frames_<of>."""
    of_speaker, at = collections.defaultdict(list), 0
    for length, speaker in zip(tensors["lengths"][1], tensors["speakers"][1]):
        if wanted(speaker):
            of_speaker[speaker].append(f"{{std::span(frames_{of}.data() + {at}, {length}), {speaker}}}")
        at += length
    rounds = itertools.zip_longest(*of_speaker.values())
    items = [item for one_of_each in rounds for item in one_of_each if item]
    return f"inline constexpr std::array<learn::Utterance, {len(items)}> {name}{{{{\n  " + ",\n  ".join(items) + "}};\n"


def write_voices(path):
    training, test = (arrays.read_tensors(SERIES / f"{part}_series.safetensors") for part in ("training", "test"))
    path.write_text("#include <array>\n#include \"learner.hpp\"\nnamespace voices {\n" +
                    frames("training", training) + frames("test", test) +
                    utterances("fresh", "training", training, lambda speaker: speaker == NINTH) +
                    utterances("old", "training", training, lambda speaker: speaker != NINTH) +
                    utterances("test", "test", test, lambda speaker: True) + "}\n")


class Run:
    """A run of the example: compiles and runs it, and parses its output."""

    def __init__(self, board, folder, *link_args):
        name = folder / board.name
        saved = folder / f"{board.name}.image"
        board.compile(EXAMPLE / "learn.cpp", f"{name}.o", "-Wall", "-Wextra", "-Werror", "-Wno-psabi", f"-I{ROOT / 'include'}",
                      f"-I{folder}", f"-I{EXAMPLE}", f'-DLEARN_IMAGE="{saved}"')
        self.elf = f"{name}.elf"
        board.link([f"{name}.o"], self.elf, *link_args)
        more = {} if isinstance(board, Host) else {"timeout": 800}
        self.lines = board.execute(self.elf, **more)
        self.before, self.after = (list(map(int, re.findall(r"\d+", line))) for line in (self.lines[0], self.lines[1]))
        self.ticks, self.memory, self.stack = map(int, re.findall(r"\d+", self.lines[3]))
        self.image = saved.read_bytes()


def judge_learning(found):
    """Yields a message for each result of the learning that is worse than it should be."""
    new, all_new, old, all_old = found.after
    if new < NEW_RIGHT * all_new:
        yield f"{new} of {all_new} utterances of the new voice are right, wanted {NEW_RIGHT:.0%}"
    if found.before[2] - old > OLD_LOST:
        yield f"the old voices lose {found.before[2] - old} of {all_old} utterances, wanted at most {OLD_LOST}"
    if found.before[0] > 0 or found.before[2] < 0.95 * all_old:
        yield f"before: {found.lines[0]}, wanted none of the new voice and at least 95 % of the others"


def judge_board(board, found, host):
    """Prints the results of a board, and yields a message for each fault."""
    sections = images.sections(board, found.elf)
    ram = sum(size for name, size in sections.items() if name.startswith((".data", ".bss", ".tdata", ".tbss"))) + found.stack
    instructions = found.ticks * INSTRUCTIONS_OF_A_TICK
    print(f"{board.name}: {found.lines[1]}; RAM {ram}: memory {found.memory}, stack {found.stack}; longest step "
          f"{instructions:,} instructions; sections: {images.sections_text(board, found.elf)}", flush=True)
    if found.image != host.image or found.lines[:3] != host.lines[:3]:
        yield f"{board.name}: another image or other results than on the host"
    if ram > RAM_LIMIT:
        yield f"{board.name}: RAM {ram}, wanted at most {RAM_LIMIT}"
    if not 0 < instructions < STEP_LIMIT:
        yield f"{board.name}: a step of {instructions:,} instructions, wanted at most {STEP_LIMIT:,}"
    yield from images.complaints(board, found.elf)


def main():
    done = 0
    with tempfile.TemporaryDirectory(prefix="krait_learn_") as folder:
        folder = pathlib.Path(folder)
        write_voices(folder / "voices.hpp")
        run([sys.executable, str(ROOT / "tools" / "krait"), "pack", str(EXAMPLE / "eight.safetensors"), "--type", "f32",
             "--order", "linear_in,layers,norm_f,mean,classifier", "--name", "eight", "--header", str(folder / "eight.hpp")])
        host = Run(Host(), folder)
        print("host:", *host.lines[:3], sep="\n  ", flush=True)
        wrong = list(judge_learning(host))
        for board in boards_here(BOARD):
            done += 1
            # The linker rejects the program if memory and stack do not fit into the limit.
            limits = [f"-Wl,--defsym=__ram_size={RAM_LIMIT}", "-Wl,--defsym=__stack_size=0x1000"]
            wrong += judge_board(board, Run(board, folder, *limits), host)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0 if done else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
