#!/usr/bin/env python3
"""Checks that a model's image has the same bytes from every compiler and little-endian machine (x86, ARM, RISC-V; 32 and 64
bits), and that the header of a big-endian machine's image has the opposite byte order mark.

  same_bytes.py --include DIR

Compiles and runs write_image.cpp for each machine of MACHINES (other machines in qemu-user) and prints the image's size and
SHA-256. Exit code 0: all equal; 1: they differ; 77: fewer than two compilers are installed.
"""
import argparse
import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77  # the exit code that Meson reports as "skipped"
# For each machine: the compiler, its flags, and the emulator.
MACHINES = [
    ("g++", ["-O0", "-march=native"], None),
    ("clang++-16", ["-O0"], None),
    ("aarch64-linux-gnu-g++", ["-O0", "-static"], "qemu-aarch64"),
    ("arm-linux-gnueabihf-g++", ["-O0", "-static"], "qemu-arm"),
    ("riscv64-linux-gnu-g++", ["-O0", "-static"], "qemu-riscv64"),
    ("s390x-linux-gnu-g++", ["-O0", "-static"], "qemu-s390x"),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--include", required=True, help="the folder that contains krait.hpp")
    args = parser.parse_args()
    digests, wrong = {}, []
    with tempfile.TemporaryDirectory(prefix="krait_image_") as folder:
        program, written = pathlib.Path(folder) / "write_image", pathlib.Path(folder) / "image"
        for compiler, flags, emulator in MACHINES:
            name = " ".join([compiler, *flags])
            missing = next((tool for tool in (compiler, emulator) if tool and not shutil.which(tool)), None)
            if missing:
                print(f"{name}: skipped: no {missing} on this machine")
                continue
            subprocess.run([compiler, "-std=c++20", *flags, f"-I{args.include}", HERE / "write_image.cpp", "-o", program],
                           check=True)
            subprocess.run([*([emulator] if emulator else []), program, written], check=True)
            content = written.read_bytes()
            big_endian = compiler.startswith("s390x")
            digest = hashlib.sha256(content).hexdigest()[:16]
            print(f"{name}: {len(content)} bytes, {digest}{' (big-endian)' if big_endian else ''}", flush=True)
            if big_endian and content[8:12] != b"\1\2\3\4":
                wrong.append(f"{name}: byte order mark {content[8:12].hex()}, wanted 01020304")
            if not big_endian:
                digests[name] = digest
                if content[8:12] != b"\4\3\2\1":
                    wrong.append(f"{name}: byte order mark {content[8:12].hex()}, wanted 04030201")
    if len(set(digests.values())) > 1:
        wrong.append("the images of the little-endian machines above differ")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0 if len(digests) > 1 else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
