"""Compiles C++ programs for a model: the compiler, the folders of headers, and the line that shows progress."""

import contextlib
import os
import pathlib
import platform
import shlex
import subprocess
import sys
import threading
import time

from .safetensors_file import Problem

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 2  # seconds without a line of progress


def include_folder():
    """Returns the folder that contains krait.hpp: that of the installed package, or else that of the clone."""
    packaged = HERE / "include"
    return packaged if packaged.is_dir() else HERE.parent.parent / "include"


def default_compiler():
    return os.environ.get("CXX", "c++")


def machine_flags():
    """Returns the flags that select the instructions of this machine. Compilers for Arm and RISC-V need none for FMA."""
    return ["-march=native"] if platform.machine() in ("x86_64", "AMD64") else []


@contextlib.contextmanager
def progress(task):
    """Shows `task` and the seconds that it takes on a terminal or in a notebook, if it takes over two seconds."""
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


def compile_program(compiler, include, flags, source, output):
    """Compiles a source file. Raises the first errors of the compiler."""
    command = [*shlex.split(compiler), "-std=c++20", *flags, "-I", include, "-I", HERE, source, "-o", output]
    with progress("compiling the program for this model"):
        done = subprocess.run(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
    if done.returncode != 0:
        errors = [line for line in done.stdout.splitlines() if "error" in line][:3] or done.stdout.splitlines()[-3:]
        raise Problem("the program for this model does not compile:", *errors)
