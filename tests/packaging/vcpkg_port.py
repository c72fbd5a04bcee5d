#!/usr/bin/env python3
"""Runs the portfile of packaging/vcpkg with CMake, and builds a program with the package that it makes.

  vcpkg_port.py

The tool vcpkg is not used: tests/packaging/vcpkg/functions.cmake stands in for its functions. This shows that the portfile
makes a complete package that can be moved and that find_package and pkg-config find, and not that vcpkg accepts the port or
builds its dependencies. Exit code 0: no faults; 1: faults, which are printed; 77: cmake or ninja is missing.
"""
import json
import pathlib
import re
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "packaging"))
from commands import run  # noqa: E402
from conan_recipe import PRINTED  # noqa: E402
from headers import version  # noqa: E402

PORT = ROOT / "packaging" / "vcpkg" / "krait"
CONSUMER = ROOT / "packaging" / "conan" / "test_package"
SKIPPED = 77


def faults_of_port(version):
    """Yields the faults of vcpkg.json and of the text `usage`."""
    manifest = json.loads((PORT / "vcpkg.json").read_text())
    if manifest["version"] != version or manifest["name"] != PORT.name:
        yield f"vcpkg.json: found {manifest['name']} {manifest['version']}, wanted {PORT.name} {version}"
    hosts = {one["name"] for one in manifest["dependencies"] if isinstance(one, dict) and one.get("host")}
    if hosts != {"vcpkg-cmake", "vcpkg-cmake-config"}:
        yield f"vcpkg.json: found the host dependencies {hosts}, wanted those of the portfile's functions"
    cmake = (CONSUMER / "CMakeLists.txt").read_text()
    for line in (line.strip() for line in (PORT / "usage").read_text().splitlines() if line.startswith("  ")):
        if line.replace("main", "consumer") not in cmake:
            yield f"usage: found {line!r}, which the tested program does not contain"


def faults_of_package(package, made_at):
    """Yields the faults that vcpkg rejects after a build: files in wrong places, empty folders and absolute paths."""
    for name in ("include/krait.hpp", "share/krait/kraitConfig.cmake", "share/krait/kraitConfigVersion.cmake",
                 "share/krait/kraitHeaders.cmake", "share/krait/copyright", "share/krait/usage", "share/pkgconfig/krait.pc"):
        if not (package / name).is_file():
            yield f"the package lacks {name}"
    for path in package.rglob("*"):
        name = path.relative_to(package)
        if path.is_dir() and not any(path.iterdir()):
            yield f"{name}: an empty folder"
        if path.is_file() and name.parts[0] == "share" and str(made_at) in path.read_text():
            yield f"{name}: contains the absolute path of the package"
    if {path.name for path in package.iterdir()} != {"include", "share"}:
        yield f"found the folders {sorted(path.name for path in package.iterdir())}, wanted include and share"


def faults_of_consumer(package, folder, printed):
    """Builds and runs a program with find_package. Yields a message if that fails."""
    for command in (["cmake", "-GNinja", "-S", CONSUMER, "-B", folder / "consumer", f"-DCMAKE_PREFIX_PATH={package}"],
                    ["cmake", "--build", folder / "consumer"], [folder / "consumer" / "consumer"]):
        done = run(*command)
        if done.returncode != 0:
            yield f"{command[0]}: {done.stdout[-1500:]}"
            return
    if done.stdout.strip() != printed:
        yield f"the program prints {done.stdout!r}, wanted {printed!r}"
    cache = (folder / "consumer" / "CMakeCache.txt").read_text()
    if f"krait_DIR:PATH={package}/share/krait" not in cache:
        yield "find_package finds another package"
    flags = run("env", f"PKG_CONFIG_PATH={package}/share/pkgconfig", "pkg-config", "--cflags", "krait").stdout
    include = re.search(r"-I(\S*/include)\b", flags)
    if include is None or pathlib.Path(include[1]).resolve() != (package / "include").resolve():
        yield f"pkg-config --cflags krait: found {flags!r}, wanted -I{package}/include"


def main():
    if shutil.which("cmake") is None or shutil.which("ninja") is None:
        print("skipped: no cmake or ninja on this machine")
        return SKIPPED
    wrong = list(faults_of_port(version()))
    with tempfile.TemporaryDirectory(prefix="krait_vcpkg_") as folder:
        folder = pathlib.Path(folder).resolve()
        made, installed = folder / "packages" / "krait", folder / "installed"
        done = run("cmake", f"-DPORT_FOLDER={PORT}", f"-DCURRENT_PACKAGES_DIR={made}", f"-DBUILD={folder / 'build'}", "-P",
                   ROOT / "tests" / "packaging" / "vcpkg" / "functions.cmake")
        if done.returncode != 0:
            wrong.append(f"portfile.cmake: {done.stdout[-1500:]}")
        else:
            made.rename(installed)
            wrong += faults_of_package(installed, made)
            wrong += faults_of_consumer(installed, folder, PRINTED.format(version=version()))
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
