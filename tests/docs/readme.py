#!/usr/bin/env python3
"""Checks README, the pages of docs and the README of each folder: code blocks equal the files that they name, links lead to
files and headings, the memory table equals the constants, the speed tables equal bench/results, tests/run installs what README
installs, scripts given as commands are executable, and a page with commands says where they run. README has at most 900 words
and no table of more than 12 rows.

  readme.py MEMORY_PROGRAM
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "bench" / "compare"), str(ROOT / "bench" / "training")]
import compare
import training

README = ROOT / "README.md"
MOST_WORDS, MOST_ROWS = 900, 12  # the most words in README, and the most rows in a table of README


def code_blocks(text):
    """Returns (file, code) for each ```cpp block that follows a line with a file name, such as `path/name.cpp`. Files in board/
    are left out: the page itself creates them, and guide.py checks them."""
    found = re.findall(r"^[^\n]*`([\w./-]+\.[ch]pp)`[^\n]*\n+```cpp\n(.*?)^```$", text, re.M | re.S)
    return [(file, code) for file, code in found if not file.startswith("board/")]


def anchors(text):
    """Returns the link anchors that GitHub and similar sites generate from the headings of a text."""
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ +(.*?) *$", text, re.M)}


def wrong_code(name, text):
    for file, code in code_blocks(text):
        path = ROOT / file
        if not path.is_file():
            yield f"{name}: code of {file}, but there is no such file"
        elif code not in path.read_text():
            yield f"{name}: the code under {file} is not in that file"


def wrong_links(path, text):
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    for link in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose):
        if re.match(r"\w+:", link):
            continue
        place, _, heading = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        if not target.exists():
            yield f"{path.relative_to(ROOT)}: {link}: no such file"
        elif heading and heading not in anchors(target.read_text()):
            yield f"{path.relative_to(ROOT)}: {link}: no such heading"


def wrong_table(page, text, rows):
    lines = text.splitlines()
    for row in rows:
        if row not in lines:
            yield f"{page}: found no line {row}"


def wrong_size(name, text):
    words = len(text.split())
    if words > MOST_WORDS:
        yield f"{name}: found {words} words, wanted at most {MOST_WORDS}"
    for table in re.findall(r"(?:^\|.*\n)+", text, re.M):
        rows = table.count("\n") - 2
        if rows > MOST_ROWS:
            yield f"{name}: found a table of {rows} rows, wanted at most {MOST_ROWS}: {table.splitlines()[0]}"


def wrong_packages(text, run):
    listed = re.search(r"^packages=\(\n(.*?)^\)", run, re.M | re.S)[1]
    known = set(re.sub(r"#.*", "", listed).split())
    named = re.search(r"apt-get install -y ([\w+. -]+)", text)[1].split()
    for package in named:
        if package not in known:
            yield f"README.md installs {package}, which tests/run does not"


def wrong_commands(name, text, root=ROOT):
    """Yields a message for each script that a text gives as a command, but that is not executable. The message starts with
    `name`."""
    for command in sorted(set(re.findall(r"(?:`|^)([\w-]+/[\w./-]+)", text, re.M))):
        path = root / command
        if path.is_file() and path.read_bytes().startswith(b"#!") and not os.access(path, os.X_OK):
            yield f"{name}: {command}: found a script that is not executable"


def wrong_place(name, text):
    """Yields a message if a text has a line that is a command of a clone, but does not say in which folder it runs."""
    code = re.findall(r"^```(?:sh|console)?\n(.*?)^```$", text, re.M | re.S) + re.findall(r"^    (.*\n)", text, re.M)
    command = re.search(r"^(?:meson|tests/|tools/|build/|packaging/|bench/|g\+\+ |pip ).*", "".join(code), re.M)
    if command and not re.search(r"(?:top\s+folder\s+of\s+(?:a|the)|In\s+a)\s+clone", text):
        yield f"{name}: found the command {command[0]!r}, wanted a sentence that says where it runs: the top folder of a clone"


def not_noticed():
    """Tests this script with faulty examples: returns a message for each fault that its checks do not detect."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "tests").mkdir()
        (root / "tests" / "x.py").write_text("#!/usr/bin/env python3\n")
        command = list(wrong_commands("x", "`tests/x.py --all`", root))
    checks = {
        "other code": wrong_code("x", "`examples/hello/hello.cpp`:\n\n```cpp\nint other;\n```\n"),
        "code of no file": wrong_code("x", "In `examples/no.cpp`\n```cpp\nint x;\n```\n"),
        "a link to no file": wrong_links(README, "[x](docs/no.md)"),
        "a link to no heading": wrong_links(README, "[x](README.md#no-such-heading)"),
        "another row of a table": wrong_table("x", "| a | 1 |", ["| a | 2 |"]),
        "too many words": wrong_size("x", "word " * (MOST_WORDS + 1)),
        "too many rows": wrong_size("x", "| a |\n| --- |\n" + "| b |\n" * (MOST_ROWS + 1)),
        "a command that is not executable": command,
        "a command without a folder": wrong_place("x", "Run it:\n\n    tests/run\n"),
        "a package unknown to tests/run": wrong_packages("apt-get install -y no-such-package",
                                                         (ROOT / "tests/run").read_text()),
    }
    return [f"not detected: {what}" for what, found in checks.items() if not list(found)]


def main():
    rows = subprocess.run([sys.argv[1]], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    readme, memory, speed = (path.read_text() for path in (README, ROOT / "docs/memory.md", ROOT / "docs/speed.md"))
    wrong = not_noticed()
    if not code_blocks(readme) or not rows:
        wrong.append("README.md quotes no file, or the memory program prints nothing")
    reports = sorted(ROOT.glob("bench/results/*/compare.json"))
    if not reports:
        wrong.append("no bench/results/*/compare.json")
    for report in reports:
        wrong += wrong_table(f"docs/speed.md ({report.parent.name})", speed, compare.summary(json.loads(report.read_text())))
    for report in ROOT.glob("bench/results/*/training.json"):
        numbers = json.loads(report.read_text())
        for rows_of in (training.table, training.summary):
            wrong += wrong_table(f"docs/speed.md ({report.parent.name}, training)", speed, rows_of(numbers))
    wrong += [*wrong_table("docs/memory.md", memory, rows), *wrong_size("README.md", readme),
              *wrong_packages(readme, (ROOT / "tests/run").read_text())]
    folders = ("docs", "bench", "examples", "packaging", "tests")
    for path in [*sorted(ROOT.glob("*.md")), *(page for folder in folders for page in sorted((ROOT / folder).rglob("*.md")))]:
        text = path.read_text()
        wrong += [*wrong_code(path.name, text), *wrong_links(path, text), *wrong_commands(path.name, text),
                  *wrong_place(str(path.relative_to(ROOT)), text)]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
