"""The emulated boards: reads their compilers, flags, memory maps and emulators from Meson's cross files, and runs programs."""
import configparser
import functools
import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CROSS = ROOT / "cross"
SKIPPED = 77  # the exit code that Meson reports as "skipped"


class _Text(str):
    """A string in a Meson cross file. The operator / joins two paths, as in Meson."""
    def __truediv__(self, other):
        return _Text(f"{self}/{other}")


def read_cross_file(path):
    """Reads a cross file. Returns {section: {key: value}}.

    Of Meson's expressions, this function evaluates strings, lists, booleans, names of constants, + and /.
    """
    parser = configparser.ConfigParser(delimiters=["="], interpolation=None)
    parser.optionxform = str
    parser.read(path)
    names, found = {"true": True, "false": False, "_Text": _Text}, {}
    for section in ["constants", *(name for name in parser.sections() if name != "constants")]:
        found[section] = {}
        for key, text in parser[section].items():
            pieces = text.split("'")  # every second piece is inside quotes
            text = "".join(f"_Text('{piece}')" if i % 2 else piece for i, piece in enumerate(pieces)).replace("\n", " ")
            found[section][key] = eval(text, {"__builtins__": {}}, names)
            if section == "constants":
                names[key] = found[section][key]
    return found


class Board:
    def __init__(self, name):
        self.name = name
        self.cross_file = CROSS / f"{name}.ini"
        facts = read_cross_file(self.cross_file)
        self.title = self.cross_file.read_text().splitlines()[0].lstrip("# ").split(". ")[0]
        self.binaries = facts["binaries"]
        self.dependencies = facts["constants"]["dependencies"]  # the folder of Highway and Boost
        self.compile_args = [self.binaries["cpp"], *facts["built-in options"]["cpp_args"]]
        self.link_args = facts["built-in options"]["cpp_link_args"]
        self.emulator = [facts["properties"]["emulator"], *facts["properties"]["emulator_args"]]

    def missing(self):
        """Returns the name of a program that this board needs and that is not installed, or None."""
        return next((name for name in (self.binaries["cpp"], self.binaries["nm"], self.emulator[0])
                     if shutil.which(name) is None), None)

    def compile(self, source, output, *more, compiler="g++"):
        run([*self.arguments_of(compiler), "-std=c++20", "-O2", *more, "-c", str(source), "-o", str(output)])

    def arguments_of(self, compiler):
        """Returns the compiler's command with its arguments: for g++, the arguments of the cross file; for clang++, arguments
        for the same target and the headers of g++."""
        if compiler == "g++":
            return self.compile_args
        target = "riscv32-unknown-elf" if "riscv" in self.binaries["cpp"] else "arm-none-eabi"
        kept = [word for word in self.compile_args[1:] if word.startswith(("-f", "-m")) and not word.startswith("-mfp16-format")]
        return [compiler, f"--target={target}", *kept, "-nostdinc++",
                *(word for folder in self.header_folders() for word in ("-isystem", folder)), "-idirafter", self.dependencies]

    @functools.cache
    def header_folders(self):
        """Returns the folders of the C and C++ library's headers for this board, without the compiler's own headers."""
        said = run([*self.compile_args, "-E", "-v", "-x", "c++", "/dev/null"])
        listed = said.split("search starts here:")[-1].split("End of search list")[0].splitlines()
        folders = [os.path.realpath(line.strip()) for line in listed if line.startswith(" /")]
        return [folder for folder in folders if "/lib/gcc/" not in folder and folder != self.dependencies]

    def link(self, objects, image, *more):
        run([self.binaries["cpp"], *map(str, objects), *self.link_args, *more, "-Wl,--gc-sections", "-o", str(image)])

    def execute(self, image, shift=0, timeout=100):
        """Runs an image in the emulator, one instruction per 2^shift ns, and returns the lines that it prints."""
        command = [f"shift={shift}" if word == "shift=0" else word for word in self.emulator]
        done = subprocess.run([*command, str(image)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=timeout)
        if done.returncode != 0:
            raise SystemExit(f"{self.name}: the program ends with {done.returncode}:\n{done.stdout}")
        return done.stdout.splitlines()


class Host:
    """The host, with the interface of Board, so that tests can run the same programs on the host."""
    name = "host"
    flags = ["-march=native"]

    def compile(self, source, output, *more):
        run(["g++", "-std=c++20", "-O2", *self.flags, *more, "-c", str(source), "-o", str(output)])

    def link(self, objects, image, *more):
        run(["g++", *map(str, objects), *more, "-o", str(image)])

    def execute(self, image):
        return run([str(image)]).splitlines()


BOARDS = sorted(path.stem for path in CROSS.glob("*.ini"))


def boards_here(names):
    """Yields the boards in `names` (comma-separated) whose tools are installed. Prints which boards are skipped."""
    for board in map(Board, names.split(",")):
        if board.missing():
            print(f"{board.name}: skipped: no {board.missing()} on this machine")
        else:
            yield board


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        said = [line for line in done.stdout.splitlines() if "inlined from" not in line]  # gcc prints many such lines
        raise SystemExit("\n".join([" ".join(map(str, command)), *said[-40:]]))
    return done.stdout
