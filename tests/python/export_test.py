#!/usr/bin/env python3
"""Runs export_cases.py in the virtual environment of tests/image/torch_test.py.

  export_test.py --venv FOLDER [--compiler COMMAND] [--only WORD]

Exit code 0: all right; 1: some are wrong; 77: the packages cannot be installed.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "image"), str(ROOT / "python")]
from krait.compiler import machine_flags  # noqa: E402
from torch_test import PACKAGES  # noqa: E402
from virtual_environment import installed  # noqa: E402

# A compiler that uses precompiled headers and does not optimise, which takes a quarter of the time and gives the same bits.
QUICK = """#!/usr/bin/env python3
import os, pathlib, sys
words = ["-O0" if word == "-O2" else word for word in sys.argv[1:]]
os.execvp({compiler!r}, [{compiler!r}, "-I" + str(pathlib.Path(__file__).parent), *words])
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=pathlib.Path, required=True)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--only", default="", help="only cases whose names contain this word")
    options = parser.parse_args()
    python = installed(options.venv, PACKAGES)
    if python is None:
        print(f"skipped: {', '.join(PACKAGES)} cannot be installed")
        return 77
    with tempfile.TemporaryDirectory(prefix="krait_export_test_") as folder:
        folder = pathlib.Path(folder)
        for name in ("bin", "models"):
            (folder / name).mkdir()
        compiler = folder / "bin" / "compiler"
        compiler.write_text(QUICK.format(compiler=options.compiler))
        compiler.chmod(0o755)
        package = ROOT / "python" / "krait"
        flags = ["-std=c++20", "-O0", *machine_flags(), "-shared", "-fPIC", "-fvisibility=hidden", f"-I{ROOT / 'include'}"]
        subprocess.run([options.compiler, *flags, f"-I{package}", "-x", "c++-header", package / "pack.hpp", "-o",
                        folder / "bin" / "pack.hpp.gch"], check=True)  # fmt: skip
        environment = {**os.environ, "KRAIT_CACHE": str(folder / "cache")}
        command = [python, HERE / "export_cases.py", folder / "models", compiler, options.only]
        return subprocess.run(command, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
