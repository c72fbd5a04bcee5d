#!/usr/bin/env python3
"""Checks that each wrong call gives one clear compile error. Each .cpp file of this folder has one wrong call.

  run.py [--include DIR]... [--compiler COMMAND]... [--jobs N] [--show] [FILE]...     default: g++, all files

A file also has the corrected call, after #ifdef RIGHT, which must compile without warnings. The wrong call must give exactly
one error, in at most 20 lines of output, which contain the words of every `// expect:` line ("A|B": either, because compilers
differ). If a file has the line `// more errors follow`, only the output up to the second error counts. Exit code 0: every call
does; 1: some do not; 77: no compiler is installed.
"""
import argparse
import concurrent.futures
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
MOST_LINES = 20
FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra"]
ERROR = re.compile(r"(?:^|: )(?:fatal )?error: ", re.MULTILINE)
SKIPPED = 77  # the exit code that Meson reports as "skipped"


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    return done.returncode, done.stdout


class Compiler:
    """A compiler, with given.hpp (which includes the whole library) precompiled, so that a file compiles in under a second."""

    def __init__(self, command, includes, folder):
        self.name = command
        self.command = shlex.split(command) + FLAGS + [f"-I{path}" for path in includes]
        self.missing = shutil.which(shlex.split(command)[0]) is None
        if self.missing:
            return
        clang = "clang" in run(shlex.split(command) + ["--version"])[1]
        # Without the flag, clang would instantiate the templates that given.hpp uses again for every file.
        self.command += ["-fpch-instantiate-templates"] if clang else []
        header = folder / "given.hpp"
        shutil.copy(HERE / "given.hpp", header)
        compiled = folder / ("given.pch" if clang else "given.hpp.gch")
        build = [flag for flag in self.command if flag != "-fsyntax-only"]
        code, text = run(build + ["-x", "c++-header", str(header), "-o", str(compiled)])
        if code != 0:
            sys.exit(f"{command}: given.hpp does not compile:\n{text}")
        self.command += ["-include-pch", str(compiled)] if clang else ["-include", str(header)]

    def compile(self, path, *more):
        return run(self.command + [*more, str(path)])


def compile_together(compiler, files, folder):
    """Compiles the corrected calls of all files (after #ifdef RIGHT) in one translation unit, in which the code of each file is
    in a namespace of its own. Returns the compiler's errors and warnings, or None if there are none.

    Compiling them one by one would take much longer.
    """
    texts = {path.stem: path.read_text() for path in files}
    include = re.compile(r"^#include .*$", re.MULTILINE)
    lines = sorted({line for text in texts.values() for line in include.findall(text) if "gain.hpp" not in line})
    # Each namespace has its own copy of the function that gain.hpp defines, without the header's include guard.
    gain = re.sub(r"^#.*$", "", (HERE / "gain.hpp").read_text(), flags=re.MULTILINE)
    for name, text in texts.items():
        text = include.sub("", text.replace('#include "gain.hpp"', gain))
        lines.append(f"namespace {name} {{\n{text}\n}}")
    together = folder / "together.cpp"
    together.write_text("\n".join(lines))
    code, text = compiler.compile(together, "-DRIGHT")
    return text if code != 0 or text else None


def complaints(compiler, path, show, right=False):
    """Returns the faults of one file of a wrong call with one compiler: the corrected call does not compile, the wrong call
    compiles, or its message is not as expected. If `right` is true, does not compile the corrected call again."""
    found = []
    code, text = (0, "") if right else compiler.compile(path, "-DRIGHT")
    if code != 0 or text:
        found.append("the corrected call gives errors or warnings:\n" + text)
    code, text = compiler.compile(path)
    if show:
        print(f"---- {path.name}: {compiler.name}\n{text}", end="")
    if code == 0:
        return found + ["the wrong call compiles"]
    starts = [error.start() for error in ERROR.finditer(text)]
    if len(starts) > 1 and "\n// more errors follow\n" in path.read_text():
        text = text[:starts[1]]
        starts = starts[:1]
    errors = len(starts)
    if errors != 1:
        found.append(f"{errors} errors, wanted 1")
    lines = text.count("\n")
    if lines > MOST_LINES:
        found.append(f"{lines} lines of output, wanted at most {MOST_LINES}")
    expected = re.findall(r"^// expect: (.+)$", path.read_text(), re.MULTILINE)
    if not expected:
        found.append("no `// expect:` line")
    found += [f"the output lacks: {words}" for words in expected if not any(word in text for word in words.split("|"))]
    return found


# Maps a complaint to a file for which this script must report the complaint: tests of the script itself.
UNFIT = {
    "the wrong call compiles": "// expect: x\n",
    "the corrected call gives errors": "// expect: x\nstatic_assert(false, \"x\");\n",
    "2 errors, wanted 1": "// expect: x\n#ifndef RIGHT\nstatic_assert(false, \"x\");\nstatic_assert(false, \"x\");\n#endif\n",
    "lines of output, wanted at most":
        "// expect: x\n#ifndef RIGHT\n" + "#warning x\n" * MOST_LINES + "static_assert(false, \"x\");\n#endif\n",
    "the output lacks: never said":
        "// expect: x\n// expect: never said\n#ifndef RIGHT\nstatic_assert(false, \"x\");\n#endif\n",
    "no `// expect:` line": "#ifndef RIGHT\nstatic_assert(false, \"x\");\n#endif\n",
}


def unnoticed(compiler, folder):
    """Tests this script with the faulty files of UNFIT: yields the words of each expected complaint that complaints() does not
    return."""
    path = folder / "unfit.cpp"
    for words, text in UNFIT.items():
        path.write_text(text)
        if not any(words in found for found in complaints(compiler, path, False)):
            yield words


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--include", action="append", default=[], help="a folder with headers")
    parser.add_argument("--compiler", action="append", default=[], help="such as g++ or 'clang++-16 -stdlib=libc++'")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", action="store_true", help="print the compilers' output")
    parser.add_argument("files", nargs="*", type=pathlib.Path, help="all, if none is given")
    args = parser.parse_args()
    includes = args.include or [HERE.parent.parent / "include"]
    files = sorted(args.files or HERE.glob("*.cpp"))

    start = time.monotonic()
    failed, checked, blind, missing = 0, 0, False, []
    for command in args.compiler or ["g++"]:
        with tempfile.TemporaryDirectory(prefix="krait_fail_") as folder:
            compiler = Compiler(command, includes, pathlib.Path(folder))
            if compiler.missing:
                missing.append(command)
                continue
            for words in unnoticed(compiler, pathlib.Path(folder)):
                blind = True
                print(f"{command}: this script does not detect: {words}")
            wrong = compile_together(compiler, files, pathlib.Path(folder))
            right = wrong is None
            with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
                for path, found in zip(files, pool.map(lambda path: complaints(compiler, path, args.show, right), files)):
                    checked += 1
                    failed += bool(found)
                    for complaint in found:
                        print(f"{path.name}: {compiler.name}: {complaint}")
            if not right and not failed:
                blind = True
                print(f"{command}: the corrected calls compile one by one, but not together:\n{wrong}")
    if not files:
        sys.exit(f"no .cpp files in {HERE}")
    for command in missing:
        print(f"skipped: no {command} on this machine")
    print(f"{checked - failed} of {checked} wrong calls give one clear error ({time.monotonic() - start:.0f} s)")
    if failed or blind:
        return 1
    return SKIPPED if missing and not checked else 0


if __name__ == "__main__":
    sys.exit(main())
