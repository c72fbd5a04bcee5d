#!/usr/bin/env python3
"""Runs the activity example as firmware on an emulated board, with each storage type: the bits of krait.load on this machine,
the accuracy on the test series, and the RAM.

  activity.py [--boards NAME,...] [--types TYPE,...]
"""
import argparse
import os
import pathlib
import sys
import tempfile

import numpy as np

import arrays
import image as images
from boards import ROOT, SKIPPED, boards_here, run

sys.path.insert(0, str(ROOT / "python"))
import krait  # noqa: E402

EXAMPLE = ROOT / "examples" / "activity"
SAMPLES_OF_A_TOKEN = 4
FEWEST_RIGHT = 0.95
MOST_LOST = 1  # by how many right series the storage types may differ
RAM_LIMIT = 8 * 1024


def write_series(path):
    """Writes the test series as a C++ header, and returns their samples and activities."""
    tensors = arrays.read_tensors(EXAMPLE / "test_series.safetensors")
    (count, samples, channels), values = tensors["x"]
    tokens, width = samples // SAMPLES_OF_A_TOKEN, SAMPLES_OF_A_TOKEN * channels
    path.write_text(f"""#include <krait.hpp>
namespace series {{
inline constexpr std::size_t count = {count}, length = {tokens};
inline constexpr krait::Tensor<float, {count * tokens}, {width}> tokens{arrays.rows([count * tokens, width], values)};
}}
""")
    return np.array(values, np.float32).reshape(count, samples, channels), np.array(tensors["activities"][1])


class Answer:
    """The parsed output of the activity example on a board."""

    def __init__(self, board, storage, folder):
        name = folder / f"{board.name}_{storage}"
        board.compile(EXAMPLE / "activity.cpp", f"{name}.o", "-Wall", "-Wextra", "-Werror", "-Wno-psabi",
                      f"-I{ROOT / 'include'}", f"-I{folder}", f'-DACTIVITY_WEIGHTS="activity_{storage}.hpp"')
        board.link([f"{name}.o"], f"{name}.elf")
        self.image, self.board = f"{name}.elf", board
        words = [line.split() for line in board.execute(self.image)]
        self.found = np.array([int(line[1]) for line in words[:-1]])
        self.scores = np.array([[int(word, 16) for word in line[3:]] for line in words[:-1]], np.uint32).view(np.float32)
        self.state, self.scratch, self.stack, self.weights = (int(words[-1][at]) for at in (1, 3, 5, 7))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", default="mps2-an386")
    parser.add_argument("--types", default="f32,bf16,f16,int8")
    options = parser.parse_args()
    wrong, done, right = [], 0, {}
    with tempfile.TemporaryDirectory(prefix="krait_activity_") as folder:
        folder = pathlib.Path(folder)
        os.environ["KRAIT_CACHE"] = str(folder / "cache")
        samples, wanted = write_series(folder / "series.hpp")
        for storage in options.types.split(","):
            run([sys.executable, str(ROOT / "tools" / "krait"), "pack", str(EXAMPLE / "activity.safetensors"),
                 "--type", storage, "--name", "activity", "--header", str(folder / f"activity_{storage}.hpp")])
            scores = krait.load(EXAMPLE / "activity.safetensors", storage=storage, compiler="g++").outputs(samples)
            right[storage] = int((scores.argmax(1) == wanted).sum())
            print(f"krait.load {storage}: {right[storage]} of {len(wanted)} series", flush=True)
            for board in boards_here(options.boards):
                done += 1
                answer = Answer(board, storage, folder)
                ram = answer.state + answer.scratch + answer.stack
                print(f"{board.name} {storage}: {(answer.found == wanted).sum()} of {len(wanted)} series; RAM: state "
                      f"{answer.state} + scratch {answer.scratch} + stack {answer.stack} = {ram}; weights {answer.weights}",
                      flush=True)
                if answer.scores.tobytes() != scores.tobytes():
                    wrong.append(f"{board.name} {storage}: other bits than those of krait.load on this machine")
                if ram > RAM_LIMIT:
                    wrong.append(f"{board.name} {storage}: RAM {ram}, wanted at most {RAM_LIMIT}")
                wrong += images.complaints(board, answer.image)
    if min(right.values()) < FEWEST_RIGHT * len(wanted) or min(right.values()) < max(right.values()) - MOST_LOST:
        wrong.append(f"right series: {right}, wanted {FEWEST_RIGHT:.0%}, and no type to lose more than {MOST_LOST}")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0 if done else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
