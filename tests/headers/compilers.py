"""Functions to run a compiler, and to find the headers of Highway and Boost that the library depends on."""
import pathlib
import shlex
import shutil
import subprocess

INCLUDE = pathlib.Path(__file__).resolve().parent.parent.parent / "include"
SKIPPED = 77  # the exit code that Meson reports as "skipped"


def present(command):
    return shutil.which(shlex.split(command)[0]) is not None


def run(command, **how):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **how)
    return done.returncode, done.stdout


def include_folders(command):
    """Returns the folders in which a compiler searches for C++ headers, in order."""
    text = run(shlex.split(command) + ["-x", "c++", "-E", "-v", "-"], input="")[1]
    listed = text.split("search starts here:")[-1].split("End of search list")[0]
    return [pathlib.Path(line.strip()).resolve() for line in listed.splitlines() if line.strip()]


def link_dependencies(folder):
    """Fills a folder with symbolic links to the headers of Highway and Boost only, so that a cross compiler does not find the
    host's other headers."""
    for name in ("hwy", "boost"):
        found = next((path / name for path in include_folders("g++") if (path / name).is_dir()), None)
        if found is None:
            raise SystemExit(f"no {name} headers on this machine")
        (folder / name).symlink_to(found)
    return folder
