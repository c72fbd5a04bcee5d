#!/usr/bin/env python3
"""What firmware gets from the library: no heap, no exceptions, no RTTI, no guards, no streams. Shown by the symbols of an
object for every target, and of a whole linked image for two of them, with its sections.

  symbols.py [TARGET]...    all, if none is given; ends with 77 if this machine can build none of them
"""
import pathlib
import re
import shlex
import sys
import tempfile

from compilers import INCLUDE, SKIPPED, include_folders, link_dependencies, present, run

HERE = pathlib.Path(__file__).resolve().parent
FLAGS = ["-std=c++20", "-O2", "-fno-exceptions", "-fno-rtti", "-ffunction-sections", "-fdata-sections", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"]

# As nm spells them.
FORBIDDEN = re.compile(
    r"^_?(malloc|calloc|realloc|free|aligned_alloc|posix_memalign|memalign|sbrk|_sbrk)$"
    r"|^_Zn[wa]|^_Zd[la]"                          # operator new, operator delete
    r"|^__cxa_|^_Unwind_|^__gxx_personality"        # throwing, guards of function-local statics, exit handlers
    r"|^_ZT[ISV]"                                   # type information, vtables
    r"|^_ZSt9terminate|^_ZSt\d+__throw|^_?(abort|exit|_exit|atexit|__assert\w*)$"
    r"|^v?[fsd]?n?i?printf$|^f?puts$|^putc(har)?$|^f(write|open|close|read|flush|scanf)$|^std(in|out|err)$|^_ZN?St\w*(stream|streambuf)")
# The unwinder's hooks in the ARM EABI's tables are data of the linker's, not calls.
ALLOWED = re.compile(r"^__aeabi_unwind_cpp_pr[012]$|^__cxa_atexit_unused$")

ARM = "arm-none-eabi-"
RISCV = "riscv64-unknown-elf-"
PICOLIBC = ["--specs=picolibcpp.specs"]
TARGETS = {
    "host g++": ("", "g++", ["-march=native"]),
    "host clang++-14": ("", "clang++-14", ["-march=native"]),
    "host clang++-16": ("", "clang++-16", []),
    "Cortex-M3": (ARM, ARM + "g++", ["-mcpu=cortex-m3", "-mthumb", *PICOLIBC]),
    "Cortex-M4F": (ARM, ARM + "g++", ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", *PICOLIBC]),
    "Cortex-M7": (ARM, ARM + "g++", ["-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-d16",
                                     "-mfp16-format=ieee", *PICOLIBC]),
    "Cortex-M33": (ARM, ARM + "g++", ["-mcpu=cortex-m33", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16",
                                      "-mfp16-format=ieee", *PICOLIBC]),
    "Cortex-M55": (ARM, ARM + "g++", ["-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard", "-mfp16-format=ieee", *PICOLIBC]),
    "RV32": (RISCV, RISCV + "g++", ["-march=rv32imfc", "-mabi=ilp32f", "--specs=picolibc.specs", "-nostdinc++"]),
}
# flash, its size, RAM, its size
MEMORY = {
    "Cortex-M4F": (0x00000000, 0x400000, 0x20000000, 0x400000),
    "RV32": (0x80000000, 0x200000, 0x80200000, 0x200000),
}


def forbidden(tool, path):
    """The forbidden symbols of an object or image, defined or not."""
    code, text = run([tool, str(path)])
    names = [line.split()[-1] for line in text.splitlines() if line.strip()]
    if code != 0 or not names:
        raise SystemExit(f"{tool} {path}: {text}")
    return sorted({name for name in names if FORBIDDEN.search(name) and not ALLOWED.search(name)})


def sections(tool, path):
    """Bytes of code, constants, initialised and zeroed RAM."""
    sums = {".text": 0, ".rodata": 0, ".data": 0, ".bss": 0}
    for line in run([tool, "-A", "-d", str(path)])[1].splitlines():
        words = line.split()
        kind = next((kind for kind in sums if words and words[0].startswith(kind)), None)
        if kind:
            sums[kind] += int(words[1])
    return "code {} + constants {} bytes, RAM {} + {}".format(*sums.values())


def build(target, folder, dependencies):
    """Builds and judges one target: (what is wrong, what to print)."""
    prefix, compiler, machine = TARGETS[target]
    command = [compiler, *machine, *FLAGS, f"-I{INCLUDE}"]
    if prefix:
        command += ["-isystem", str(dependencies)]
    if prefix == RISCV:  # Debian has no C++ library for it; ARM's headers serve
        library = [path for path in include_folders(f"{ARM}g++ --specs=picolibcpp.specs") if "c++" in path.parts]
        plain = next(path for path in library if path.parent.name == "c++")
        command += ["-isystem", str(plain), "-isystem", str(plain / "arm-none-eabi")]
    source = HERE / "firmware.cpp"
    name = target.replace(" ", "_")

    built = folder / f"{name}.o"
    code, said = run([*command, "-c", str(source), "-o", str(built)])
    if code != 0 or said:
        return [f"{target}: {said}"], ""
    wrong = [f"{target}: the object has {symbol}" for symbol in forbidden(prefix + "nm", built)]
    line = f"{target}: object: {sections(prefix + 'size', built)}"

    if target in MEMORY:
        flash, flash_size, ram, ram_size = MEMORY[target]
        symbols = {"__flash": flash, "__flash_size": flash_size, "__ram": ram, "__ram_size": ram_size, "__stack_size": 0x8000,
                   "__heap_end": ram + ram_size - 0x8000 - 0x800}
        link = [f"-Wl,--defsym={key}={value:#x}" for key, value in symbols.items()]
        whole, image = folder / f"{name}_image.o", folder / f"{name}.elf"
        code, said = run([*command, "-DKRAIT_IMAGE", "-c", str(source), "-o", str(whole)])
        linker = [prefix + "gcc" if prefix == RISCV else compiler, *[flag for flag in machine if flag != "-nostdinc++"]]
        if code == 0:
            code, said = run([*linker, "-Wl,--gc-sections", *link, str(whole), "-o", str(image)])
        if code != 0 or said:
            return wrong + [f"{target}: {said}"], line
        wrong += [f"{target}: the image has {symbol}" for symbol in forbidden(prefix + "nm", image)]
        line += f"; image (constants among the code): {sections(prefix + 'size', image)}"
    return wrong, line


def bites(folder):
    """The check notices each kind of what it forbids."""
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
    return [f"not noticed: {name}" for name in wanted if name not in found]


def main():
    targets = sys.argv[1:] or list(TARGETS)
    wrong, done = [], 0
    with tempfile.TemporaryDirectory(prefix="krait_symbols_") as folder:
        folder = pathlib.Path(folder)
        (folder / "include").mkdir()
        dependencies = link_dependencies(folder / "include")
        wrong += bites(folder) if present("g++") else []
        for target in targets:
            needed = [TARGETS[target][1]] + ([ARM + "g++"] if TARGETS[target][0] == RISCV else [])
            missing = [command for command in needed if not present(command)]
            if missing:
                print(f"{target}: skipped: no {missing[0]} on this machine")
                continue
            found, line = build(target, folder, dependencies)
            done += 1
            wrong += found
            if line:
                print(line)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0 if done else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
