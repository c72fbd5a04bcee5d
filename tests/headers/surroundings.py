#!/usr/bin/env python3
"""Checks that the public headers compile after macros and global variables that clash with their names.

  surroundings.py --compiler COMMAND

The headers must compile after the macros that board packages define, and without warnings after global variables with the names
of their parameters. If they cannot be compiled (C++17, flags that change the results, a macro with the name of a function), the
compiler must report exactly one error, which names the reason. Exit code 0: all is as it must be; 1: it is not; 77: no
compiler.
"""
import argparse
import re
import shlex
import sys

from compilers import INCLUDE, SKIPPED, present, run

HEADERS = ["krait.hpp", *sorted(f"krait/{path.name}" for path in (INCLUDE / "krait").glob("*.hpp")),
           *sorted(f"krait/io/{path.name}" for path in (INCLUDE / "krait" / "io").glob("*.hpp"))]
INCLUDES = "".join(f"#include <{name}>\n" for name in HEADERS)
# Macros that Arduino's AVR core, CMSIS packages, C libraries and programs define.
BOARD_MACROS = """abs(x) ((x)>0?(x):-(x)) / min(a,b) ((a)<(b)?(a):(b)) / max(a,b) ((a)>(b)?(a):(b)) / round(x) ((long)((x)+0.5)) / sq(x) ((x)*(x))
bit(b) (1UL << (b)) / constrain(a,l,h) (a) / radians(d) (d) / degrees(r) (r) / lowByte(w) (w) / highByte(w) (w) / bitRead(v,b) (v)
F(s) (s) / PI 3.14159 / HALF_PI 1.57 / TWO_PI 6.28 / EULER 2.718 / HIGH 1 / LOW 0 / INPUT 0 / OUTPUT 1 / DEFAULT 1 / EXTERNAL 0 / INTERNAL 3
B0 0 / B1 1 / B00 0 / B01 1 / B10 2 / B11 3 / I _Complex_I / N 8 / V 3 / ERROR 1 / SUCCESS 0 / ENABLE 1 / DISABLE 0 / SET 1 / RESET 0 / OK 0
IN / OUT / OPTIONAL / small char / near / far / interface struct / MIN(a,b) (a) / MAX(a,b) (a) / UNUSED(x) (void)x""".replace("\n", " / ").split(" / ")
# Flags for which g++ defines a macro, so that the headers reject them, and clang does not. With clang the bits are unchanged
# (tests/bits).
ONLY_GCC = {"g++": [(["-funsafe-math-optimizations"], "-funsafe-math-optimizations"), (["-freciprocal-math"], "-fassociative-math")]}
GLOBALS = "state model scratch token logits x y tokens bytes image key dims n row rows out in sampler weights path file name".split()


class Compiler:
    def __init__(self, command):
        self.command = shlex.split(command)

    def errors(self, source, *flags):
        """Compiles a source, and returns the lines of the compiler's output that report an error or a warning."""
        _, said = run([*self.command, "-std=c++20", *flags, "-fsyntax-only", f"-I{INCLUDE}", "-x", "c++", "-"], input=source)
        return [line for line in said.splitlines() if re.search(r"\b(error|warning):", line) and "-Wdeprecated-ofast" not in line]


def complaints(compiler):
    set_aside = re.findall(r"^#undef (\w+)", (INCLUDE / "krait" / "core" / "begin.hpp").read_text(), re.M)
    refused = re.findall(r"defined\((\w+)\)\n#error", (INCLUDE / "krait" / "core" / "refused_names.hpp").read_text())
    for title, macros in (("the macros of boards", BOARD_MACROS), ("each name as an object", [f"{name} 5" for name in set_aside]),
                          ("each name as a function", [f"{name}(a) 5" for name in set_aside])):
        source = "".join(f"#define {macro}\n" for macro in macros) + INCLUDES
        for name in set_aside:  # the headers must restore these macros
            source += f"#ifndef {name}\n#error lost {name}\n#endif\n" if any(re.match(rf"{name}\b", macro) for macro in macros) else ""
        yield from (f"behind {title}: {line}" for line in compiler.errors(source)[:3])
    for name in refused:
        found = compiler.errors(f"#define {name} int\n{INCLUDES}")
        if len(found) != 1 or f"`{name}` is defined as a macro" not in found[0]:
            yield f"behind a macro {name}: {found[:3]}"
    for flags, words in ((["-std=c++17"], "C++20 is required"), (["-std=c++11"], "C++20 is required"), (["-ffast-math"], "-ffast-math"),
                         (["-Ofast"], "-ffast-math"), (["-ffinite-math-only"], "-ffinite-math-only"), *ONLY_GCC.get(compiler.command[0], [])):
        found = compiler.errors(INCLUDES if flags == ["-ffast-math"] else "#include <krait.hpp>\n", *flags)
        if len(found) != 1 or words not in found[0]:
            yield f"with {' '.join(flags)}: {len(found)} errors: {found[:3]}"
    yield from (f"insisting on -ffast-math: {line}" for line in compiler.errors(INCLUDES, "-ffast-math", "-DKRAIT_ALLOW_FAST_MATH"))
    source = f"int {', '.join(GLOBALS)};\n{INCLUDES}"
    yield from (f"a warning: {line}" for line in compiler.errors(source, "-Wall", "-Wextra", "-Wshadow", "-Wdouble-promotion"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="g++")
    args = parser.parse_args()
    if not present(args.compiler):
        print(f"skipped: no {args.compiler} on this machine")
        return SKIPPED
    found = list(complaints(Compiler(args.compiler)))
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{args.compiler}: {len(found)} complaints")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
