"""Shows a model's memory as a table and as an SVG picture: flash by part, RAM and multiply-adds, for each storage type."""
import xml.etree.ElementTree as xml

# The parts in the order in which they are shown. Parts that are not listed (the layers of a stack) come first.
ORDER = ["embedding", "embeddings", "in_proj", "conv1d", "x_proj", "dt_proj", "dt_bias", "A_log", "B_bias", "C_bias", "mimo",
         "D", "out_proj", "norms", "head"]
NAMES = {"norm": "norms", "norm_f": "norms", "B_norm": "norms", "C_norm": "norms", "lm_head": "head", "mimo_x": "mimo",
         "mimo_z": "mimo", "mimo_o": "mimo"}
COLOURS = ["#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#edc948", "#b07aa1", "#9c755f", "#ff9da7", "#86bcb6",
           "#d37295", "#a0cbe8"]
RAM = {"state": "#79706e", "scratch": "#bab0ac"}


def part_of(name):
    """Returns the name of the part of the report in which a parameter is counted: the layer of a weight or bias, or the name of
    any other parameter."""
    segments = name.split(".")
    part = segments[-2] if segments[-1] in ("weight", "bias") and len(segments) > 1 else segments[-1]
    return NAMES.get(part, part)


def flash_parts(size):
    """Returns {part: bytes of flash}, including the padding between parameters."""
    ends = [param["offset"] for param in size["params"][1:]] + [size["flash"]]
    parts = {}
    for param, end in zip(size["params"], ends):
        part = part_of(param["name"])
        parts[part] = parts.get(part, 0) + end - param["offset"]
    return parts


def parts_in_order(size):
    parts = list(flash_parts(size))
    return sorted(parts, key=lambda part: (ORDER.index(part) if part in ORDER else -1, parts.index(part)))


def table(title, sizes):
    storages = list(sizes)
    first = sizes[storages[0]]
    flash = {storage: flash_parts(size) for storage, size in sizes.items()}

    def row(label, values):
        return f"{label:24}" + "".join(f"{value:>14}" for value in values)

    lines = [title, f"{first['parameters']:,} parameters, {first['multiply_adds']:,} multiply-adds per step", "",
             row("flash, bytes", storages)]
    lines += [row("  " + part, [f"{flash[storage][part]:,}" for storage in storages]) for part in parts_in_order(first)]
    lines.append(row("  all weights", [f"{size['flash']:,}" for size in sizes.values()]))
    lines.append(row("RAM, bytes", []).rstrip())
    lines += [row("  " + kind, [f"{size[kind]:,}" for size in sizes.values()])
              for kind in RAM]
    return "\n".join(lines) + "\n"


def picture(title, sizes):
    """Returns the bytes of an SVG file that shows the sizes of a model as stacked bars: a bar of flash and a bar of RAM for
    each storage type, on different scales."""
    parts = parts_in_order(next(iter(sizes.values())))
    bars = [("flash", storage, [(part, flash_parts(size)[part]) for part in parts]) for storage, size in sizes.items()]
    bars += [("RAM", storage, [(kind, size[kind]) for kind in RAM]) for storage, size in sizes.items()]
    colours = {**{part: COLOURS[i % len(COLOURS)] for i, part in enumerate(parts)}, **RAM}
    left, bar, gap, wide, right = 90, 22, 8, 600, 110
    legend_at = 60 + len(bars) * (bar + gap) + 40
    height = legend_at + (len(colours) + 3) // 4 * 20 + 10
    svg = xml.Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {left + wide + right} {height}",
                      style="font: 12px sans-serif; background: white")

    def text(x, y, words, **how):
        xml.SubElement(svg, "text", x=str(x), y=str(y), **how).text = words

    text(10, 20, f"{title}: bytes of flash and RAM by storage type", style="font-weight: bold")
    y = 40
    for memory in ("flash", "RAM"):
        shown = [entry for entry in bars if entry[0] == memory]
        longest = max(sum(count for _, count in entry[2]) for entry in shown) or 1
        for _, storage, pieces in shown:
            text(10, y + 15, f"{memory} {storage}")
            x = float(left)
            for part, count in pieces:
                width = wide * count / longest
                piece = xml.SubElement(svg, "rect", x=f"{x:.1f}", y=str(y), width=f"{width:.1f}", height=str(bar),
                                       fill=colours[part])
                xml.SubElement(piece, "title").text = f"{part}: {count:,} bytes"
                x += width
            text(f"{x + 6:.1f}", y + 15, f"{sum(count for _, count in pieces):,}")
            y += bar + gap
        y += 20
    for i, (part, colour) in enumerate(colours.items()):
        x, at = left + i % 4 * 160, legend_at + i // 4 * 20
        xml.SubElement(svg, "rect", x=str(x), y=str(at - 10), width="12", height="12", fill=colour)
        text(x + 18, at, part)
    xml.indent(svg)
    return xml.tostring(svg, encoding="utf-8", xml_declaration=True) + b"\n"
