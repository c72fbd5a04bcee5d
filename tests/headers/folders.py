#!/usr/bin/env python3
"""Checks which folders of include/ may include which, and where Highway, Boost.Hana and the heap may be used."""
import re
import sys

from compilers import INCLUDE

# A header, or a folder of them, and what it may include of the library.
MAY_INCLUDE = {
    "krait.hpp": ["krait/calls/", "krait/core/", "krait/nn/", "krait/ops/"],
    "krait/init.hpp": ["krait/core/", "krait/nn/"],
    "krait/convert.hpp": ["krait/core/", "krait/layout/"],
    "krait/session.hpp": ["krait.hpp", "krait/core/"],
    "krait/step_by_layer.hpp": ["krait.hpp", "krait/core/"],
    "krait/image.hpp": ["krait/image/", "krait/core/", "krait/layout/", "krait/nn/"],
    "krait/image/": ["krait/image/", "krait/core/", "krait/layout/", "krait/nn/"],
    "krait/snapshot.hpp": ["krait/image.hpp", "krait/image/", "krait/core/"],
    "krait/core/": ["krait/core/"],
    "krait/layout/": ["krait/layout/", "krait/core/"],
    "krait/nn/": ["krait/nn/", "krait/layout/", "krait/core/"],
    "krait/calls/": ["krait/calls/", "krait/nn/", "krait/core/"],
    "krait/kernels/": ["krait/kernels/", "krait/layout/", "krait/core/"],
    "krait/ops/": ["krait/ops/", "krait/calls/", "krait/kernels/", "krait/layout/", "krait/nn/", "krait/core/"],
    "krait/io/": ["krait/io/", "krait/layout/", "krait/nn/", "krait/core/"],
}

# A word, and where alone it may stand.
MAY_SAY = {
    r"\bhana\b|HANA": ["krait/core/reflect.hpp"],
    r"\bhn::|\bhwy\b|HWY_": ["krait.hpp", "krait/kernels/", "krait/ops/"],
    r"\bnlohmann\b": ["krait/io/"],
    # What firmware includes has no heap, no streams, no exceptions.
    r"#include <(vector|string|memory|functional|deque|list|map|set|unordered_\w+|\w*stream|cstdio|stdexcept|exception|typeinfo|filesystem|mutex|thread)>":
        ["krait/io/"],
    r"\b(throw|dynamic_cast|typeid|thread_local)\b": ["krait/io/"],
}


def folder_of(name, table):
    return next((place for place in table if name == place or (place.endswith("/") and name.startswith(place))), None)


def complaints(name, text):
    allowed = MAY_INCLUDE.get(folder_of(name, MAY_INCLUDE))
    if allowed is None:
        yield f"{name}: is in a folder that this test does not know"
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
    # And the test bites.
    for name, line in [("krait/nn/x.hpp", '#include "krait/ops/calls-inl.hpp"'), ("krait/io/x.hpp", '#include "krait/ops/verbs-inl.hpp"'),
                       ("krait/ops/x-inl.hpp", '#include "krait/io/load.hpp"'), ("krait/kernels/x-inl.hpp", '#include "krait/nn/linear.hpp"'),
                       ("krait/core/x.hpp", "#include <krait.hpp>"), ("krait/nn/x.hpp", "namespace hana = boost::hana;"),
                       ("krait/nn/x.hpp", "hn::Vec<Tag> v;"), ("krait/core/x.hpp", "#include <vector>"), ("krait/new/x.hpp", "")]:
        if not list(complaints(name, line)):
            print(f"not noticed: {line} in {name}")
            return 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
