#!/usr/bin/env python3
"""Checks that the program `train` learns, with Mamba-1 and Mamba-2, and that it gives the same model with two threads and when
it is interrupted.

  train_test.py TRAIN
"""
import pathlib
import re
import subprocess
import sys
import tempfile


def main():
    wrong = []
    with tempfile.TemporaryDirectory(prefix="krait_train_") as folder:
        folder = pathlib.Path(folder)
        text = folder / "text"
        text.write_bytes(b"".join(b"line %d of the text\n" % (i * i % 97) for i in range(2000)))

        def train(out, *more):
            command = [sys.argv[1], "--text", text, "--out", folder / out, "--steps", "12", "--warmup", "3", "--log", "1",
                       "--held-out", "2000", *more]
            return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        heads = train("heads", "--mamba2")
        train("resumed_heads", "--mamba2", "--checkpoint", folder / "of_heads", "--stop", "4", "--threads", "2")
        train("resumed_heads", "--mamba2", "--checkpoint", folder / "of_heads")
        losses = [float(loss) for loss in re.findall(r"loss (\d+\.\d+)", heads.stderr)]
        if heads.returncode or len(losses) != 12 or not losses[-1] < losses[0] - 1:
            wrong.append(f"12 steps of Mamba-2: exit code {heads.returncode}, losses {losses}")
        elif (folder / "resumed_heads").read_bytes() != (folder / "heads").read_bytes():
            wrong.append("an interrupted run of Mamba-2 with two threads gives another model")
        plain = train("plain")
        losses = [float(loss) for loss in re.findall(r"loss (\d+\.\d+)", plain.stderr)]
        if plain.returncode or len(losses) != 12 or not losses[-1] < losses[0] - 1:
            wrong.append(f"12 steps: exit code {plain.returncode}, losses {losses}")
        if not re.fullmatch(r"\d+\.\d{6} bits per byte on the 2000 bytes held out\n", plain.stdout):
            wrong.append(f"12 steps print {plain.stdout!r}")
        checkpoint = folder / "checkpoint"
        train("resumed", "--checkpoint", checkpoint, "--stop", "5", "--threads", "2")
        kept = checkpoint.read_bytes()
        resumed = train("resumed", "--checkpoint", checkpoint)
        if "resumed after step 5" not in resumed.stderr or (folder / "resumed").read_bytes() != (folder / "plain").read_bytes():
            wrong.append("an interrupted run with two threads gives another model")
        damaged = bytearray(kept)
        damaged[1000] ^= 1
        for content, more, words in [(damaged, (), "the checkpoint is damaged"), (kept[:-1], (), "wanted a checkpoint of"),
                                     (kept, ("--mamba2",), "wanted a checkpoint of"),
                                     (kept, ("--seed", "1"), "the checkpoint is of another text or of other settings")]:
            checkpoint.write_bytes(content)
            done = train("refused", "--checkpoint", checkpoint, *more)
            if done.returncode != 1 or words not in done.stderr or (folder / "refused").exists():
                wrong.append(f"wanted {words!r}, found exit code {done.returncode} and {done.stderr!r}")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
