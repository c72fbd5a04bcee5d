#!/usr/bin/env python3
"""The folders for other build systems are complete, and their files have the form they must have.

  check.py
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "device"))
from boards import SKIPPED, Board, run  # noqa: E402

FACTS = {
    "zephyr": {"zephyr/module.yml": ["name: krait", "cmake: zephyr", "kconfig: zephyr/Kconfig"],
               "zephyr/CMakeLists.txt": ["zephyr_include_directories"], "zephyr/Kconfig": ["config KRAIT"]},
    "platformio": {"library.json": []},
    "esp-idf": {"idf_component.yml": ["license: BSL-1.0"], "CMakeLists.txt": ["idf_component_register(INCLUDE_DIRS src)"]},
    "arduino": {"library.properties": []},
}


def complaints(system, folder, version):
    for name, words in FACTS[system].items():
        text = (folder / name).read_text()
        for word in words:
            if word not in text:
                yield f"{system}: {name} does not say {word!r}"
        if "@" in text:
            yield f"{system}: {name} is not filled in"
        if name == "library.json":
            manifest = json.loads(text)
            if manifest["name"] != "krait" or manifest["version"] != version or not (folder / "src" / manifest["headers"]).exists():
                yield f"{system}: {name}: name, version or headers are wrong"
        if name == "library.properties":
            properties = dict(line.split("=", 1) for line in text.splitlines())
            wanted = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures", "includes"}
            if properties.keys() != wanted or properties["version"] != version or not (folder / "src" / properties["includes"]).exists():
                yield f"{system}: {name}: {properties}"
        if name == "idf_component.yml" and f'version: "{version}"' not in text:
            yield f"{system}: {name} is not of version {version}"


def compile_alone(board, folder, source):
    """Compiles a program with every header, against the folder and the board's own C and C++ library."""
    headers = sorted((folder / "src").glob("krait*.hpp")) + sorted((folder / "src" / "krait").rglob("*.hpp"))
    names = [str(path.relative_to(folder / "src")) for path in headers if not path.name.endswith("-inl.hpp")]
    source.write_text("".join(f"#include <{name}>\n" for name in names) + "int main() {}\n")
    command = [word for word in board.compile_args if word not in ("-idirafter", board.dependencies)]
    run([*command, "-std=gnu++20", "-fsyntax-only", f"-I{folder / 'src'}", str(source)])
    return len(names)


def main():
    board = Board("mps2-an386")
    version = re.search(r"^project\(.* version: '([0-9.]+)'", (ROOT / "meson.build").read_text(), re.M)[1]
    wrong = []
    with tempfile.TemporaryDirectory(prefix="krait_packaging_") as temporary:
        temporary = pathlib.Path(temporary)
        for system in FACTS:
            print(run([str(ROOT / "packaging" / "assemble"), system, str(temporary / system)]), end="")
            wrong += complaints(system, temporary / system, version)
        trees = {system: sorted(str(p.relative_to(temporary / system)) for p in (temporary / system / "src").rglob("*")) for system in FACTS}
        wrong += [f"{system}: src/ is not zephyr's" for system in FACTS if trees[system] != trees["zephyr"]]
        again = subprocess.run([ROOT / "packaging" / "assemble", "arduino", temporary / "arduino"], stderr=subprocess.PIPE, text=True)
        if again.returncode == 0 or "is there already" not in again.stderr:
            wrong.append(f"a folder that is there is overwritten: {again.stderr}")
        if board.missing() is None:
            print(f"{compile_alone(board, temporary / 'arduino', temporary / 'all.cpp')} headers compile for {board.name} from src/ alone")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0 if board.missing() is None else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
