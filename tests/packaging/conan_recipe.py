#!/usr/bin/env python3
"""Runs `conan create` with the recipe of packaging/conan, without a remote: it makes a package, and builds and runs a program.

  conan_recipe.py --venv FOLDER

Installs conan from PyPI into a virtual environment, if it is not there. Exit code 0: no faults; 1: faults, which are printed;
77: conan cannot be installed.
"""
import argparse
import os
import pathlib
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "packaging")]
from commands import run  # noqa: E402
from headers import version  # noqa: E402
from virtual_environment import installed  # noqa: E402

PACKAGES = ["conan"]
SKIPPED = 77
CONSUMER = ROOT / "packaging" / "conan" / "test_package"
PRINTED = "krait {version}: 3.9263"


def check_conan(binaries, folder, printed):
    """Yields the faults of the package that `conan create` makes, and of the program that it builds and runs."""
    how = {"env": {**os.environ, "CONAN_HOME": str(folder / "conan")}, "cwd": folder}
    shutil.copytree(CONSUMER, folder / "test_package")
    run(binaries / "conan", "profile", "detect", **how)
    done = run(binaries / "conan", "create", ROOT / "packaging" / "conan", "-tf", folder / "test_package", "--no-remote",
               "-s", "compiler.cppstd=20", **how)
    if done.returncode != 0 or printed not in done.stdout:
        yield f"conan create: {done.stdout[-2000:]}"
        return
    found = {path.name for path in (folder / "conan" / "p").rglob("p/licenses/*")}
    headers = {path.name for path in (folder / "conan" / "p").rglob("p/include/*.hpp")}
    if found != {"LICENSE"} or "krait.hpp" not in headers:
        yield f"conan create: found the licences {found} and headers {headers}"
    older = run(binaries / "conan", "create", ROOT / "packaging" / "conan", "-tf", "", "--no-remote",
                "-s", "compiler.cppstd=17", **how)
    if older.returncode == 0 or "20" not in older.stdout:
        yield f"conan create with C++17 is not rejected: {older.stdout[-500:]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=pathlib.Path, required=True)
    options = parser.parse_args()
    if installed(options.venv, PACKAGES) is None:
        print(f"skipped: {', '.join(PACKAGES)} cannot be installed")
        return SKIPPED
    printed = PRINTED.format(version=version())
    with tempfile.TemporaryDirectory(prefix="krait_conan_") as folder:
        wrong = list(check_conan(options.venv / "bin", pathlib.Path(folder), printed))
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
