#!/usr/bin/env python3
"""Checks that clang-tidy finds no fault in the public headers (.clang-tidy lists its checks).

  tidy.py CLANG_TIDY
"""
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FLAGS = ["-std=c++20", f"-I{ROOT / 'include'}", "-march=haswell", "-maes", "-mpclmul"]


def findings(tidy, source, folder):
    unit = folder / "unit.cpp"
    unit.write_text(source)
    command = [tidy, "--quiet", f"--config-file={ROOT / '.clang-tidy'}", unit, "--", *FLAGS]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout if done.returncode != 0 or "error:" in done.stdout else ""


def main():
    headers = [ROOT / "include" / "krait.hpp", *sorted((ROOT / "include" / "krait").glob("*.hpp"))]
    with tempfile.TemporaryDirectory(prefix="krait_tidy_") as folder:
        folder = pathlib.Path(folder)
        wrong = findings(sys.argv[1], "".join(f'#include "{header}"\n' for header in headers), folder)
        if not findings(sys.argv[1], "int* p = 0;\n", folder):
            wrong += "not noticed: 0 for a null pointer\n"
    print(wrong, end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
