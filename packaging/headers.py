"""Lists the headers of the library and of the libraries that it includes, and their licences."""
import pathlib
import re
import shlex
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
INCLUDE = ROOT / "include"


def all_headers():
    """Returns the paths of all headers within include/."""
    return [path.relative_to(INCLUDE) for path in sorted(INCLUDE.rglob("*.hpp"))]


def firmware_headers():
    """All but those that read and write files, which is for machines that have some."""
    return [path for path in all_headers()
            if not path.is_relative_to("krait/io") and '#include "krait/io/' not in (INCLUDE / path).read_text()]


def dependencies(compiler, headers):
    """Path as it is included -> file, of the headers of Highway, Boost and nlohmann-json that `headers` include. Highway's
    machine-dependent ones all go along."""
    source = "".join(f"#include <{name}>\n" for name in headers if not name.name.endswith("-inl.hpp"))
    done = subprocess.run([*shlex.split(compiler), "-std=c++20", "-M", f"-I{INCLUDE}", "-x", "c++", "-"], input=source,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{compiler} does not find all of the library's dependencies:\n{done.stderr}")
    found = {}
    for word in done.stdout.split():
        match = re.search(r"/((?:hwy|boost|nlohmann)/.*)$", word)
        if match:
            found[match[1]] = pathlib.Path(word)
    hwy = found["hwy/highway.h"].parent
    for path in [*hwy.glob("*.h"), *hwy.glob("ops/*.h")]:
        found[f"hwy/{path.relative_to(hwy)}"] = path
    return found


def license_expression(found):
    """The SPDX expression for Krait and Boost, which have the same licence, Highway, which has two since 1.0.6, and
    nlohmann-json."""
    text = found["hwy/highway.h"].read_text() + found["hwy/base.h"].read_text()
    highway_version = [int(re.search(rf"#define HWY_{part} (\d+)", text)[1]) for part in ("MAJOR", "MINOR", "PATCH")]
    highway = "(Apache-2.0 OR BSD-3-Clause)" if highway_version >= [1, 0, 6] else "Apache-2.0"
    json = " AND MIT" if "nlohmann/json.hpp" in found else ""
    return f"BSL-1.0 AND {highway}{json}"


def copy_licenses(expression, folder):
    """Copies the texts of the licences in an SPDX expression to a new folder."""
    folder.mkdir()
    shutil.copyfile(ROOT / "LICENSE", folder / "boost-BSL-1.0.txt")
    for path in (HERE / "licenses").glob("*.txt"):
        if path.stem.split("-", 1)[1] in expression:
            shutil.copyfile(path, folder / path.name)


def version():
    return re.search(r'KRAIT_VERSION_STRING "([0-9.]+)"', (ROOT / "include" / "krait" / "version.hpp").read_text())[1]
