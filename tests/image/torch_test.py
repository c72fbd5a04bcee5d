#!/usr/bin/env python3
"""Packs checkpoints that PyTorch, transformers and mamba3-jax write, and compares the packed models' outputs with theirs: the
outputs of each checkpoint must be within 1e-5, or krait pack must reject the checkpoint with a message that names the reason.
Two models are also compared by forward, prefill and step. Then runs the commands of docs/from-pytorch.md.

  torch_test.py --venv FOLDER

Installs torch, transformers, mamba3-jax and the other PACKAGES from PyPI into a virtual environment, if they are not there:
6.3 GB, 240 seconds.
Exit code 0: all right; 1: some are wrong; 77: the packages cannot be installed.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests"))
from virtual_environment import installed  # noqa: E402

KRAIT, CHECK = ROOT / "tools" / "krait", ROOT / "tests" / "vectors" / "check"
PYTHON = ROOT / "python" / "krait"  # the folder that contains pack_check.hpp
PACKAGES = ["torch", "transformers", "safetensors", "numpy", "mamba3-jax", "flax", "mambapy"]
TOLERANCE, FEWEST = "1e-5", 80
# A script that takes the place of the compiler. It keeps its outputs, because many cases have the same program, and does not
# optimise, which takes half of the time and gives the same bits. Its arguments are those of the compiler.
KEEP = """#!/usr/bin/env python3
import hashlib, pathlib, shutil, subprocess, sys
source, output = (pathlib.Path(sys.argv[i]) for i in (-3, -1))
kept = pathlib.Path(__file__).parent / hashlib.sha256(source.read_bytes()).hexdigest()
words = ["-O0" if word == "-O1" else word for word in sys.argv[1:-1]]
code = 0 if kept.exists() else subprocess.run([{compiler!r}, f"-I{{kept.parent}}", *words, kept]).returncode
if code == 0:
    shutil.copy(kept, output)
sys.exit(code)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=pathlib.Path, required=True)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--only", default="", help="only cases whose names contain this word; page: the commands of the page")
    options = parser.parse_args()
    python = installed(options.venv, PACKAGES)
    if python is None:
        print(f"skipped: {', '.join(PACKAGES)} cannot be installed")
        return 77
    wrong = []
    with tempfile.TemporaryDirectory(prefix="krait_torch_test_") as folder:
        folder = pathlib.Path(folder)
        subprocess.run([python, HERE / "torch_cases.py", folder / "cases"], check=True)
        cases = json.loads((folder / "cases" / "cases.json").read_text())
        (folder / "kept").mkdir()
        compiler = folder / "kept" / "compiler"
        compiler.write_text(KEEP.format(compiler=options.compiler))
        compiler.chmod(0o755)
        # Precompiles the header that every program includes, so that compiling takes a third of the time.
        flags = ["-std=c++20", "-O0", "-march=native", f"-I{ROOT / 'include'}", f"-I{PYTHON}"]
        header = compiler.parent / "pack_check.hpp.gch"
        subprocess.run([options.compiler, *flags, "-x", "c++-header", PYTHON / "pack_check.hpp", "-o", header], check=True)
        for name, case in cases.items():
            if options.only not in name:
                continue
            checkpoint = folder / "cases" / name
            expected = checkpoint / "check.safetensors"
            expected = expected.rename(folder / f"{name}.safetensors")  # moved, so that it is not in the checkpoint's folder
            if (checkpoint / "vector.safetensors").exists():
                vector = (checkpoint / "vector.safetensors").rename(folder / f"{name}_vector.safetensors")
                done = subprocess.run([sys.executable, CHECK, "--compiler", options.compiler, "--tolerance", TOLERANCE, vector])
                if done.returncode != 0:
                    wrong.append(f"{name}: forward, prefill or step: see above")
            done = subprocess.run(
                [
                    python,
                    KRAIT,
                    "pack",
                    checkpoint,
                    *case["options"],
                    "--check",
                    expected,
                    "--tolerance",
                    TOLERANCE,
                    "--compiler",
                    compiler,
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            lines = [line for line in done.stdout.splitlines() if "check with" in line or "krait pack:" in line]
            print(f"{name}: {lines[0] if lines else done.stdout[-300:]}", flush=True)
            if (done.returncode == 1 and case["refused"] in done.stdout) if case["refused"] else done.returncode == 0:
                continue
            wrong.append(
                f"{name}: wanted {case['refused'] or 'the outputs of PyTorch'}, "
                f"found exit code {done.returncode}: {done.stdout[-600:]}"
            )
    print(f"{len(cases)} checkpoints")
    if options.only in "page":
        done = subprocess.run([python, ROOT / "tests" / "docs" / "guide.py", ROOT / "docs" / "from-pytorch.md"])
        if done.returncode not in (0, 77):
            wrong.append("docs/from-pytorch.md: see above")
    if len(cases) < FEWEST:
        wrong.append(f"found {len(cases)} checkpoints, wanted at least {FEWEST}")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
