#!/usr/bin/env python3
"""Follows the instructions of a page: writes its files, runs its commands, and compares their outputs with the page.

  guide.py PAGE.md

A code block after a paragraph whose last line names `folder/file` and ends with ":" is the content of that file. A code block
of the language sh is run in a temporary folder with links to the repository's folders. The next code block of the language text
is the expected output: * stands for any characters of a line, and a line of three dots for any lines. Code blocks of the
language console are not run.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SKIPPED = 77
TOOLS = ["g++", "arm-none-eabi-g++", "qemu-system-arm", "riscv64-unknown-elf-g++", "qemu-system-riscv32"]
BLOCK = re.compile(r"((?:^(?!```)[^\n]*\n)*)^```(\w+)\n(.*?)^```\n", re.M | re.S)
NAMED = re.compile(r"`([\w-]+/[\w.-]+)`[^`]*:\n\n\Z")


def pattern(text):
    """Returns a regular expression for the output that a page shows as `text`. In `text`, a line ... stands for any lines, and
    * for any characters."""
    lines = [r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\*", ".*") + r" *\n"
             for line in text.strip("\n").splitlines()]
    return re.compile("".join(lines))


def same(expected, found):
    return pattern(expected).fullmatch(found.strip("\n") + "\n") is not None


def blocks(text):
    """Yields (kind, file name, code) of each code block. The kind is "file", or the block's language if no file is named."""
    for before, language, code in BLOCK.findall(text):
        named = NAMED.search(before)
        yield ("file", named[1], code) if named else (language, None, code)


def problems(text, folder):
    python = pathlib.Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{python}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}
    printed, commands = None, 0
    for kind, name, code in blocks(text):
        if kind == "file":
            (folder / name).write_text(code)
        elif kind == "sh":
            done = subprocess.run(["bash", "-euo", "pipefail", "-c", code], cwd=folder, env=environment, text=True, timeout=300,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            print(f"$ {code}{done.stdout}", flush=True)
            printed, commands = done.stdout, commands + 1
            if done.returncode != 0:
                yield f"ended with {done.returncode}: {code}"
                return
        elif kind == "text":
            if printed is None:
                yield f"an output without a command: {code}"
            elif not same(code, printed):
                yield f"found the output:\n{printed}wanted:\n{code}"
            printed = None
    if commands == 0:
        yield "found no command"


def not_noticed():
    """Tests this script with wrong pages: returns a message for each wrong page that problems() accepts."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "x").mkdir()
        wrong = {"another output": "```sh\necho a\n```\n\n```text\nb\n```\n",
                 "one line too many": "```sh\necho a; echo b\n```\n```text\na\n```\n",
                 "a command that fails": "```sh\nfalse\n```\n", "no command": "Text.\n",
                 "a file with other text": "`x/y`:\n\n```text\na\n```\n\n```sh\ncat x/y\n```\n\n```text\nb\n```\n"}
        return [f"not noticed: {what}" for what, text in wrong.items() if not list(problems(text, folder))]


def main():
    page = pathlib.Path(sys.argv[1])
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    try:
        import numpy  # noqa: F401
    except ImportError:
        missing.append("numpy")
    if missing:
        print(f"skipped: no {missing[0]} on this machine")
        return SKIPPED
    wrong = not_noticed()
    with tempfile.TemporaryDirectory(prefix="krait_guide_") as folder:
        folder = pathlib.Path(folder)
        for name in ("include", "tools", "python", "examples", "tests", "cross"):
            (folder / name).symlink_to(ROOT / name)
        wrong += [f"{page.name}: {what}" for what in problems(page.read_text(), folder)]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
