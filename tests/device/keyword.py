#!/usr/bin/env python3
"""The keyword-spotting example on boards: instructions of an inference of 100 frames, and where they go.

  keyword.py [--boards NAME,...] [--types f32,int8,...] [--profile] [--flags "..."]
"""
import argparse
import collections
import json
import os
import pathlib
import shlex
import struct
import sys
import tempfile

import profile
from boards import ROOT, SKIPPED, Board, run

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLE = ROOT / "examples" / "keyword"


def reference():
    """The checkpoint with its inputs and answers, which is no part of the project."""
    folder = pathlib.Path(os.environ.get("KRAIT_REFERENCE", ROOT.parent / "shared" / "reference"))
    return folder / "mambalite_kws.safetensors"


def read_tensors(path):
    """Name -> (bytes, floats) of an F32 safetensors file."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(size)), file.read()
    header.pop("__metadata__", None)
    spans = {name: data[slice(*entry["data_offsets"])] for name, entry in header.items()}
    return {name: (raw, [x for (x,) in struct.iter_unpack("<f", raw)]) for name, raw in spans.items()}


class Builder:
    def __init__(self, folder, flags=()):
        self.folder, self.flags = folder, list(flags)
        self.tensors = read_tensors(reference())
        (folder / "recordings.bin").write_bytes(self.tensors["input"][0] + self.tensors["input_unit"][0])
        run(["g++", "-std=c++20", "-O1", "-march=native", f"-I{ROOT / 'include'}", str(HERE / "pack_keyword.cpp"), "-o", str(folder / "pack")])

    def image(self, board, storage, frames):
        run([str(self.folder / "pack"), str(reference()), storage, str(self.folder / f"{storage}.bin")])
        data = self.folder / f"data_{storage}_{frames}.S"
        data.write_text(f"""  .section .rodata
  .balign 64
  .global keyword_model
keyword_model: .incbin "{self.folder / storage}.bin"
  .balign 64
  .global keyword_recordings
keyword_recordings: .incbin "{self.folder / 'recordings.bin'}"
  .balign 4
  .global keyword_frames
keyword_frames: .word {frames}
""")
        program = self.folder / f"{board.name}_{storage}.o"
        if not program.exists():
            board.compile(EXAMPLE / "keyword.cpp", program, "-g", "-Wall", "-Wextra", f"-DKEYWORD_STORAGE={storage}",
                          f"-I{ROOT / 'include'}", *self.flags)
        board.compile(data, data.with_suffix(".o"))
        image = self.folder / f"{board.name}_{storage}_{frames}.elf"
        board.link([program, data.with_suffix(".o")], image)
        return image


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", default="mps2-an386,mps3-an547")
    parser.add_argument("--types", default="f32,int8")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--loops", action="store_true", help="the busiest instructions")
    parser.add_argument("--flags", default="")
    parser.add_argument("--keep", help="a folder for the images")
    args = parser.parse_args()
    if not reference().exists():
        print(f"skipped: no {reference()}")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(args.keep or folder).resolve()
        folder.mkdir(exist_ok=True)
        builder = Builder(folder, shlex.split(args.flags))
        for name in args.boards.split(","):
            board = Board(name)
            if board.missing():
                print(f"{name}: skipped: no {board.missing()} on this machine")
                continue
            for storage in args.types.split(","):
                answers = [line.split() for line in board.execute(builder.image(board, storage, 100))]
                loop = int(answers[0][1])
                per_tick = 400_001 / loop
                print(f"{name} {storage}: {loop} ticks for 400001 instructions")
                for words, wanted in zip(answers[1:3], ("logits", "logits_unit")):
                    logits = [struct.unpack(">f", bytes.fromhex(word))[0] for word in words[5:]]
                    target = builder.tensors[wanted][1]
                    error = max(abs(a - b) for a, b in zip(logits, target)) / max(map(abs, target))
                    print(f"{name} {storage}: {int(words[1]) * per_tick / 1e6:.3f} M instructions, stack {words[3]} bytes, error {error:.1e}")
                print(f"{name} {storage}:", " ".join(answers[3]))
                if args.profile or args.loops:
                    one, two = (profile.executed(board, builder.image(board, storage, n), folder) for n in (1, 2))
                    step = collections.Counter({address: (two[address] - one[address]) / 2 for address in two})
                    profile.report(board, builder.image(board, storage, 2), step)
                    if args.loops:
                        profile.hot_loops(board, builder.image(board, storage, 2), step)
    return 0


if __name__ == "__main__":
    sys.exit(main())
