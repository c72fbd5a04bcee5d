"""Compiles C++ programs for a model: the compiler, the folders of headers, and the line that shows progress."""

import contextlib
import ctypes
import hashlib
import json
import os
import pathlib
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from .safetensors_file import Problem

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 2  # seconds without a line of progress
ONCE = "compiling the library for this model (only the first time; 10 to 20 s)"  # what progress() shows


def include_folder():
    """Returns the folder that contains krait.hpp: that of the installed package, or else that of the clone."""
    packaged = HERE / "include"
    return packaged if packaged.is_dir() else HERE.parent.parent / "include"


def version():
    """Returns Krait's version, such as 0.2.0."""
    text = (include_folder() / "krait" / "version.hpp").read_text()
    return re.search(r'KRAIT_VERSION_STRING "([^"]+)"', text)[1]


def default_compiler():
    return os.environ.get("CXX") or "c++"  # an empty CXX counts as none


def machine_flags():
    """Returns the flags that select the instructions of this machine. Compilers for Arm and RISC-V need none for FMA."""
    return ["-march=native"] if platform.machine() in ("x86_64", "AMD64") else []


@contextlib.contextmanager
def progress(task):
    """Shows the text `task` and the seconds that the body of the with statement has taken, if they are more than PATIENCE.
    Shows them only on a terminal or in a notebook."""
    if not (sys.stderr.isatty() or "ipykernel" in sys.modules):
        yield
        return
    start, ended = time.monotonic(), threading.Event()

    def show():
        wait = PATIENCE
        while not ended.wait(wait):
            print(f"\rkrait: {task}: {time.monotonic() - start:.0f} s", end="", file=sys.stderr, flush=True)
            wait = 1

    shown = threading.Thread(target=show, daemon=True)
    shown.start()
    try:
        yield
    finally:
        ended.set()
        shown.join()
        if time.monotonic() - start > PATIENCE:
            print(file=sys.stderr, flush=True)


def compile_program(compiler, include, flags, source, output, task="compiling the program for this model"):
    """Compiles the C++ file `source` to the program or library `output`. The line of progress shows `task`. If compiling fails,
    raises Problem with the first errors."""
    command = [*shlex.split(compiler), "-std=c++20", *flags, "-I", include, "-I", HERE, source, "-o", output]
    with progress(task):
        done = subprocess.run(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
    if done.returncode != 0:
        errors = [line for line in done.stdout.splitlines() if "error" in line][:3] or done.stdout.splitlines()[-3:]
        is_c = "undefined reference to `std::" in done.stdout
        raise Problem(f"the program for this model does not compile{wanted(compiler) if is_c else ''}:", *errors)
    if not output.exists():
        raise Problem(f"the compiler writes no program{wanted(compiler)}")


def wanted(compiler):
    return f": found --compiler {compiler!r}, wanted a C++ compiler, such as g++ or clang++"


def cache_folder():
    """Returns the folder in which compiled libraries are kept: $KRAIT_CACHE, or else krait in the user's cache folder."""
    named = os.environ.get("KRAIT_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    folder = pathlib.Path(named) if named else pathlib.Path(base) / "krait"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Problem(f"the cache {folder} cannot be made: {error.strerror}: $KRAIT_CACHE names another folder") from None
    return folder


def digest(*parts):
    """Returns the SHA-256 of several texts or bytes in turn. Each is preceded by its length, so that ("a", "bc") and ("ab",
    "c") differ."""
    total = hashlib.sha256()
    for part in parts:
        part = part if isinstance(part, bytes) else str(part).encode()
        total.update(len(part).to_bytes(8, "little") + part)
    return total.hexdigest()


def file_digest(path):
    try:
        return digest(pathlib.Path(path).read_bytes())
    except OSError:
        return None


def identity(compiler):
    """Returns a text that changes with the compiler and with the processor for which machine_flags() selects instructions."""
    words = shlex.split(compiler)
    done = subprocess.run([*words, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    processor = sorted({line for line in lines if line.split(":")[0].strip() in ("model name", "flags", "model", "cpu family")})
    return "\n".join([compiler, str(shutil.which(words[0])), done.stdout, platform.machine(), platform.system(), *processor])


def compiled_library(source, compiler, include):
    """Returns the loaded shared library (ctypes.CDLL) of a C++ source: takes it from the cache, or compiles it.

    The cache contains a record for each source, compiler, processor and set of flags. The record has the digests of the library
    and of every header that was read. The library is used only if all of these digests are unchanged."""
    flags = ["-O2", *machine_flags(), "-shared", "-fPIC", "-fvisibility=hidden"]
    folder, key = cache_folder(), digest(source, identity(compiler), *flags, include)
    record = folder / f"{key}.json"
    try:
        content = json.loads(record.read_text())
        library = folder / content["library"]
        found = {name: file_digest(name) for name in content["headers"]}
        if file_digest(library) == content["digest"] and found == content["headers"]:
            return ctypes.CDLL(str(library))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # there is no complete record, so the library is compiled
    with tempfile.TemporaryDirectory(prefix="krait_", dir=folder) as work:
        work = pathlib.Path(work)
        (work / "model.cpp").write_text(source)
        more = [*flags, "-MD", "-MF", work / "model.d"]
        compile_program(compiler, include, more, work / "model.cpp", work / "model.so", ONCE)
        names = (work / "model.d").read_text().replace("\\\n", " ").split(":", 1)[1]
        names = [name.replace("\\ ", " ") for name in re.findall(r"(?:\\ |\S)+", names)]
        headers = {name: file_digest(name) for name in names if pathlib.Path(name) != work / "model.cpp"}
        content = {"digest": file_digest(work / "model.so"), "headers": headers}
        content["library"] = f"{content['digest']}.so"
        (work / "record.json").write_text(json.dumps(content))
        (work / "model.so").replace(folder / content["library"])
        (work / "record.json").replace(record)
    try:
        return ctypes.CDLL(str(folder / content["library"]))
    except OSError as error:
        raise Problem(f"the library for this model cannot be loaded{wanted(compiler)}:", str(error)) from None
