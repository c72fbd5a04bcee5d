#!/usr/bin/env python3
"""Checks that the program `speaker_train` learns, that it gives the same model again, and that it rejects wrong arguments.

  train_test.py SPEAKER_TRAIN
"""
import pathlib
import re
import subprocess
import sys
import tempfile


def main():
    program, = sys.argv[1:]
    wrong = []
    with tempfile.TemporaryDirectory(prefix="krait_speaker_train_") as folder:
        folder = pathlib.Path(folder)

        def train(*more):
            return subprocess.run([program, "--epochs", "20", *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        first, again = train("--out", folder / "first"), train("--out", folder / "again")
        if first.returncode or (folder / "first").read_bytes() != (folder / "again").read_bytes():
            wrong.append("two trainings with the same arguments give different models")
        other = train("--out", folder / "other", "--seed", "1")
        if other.returncode or (folder / "other").read_bytes() == (folder / "first").read_bytes():
            wrong.append("another seed gives the same model")
        scored = train("--cross-validate", "5", "--without", "3")
        found = re.fullmatch(r"wrong (\d+) of 240, cross-entropy (\d\.\d{4}) nats\n", scored.stdout)
        if not found or int(found[1]) > 24 or float(found[2]) > 0.4:
            wrong.append(f"five folds of 240 series: found {scored.stdout!r}, wanted at most 24 wrong and 0.4 nats")
        for arguments, words in [(("--without", "10"), "10 not in range"), (("--cross-validate", "1"), "1 not in range")]:
            done = train("--out", folder / "refused", *arguments)
            if done.returncode == 0 or words not in done.stdout + done.stderr or (folder / "refused").exists():
                wrong.append(f"{arguments}: wanted {words!r}, found {done.stderr!r}")
        done = train("--out", folder / "refused", "--data", folder / "missing")
        if done.returncode != 1 or "train: " not in done.stderr or "missing" not in done.stderr:
            wrong.append(f"a missing file: found exit code {done.returncode} and {done.stderr!r}")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
