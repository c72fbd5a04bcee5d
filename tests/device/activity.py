#!/usr/bin/env python3
"""Runs the activity example with weights of f32 and int8 on the host and as firmware on an emulated board: the same bits, the
accuracy on the test series, and the RAM.

  activity.py [--boards NAME,...]
"""
import argparse
import pathlib
import sys
import tempfile

import arrays
import image as images
from boards import ROOT, SKIPPED, Host, boards_here, run

EXAMPLE = ROOT / "examples" / "activity"
SAMPLES_OF_A_TOKEN = 4
FEWEST_RIGHT = 0.95
MOST_LOST = 1  # series that int8 may lose
RAM_LIMIT = 8 * 1024


def write_series(path):
    """Writes the test series as a C++ header, and returns their activities."""
    tensors = arrays.read_tensors(EXAMPLE / "test_series.safetensors")
    (count, samples, channels), values = tensors["x"]
    tokens, width = samples // SAMPLES_OF_A_TOKEN, SAMPLES_OF_A_TOKEN * channels
    path.write_text(f"""#include <krait.hpp>
namespace series {{
inline constexpr std::size_t count = {count}, length = {tokens};
inline constexpr krait::Tensor<float, {count * tokens}, {width}> tokens{arrays.rows([count * tokens, width], values)};
}}
""")
    return list(tensors["activities"][1])


class Answer:
    """The parsed output of the example, compiled for a board or the host."""

    def __init__(self, board, storage, folder):
        name = folder / f"{board.name}_{storage}"
        board.compile(EXAMPLE / "activity.cpp", f"{name}.o", "-Wall", "-Wextra", "-Werror", "-Wno-psabi",
                      f"-I{ROOT / 'include'}", f"-I{folder}", f'-DACTIVITY_WEIGHTS="activity_{storage}.hpp"')
        board.link([f"{name}.o"], f"{name}.elf")
        self.image, self.board = f"{name}.elf", board
        words = [line.split() for line in board.execute(self.image)]
        self.found = [int(line[1]) for line in words[:-1]]
        self.scores = [line[3:] for line in words[:-1]]
        self.state, self.scratch, self.stack, self.weights = (int(words[-1][at]) for at in (1, 3, 5, 7))

    def right(self, wanted):
        return sum(map(int.__eq__, self.found, wanted))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", default="mps2-an386")
    options = parser.parse_args()
    wrong, done, right = [], 0, {}
    with tempfile.TemporaryDirectory(prefix="krait_activity_") as folder:
        folder = pathlib.Path(folder)
        wanted = write_series(folder / "series.hpp")
        for storage in ("f32", "int8"):
            run([sys.executable, str(ROOT / "tools" / "krait"), "pack", str(EXAMPLE / "activity.safetensors"),
                 "--type", storage, "--name", "activity", "--header", str(folder / f"activity_{storage}.hpp")])
            host = Answer(Host(), storage, folder)
            right[storage] = host.right(wanted)
            print(f"host {storage}: {right[storage]} of {len(wanted)} series", flush=True)
            for board in boards_here(options.boards):
                done += 1
                answer = Answer(board, storage, folder)
                ram = answer.state + answer.scratch + answer.stack
                print(f"{board.name} {storage}: {answer.right(wanted)} of {len(wanted)} series; RAM: state {answer.state} + "
                      f"scratch {answer.scratch} + stack {answer.stack} = {ram}; weights {answer.weights}", flush=True)
                if answer.scores != host.scores:
                    wrong.append(f"{board.name} {storage}: other bits than on the host")
                if ram > RAM_LIMIT:
                    wrong.append(f"{board.name} {storage}: RAM {ram}, wanted at most {RAM_LIMIT}")
                wrong += images.complaints(board, answer.image)
    if right["f32"] < FEWEST_RIGHT * len(wanted) or right["int8"] < right["f32"] - MOST_LOST:
        wrong.append(f"right series: {right}, wanted {FEWEST_RIGHT:.0%}, and int8 to lose at most {MOST_LOST}")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0 if done else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
