"""Builds the package krait, with the C++ headers of the library and of the libraries that it includes, and their licences.

The headers of Highway, Boost.Hana and nlohmann-json are those that the compiler $CXX (default: c++) finds."""

import os
import pathlib
import shutil
import sys

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = pathlib.Path(__file__).resolve().parent.parent
if not (ROOT / "packaging" / "headers.py").is_file():
    raise SystemExit(f"krait: found no {ROOT}/packaging/headers.py, wanted a clone of Krait: the package is built there")
sys.path.insert(0, str(ROOT / "packaging"))
sys.dont_write_bytecode = True
import headers  # noqa: E402

FOUND = headers.dependencies(os.environ.get("CXX", "c++"), headers.all_headers())
EXPRESSION = headers.license_expression(FOUND)


class BuildWithHeaders(build_py):
    def run(self):
        super().run()
        if self.editable_mode:  # the package then takes the headers of the clone
            return
        package = pathlib.Path(self.build_lib) / "krait"
        for folder in ("include", "licenses"):
            shutil.rmtree(package / folder, ignore_errors=True)
        for name, path in {**FOUND, **{str(name): headers.INCLUDE / name for name in headers.all_headers()}}.items():
            target = package / "include" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        headers.copy_licenses(EXPRESSION, package / "licenses")


setup(version=headers.version(), license=EXPRESSION, cmdclass={"build_py": BuildWithHeaders})
