#!/usr/bin/env python3
"""Builds the Python package, and packs a model with it, using no header from outside the package but the compiler's own.

  python_package.py           builds the package alone; needs setuptools
  python_package.py --venv    installs the package by pip in a new virtual environment, and times the commands from there to a
                              checked header; needs python3-venv and PyPI

Exit code 0: no faults; 1: faults, which are printed; 77: setuptools or python3-venv is missing.
"""
import os
import pathlib
import re
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from commands import run  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SKIPPED = 77
LICENSES = {"boost-BSL-1.0.txt": "Boost Software License - Version 1.0", "highway-Apache-2.0.txt": "Apache License",
            "json-MIT.txt": "MIT License"}
REFERENCE = ROOT / "tests" / "data" / "reference"
MODEL, IGNORED = REFERENCE / "noxton_key7_small.safetensors", ["--ignore", "tokens", "--ignore", "*logits"]
MOST_SECONDS = 60


def faults_of_package(package):
    """Yields the faults of `package`, the folder of the installed package krait: missing licences or headers, and headers that
    are read from outside the folder."""
    for name, words in LICENSES.items():
        path = package / "licenses" / name
        if not path.exists() or words not in path.read_text():
            yield f"licenses/{name}: found no text of the {words}"
    headers = {str(path.relative_to(ROOT / "include")) for path in (ROOT / "include").rglob("*.hpp")}
    found = {str(path.relative_to(package / "include")) for path in (package / "include").rglob("*.hpp")}
    if missing := sorted(headers - found):
        yield f"include: found no {', '.join(missing)}"
    source = "".join(f"#include <{name}>\n" for name in sorted(headers) if not name.endswith("-inl.hpp"))
    done = run("g++", "-std=c++20", "-M", "-I", package / "include", "-x", "c++", "-", input=source)
    outside = [word for word in done.stdout.split() if re.search(r"/(krait|hwy|boost|nlohmann)/", word)
               and not word.startswith(str(package))]
    if done.returncode != 0 or outside:
        yield f"headers from outside the package: {outside[:3]} {done.stdout[-500:] if done.returncode else ''}"


def check_built(folder):
    built = folder / "built"
    done = run(sys.executable, "setup.py", "-q", "egg_info", "-e", folder, "build_py", "--build-lib", built,
               cwd=ROOT / "python")
    if done.returncode != 0:
        yield f"setup.py: {done.stdout}"
        return
    yield from faults_of_package(built / "krait")
    done = run(sys.executable, "-m", "krait", "report", MODEL, *IGNORED, "--compiler", "g++", cwd=folder,
               env={**os.environ, "PYTHONPATH": str(built), "PYTHONDONTWRITEBYTECODE": "1"})
    if done.returncode != 0 or "all weights                   54,144" not in done.stdout:
        yield f"krait report: {done.stdout}"


def check_installed(folder):
    """Runs three commands: they make a virtual environment, install the package, and pack and check a header. Yields a message
    for each command that fails, and one if they take too long."""
    environment, expected = folder / "environment", folder / "expected.safetensors"
    sys.path.insert(0, str(ROOT / "python"))
    from krait import safetensors_file
    tensors, _ = safetensors_file.read(MODEL)
    logits = next(name for name in tensors if name.endswith("logits"))
    safetensors_file.write(expected, {"x": tensors["tokens"], "y": tensors[logits]})
    start = time.monotonic()
    for command in ([sys.executable, "-m", "venv", environment],
                    [environment / "bin" / "pip", "install", "-q", ROOT / "python"],
                    [environment / "bin" / "krait", "pack", MODEL, *IGNORED, "--type", "int8", "--check", expected,
                     "--compiler", "g++", "--header", folder / "weights.hpp"]):
        done = run(*command, cwd=folder)
        print(f"{time.monotonic() - start:.1f} s: {' '.join(map(str, command[:3]))} ...", flush=True)
        if done.returncode != 0:
            yield f"{command[:3]}: {done.stdout}"
            return
    taken = time.monotonic() - start
    if taken > MOST_SECONDS or not (folder / "weights.hpp").exists() or "check with int8 weights" not in done.stdout:
        yield f"found a header after {taken:.1f} s, wanted one within {MOST_SECONDS} s: {done.stdout}"
    code = "import krait; print(krait.get_include(), krait.__version__)"
    place = run(environment / "bin" / "python", "-c", code, cwd=folder)
    if str(environment) not in place.stdout:
        yield f"krait.get_include(): found {place.stdout}"
    else:
        yield from faults_of_package(pathlib.Path(place.stdout.split()[0]).parent)


def main():
    with_venv = "--venv" in sys.argv
    try:
        __import__("venv" if with_venv else "setuptools")
        __import__("ensurepip" if with_venv else "setuptools")
    except ImportError as error:
        print(f"skipped: {error}")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="krait_python_package_") as folder:
        wrong = list((check_installed if with_venv else check_built)(pathlib.Path(folder)))
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
