"""Writes the C++ header of a packed model: dims, type and weights."""

import textwrap

from .safetensors_file import printable

WORDS_IN_A_LINE = 10


def wrapped(line):
    """Breaks a long C++ declaration into several lines, after commas."""
    kept = line.replace(" = ", "\0=\0")
    lines = textwrap.wrap(kept, 118, subsequent_indent="    ", break_long_words=False)
    return line if "\n" in line else "\n".join(lines).replace("\0", " ")


def header_text(model, sizes, weights, options):
    """Returns the text of the C++ header, which declares the dims, the model's type and the weights."""
    name, size = options.name, sizes[options.type]
    declared = "\n".join(wrapped(line) for line in model.declarations("inline constexpr", f"krait::Storage::{options.type}"))
    lines, starts = [], {param["offset"] // 4: param for param in size["params"]}
    words = [int.from_bytes(weights[at : at + 4], "little") for at in range(0, len(weights), 4)]
    ends = sorted([*starts, len(words)])
    for begin, end in zip(ends, ends[1:]):
        lines.append(f"    // {starts[begin]['name']} {starts[begin]['shape']}")
        for at in range(begin, end, WORDS_IN_A_LINE):
            lines.append("    " + " ".join(f"{word:#x}," for word in words[at : min(at + WORDS_IN_A_LINE, end)]))
    listed = "\n".join(lines)
    one_model_each, placed = section_lines(options)
    headers = ("activation", "pooling", "positional_embedding", "stack", "strided_conv1d") if model.component == "Stack" else ()
    count = model.trailing_tokens()
    trailing = "" if count == 0 else f"""
// The number of tokens of zeros that must follow a sequence to get PyTorch's last outputs, which read its Conv1d's padding.
inline constexpr std::size_t trailing_tokens = {count};
"""
    includes = "".join(f"#include <krait/nn/{name}.hpp>\n" for name in headers)
    limits = "#include <limits>\n" if "std::numeric_limits" in declared else ""
    return f"""// {printable(options.checkpoint.name)} as {options.type}, made by krait pack: {size['parameters']:,} parameters in {size['flash']:,} bytes.
#ifndef KRAIT_PACKED_{name.upper()}_HPP
#define KRAIT_PACKED_{name.upper()}_HPP

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
{limits}
#include <krait/image.hpp>
#include <krait/nn/mamba.hpp>
{includes}
namespace {name} {{

{declared}

// krait::fingerprint(model()), as long as the weights are what was packed. Snapshots of the model's states carry it.
inline constexpr std::uint32_t fingerprint = {sizes['fingerprint']:#010x};
{trailing}
namespace detail {{
static_assert(std::endian::native == std::endian::little, "{name}: these weights are for little-endian machines");
static_assert(krait::ImageHeader::wanted.version == {sizes['version']}, "{name}: packed for another version of krait: pack again");

{one_model_each}// A krait::Model's bytes, as words: floats in decimal would be twice as long.
{placed}alignas(64) inline constexpr std::array<std::uint32_t, {len(words)}> words{{
{listed}
}};
static_assert(sizeof(words) == sizeof(Model), "{name}: packed for another version of krait: pack again");
}}  // namespace detail

// The weights, in place. A program that is written for a type of its own says model<Mine>(): where that is not the packed
// one, it does not compile.
template <class Mine = Model>
const Mine& model() {{
  return krait::packed<Mine>(*reinterpret_cast<const Model*>(detail::words.data()));
}}

}}  // namespace {name}

#endif
"""


def section_lines(options):
    """Returns the lines of a C++ header that place the weights in a linker section, and the attribute itself."""
    if not options.section:
        return "", ""
    # Weights are inline, so each array needs a group of its own that the linker may merge. g++ makes one group of all arrays in
    # a section.
    macro = "KRAIT_PACKED_SECTION_" + "".join(c if c.isalnum() else f"_{ord(c):02x}" for c in options.section)
    return (
        f"""#ifdef {macro}
#error "{options.name}: section {options.section} has another model's weights in this unit: pack one with another --section"
#endif
#define {macro}
""",
        f'[[gnu::section("{options.section}")]] ',
    )
