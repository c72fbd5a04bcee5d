#!/usr/bin/env python3
"""Checks that firmware.cpp, compiled for boards, has no symbols of the heap, exceptions, RTTI, guards or streams.

  symbols.py [TARGET]...    default: all targets

Checks the object file for every target, and the linked image and its sections for two of them. Exit code 0: no forbidden
symbol; 1: forbidden symbols, which are printed; 77: no compiler for any target is installed.
"""
import pathlib
import re
import sys
import tempfile

from compilers import INCLUDE, SKIPPED, present, run

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "device"))
from boards import BOARDS, Board  # noqa: E402

FLAGS = ["-std=c++20", "-O2", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"]

# Patterns of forbidden symbols, as nm prints them.
FORBIDDEN = re.compile(
    r"^_?(malloc|calloc|realloc|free|aligned_alloc|posix_memalign|memalign|sbrk|_sbrk)$"
    r"|^_Zn[wa]|^_Zd[la]"                          # operator new, operator delete
    r"|^__cxa_|^_Unwind_|^__gxx_personality"        # exceptions, guards of function-local statics, exit handlers
    r"|^_ZT[ISV]"                                   # type information, vtables
    r"|^_ZSt9terminate|^_ZSt\d+__throw|^_?(abort|exit|_exit|atexit|__assert\w*)$"
    r"|^v?[fsd]?n?i?printf$|^f?puts$|^putc(har)?$|^f(write|open|close|read|flush|scanf)$|^std(in|out|err)$|^_ZN?St\w*(stream|streambuf)")
# The ARM EABI's unwind tables refer to these symbols of the unwinder; they are data, not calls.
ALLOWED = re.compile(r"^__aeabi_unwind_cpp_pr[012]$|^__cxa_atexit_unused$")

HOSTS = {"host g++": ["g++", "-march=native"], "host clang++-14": ["clang++-14", "-march=native"],
         "host clang++-16": ["clang++-16"]}
WHOLE_IMAGES = ["mps2-an386", "qemu-virt-rv32"]
IN_ASSEMBLY = ["mps2-an386", "mps3-an547"]  # must also compile with -O0, where the inline assembly has few registers


def forbidden(tool, path):
    """Returns the forbidden symbols in an object or image, both defined and undefined."""
    code, text = run([tool, str(path)])
    names = [line.split()[-1] for line in text.splitlines() if line.strip()]
    if code != 0 or not names:
        raise SystemExit(f"{tool} {path}: {text}")
    return sorted({name for name in names if FORBIDDEN.search(name) and not ALLOWED.search(name)})


def sections(tool, path):
    """Returns, as text, the sizes in bytes of code, constants, initialised RAM and zeroed RAM of an object file."""
    sums = {".text": 0, ".rodata": 0, ".data": 0, ".bss": 0}
    for line in run([tool, "-A", "-d", str(path)])[1].splitlines():
        words = line.split()
        kind = next((kind for kind in sums if words and words[0].startswith(kind)), None)
        if kind:
            sums[kind] += int(words[1])
    return "code {} + constants {} bytes, RAM {} + {}".format(*sums.values())


def strangers(board, command, source):
    """Returns a message for each header of the host that a board's compiler includes, except headers of Highway, Boost and
    newlib."""
    code, text = run([*command, "-M", str(source)])
    found = [name for name in text.split() if name.startswith(board.dependencies + "/")]
    allowed = tuple(f"{board.dependencies}/{library}/" for library in ("hwy", "boost", "newlib"))
    return [f"{board.name}: includes {name}" for name in found if code == 0 and not name.startswith(allowed)]


def build(target, folder):
    """Compiles firmware.cpp for one target and checks its symbols. Returns a list of faults and a line of sizes to print."""
    board = Board(target) if target in BOARDS else None
    command = [*(board.compile_args if board else HOSTS[target]), *FLAGS, f"-I{INCLUDE}"]
    nm, size = (board.binaries[tool] if board else tool for tool in ("nm", "size"))
    source = HERE / "firmware.cpp"
    name = target.replace(" ", "_")

    built = folder / f"{name}.o"
    code, said = run([*command, "-c", str(source), "-o", str(built)])
    if code != 0 or said:
        return [f"{target}: {said}"], ""
    wrong = [f"{target}: the object has {symbol}" for symbol in forbidden(nm, built)]
    line = f"{target}: object: {sections(size, built)}"
    if board:
        wrong += strangers(board, command, source)
    if target in IN_ASSEMBLY:
        code, said = run([*command, "-O0", "-c", str(source), "-o", str(folder / "debug.o")])
        wrong += [f"{target}: without optimisation: {said}"] if code != 0 or said else []
    if target in WHOLE_IMAGES:
        whole, image = folder / f"{name}_image.o", folder / f"{name}.elf"
        code, said = run([*command, "-DKRAIT_IMAGE", "-c", str(source), "-o", str(whole)])
        if code != 0 or said:
            return wrong + [f"{target}: {said}"], line
        board.link([whole], image)
        wrong += [f"{target}: the image has {symbol}" for symbol in forbidden(nm, image)]
        line += f"; image (constants among the code): {sections(size, image)}"
    return wrong, line


def bites(folder):
    """Tests forbidden() with a program that has every kind of forbidden symbol: returns a message for each kind that it does
    not detect."""
    source = folder / "bad.cpp"
    source.write_text("""#include <cstdio>
#include <cstdlib>
#include <typeinfo>
struct Base { virtual ~Base(); virtual int value(); };
Base::~Base() {}
int Base::value() { return 1; }
int* heap() { return new int[3]; }
void* plain(unsigned long n) { return std::malloc(n); }
int guarded(int n) { static const int first = std::rand() + n; static Base base; return first + base.value(); }
void stop() { std::abort(); }
void say() { std::puts("x"); std::printf("%d", 1); }
void raise() { throw 1; }
""")
    built = folder / "bad.o"
    code, said = run(["g++", "-std=c++20", "-O0", "-c", str(source), "-o", str(built)])
    if code != 0:
        return [said]
    found = forbidden("nm", built)
    wanted = ["malloc", "_Znam", "__cxa_guard_acquire", "__cxa_throw", "__cxa_allocate_exception", "_ZTI4Base", "_ZTV4Base", "_ZTS4Base",
              "abort", "puts", "printf"]
    return [f"not detected: {name}" for name in wanted if name not in found]


def main():
    targets = sys.argv[1:] or [*HOSTS, *BOARDS]
    wrong, done = [], 0
    with tempfile.TemporaryDirectory(prefix="krait_symbols_") as folder:
        folder = pathlib.Path(folder)
        wrong += bites(folder) if present("g++") else []
        for target in targets:
            compiler = Board(target).binaries["cpp"] if target in BOARDS else HOSTS[target][0]
            if not present(compiler):
                print(f"{target}: skipped: no {compiler} on this machine")
                continue
            found, line = build(target, folder)
            done += 1
            wrong += found
            if line:
                print(line, flush=True)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0 if done else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
