#!/usr/bin/env python3
"""Checks the folders that packaging/assemble writes for Zephyr, PlatformIO, ESP-IDF and Arduino.

  check.py

Checks that each folder has all headers and licences and a valid manifest, that the headers compile for a board from the
folder alone, and that a program compiles with the flags of the Zephyr module. Exit code 0: no faults; 1: faults, which are
printed; 77: the board's compiler is not installed.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "device"))
from boards import SKIPPED, Board, run  # noqa: E402

FACTS = {
    "zephyr": {"zephyr/module.yml": ["name: krait", "cmake: zephyr", "kconfig: zephyr/Kconfig"],
               "zephyr/CMakeLists.txt": ["zephyr_system_include_directories"], "zephyr/Kconfig": ["config KRAIT"]},
    "platformio": {"library.json": []},
    "esp-idf": {"idf_component.yml": [], "CMakeLists.txt": ["idf_component_register(INCLUDE_DIRS src)"]},
    "arduino": {"library.properties": []},
}

# arduino-lint's strict rules for library.properties: ids of the rules, a field, the pattern that its value must match, and a
# value that violates the rules.
PROPERTY_RULES = [
    ("LP007 to LP016", "name", r"(?i)(?!.*(arduino|library))(?=.*[a-z])[a-z0-9][a-z0-9_.-]{0,31}", "Krait library"),
    ("LP019 to LP021", "version", r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9a-zA-Z.-]+)?", "0.1"),
    ("LP023, LP024", "author", ".+", ""),
    ("LP025 to LP027, LP057", "maintainer", "(?i)(?!.*arduino).+", "Arduino"),
    ("LP031, LP032", "sentence", ".+", ""),
    ("LP034", "paragraph", ".*", None),
    ("LP037 to LP039", "category", "Display|Communication|Signal Input/Output|Sensors|Device Control|Timing|Data Storage|"
     "Data Processing|Other", "Uncategorized"),
    ("LP040, LP041, LP056", "url", r"https?://[\w-]+(\.[\w-]+)+(/\S*)?", "arxiv.org"),
    # Stricter than arduino-lint: only cores whose compiler is gcc 11 or newer, so neither * nor avr.
    ("LP043, LP044, LP046", "architectures", "(esp32|rp2040|stm32)(,(esp32|rp2040|stm32))*", "esp32, *"),
    ("LP051", "includes", ".+", ""),
]
KNOWN_FIELDS = {field for _, field, _, _ in PROPERTY_RULES} | {"depends", "dot_a_linkage", "precompiled", "ldflags"}
# arduino-lint's rules for the folder: ids of the rules, the fault, and a function that returns the paths that have the fault.
FOLDER_RULES = [
    ("LP001 to LP003", "no library.properties in the root", lambda files, _: [] if "library.properties" in files else ["."]),
    ("LP004", "a library.properties in a subfolder", lambda files, _: [f for f in files if f.endswith("/library.properties")]),
    ("LS005", "a symlink", lambda files, _: [name for name, path in files.items() if path.is_symlink()]),
    ("LS006, LS007", "a file that may not be there", lambda files, _:
     [f for f in files if f == ".development" or f.endswith(".exe")]),
    ("LS008", "no header of the library's name", lambda files, properties:
     [] if f"src/{properties['name']}.hpp" in files else ["src"]),
    ("LS010", "a utility folder beside src", lambda files, _: [f for f in files if f.lower().startswith("utility/")]),
    ("LP052", "a header of includes that is not in src", lambda files, properties:
     [name for name in properties["includes"].split(",") if f"src/{name}" not in files]),
    ("LD001", "no README.md", lambda files, _: [] if "README.md" in files else ["."]),
    ("LD002", "no LICENSE", lambda files, _: [] if "LICENSE" in files else ["."]),
    ("LD003", "a sketch outside of examples", lambda files, _:
     [f for f in files if f.endswith(".ino") and not f.startswith("examples/")]),
]
LICENSES = {"licenses/boost-BSL-1.0.txt": "Boost Software License - Version 1.0",
            "licenses/highway-Apache-2.0.txt": "Apache License Version 2.0",
            "LICENSE": "Boost Software License - Version 1.0"}
TEXTS = {"highway-Apache-2.0.txt": "END OF TERMS AND CONDITIONS", "highway-BSD-3-Clause.txt": "The Highway Project Authors"}


def arduino_properties(properties):
    for ids, field, pattern, _ in PROPERTY_RULES:
        if field not in properties or not re.fullmatch(pattern, properties[field]):
            yield f"library.properties: {field}: found {properties.get(field)!r}, wanted {pattern} ({ids})"
    if properties.get("paragraph", "").startswith(properties.get("sentence", "")):
        yield "library.properties: the paragraph repeats the sentence (LP036)"
    for field in properties.keys() - KNOWN_FIELDS:
        yield f"library.properties: unknown field {field} (LP006)"


def arduino_folder(folder, properties):
    files = {str(path.relative_to(folder)): path
             for path in sorted(folder.rglob("*")) if not path.is_dir() or path.is_symlink()}
    for ids, problem, find in FOLDER_RULES:
        for name in find(files, properties):
            yield f"{problem}: {name} ({ids})"


def read_properties(folder):
    return dict(line.split("=", 1) for line in (folder / "library.properties").read_text().splitlines())


def arduino_not_noticed(folder):
    """Tests the checks of the Arduino folder: yields a message for each known violation that they do not detect."""
    good = read_properties(folder)
    for ids, field, _, bad in PROPERTY_RULES:
        broken = {**good, field: bad} if bad is not None else {key: value for key, value in good.items() if key != field}
        if not list(arduino_properties(broken)):
            yield f"not detected ({ids}): {field}={bad}"
    for broken in ({**good, "paragraph": good["sentence"]}, {**good, "licence": "BSL-1.0"}):
        if not list(arduino_properties(broken)):
            yield f"not detected: {broken}"
    spoiled = folder.parent / "spoiled"
    shutil.copytree(folder, spoiled)
    (spoiled / "utility").mkdir()
    for name in ("src/library.properties", "tool.exe", "utility/x.h", "x.ino"):
        (spoiled / name).touch()
    for name in ("library.properties", "README.md", "LICENSE"):
        (spoiled / name).unlink()
    (spoiled / "link").symlink_to("src")
    found = "\n".join(arduino_folder(spoiled, {"name": "other", "includes": "other.hpp"}))
    yield from (f"not detected: {problem} ({ids})" for ids, problem, _ in FOLDER_RULES if problem not in found)


def licenses(system, folder):
    """Yields a message for each licence text that the folder lacks, and for each manifest whose SPDX expression does not match
    the texts."""
    for name, words in LICENSES.items():
        if not (folder / name).exists() or words not in " ".join((folder / name).read_text().split()):
            yield f"{system}: {name}: found no text of the {words}"
    for name, words in TEXTS.items():
        if words not in (ROOT / "packaging" / "licenses" / name).read_text():
            yield f"packaging/licenses/{name}: found no {words!r}, wanted the full text"
    both = (folder / "licenses" / "highway-BSD-3-Clause.txt").exists()
    wanted = f"BSL-1.0 AND {'(Apache-2.0 OR BSD-3-Clause)' if both else 'Apache-2.0'}"
    for name in ("library.json", "idf_component.yml"):
        if (folder / name).exists() and not re.search(rf'"?license"?: "{re.escape(wanted)}"', (folder / name).read_text()):
            yield f"{system}: {name}: found no license {wanted!r}"


def newer_highway(board, folder):
    """Assembles a package folder with Highway 1.0.6 or later, which has two licences. Yields a message if the text of the
    second licence, or its name in the manifest, is missing."""
    shutil.copytree(pathlib.Path(board.dependencies) / "hwy", folder / "include" / "hwy")
    for name in ("highway.h", "base.h"):
        path = folder / "include" / "hwy" / name
        path.write_text(re.sub(r"(#define HWY_MAJOR) \d+", r"\1 9", path.read_text()))
    run([str(ROOT / "packaging" / "assemble"), "platformio", str(folder / "krait"),
         "--compiler", f"c++ -I{folder / 'include'}"])
    yield from licenses("platformio", folder / "krait")
    if not (folder / "krait" / "licenses" / "highway-BSD-3-Clause.txt").exists():
        yield "platformio: a newer Highway's second licence is missing"


def complaints(system, folder, version):
    for name, words in FACTS[system].items():
        text = (folder / name).read_text()
        for word in words:
            if word not in text:
                yield f"{system}: {name} does not contain {word!r}"
        if "@" in text:
            yield f"{system}: {name} contains an unreplaced @PLACEHOLDER@"
        if name == "library.json":
            manifest = json.loads(text)
            if manifest["name"] != "krait" or manifest["version"] != version or not (folder / "src" / manifest["headers"]).exists():
                yield f"{system}: {name}: name, version or headers are wrong"
        if name == "library.properties":
            properties = read_properties(folder)
            if properties["version"] != version:
                yield f"{system}: {name}: found version {properties['version']}, wanted {version}"
            yield from (f"{system}: {problem}" for problem in arduino_properties(properties))
            yield from (f"{system}: {problem}" for problem in arduino_folder(folder, properties))
            yield from arduino_not_noticed(folder)
        if name == "idf_component.yml" and f'version: "{version}"' not in text:
            yield f"{system}: {name} is not of version {version}"
    yield from licenses(system, folder)


# A CMake project that defines the parts of Zephyr that the module's CMakeLists.txt uses.
ZEPHYR = """cmake_minimum_required(VERSION 3.21)
project(app LANGUAGES CXX)
set(CONFIG_KRAIT y)
set(CONFIG_ARM y)
add_library(zephyr_interface INTERFACE)
function(zephyr_system_include_directories)
  target_include_directories(zephyr_interface SYSTEM INTERFACE ${ARGV})
endfunction()
function(zephyr_compile_options)
  target_compile_options(zephyr_interface INTERFACE ${ARGV})
endfunction()
add_subdirectory(${MODULE}/zephyr krait)
file(WRITE ${CMAKE_BINARY_DIR}/main.cpp "#include <krait.hpp>\nint main() {}\n")
add_library(app OBJECT ${CMAKE_BINARY_DIR}/main.cpp)
target_link_libraries(app PRIVATE zephyr_interface)
"""


def zephyr_builds(board, module, folder):
    """Compiles a program with the Zephyr module's flags, for a core with half precision, with g++ and clang."""
    flags = [word for word in board.compile_args[1:] if word not in ("-idirafter", board.dependencies, "-mfp16-format=ieee")]
    said = run([board.compile_args[0], *flags, "-E", "-v", "-x", "c++", "/dev/null"])
    searched = said.split("search starts here:")[-1].split("End of search list")[0].split()
    headers = [word for path in map(os.path.realpath, searched) if "/lib/gcc/" not in path for word in ("-isystem", path)]
    compilers = {board.compile_args[0]: flags}
    for clang in ("clang++-14", "clang++-16"):
        compilers[clang] = ["--target=arm-none-eabi", *(f for f in flags if not f.startswith("--specs")), "-nostdlibinc", *headers]
    (folder / "CMakeLists.txt").write_text(ZEPHYR)
    for compiler, words in compilers.items():
        if shutil.which(compiler) is None or shutil.which("cmake") is None:
            print(f"zephyr: skipped: no {compiler} or cmake on this machine")
            continue
        build = folder / compiler
        run(["cmake", "-GNinja", "-S", str(folder), "-B", str(build), "-DCMAKE_SYSTEM_NAME=Generic", f"-DMODULE={module}",
             "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY", f"-DCMAKE_CXX_COMPILER={compiler}",
             f"-DCMAKE_CXX_FLAGS={' '.join(words)} -std=gnu++20 -Werror"])
        run(["cmake", "--build", str(build)])
        print(f"zephyr: a program for {board.name} compiles with {compiler} and the module's flags")


def compile_alone(board, folder, source):
    """Compiles a program that includes every header, using only the packaged folder and the board's C and C++ libraries."""
    headers = sorted((folder / "src").glob("krait*.hpp")) + sorted((folder / "src" / "krait").rglob("*.hpp"))
    names = [str(path.relative_to(folder / "src")) for path in headers if not path.name.endswith("-inl.hpp")]
    source.write_text("".join(f"#include <{name}>\n" for name in names) + "int main() {}\n")
    command = [word for word in board.compile_args if word not in ("-idirafter", board.dependencies)]
    run([*command, "-std=gnu++20", "-fsyntax-only", f"-I{folder / 'src'}", str(source)])
    return len(names)


def main():
    board = Board("mps2-an386")
    version = re.search(r'KRAIT_VERSION_STRING "([0-9.]+)"', (ROOT / "include" / "krait" / "version.hpp").read_text())[1]
    wrong = []
    with tempfile.TemporaryDirectory(prefix="krait_packaging_") as temporary:
        temporary = pathlib.Path(temporary)
        for system in FACTS:
            print(run([str(ROOT / "packaging" / "assemble"), system, str(temporary / system)]), end="")
            wrong += complaints(system, temporary / system, version)
        wrong += newer_highway(board, temporary / "newer")
        trees = {system: sorted(str(p.relative_to(temporary / system)) for p in (temporary / system / "src").rglob("*")) for system in FACTS}
        wrong += [f"{system}: src/ has other files than zephyr's" for system in FACTS if trees[system] != trees["zephyr"]]
        again = subprocess.run([ROOT / "packaging" / "assemble", "arduino", temporary / "arduino"], stderr=subprocess.PIPE, text=True)
        if again.returncode == 0 or "is there already" not in again.stderr:
            wrong.append(f"packaging/assemble overwrites an existing folder: {again.stderr}")
        if board.missing() is None:
            (temporary / "app").mkdir()
            zephyr_builds(Board("mps3-an547"), temporary / "zephyr", temporary / "app")
            print(f"{compile_alone(board, temporary / 'arduino', temporary / 'all.cpp')} headers compile for {board.name} from src/ alone")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0 if board.missing() is None else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
