#!/usr/bin/env python3
"""Checks that two translation units that include every header link into one program and compute the same outputs.

  units.py --compiler COMMAND

Exit code 0: the program links and the outputs are equal; 1: not; 77: the compiler is not installed.
"""
import argparse
import pathlib
import shlex
import sys
import tempfile

from compilers import INCLUDE, SKIPPED, present, run

HERE = pathlib.Path(__file__).resolve().parent
FLAGS = ["-std=c++20", "-O0", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wdouble-promotion",
         "-Wpedantic", "-Werror"]
UNIT = """#include "all_headers.hpp"
#include "every_layer.hpp"
float one() {
  float sum = 0.0f;
  every_layer::for_each_layer([&]<class Layer>() {
    static Layer layer;
    layer = krait::init<Layer>(krait::key(3));
    sum += every_layer::use(layer);
  });
  return sum;
}
"""
MAIN = """float one();
float other();
int main() {
  const float sum = one();
  return sum == other() && sum - sum == 0.0f ? 0 : 1;
}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="g++")
    args = parser.parse_args()
    if not present(args.compiler):
        print(f"skipped: no {args.compiler} on this machine")
        return SKIPPED
    names = sorted(str(path.relative_to(INCLUDE)) for path in INCLUDE.rglob("*.hpp") if not path.name.endswith("-inl.hpp"))
    names.sort(key=lambda name: name != "krait.hpp")
    compiler = shlex.split(args.compiler)
    with tempfile.TemporaryDirectory(prefix="krait_units_") as folder:
        folder = pathlib.Path(folder)
        (folder / "all_headers.hpp").write_text("".join(f"#include <{name}>\n" for name in names))
        (folder / "one.cpp").write_text(UNIT)
        (folder / "main.cpp").write_text(MAIN)
        objects = [str(folder / f"{name}.o") for name in ("one", "other", "main")]
        for command in (compiler + FLAGS +
                        [f"-I{INCLUDE}", f"-I{HERE}", f"-I{folder}", "-c", str(folder / "one.cpp"), "-o", objects[0]],
                        # The other unit differs in the name of its function only, so it is not compiled again.
                        ["objcopy", "--redefine-sym", "_Z3onev=_Z5otherv", objects[0], objects[1]],
                        compiler + ["-c", str(folder / "main.cpp"), "-o", objects[2]],
                        compiler + [*objects, "-o", str(folder / "program")]):
            code, said = run(command)
            if code != 0:
                print(said)
                return 1
        code, said = run([str(folder / "program")])
        result = "same outputs" if code == 0 else f"the program ends with exit code {code}"
        print(f"{len(names)} headers in two units: {result} {said}")
        return code


if __name__ == "__main__":
    sys.exit(main())
