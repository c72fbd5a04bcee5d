#!/usr/bin/env python3
"""Makes the archives of PlatformIO and of ESP-IDF's component manager, and compiles a program with what is in them; and runs
the sketch of the Arduino library on an emulated Cortex-M4F.

  archives.py --venv FOLDER

Installs platformio and idf-component-manager from PyPI into a virtual environment, if they are not there. PlatformIO validates
the manifest's licence by a list from the network; this test replaces the list by the names of the licences in it. ESP-IDF,
PlatformIO's frameworks and Arduino's cores are not used: programs are compiled by the compiler of the board, with the flags of
the manifests and of packaging/README.md. Exit code 0: no faults; 1: faults, which are printed; 77: the packages cannot be
installed, or the board's tools are missing.
"""
import argparse
import json
import os
import pathlib
import re
import sys
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "device"), str(ROOT / "packaging")]
sys.dont_write_bytecode = True
from boards import SKIPPED, Board, Host  # noqa: E402
from commands import run  # noqa: E402
from headers import version  # noqa: E402
from virtual_environment import installed  # noqa: E402

PACKAGES = ["platformio", "idf-component-manager"]
CONSUMER = ROOT / "packaging" / "conan" / "test_package" / "consumer.cpp"
# Runs the command pio with a list of licences that needs no network.
PIO = """import sys
from platformio.package.manifest.schema import ManifestSchema
names = ["BSL-1.0", "Apache-2.0", "BSD-3-Clause", "MIT"]
ManifestSchema.load_spdx_licenses = staticmethod(lambda: {"licenses": [{"licenseId": name} for name in names]})
from platformio.__main__ import main
sys.exit(main(["pio", *sys.argv[1:]]))
"""
# A CMake project that defines the function of ESP-IDF that the component's CMakeLists.txt calls.
IDF = """cmake_minimum_required(VERSION 3.21)
project(app LANGUAGES CXX)
function(idf_component_register)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "INCLUDE_DIRS")
  add_library(krait INTERFACE)
  list(TRANSFORM arg_INCLUDE_DIRS PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/")
  target_include_directories(krait INTERFACE ${arg_INCLUDE_DIRS})
  set(COMPONENT_LIB krait PARENT_SCOPE)
endfunction()
add_subdirectory(${COMPONENT} krait)
add_library(app OBJECT ${CONSUMER})
target_link_libraries(app PRIVATE krait)
"""


def assembled(system, folder):
    done = run(ROOT / "packaging" / "assemble", system, folder / system)
    if done.returncode != 0:
        raise SystemExit(done.stdout)
    return folder / system


def unpacked(archive, folder):
    """Unpacks an archive, and returns the folder with its content."""
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data") if hasattr(tarfile, "data_filter") else content.extractall(folder)
    return folder


def missing_files(system, source, found):
    """Yields a message if the files in an archive are not those of the assembled folder."""
    wanted, there = ({str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()} for place in (source, found))
    lacking = sorted(wanted - there)
    if lacking:
        yield f"{system}: the archive lacks {', '.join(lacking[:5])}"


def flags_of(board):
    """Returns the arguments of a board's compiler without the folder in which it finds Highway and Boost."""
    return [word for word in board.compile_args if word not in ("-idirafter", board.dependencies)]


def check_platformio(python, board, folder):
    """Yields the faults of the archive that `pio pkg pack` makes."""
    source, archive = assembled("platformio", folder), folder / "krait.tar.gz"
    environment = {**os.environ, "PLATFORMIO_CORE_DIR": str(folder / "core"), "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no"}
    done = run(python, "-c", PIO, "pkg", "pack", source, "-o", archive, env=environment)
    if done.returncode != 0 or not archive.exists():
        yield f"pio pkg pack: {done.stdout[-1500:]}"
        return
    package = unpacked(archive, folder / "platformio_unpacked")
    yield from missing_files("platformio", source, package)
    manifest = json.loads((package / "library.json").read_text())
    if (manifest["name"], manifest["version"]) != ("krait", version()):
        yield f"platformio: found {manifest['name']} {manifest['version']}"
    done = run(*flags_of(board), *manifest["build"]["flags"], f"-I{package / 'src'}", "-c", CONSUMER, "-o", folder / "pio.o")
    if done.returncode != 0:
        yield f"platformio: a program does not compile: {done.stdout[-1500:]}"
    manifest["license"] = "BSL-1.0 AND Apache"
    (source / "library.json").write_text(json.dumps(manifest))
    if run(python, "-c", PIO, "pkg", "pack", source, "-o", folder / "wrong.tar.gz", env=environment).returncode == 0:
        yield "pio pkg pack accepts an unknown licence, so its validation does not run"


def check_esp_idf(binaries, board, folder):
    """Yields the faults of the archive that `compote component pack` makes."""
    source, archives = assembled("esp-idf", folder), folder / "dist"
    done = run(binaries / "compote", "component", "pack", "--name", "krait", "--dest-dir", archives, cwd=source)
    archive = archives / f"krait_{version()}.tgz"
    if done.returncode != 0 or not archive.exists():
        yield f"compote component pack: {done.stdout[-1500:]}"
        return
    package = unpacked(archive, folder / "esp_idf_unpacked")
    yield from missing_files("esp-idf", source, package)
    if not re.search(rf"^version: [\"']?{re.escape(version())}[\"']?$", (package / "idf_component.yml").read_text(), re.M):
        yield f"esp-idf: the manifest is not of version {version()}"
    (folder / "idf").mkdir()
    (folder / "idf" / "CMakeLists.txt").write_text(IDF)
    compiler, *words = flags_of(board)
    done = run("cmake", "-GNinja", "-S", folder / "idf", "-B", folder / "idf" / "build", "-DCMAKE_SYSTEM_NAME=Generic",
               "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY", f"-DCMAKE_CXX_COMPILER={compiler}",
               f"-DCMAKE_CXX_FLAGS={' '.join(words)}", f"-DCOMPONENT={package}", f"-DCONSUMER={CONSUMER}")
    done = run("cmake", "--build", folder / "idf" / "build") if done.returncode == 0 else done
    if done.returncode != 0:
        yield f"esp-idf: a program does not compile: {done.stdout[-1500:]}"


def check_arduino(board, folder):
    """Yields a message for each sketch of the Arduino library that does not compile, or prints other bits than on the host."""
    library = assembled("arduino", folder)
    sketches = sorted((library / "examples").rglob("*.ino"))
    if not sketches or any(path.stem != path.parent.name for path in sketches):
        yield f"arduino: found the sketches {sketches}, wanted at least one, each in a folder of its name"
    how = ["-std=gnu++20", f"-I{library / 'src'}", f"-I{HERE / 'arduino'}", "-O2", "-c"]
    for sketch in sketches:
        printed = []
        for target in (board, Host()):
            compiler = flags_of(board) if target is board else ["g++", *Host.flags]
            objects = [folder / f"{target.name}_{name}.o" for name in ("sketch", "main")]
            sources = (["-include", "Arduino.h", "-x", "c++", sketch], [HERE / "arduino" / "main.cpp"])
            for source, made in zip(sources, objects):
                done = run(*compiler, *how, *source, "-o", made)
                if done.returncode != 0:
                    yield f"arduino: {sketch.name}: {done.stdout[-1500:]}"
                    return
            image = folder / f"{target.name}_sketch"
            target.link(objects, image)
            printed.append(target.execute(image))
        if printed[0] != printed[1] or len(set(printed[0])) != 8:
            yield f"arduino: {sketch.name}: found {printed[0]} on {board.name}, wanted the host's eight numbers {printed[1]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=pathlib.Path, required=True)
    options = parser.parse_args()
    board = Board("mps2-an386")
    if board.missing():
        print(f"skipped: no {board.missing()} on this machine")
        return SKIPPED
    if installed(options.venv, PACKAGES) is None:
        print(f"skipped: {', '.join(PACKAGES)} cannot be installed")
        return SKIPPED
    binaries = options.venv.resolve() / "bin"
    with tempfile.TemporaryDirectory(prefix="krait_archives_") as folder:
        folder = pathlib.Path(folder).resolve()
        wrong = [*check_arduino(board, folder), *check_platformio(binaries / "python", board, folder),
                 *check_esp_idf(binaries, board, folder)]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
