#!/usr/bin/env python3
"""Runs the speaker example, with --all also the keyword example, on emulated boards, and checks for several compilers and
levels that:

- every frame gives the host's bits, also if each function is at an address of 2 modulo 4;
- a step takes the same number of instructions for every frame (at -O0 and -Og, and on RV32: nearly the same), and
  at most 5 % more than with g++;
- no step uses more stack than krait::step_stack_bytes, which is at most 1.5 times the largest use.

  matrix.py [--all | --covering] [--boards NAME,...] [--compilers NAME,...] [--levels=LEVEL;...] [--types TYPE,...]
            [--headers DIR] [--jobs N]

--all tests every combination of board, compiler, level and storage type. --covering tests each board with every compiler and
level. At -O1, -Os, -O2 and -O3 it tests all storage types, because the largest stacks and the instructions of both types are
compared. At every other level it tests only one type, and tests the other type with a neighbouring board, compiler or level.
"""
import argparse
import collections
import concurrent.futures
import dataclasses
import itertools
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import arrays
import speaker
from boards import BOARDS, ROOT, SKIPPED, Board, Host, boards_here, run

HERE = pathlib.Path(__file__).resolve().parent
# Maps the name of a compiler to its command and more flags. With HWY_BROKEN_EMU128=0, Highway chooses its target as it does
# with later versions of g++.
COMPILERS = {"g++": ("g++", []), "g++ EMU128": ("g++", ["-DHWY_BROKEN_EMU128=0"]),
             "clang++-16": ("clang++-16", []), "clang++-19": ("clang++-19", [])}
LEVELS = ["-O0", "-O1", "-Og", "-Os", "-O2", "-O3", "-Os -flto"]
COUNTED = ["-Os", "-O2"]  # levels at which the numbers of instructions are compared with those of g++
# Levels that --covering tests with every storage type: the levels of COUNTED, and -O1 and -O3, one of which has the largest
# stacks with g++.
WITH_ALL_TYPES = ["-O1", *COUNTED, "-O3"]
WITH_FPU = ["mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547"]
WITHOUT_FMA = ["mps2-an385", "mps2-an385-m0plus"]
QUICK = {"boards": "mps2-an386,mps3-an547", "compilers": "g++,clang++-16", "levels": "-Os"}
MOST_INSTRUCTIONS = 1.05  # the largest number of instructions, relative to g++ at the same level
BRANCHES_SPREAD = 50      # the most by which a step's instructions vary where selections are branches: at -O0, -Og, on RV32
MOST_SLACK = 1.5          # the largest step_stack_bytes, relative to the largest stack used
SHIFT = 10                # 2^10 ns per instruction, so that ticks distinguish single instructions
NS_PER_TICK = {"mps2-an386": 40, "mps2-an500": 40, "mps2-an505": 50, "mps3-an547": 31.25, "qemu-virt-rv32": 1}
FRAMES = 30               # the number of frames of the recording that the programs run
# Modes of the FPU as values of its register FPSCR: rounding, flush-to-zero (FZ), default NaN (DN).
KEEPS_BITS = {"nearest", "FZ", "DN", "FZ and DN"}
FPU_MODES = {"nearest": 0, "up": 1 << 22, "down": 2 << 22, "to zero": 3 << 22, "FZ": 1 << 24, "DN": 1 << 25,
             "FZ and DN": 3 << 24}


@dataclasses.dataclass(frozen=True)
class Cell:
    """A combination of board, compiler, optimisation level and storage type to test."""
    board: str
    compiler: str
    level: str
    storage: str

    def __str__(self):
        return f"{self.board} {self.compiler} {self.level} {self.storage}"


@dataclasses.dataclass
class Result:
    """The results of one firmware image, each by model: `bits` are [(scores, state), ...], `least` and `most` the smallest and
    largest instruction count of a step, `stack` the bytes of stack used, and `bound` step_stack_bytes."""
    bits: dict = dataclasses.field(default_factory=lambda: collections.defaultdict(list))
    least: dict = dataclasses.field(default_factory=dict)
    most: dict = dataclasses.field(default_factory=dict)
    stack: dict = dataclasses.field(default_factory=lambda: collections.defaultdict(int))
    bound: dict = dataclasses.field(default_factory=dict)

    def add(self, lines, board):
        # A tick is shorter than an instruction here, so counts of ticks are too large or too small by part of an instruction.
        instructions = NS_PER_TICK.get(board, 0) / 2 ** SHIFT
        for line in lines:
            model, *words = line.split()
            facts = dict(zip(words[::2], words[1::2]))
            if "scores" in facts:
                self.bits[model].append((facts["scores"], facts["state"]))
                self.least[model] = min(self.least.get(model, 1 << 32), round(int(facts["least"]) * instructions))
                self.most[model] = max(self.most.get(model, 0), round(int(facts["most"]) * instructions))
            self.stack[model] = max(self.stack[model], int(facts["stack"]))
            self.bound[model] = int(facts["bound"])
        return self


class Bench:
    """Builds and runs the images of cells (combinations of board, compiler, level and storage type) in a folder."""

    def __init__(self, folder, headers, keyword):
        self.folder, self.headers, self.keyword = folder, headers, keyword

    def write_data(self, types):
        speaker.write_series(self.folder / "series.hpp", 100)
        made = [(self.headers / f"speaker_{storage}.hpp", ROOT / "examples" / "speaker" / "speaker.safetensors",
                 ["--type", storage, "--order", "linear_in,layers,norm_f,mean,classifier", "--name", "weights"]) for storage in types]
        if self.keyword:
            checkpoint = self.headers / "keyword.safetensors"
            if not checkpoint.exists():
                run([sys.executable, str(HERE / "keyword_checkpoint.py"), str(checkpoint)])
            made += [(self.headers / f"keyword_{storage}.hpp", checkpoint,
                      ["--type", storage, "--ignore", "input*", "--ignore", "logits*", "--name", "keyword",
                       "--order", "linear_in,mixer,mean,classifier"]) for storage in types]
            self.write_recording(checkpoint)
        for header, model, how in made:
            if not header.exists():
                run([sys.executable, str(ROOT / "tools" / "krait"), "pack", str(model), *how, "--header", str(header)])

    def write_recording(self, checkpoint):
        (_, columns), values = arrays.read_tensors(checkpoint)["input"]
        (self.folder / "recording.hpp").write_text(f"""#include <krait.hpp>
namespace recording {{
inline constexpr krait::Tensor<float, {FRAMES}, {columns}> frames{arrays.rows([FRAMES, columns], values[: FRAMES * columns])};
}}
""")

    def flags(self, storage, keyword):
        return ["-Wall", "-Wextra", "-Wno-psabi", "-Werror", f"-I{ROOT / 'include'}", f"-I{self.headers}", f"-I{self.folder}",
                f"-I{ROOT / 'examples' / 'speaker'}",
                f'-DMATRIX_SPEAKER="speaker_{storage}.hpp"', f"-DSTACKS_STORAGE={storage}",
                *([f'-DMATRIX_KEYWORD="keyword_{storage}.hpp"'] if keyword and self.keyword else [])]

    def build(self, cell, source, *more):
        """Compiles a source file for a cell: a combination of board, compiler, level and storage type. Returns the board, and
        the path of the object without the ending .o. With -flto, the object is the result of link-time optimisation."""
        board, (command, flags) = Board(cell.board), COMPILERS[cell.compiler]
        name = self.folder / re.sub(r"\W+", "_", f"{cell} {source.stem} {' '.join(more)}")
        levels = cell.level.split()
        keyword = cell.level in COUNTED or "-flto" in levels
        board.compile(source, f"{name}.o", *levels, *flags, *self.flags(cell.storage, keyword), *more, compiler=command)
        if "-flto" in levels:
            core = [word for word in board.compile_args if word.startswith("-m")]
            run([board.binaries["cpp"], *core, *levels, "-flinker-output=nolto-rel", "-r", "-nostdlib", f"{name}.o",
                 "-ffunction-sections", "-fdata-sections", "-o", f"{name}_all.o"])
            name = pathlib.Path(f"{name}_all")
        return board, name

    def host(self, storage):
        name = self.folder / f"host_{storage}"
        Host().compile(HERE / "matrix.cpp", f"{name}.o", "-O0", *self.flags(storage, True))
        Host().link([f"{name}.o"], f"{name}.elf")
        return Result().add(Host().execute(f"{name}.elf"), "host")

    def run(self, cell, source, *more, moved=True):
        """Builds and runs the firmware image of a cell and, if `moved`, the same image with its functions at addresses of 2
        modulo 4. Returns the list of Results, and a message for each function that was not moved."""
        board, name = self.build(cell, source, *more)
        board.link([f"{name}.o"], f"{name}.elf")
        found, wrong = [Result().add(board.execute(f"{name}.elf", shift=SHIFT), cell.board)], []
        if moved:
            sections = function_sections(board, f"{name}.o")
            script = moved_script(board, sections, f"{name}.ld")
            board.link([f"{name}.o"], f"{name}_moved.elf", f"-T{script}")
            found.append(Result().add(board.execute(f"{name}_moved.elf", shift=SHIFT), cell.board))
            wrong = [f"{cell}: {what}" for what in misplaced(board, f"{name}_moved.elf", sections)]
        return found, wrong


def function_sections(board, built):
    """Returns {section: alignment} for the sections of functions of the library, or of functions with its types."""
    text = run([board.binaries["objdump"], "-h", "-w", built])
    found = {words[1]: 2 ** int(words[6].removeprefix("2**")) for words in map(str.split, text.splitlines())
             if len(words) > 6 and words[1].startswith(".text._Z") and "krait" in words[1]}
    if not found:
        raise SystemExit(f"{built}: found no section of a function of the library")
    return found


def moved_script(board, sections, path):
    """Writes picolibc's linker script, changed so that each section starts at 2 modulo 4 if its alignment allows it."""
    headers = next(folder for folder in board.header_folders() if "picolibc" in folder)
    source = pathlib.Path(headers).parent / "lib" / "picolibcpp.ld"
    before, text, after = source.read_text().partition("\n\t.text :")
    if not text:
        raise SystemExit(f"{source}: found no section .text")
    lines = "".join(f". = ALIGN(4); SHORT(0xBF00) *({section})\n" for section in sections)
    pathlib.Path(path).write_text(f"{before}\n.moved : {{\n{lines}}} >flash AT>flash :text\n{text}{after}")
    return path


def misplaced(board, image, sections):
    """Yields a message for each function that the changed linker script should place at an address of 2 modulo 4, but that has
    another address."""
    symbols = re.findall(r"^(\w+) [TtWw] (\S+)$", run([board.binaries["nm"], image]), re.MULTILINE)
    addresses = {f".text.{name}": int(address, 16) & ~1 for address, name in symbols}
    for section, alignment in sections.items():
        if section in addresses and alignment <= 2 and addresses[section] % 4 != 2:
            yield f"{section} is at {addresses[section]:#x}, wanted 2 modulo 4"


def judge_bits(cell, found, expected):
    """Yields a message for each model whose scores and states differ from the expected ones. `found` has the Results of two
    images: the usual one, and one in which the linker has moved functions to other addresses."""
    for where, result in zip(("", ", moved code"), found):
        for name in result.bits.keys() & expected.bits.keys():
            if result.bits[name] != expected.bits[name]:
                yield f"{cell}{where}: {name}: found (scores, state) {result.bits[name]}, wanted {expected.bits[name]}"
        if "speaker" not in result.bits:
            yield f"{cell}{where}: found no answer of the speaker"


def judge_counts(results):
    """Yields a message for each model whose steps take different numbers of instructions (at -O0 and -Og, and on RV32: numbers
    that differ by more than BRANCHES_SPREAD) or, at the levels of COUNTED, more than MOST_INSTRUCTIONS times as many as with
    g++."""
    for cell, (result, *_) in results.items():
        gcc = results.get(dataclasses.replace(cell, compiler="g++"), [None])[0] if cell.level in COUNTED else None
        for model in result.most:
            wanted = BRANCHES_SPREAD if cell.level in ("-O0", "-Og") or cell.board == "qemu-virt-rv32" else 0
            if result.most[model] - result.least[model] > wanted:
                yield (f"{cell}: {model}: found {result.least[model]} to {result.most[model]} instructions, wanted a difference "
                       f"of at most {wanted}")
            if gcc and result.most[model] > MOST_INSTRUCTIONS * gcc.most[model]:
                yield (f"{cell}: {model}: found {result.most[model]} instructions, wanted at most {MOST_INSTRUCTIONS} times "
                       f"{gcc.most[model]}")


def judge_stacks(results, complete):
    """Yields a message for each model whose step uses more stack than krait::step_stack_bytes.

    If `complete`, also yields a message for each combination of board, compiler and storage type for which step_stack_bytes is
    more than MOST_SLACK times the largest stack used by any model at any level.
    """
    most = collections.defaultdict(lambda: (0, 0))  # kind -> (largest stack used, step_stack_bytes of that model)
    for cell, (result, *_) in results.items():
        if cell.level == "-Og":  # no macro of the compiler distinguishes -Og from -O1
            continue
        for model, used in result.stack.items():
            bound = result.bound[model]
            if used > bound:
                yield f"{cell}: {model}: found {used} bytes of stack, wanted at most krait::step_stack_bytes = {bound}"
            compiler, _ = COMPILERS[cell.compiler]  # g++ EMU128 counts as g++, because it does not run the models of --stacks
            kind = f"{cell.board} {compiler} {cell.storage}{' -O0' * (cell.level == '-O0')}"
            most[kind] = max(most[kind], (used, bound))
    for kind, (used, bound) in most.items() if complete else ():
        if bound > MOST_SLACK * used:
            yield f"{kind}: krait::step_stack_bytes = {bound}, wanted at most {MOST_SLACK} times the largest stack, {used}"


def print_table(results, value, title):
    """Prints a table of value(result), with one row for each board, storage type and optimisation level, and one column for
    each compiler."""
    compilers = list(dict.fromkeys(cell.compiler for cell in results))
    print(f"\n{title}\n| board | type | level | {' | '.join(compilers)} |\n| --- | --- | --- |{' ---: |' * len(compilers)}")
    rows = dict.fromkeys((cell.board, cell.storage, cell.level) for cell in results)
    for board, storage, level in rows:
        texts = [value(results[cell][0]) if (cell := Cell(board, compiler, level, storage)) in results else ""
                 for compiler in compilers]
        if any(texts):
            print(f"| {board} | {storage} | `{level}` | {' | '.join(texts)} |")


def count_text(model):
    return lambda result: f"{result.most[model]:,}" if result.most.get(model) else ""


def stack_text(result):
    model = max(result.stack, key=result.stack.get)
    return f"{result.stack[model]} of {result.bound[model]} ({model})"


def fpu_modes(bench, types, expected):
    """Runs the speaker example in each mode of the FPU. Yields a message for each mode that changes bits but should not, or
    that should change bits but does not."""
    for storage in types:
        cell = Cell("mps2-an386", "g++", "-O2", storage)
        values = ", ".join(f"{value}u" for value in FPU_MODES.values())
        (found,), _ = bench.run(cell, HERE / "matrix.cpp", f"-DMATRIX_FPU_MODES={values}", moved=False)
        for mode, value in FPU_MODES.items():
            same = found.bits[f"{value:08x}"] == expected[storage].bits["speaker"]
            verdict = "the same bits" if same else "not the same bits"
            print(f"{cell.board} {storage}, FPU mode {mode}: {verdict}", flush=True)
            if same != (mode in KEEPS_BITS):
                yield f"{cell}: FPU mode {mode}: found {verdict}, docs/firmware.md says otherwise"


def outcomes(runs):
    """Yields (cell, list of Results, faults) for each of `runs`, {cell: future}, in the order of `runs`. The Results are None
    if the program of the cell does not build or run."""
    for done, (cell, future) in enumerate(runs.items(), 1):
        try:
            found, wrong = future.result()
        except subprocess.TimeoutExpired:
            found, wrong = None, [f"{cell}: found no end within the time limit"]
        except SystemExit as error:
            found, wrong = None, [f"{cell}: {error}"]
        print(f"{done} of {len(runs)}: {cell}{': wrong' if wrong else ''}", flush=True)
        yield cell, found, wrong


def cells_of(options, boards):
    """Yields the cells (combinations of board, compiler, level and storage type) that the options select. Link-time
    optimisation is tested with g++ only."""
    compilers, levels, types = options.compilers.split(","), options.levels.split(";"), options.types.split(",")
    for board, compiler, level in itertools.product(boards, compilers, levels):
        if compiler == "g++ EMU128" and level not in COUNTED or compiler.startswith("clang") and "-flto" in level:
            continue
        if options.covering and level not in WITH_ALL_TYPES:
            number = list(BOARDS).index(board) + compilers.index(compiler) + levels.index(level)
            tested = [types[number % len(types)]]
        else:
            tested = types
        for storage in tested:
            yield Cell(board, compiler, level, storage)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--all", action="store_true", help="all boards with an FPU, compilers and levels, and all stacks")
    amount.add_argument("--covering", action="store_true", help="the same, but one storage type at some levels")
    parser.add_argument("--boards", help="default: " + QUICK["boards"])
    parser.add_argument("--compilers", help="default: " + QUICK["compilers"])
    parser.add_argument("--levels", help="semicolon-separated; default: " + QUICK["levels"])
    parser.add_argument("--types", default="f32,int8")
    parser.add_argument("--stacks", action="store_true", help="also measure the stacks of models of every kind")
    parser.add_argument("--headers", type=pathlib.Path, help="where speaker_TYPE.hpp and keyword_TYPE.hpp are; else they are made")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    whole = options.all or options.covering
    everything = {"boards": ",".join(WITH_FPU), "compilers": ",".join(COMPILERS), "levels": ";".join(LEVELS)}
    complete = whole and not (options.compilers or options.levels)  # all results that judge_stacks compares
    for name, value in (everything if whole else QUICK).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    kept = []
    for name in options.compilers.split(","):
        if name not in COMPILERS:
            parser.error(f"--compilers: found {name}, wanted some of {', '.join(COMPILERS)}")
        if name.startswith("g++") or shutil.which(name):
            kept.append(name)
        else:
            print(f"{name}: skipped: not on this machine")
    options.compilers = ",".join(kept)
    boards = [board.name for board in boards_here(options.boards)]
    if not boards or not kept:
        return SKIPPED
    types, wrong, results = options.types.split(","), [], {}
    with tempfile.TemporaryDirectory(prefix="krait_matrix_") as folder, \
            concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        bench = Bench(pathlib.Path(folder), options.headers or pathlib.Path(folder), whole)
        bench.write_data(types)
        expected = {storage: bench.host(storage) for storage in types}
        runs = {cell: pool.submit(bench.run, cell, HERE / "matrix.cpp", moved=cell.board in WITH_FPU)
                for cell in cells_of(options, boards)}
        painted = {cell: pool.submit(bench.run, cell, HERE / "stacks.cpp", moved=False)
                   for cell in runs if (whole or options.stacks) and cell.compiler != "g++ EMU128"}
        for cell, found, misplaced_functions in outcomes(runs):
            wrong += misplaced_functions
            if not found:
                continue
            results[cell] = found
            # On boards without fused multiply-add, the bits differ from the host's, but must be the same for every compiler and
            # level.
            right = expected[cell.storage]
            if cell.board in WITHOUT_FMA:
                right = next(results[other][0] for other in results if (other.board, other.storage) == (cell.board, cell.storage))
            wrong += judge_bits(cell, found, right)
        for cell, found, failed in outcomes(painted):
            wrong += failed
            if found and cell in results:
                results[cell][0].stack |= found[0].stack
                results[cell][0].bound |= found[0].bound
        if "mps2-an386" in boards:
            wrong += fpu_modes(bench, types if whole else types[-1:], expected)
    wrong += judge_counts(results)
    wrong += judge_stacks(results, complete)
    counted = {cell: found for cell, found in results.items() if cell.level != "-O0"}  # at -O0 the 24-bit counter wraps around
    print_table(counted, count_text("speaker"), "Instructions of a step of the speaker")
    print_table(counted, count_text("keyword"), "Instructions of a step of the keyword spotter")
    print_table(results, stack_text, "Largest stack of a step, of how many bytes of krait::step_stack_bytes")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
