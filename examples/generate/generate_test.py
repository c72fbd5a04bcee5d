#!/usr/bin/env python3
"""Tests what generate writes, and its error messages.

  generate_test.py PROGRAM MODEL.safetensors OTHER_MODEL.safetensors
"""
import math
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

PROGRAM, MODEL, OTHER = map(pathlib.Path, sys.argv[1:])
# Bits per byte of the held-out text, as the program that trained the model printed them.
TRAINED = {"kjv.safetensors": 1.441703, "kjv_mamba2.safetensors": 1.461371}
VERSE = b"In the beginning God created the heaven and the earth."


def run(*arguments, text=b"", model=MODEL):
    return subprocess.run([PROGRAM, "--model", model, *map(str, arguments)], input=text, capture_output=True)


def expect(what, condition, done=None):
    if not condition:
        sys.exit(f"generate_test: not so: {what}\n{done or ''}")


def write(*arguments, **more):
    done = run(*arguments, **more)
    expect("generate succeeds", done.returncode == 0, done)
    return done.stdout


def score_all(*paths):
    """Returns the lines that generate prints for several files, without their names."""
    lines = write("--score", *paths).decode().splitlines()
    names = [line.split(": ")[0] for line in lines]
    expect("several files have a line each, in their order", names == [str(path) for path in paths], lines)
    return [line.split(": ")[1] for line in lines]


def score(path, *arguments):
    done = run("--score", path, *arguments)
    found = re.fullmatch(rb"(\d+\.\d{6}) bits per byte over bytes 2 to (\d+)\n", done.stdout)
    expect("a score is one line", done.returncode == 0 and found, done)
    expect("a score is of all bytes", int(found[2]) == path.stat().st_size, done)
    return float(found[1])


def refuse(message, *arguments, code=1, **more):
    done = run(*arguments, **more)
    expect(f"exit code {code}", done.returncode == code, done)
    expect(f"the message holds '{message}'", message in done.stderr.decode(), done)
    expect("nothing is written before a refusal", done.stdout == b"", done)


def test_text():
    text = write("--prompt", VERSE.decode(), "--tokens", 100, "--seed", 3)
    expect("the text begins with the prompt", text.startswith(VERSE), text)
    expect("then there are the tokens and a newline", len(text) == len(VERSE) + 101 and text.endswith(b"\n"), text)
    expect("the same seed gives the same text", write("--prompt", VERSE.decode(), "--tokens", 100, "--seed", 3) == text)
    expect("another seed gives another", write("--prompt", VERSE.decode(), "--tokens", 100, "--seed", 4) != text)
    expect("the prompt can come from standard input", write("--tokens", 100, "--seed", 3, text=VERSE) == text)
    expect("no tokens give the prompt alone", write("--tokens", 0, text=VERSE) == VERSE + b"\n")

    # Greedy, so that a draw's number does not matter: 160 bytes written one by one are the same as far as they were
    # prompt, taken in chunks.
    greedy = write("--temperature", 0, "--tokens", 160, text=VERSE)
    for known in (1, 9, 10, 11, 100):
        again = write("--temperature", 0, "--tokens", 160 - known, text=greedy[: len(VERSE) + known])
        expect(f"a prompt longer by {known} continues alike", again == greedy)
    expect("of one byte, the likeliest stays", write("--top-k", 1, "--tokens", 160, text=VERSE) == greedy)

    every_byte = bytes(range(256))
    expect("any bytes are a prompt", write("--tokens", 5, text=every_byte).startswith(every_byte))
    done = run("--tokens", 5, text=VERSE)
    expect("speed is on standard error", re.fullmatch(rb"5 tokens, \d+ tokens/s \(\w+\)\n", done.stderr), done)


def test_pipe():
    command = [PROGRAM, "--model", MODEL, "--prompt", "And", "--tokens", "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        expect("text comes before all is done", process.stdout.read(10)[:3] == b"And")
        process.stdout.close()
        expect("a closed pipe ends it without a word", process.stderr.read() == b"")
        expect("a closed pipe is no error of its own", process.wait(60) != 1)
    if pathlib.Path("/dev/full").exists():
        with open("/dev/full", "wb") as full:
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE)
        expect("a full disk is an error", done.returncode == 1, done)
        expect("a full disk is told", b"standard output cannot be written" in done.stderr, done)


def test_score(folder):
    text = folder / "text"
    text.write_bytes(VERSE)
    verse = score(text)
    expect("the verse takes fewer than 3 bits a byte", 0 < verse < 3, verse)
    text.write_bytes(bytes(sorted(VERSE)))
    expect("its bytes in another order take more", score(text) > verse)
    text.write_bytes(write("--temperature", 0, "--tokens", 400, text=VERSE))
    expect("what the model itself finds likeliest, over many chunks, takes fewer", score(text) < verse)
    text.write_bytes(b"In")
    expect("two bytes have a score", math.isfinite(score(text)))
    text.write_bytes(b"I")
    refuse("has 1 byte; a score needs at least 2", "--score", text)
    text.write_bytes(b"")
    refuse("an empty file", "--score", text)
    refuse("No such file or directory", "--score", folder / "absent")
    refuse("cannot be read", "--score", folder)
    refuse("cannot be read", "--score", "")


def test_scores_together(folder):
    """Scores texts of 2 bytes, of one chunk and one byte more or less, and of several chunks together and alone."""
    paths = [folder / f"text{i}" for i in range(6)]
    for path, length in zip(paths, (2, 300, 64, 65, 66, 129)):
        path.write_bytes((VERSE * 6)[length % 7:][:length])
    alone = [write("--score", path).decode().rstrip() for path in paths]
    expect("several files have the figures of each alone", score_all(*paths) == alone, alone)
    expect("in another order, too", score_all(*reversed(paths)) == alone[::-1], alone)
    done = run("--score", paths[0], "--score", paths[1])
    expect("--score may be given several times", done.stdout.decode().count("\n") == 2, done)
    paths[3].write_bytes(b"I")
    refuse("text3: has 1 byte; a score needs at least 2", "--score", *paths)
    refuse("absent: file cannot be read", "--score", paths[0], folder / "absent")


def test_beams(folder):
    beams = {n: write("--beams", n, "--tokens", 100, text=VERSE) for n in (1, 2, 5, 40)}
    expect("one beam is the greedy text", beams[1] == write("--temperature", 0, "--tokens", 100, text=VERSE), beams)
    expect("the best beam is written after the prompt", all(text.startswith(VERSE) and len(text) == len(VERSE) + 101
                                                            for text in beams.values()), beams)
    paths = {n: folder / f"beams{n}" for n in beams}
    for n, path in paths.items():
        path.write_bytes(beams[n][:-1])
    bits = [score(path) for path in paths.values()]
    expect("more beams find a likelier text here", bits == sorted(bits, reverse=True) and bits[0] > bits[-1], bits)
    expect("no tokens give the prompt alone", write("--beams", 3, "--tokens", 0, text=VERSE) == VERSE + b"\n")
    # With one byte to write, every beam is one byte, and the best one is the likeliest byte.
    one = write("--beams", 300, "--tokens", 1, text=VERSE)
    expect("more beams than bytes are possible", one == beams[1][: len(VERSE) + 1] + b"\n", one)


def test_held_out(folder):
    """Compares the score of the text's held-out end with the training program's score, and storage types with f32."""
    if not shutil.which("bible"):
        print("no bible (Debian's bible-kjv): the held-out text is not scored")
        return
    text = subprocess.run(["bible", "gen1:1-rev22:21"], capture_output=True, check=True).stdout
    expect("the text is the one that was trained on", len(text) == 4_298_239, len(text))
    held_out = folder / "held_out"
    held_out.write_bytes(text[-200_000:])
    found = {storage: score(held_out, "--storage", storage) for storage in ("f32", "bf16", "f16", "int8")}
    print("bits per byte of the held-out text:", found)
    expect("the score is the training framework's to 1e-4", abs(found["f32"] - TRAINED[MODEL.name]) < 1e-4, found)
    for storage, most in ("bf16", 0.002), ("f16", 0.002), ("int8", 0.02):
        expect(f"{storage} costs at most {most} bits", abs(found[storage] - found["f32"]) < most, found)


def test_models(folder):
    content = MODEL.read_bytes()
    refuse("absent: file cannot be read: found No such file or directory", model=folder / "absent", text=VERSE)
    refuse("backbone.embedding.weight: shape is wrong: found [64, 32], wanted [256, 128]", model=OTHER, text=VERSE)
    damaged = folder / "model"
    for bytes_, message in (
        (b"", "found an empty file"),
        (VERSE, "file is not in the safetensors format"),
        (content[:1000], "data is incomplete"),
        (content[:-4], "data_offsets do not fit the file"),
        (content[:-4] + struct.pack("<f", math.nan), "value is not finite: found element"),
    ):
        damaged.write_bytes(bytes_)
        refuse(message, model=damaged, text=VERSE)


def test_options():
    refuse("the prompt is empty")
    refuse("the prompt is empty", "--prompt", "")
    nonsense = [("--tokens", -1), ("--tokens", "many"), ("--temperature", -0.1), ("--temperature", "nan"),
                ("--temperature", "inf"), ("--top-k", 257), ("--top-p", 1.5), ("--top-p", "-nan"), ("--min-p", -1),
                ("--seed", -1), ("--seed", "x"), ("--beams", 0), ("--beams", 1025)]
    for option, value in nonsense:
        done = run(option, value, text=VERSE)
        expect(f"{option} {value} is refused by name", done.returncode > 1 and option in done.stderr.decode(), done)
    refuse("--prompt excludes --score", "--score", MODEL, "--prompt", "And", code=108)
    refuse("--seed excludes --beams", "--beams", 2, "--seed", 1, "--prompt", "And", code=108)
    refuse("--beams excludes --score", "--score", MODEL, "--beams", 2, code=108)
    refuse("--colour", "--colour", code=109)


def main():
    with tempfile.TemporaryDirectory() as folder:
        test_text()
        test_pipe()
        test_score(pathlib.Path(folder))
        test_scores_together(pathlib.Path(folder))
        test_beams(pathlib.Path(folder))
        test_held_out(pathlib.Path(folder))
        test_models(pathlib.Path(folder))
        test_options()


if __name__ == "__main__":
    main()
