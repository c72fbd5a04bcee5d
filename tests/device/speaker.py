#!/usr/bin/env python3
"""Runs the speaker example as firmware on emulated boards, and checks the linked image's flash, RAM and symbols.

On every core with fused multiply-add, the bits of the scores must equal the host's; on other cores, the predictions must equal
the host's.

  speaker.py [--boards NAME,...] [--types TYPE,...] [--headers DIR] [--series N]
"""
import argparse
import pathlib
import struct
import sys
import tempfile

import arrays
import image as images
from boards import BOARDS, ROOT, SKIPPED, Host, boards_here, run

SOURCE = ROOT / "examples" / "firmware" / "speaker.cpp"
EXAMPLE = ROOT / "examples" / "speaker"
WITHOUT_FMA = {"mps2-an385": 40, "mps2-an385-m0plus": 40}  # board -> n: runs every n-th series, to save time
FLASH_LIMIT = {"f32": 56 * 1024, "int8": 28 * 1024}  # in bytes, without test series, Cortex-M4F
RAM_LIMIT = 6 * 1024
TOLERANCE = {"f32": 1e-5, "int8": 1e-3}  # largest difference from the host's scores, relative to the largest score
SPEAKERS = 9


def write_series(path, every):
    """Writes every n-th test series as a C++ header, and returns the speakers of these series."""
    tensors = arrays.read_tensors(EXAMPLE / "test_series.safetensors")
    lengths, values = tensors["lengths"][1], tensors["frames"][1]
    kept, frames, at = [], [], 0
    for i, length in enumerate(lengths):
        if i % every == 0:
            kept.append(length)
            frames += values[12 * at : 12 * (at + length)]
        at += length
    path.write_text(f"""#include <array>
#include "speaker.hpp"
namespace series {{
inline constexpr std::size_t count = {len(kept)};
inline constexpr std::array<unsigned char, count> lengths{arrays.row(kept)};
inline constexpr krait::Tensor<float, {len(frames) // 12}, 12> frames{arrays.rows([len(frames) // 12, 12], frames)};
}}
""")
    return tensors["speakers"][1][::every]


class Run:
    """A run of the speaker example on a board: compiles and runs it, and parses its output."""

    def __init__(self, board, storage, every, headers, folder):
        path = folder / f"series_{every}.hpp"
        self.speakers = write_series(path, every)
        self.image = build(board, storage, headers, folder, f'-DSPEAKER_SERIES="{path.name}"')
        words = [line.split() for line in board.execute(self.image)]
        self.heard = [int(line[1]) for line in words[:-1]]
        self.scores = [line[3:] for line in words[:-1]]
        self.state, self.scratch, self.stack, self.bound = (int(words[-1][i]) for i in (1, 3, 5, 7))

    def right(self):
        return sum(map(int.__eq__, self.heard, self.speakers)) / len(self.speakers)


def build(board, storage, headers, folder, *more):
    name = folder / f"{board.name}_{storage}"
    board.compile(SOURCE, f"{name}.o", "-Wall", "-Wextra", "-Wno-psabi", "-Werror", f"-I{ROOT / 'include'}", f"-I{headers}",
                  f"-I{folder}", f"-I{EXAMPLE}", f'-DSPEAKER_WEIGHTS="speaker_{storage}.hpp"', *more)
    board.link([f"{name}.o"], f"{name}.elf")
    return f"{name}.elf"


def floats(words):
    return [struct.unpack(">f", bytes.fromhex(word))[0] for word in words]


def judge(board, storage, found, expected, every):
    """Prints the results `found` of a board, and yields a message for each fault. `expected` has the host's results for all
    series."""
    host_scores, host_heard = expected.scores[::every], expected.heard[::every]
    if found.heard != host_heard:
        yield f"{board.name} {storage}: hears other speakers than the host"
    if board.name not in WITHOUT_FMA:
        if found.scores != host_scores:
            yield f"{board.name} {storage}: not the same bits as on the host"
        said = "the same bits"
    else:
        error = max(max(abs(a - b) for a, b in zip(floats(mine), floats(hosts))) / max(map(abs, floats(hosts)))
                    for mine, hosts in zip(found.scores, host_scores))
        if not error <= TOLERANCE[storage]:
            yield f"{board.name} {storage}: {error:.1e} from the host, wanted at most {TOLERANCE[storage]:.0e}"
        said = f"the same speakers, scores within {error:.1e}"
    ram = found.state + found.scratch + found.stack
    print(f"{board.name} {storage}: {len(found.heard)} series, {said}; RAM: state {found.state} + scratch {found.scratch} + "
          f"stack {found.stack} = {ram}, stated bound {found.bound}; sections: {images.sections_text(board, found.image)}", flush=True)
    if ram > min(RAM_LIMIT, found.bound):
        yield f"{board.name} {storage}: RAM {ram}, wanted at most {min(RAM_LIMIT, found.bound)}"
    yield from images.complaints(board, found.image)


def judge_size(board, storage, headers, folder):
    """Builds the firmware image without test series, as a product would ship it. Prints its size, and yields a message for each
    forbidden symbol and for a size above the limit."""
    image = build(board, storage, headers, folder)
    board.execute(image)
    flash = images.flash(board, image)
    print(f"{board.name} {storage}, without test series: flash {flash}; sections: {images.sections_text(board, image)}", flush=True)
    yield from images.complaints(board, image)
    if board.name == "mps2-an386" and flash > FLASH_LIMIT[storage]:
        yield f"{board.name} {storage}: flash {flash}, wanted at most {FLASH_LIMIT[storage]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", default=",".join(BOARDS))
    parser.add_argument("--types", default="f32,int8")
    parser.add_argument("--headers", type=pathlib.Path, help="where speaker_TYPE.hpp are; else they are made")
    parser.add_argument("--every", type=int, default=10, help="boards hear every n-th series")
    options = parser.parse_args()
    wrong, done = [], 0
    with tempfile.TemporaryDirectory(prefix="krait_speaker_") as folder:
        folder = pathlib.Path(folder)
        headers = options.headers or folder
        for storage in options.types.split(","):
            if not (headers / f"speaker_{storage}.hpp").exists():
                run([sys.executable, str(ROOT / "tools" / "krait"), "pack", str(EXAMPLE / "speaker.safetensors"), "--type", storage,
                     "--order", "linear_in,layers,norm_f,mean,classifier", "--name", "weights",
                     "--header", str(headers / f"speaker_{storage}.hpp")])
            host = Run(Host(), storage, 1, headers, folder)
            print(f"host {storage}: {100 * host.right():.2f} % of {len(host.heard)} series")
            for board in boards_here(options.boards):
                done += 1
                every = WITHOUT_FMA.get(board.name, options.every)
                wrong += judge(board, storage, Run(board, storage, every, headers, folder), host, every)
                if board.name == "mps2-an386":
                    wrong += judge_size(board, storage, headers, folder)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0 if done else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
