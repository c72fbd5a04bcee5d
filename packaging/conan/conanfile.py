"""A recipe of Conan 2 for a clone of Krait: conan create packaging/conan

Highway and Boost.Hana are packages of the system: the compiler must find hwy/highway.h and boost/hana.hpp."""

import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load
from conan.tools.layout import basic_layout


class Krait(ConanFile):
    name = "krait"
    description = "Runs trained Mamba models on microcontrollers and in hard real-time loops"
    license = "BSL-1.0"
    topics = ("machine-learning", "mamba", "microcontroller", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    no_copy_source = True

    def set_version(self):
        text = load(self, os.path.join(self.recipe_folder, "..", "..", "include", "krait", "version.hpp"))
        self.version = re.search(r'KRAIT_VERSION_STRING "([0-9.]+)"', text)[1]

    def export_sources(self):
        root = os.path.join(self.recipe_folder, "..", "..")
        for pattern in ("include/*.hpp", "LICENSE"):
            copy(self, pattern, root, self.export_sources_folder)

    def layout(self):
        basic_layout(self)

    def validate(self):
        check_min_cppstd(self, 20)

    def system_requirements(self):
        from conan.tools.system.package_manager import Apt

        Apt(self).check(["libhwy-dev", "libboost-dev"])

    def package(self):
        copy(self, "*.hpp", os.path.join(self.source_folder, "include"), os.path.join(self.package_folder, "include"))
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        self.cpp_info.bindirs = self.cpp_info.libdirs = []
        self.cpp_info.set_property("cmake_target_name", "krait::krait")

    def package_id(self):
        self.info.clear()
