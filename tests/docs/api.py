#!/usr/bin/env python3
"""docs/api.md has every public name of the library and no other, the defaults of dims are those of the headers, and the C++
examples of the pages compile.

  api.py COMPILER CLANG

A public name is a name of namespace krait, or of a namespace in it other than detail, check and a target's, that a header of
include/krait.hpp or include/krait/*.hpp declares. api.md contains a name if the name is in backticks in a heading, or in the
first cell of a row of a table whose first heading is "name". A macro is public if it is in such a heading or row; then a header
must define the macro.

The first cpp block of api.md is what its other examples start with. A block that includes a header is compiled as a file; every
other block is compiled as the body of a function. Blocks of files that the page names belong to guide.py.
"""
import concurrent.futures
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests" / "device"))
from boards import Board  # noqa: E402

API = ROOT / "docs" / "api.md"
FIRMWARE = ROOT / "docs" / "firmware.md"  # the examples of this page are compiled for a board
PAGES = [API, FIRMWARE, ROOT / "docs" / "images.md", ROOT / "docs" / "training.md"]
BOARD = Board("mps2-an386")
FLAGS = ["-std=c++20", "-fsyntax-only", "-DKRAIT_QUIET",
         *(f"-I{folder}" for folder in (ROOT, ROOT / "include", ROOT / "tests" / "docs" / "stubs"))]
WARNINGS = ["-Wall", "-Wextra", "-Wno-unused", "-Wno-psabi", "-Werror"]
DECLARATIONS = {"FunctionDecl", "FunctionTemplateDecl", "VarDecl", "VarTemplateDecl", "CXXRecordDecl", "ClassTemplateDecl",
                "TypeAliasDecl", "TypeAliasTemplateDecl", "EnumDecl", "ConceptDecl", "UsingDecl", "TypedefDecl"}
PRIVATE = re.compile(r"detail|check|N_\w+")
TASKS = sorted(path.relative_to(ROOT / "include") for path in (ROOT / "include" / "krait").glob("*.hpp"))


def public_names(clang):
    """Returns the library's public names: those that clang's syntax tree of a translation unit with every public header
    declares."""
    source = "".join(f"#include <{header}>\n" for header in ["krait.hpp", *TASKS])
    command = [clang, *FLAGS, "-Xclang", "-ast-dump=json", "-Xclang", "-ast-dump-filter=krait", "-x", "c++", "-"]
    text = subprocess.run(command, input=source, stdout=subprocess.PIPE, text=True, check=True).stdout
    names, decoder, at = set(), json.JSONDecoder(), 0

    def walk(node, prefix):
        for inner in node.get("inner", []):
            name = inner.get("name", "").split("::")[-1]
            if inner["kind"] == "NamespaceDecl":
                if inner.get("isInline"):
                    walk(inner, prefix)
                elif not PRIVATE.fullmatch(name):
                    walk(inner, f"{prefix}{name}::")
            elif inner["kind"] in DECLARATIONS and re.fullmatch(r"\w+", name):
                names.add(prefix + name)

    while at < len(text):
        node, at = decoder.raw_decode(text, at)
        if node["kind"] == "NamespaceDecl" and node.get("name") == "krait":
            walk(node, "")
        while at < len(text) and text[at].isspace():
            at += 1
    return names


def documented_names(text):
    """Returns the names that a page documents, in headings and in the first cells of tables of names, without krait::."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    places = re.findall(r"^#+ (.*)$", prose, re.M)
    for table in re.findall(r"^\| name \|.*\n\|.*\n((?:\|.*\n)+)", prose, re.M):
        places += [row.split("|")[1] for row in table.splitlines()]
    return {name.removeprefix("krait::") for place in places for name in re.findall(r"`([\w:]+)(?:<[^`]*>)?(?:\(\))?`", place)}


def wrong_names(public, documented, headers):
    macros = {name for name in documented if name.startswith("KRAIT_")}
    yield from (f"docs/api.md lacks {name}" for name in sorted(public - documented))
    yield from (f"docs/api.md has {name}, which no public header declares" for name in sorted(documented - macros - public))
    gone = [name for name in sorted(macros) if not re.search(rf"\b{name}\b", headers)]
    yield from (f"docs/api.md has {name}, which no header mentions" for name in gone)


def examples(path):
    """Yields (line, code) of each C++ code block of a page, except blocks that another test writes to a file."""
    text = path.read_text()
    for block in re.finditer(r"^```cpp\n(.*?)^```$", text, re.M | re.S):
        named = re.search(r"`[\w-]+/[\w.-]+`[^`\n]*:?\n+\Z", text[: block.start()])
        if not named:  # the page names a file for the other blocks
            yield text.count("\n", 0, block.start(1)) + 1, block[1]


def sources(path, first):
    """Yields (place, program) of each translation unit to compile. A code block of the page that has an #include of its own is
    a translation unit; all other code blocks together form one, each as a function."""
    files = {"krait.hpp", *map(str, TASKS)}
    bodies = "".join(f"#include <{file}>\n" for file in sorted(files)) + first
    count = 0
    for line, code in examples(path):
        if code == first:
            continue
        if "#include" in code:
            yield f"{path.name}:{line}", f'#line {line} "{path.name}"\n{code}'
        else:
            count += 1
            bodies += f'void example_{line}() {{\n#line {line} "{path.name}"\n{code}}}\n'
    if count:
        yield path.name, bodies


def defaults_of_dims(text):
    """For each row with a default value in the page's tables of dims, yields C++ code that asserts this default."""
    kinds = {"all": ["Mamba2Dims", "Mamba2BlockDims", "Mamba3Dims", "Mamba3BlockDims"],
             "Mamba-2": ["Mamba2Dims", "Mamba2BlockDims"], "Mamba-3": ["Mamba3Dims", "Mamba3BlockDims"]}
    for table in re.findall(r"^\| struct \| member \|.*\n\|.*\n((?:\|.*\n)+)", text, re.M):
        for row in table.splitlines():
            structs, members, meaning = (cell.strip() for cell in row.strip("|").split("|"))
            names = kinds.get(structs, [] if structs.startswith("all ") else re.findall(r"`(\w+)`", structs))
            member = re.fullmatch(r"`(\w+)`", members)
            default = re.search(r"; default (\{.*?\}|`[\w:]+`|[\w.-]*\w)", meaning)
            if not member or not default or member[1] == "expand":  # expand is 0 until it is resolved
                continue
            value = re.sub(r"`(.*)`", r"krait::\1", default[1]).strip("{}")
            value = value.replace("infinity", "std::numeric_limits<float>::infinity()")
            for name in names:
                wanted = f"decltype(krait::{name}::{member[1]}){{{value}}}"
                what = f'"{name}::{member[1]}, default {default[1]}"'
                yield f"static_assert(krait::{name}{{}}.{member[1]} == {wanted}, {what});\n"


def compile_error(command, source):
    done = subprocess.run([*command, *FLAGS, *WARNINGS, "-x", "c++", "-"], input=source, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    errors = "\n".join(line for line in done.stdout.splitlines() if "error" in line)
    return "" if done.returncode == 0 else (errors or done.stdout)[:2000]


def not_noticed(public):
    """Tests this script with faulty examples: returns a message for each fault that its checks do not detect."""
    text = API.read_text()
    one = sorted(public & documented_names(text))[0]
    checks = {"a name that is not documented": wrong_names(public | {"no_such_name"}, documented_names(text), ""),
              "a name that does not exist": wrong_names(public, documented_names(text + "\n### `no_such_name`\n"), ""),
              "a row that is gone": wrong_names(public, documented_names(text) - {one}, "")}
    return [f"not noticed: {what}" for what, found in checks.items() if not list(found)]


def main():
    compiler, clang = sys.argv[1:]
    public, text = public_names(clang), API.read_text()
    headers = "\n".join(path.read_text() for path in (ROOT / "include").rglob("*.hpp"))
    wrong = [*wrong_names(public, documented_names(text), headers), *not_noticed(public)]
    first = next(examples(API))[1]
    defaults = list(defaults_of_dims(text))
    units = [([compiler], "the defaults of dims in api.md", "#include <krait.hpp>\n#include <limits>\n" + "".join(defaults))]
    for page in PAGES:
        if page == FIRMWARE and BOARD.missing():
            print(f"{page.name}: skipped: no {BOARD.missing()} on this machine")
        else:
            command = [*BOARD.compile_args, "-O2"] if page == FIRMWARE else [compiler]
            units += [(command, *unit) for unit in sources(page, first)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for (_, place, _), error in zip(units, pool.map(lambda unit: compile_error(unit[0], unit[2]), units)):
            if error:
                wrong.append(f"{place} does not compile:\n{error}")
    if not compile_error([compiler], units[0][2].replace("default 128", "").replace("{128}", "{127}")):
        wrong.append("not noticed: a wrong default")
    print(f"{len(public)} public names, {sum(len(list(examples(page))) for page in PAGES)} examples, {len(defaults)} defaults")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong or len(units) < 6 else 0


if __name__ == "__main__":
    sys.exit(main())
