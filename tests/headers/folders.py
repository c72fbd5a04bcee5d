#!/usr/bin/env python3
"""Checks that each folder of include/ includes only the folders below it, and where Highway, Boost.Hana and the heap are used.

Reads the #include lines and words of every header and compares them with the tables MAY_INCLUDE and MAY_SAY. Exit code 0: all
headers comply; 1: some do not, or the check misses a known violation.
"""
import re
import sys

from compilers import INCLUDE

# A header or folder of headers -> the folders and headers of the library that it may include.
MAY_INCLUDE = {
    "krait.hpp": ["krait/version.hpp", "krait/calls/", "krait/core/", "krait/nn/", "krait/ops/"],
    "krait/version.hpp": [],
    "krait/init.hpp": ["krait/core/", "krait/nn/"],
    "krait/load.hpp": ["krait/core/", "krait/layout/", "krait/io/"],
    "krait/save.hpp": ["krait/core/", "krait/io/"],
    "krait/image_file.hpp": ["krait/image.hpp", "krait/core/", "krait/io/"],
    "krait/convert.hpp": ["krait/core/", "krait/layout/"],
    "krait/session.hpp": ["krait.hpp", "krait/core/"],
    "krait/step_by_layer.hpp": ["krait.hpp", "krait/core/"],
    "krait/streams.hpp": ["krait.hpp", "krait/core/", "krait/ops/"],
    "krait/train.hpp": ["krait.hpp", "krait/core/", "krait/train/"],
    "krait/train/": ["krait/train/", "krait/ops/", "krait/calls/", "krait/kernels/", "krait/layout/", "krait/nn/",
                     "krait/core/"],
    "krait/image.hpp": ["krait/image/", "krait/core/", "krait/layout/", "krait/nn/"],
    "krait/image/": ["krait/image/", "krait/core/", "krait/layout/", "krait/nn/"],
    "krait/snapshot.hpp": ["krait/image.hpp", "krait/image/", "krait/core/"],
    "krait/core/": ["krait/core/"],
    "krait/layout/": ["krait/layout/", "krait/core/"],
    "krait/nn/": ["krait/nn/", "krait/layout/", "krait/core/"],
    "krait/calls/": ["krait/calls/", "krait/nn/", "krait/core/"],
    "krait/kernels/": ["krait/kernels/", "krait/layout/", "krait/core/"],
    "krait/ops/": ["krait/ops/", "krait/calls/", "krait/kernels/", "krait/layout/", "krait/nn/", "krait/core/"],
    "krait/io/": ["krait/io/", "krait/core/"],
}

HOST_ONLY = ["krait/io/", "krait/load.hpp", "krait/save.hpp", "krait/image_file.hpp"]

# A pattern -> the only headers and folders that may contain it.
MAY_SAY = {
    r"\bhana\b|HANA": ["krait/core/reflect.hpp"],
    r"\bhn::|\bhwy\b|HWY_": ["krait.hpp", "krait/streams.hpp", "krait/train.hpp", "krait/kernels/", "krait/ops/",
                                 "krait/train/"],
    r"\bnlohmann\b": ["krait/io/", "krait/save.hpp"],
    # Headers that firmware includes must not use the heap, streams or exceptions.
    r"#include <(vector|string|memory|functional|deque|list|map|set|unordered_\w+|\w*stream|cstdio|stdexcept|exception|typeinfo|filesystem|mutex|thread)>":
        HOST_ONLY,
    r"\b(throw|dynamic_cast|typeid|thread_local)\b": HOST_ONLY,
}


def folder_of(name, table):
    return next((place for place in table if name == place or (place.endswith("/") and name.startswith(place))), None)


def complaints(name, text):
    allowed = MAY_INCLUDE.get(folder_of(name, MAY_INCLUDE))
    if allowed is None:
        yield f"{name}: is in a folder that MAY_INCLUDE does not list"
        return
    for number, line in enumerate(text.splitlines(), 1):
        included = re.match(r'\s*#\s*include\s*[<"](krait[./][^>"]*)[>"]', line)
        if included and folder_of(included[1], allowed) is None:
            yield f"{name}:{number}: must not include {included[1]}"
        code = line.split("//")[0]
        for word, places in MAY_SAY.items():
            said = re.search(word, code)
            if said and folder_of(name, places) is None:
                yield f"{name}:{number}: '{said[0]}' belongs in {', '.join(places)}"


def main():
    headers = sorted(INCLUDE.rglob("*.hpp"))
    found = [text for header in headers
             for text in complaints(str(header.relative_to(INCLUDE)), header.read_text())]
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{len(headers)} headers, {len(found)} out of place")
    # Tests of the check itself: violations that it must detect.
    for name, line in [("krait/nn/x.hpp", '#include "krait/ops/calls-inl.hpp"'), ("krait/io/x.hpp", '#include "krait/ops/calls-inl.hpp"'),
                       ("krait/image.hpp", '#include "krait/io/safetensors.hpp"'), ("krait/ops/x-inl.hpp", '#include "krait/load.hpp"'),
                       ("krait/kernels/x-inl.hpp", '#include "krait/nn/linear.hpp"'),
                       ("krait/core/x.hpp", "#include <krait.hpp>"), ("krait/nn/x.hpp", "namespace hana = boost::hana;"),
                       ("krait/nn/x.hpp", "hn::Vec<Tag> v;"), ("krait/core/x.hpp", "#include <vector>"), ("krait/new/x.hpp", "")]:
        if not list(complaints(name, line)):
            print(f"not detected: {line} in {name}")
            return 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
