#!/usr/bin/env python3
"""Checks that the repository's text files follow the rules of .editorconfig, and that its Python files can be parsed.

  check.py            checks
  check.py --record   writes the numbers of longer lines that are there now to long_lines.txt

clang-format is not enforced: without a column limit, version 16 still re-breaks chains of ?: and inline assembly and moves
columns of comments, in 1,241 lines of the present code, and with one it breaks nearly every line otherwise. .clang-format is
for editors. long_lines.txt contains, for some files, the number of lines longer than max_line_length that the file may have;
other files may have none.
"""
import ast
import fnmatch
import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
KNOWN = HERE / "long_lines.txt"
BINARY = {".safetensors", ".png"}


def expanded(pattern):
    """Expands {a,b} in a pattern: returns one pattern for each alternative."""
    group = re.search(r"\{([^{}]*)\}", pattern)
    if not group:
        return [pattern]
    return [one for word in group[1].split(",") for one in expanded(pattern[: group.start()] + word + pattern[group.end() :])]


def sections(text):
    """Yields (patterns, properties) of each section of an .editorconfig file."""
    for head, body in re.findall(r"^\[(.*)\]\n((?:(?!\[).*\n?)*)", text, re.M):
        yield expanded(head), dict(re.findall(r"^(\w+) *= *(\S+)$", body, re.M))


def rules_of(path, config):
    """Returns the properties that the sections of an .editorconfig file, `config`, give the file `path`."""
    rules = {}
    for patterns, properties in config:
        if any(fnmatch.fnmatch(path if "/" in pattern else path.rsplit("/", 1)[-1], pattern) for pattern in patterns):
            rules |= properties
    return rules


def text_files():
    for folder, folders, files in os.walk(ROOT):
        here = pathlib.Path(folder)
        folders[:] = [name for name in folders if not name.startswith(("build", "__pycache__")) and name != ".git" and
                      not name.endswith(".egg-info") and (here / name).parent != ROOT / "subprojects" or name == "packagefiles"]
        for name in sorted(files):
            path = here / name
            if path.suffix not in BINARY and name != ".git":
                yield path


def problems(name, content, rules, longer):
    """Yields a message for each of `rules` that a file breaks. `longer` is the number of long lines that the file may have."""
    try:
        text = content.decode(rules.get("charset", "utf-8"))
    except UnicodeDecodeError as error:
        yield f"{name}: not {rules['charset']}: {error}"
        return
    lines = text.split("\n")
    if rules.get("insert_final_newline") == "true" and text and lines[-1] != "":
        yield f"{name}: no newline at the end"
    count = 0
    for number, line in enumerate(lines, 1):
        if rules.get("end_of_line") == "lf" and line.endswith("\r"):
            yield f"{name}:{number}: a carriage return"
        if rules.get("trim_trailing_whitespace") == "true" and line != line.rstrip(" \t"):
            yield f"{name}:{number}: white space at the end"
        if rules.get("indent_style") == "space" and line.startswith("\t"):
            yield f"{name}:{number}: a tab"
        count += len(line) > int(rules.get("max_line_length", len(line)))
    if count > longer:
        yield f"{name}: found {count} lines of more than {rules['max_line_length']} columns, wanted at most {longer}"
    if name.endswith(".py"):
        try:
            ast.parse(text)
        except SyntaxError as error:
            yield f"{name}:{error.lineno}: {error.msg}"


def not_noticed():
    rules = {"charset": "utf-8", "end_of_line": "lf", "insert_final_newline": "true", "trim_trailing_whitespace": "true",
             "indent_style": "space", "max_line_length": "10"}
    wrong = {"latin-1": b"\xe4\n", "no newline": b"a", "CRLF": b"a\r\n", "a space at the end": b"a \n", "a tab": b"\ta\n",
             "a long line": b"12345678901\n", "wrong.py": b"def f(:\n"}
    return [f"not noticed: {what}" for what, content in wrong.items() if not list(problems(what, content, rules, 0))]


def main():
    config = list(sections((ROOT / ".editorconfig").read_text()))
    known = {path: int(count) for count, path in map(str.split, KNOWN.read_text().splitlines())} if KNOWN.exists() else {}
    if "--record" in sys.argv[1:]:
        known = {}
    wrong, recorded = not_noticed(), []
    for path in text_files():
        name = str(path.relative_to(ROOT))
        for problem in problems(name, path.read_bytes(), rules_of(name, config), known.get(name, 0)):
            longer = re.search(r"found (\d+) lines of more", problem)
            if longer and "--record" in sys.argv[1:]:
                recorded.append(f"{longer[1]} {name}\n")
            else:
                wrong.append(problem)
    if recorded:
        KNOWN.write_text("".join(sorted(recorded, key=lambda line: line.split()[1])))
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
