"""Profiles a firmware image by instructions: runs the image in the emulator in single steps, and counts each executed
instruction for the function that it was inlined from."""
import collections
import pathlib
import re
import subprocess
import tempfile

from boards import Board, run

# The functions that the profile lists. An instruction counts for the innermost of these functions that contains it, even if
# that function is inlined.
KERNELS = ["exp2_decay", "scan_four_channels", "multiply_add", "silu_in_fours", "softplus_in_fours", "convolve_four", "quantise_row", "sum_products", "linear_tile",
           "linear_panel", "linear_rows", "scan_channels", "selective_scan", "softplus_row", "gate_row", "silu", "conv1d_rows",
           "rms_norm_row", "add_row", "divide_row", "apply_weight", "memset", "memcpy"]


def executed(board, image, folder):
    """Runs an image in the emulator and returns {address: how often it was executed}."""
    log = folder / "trace"
    *command, kernel = board.emulator
    run([*command, "-singlestep", "-d", "exec,nochain", "-D", str(log), kernel, str(image)])
    counts = collections.Counter()
    with open(log) as lines:
        for line in lines:
            found = re.match(r"Trace \d+: \S+ \[[0-9a-f]+/([0-9a-f]+)/", line)
            if found:
                counts[int(found[1], 16)] += 1
    return counts


def call_chains(board, image, addresses):
    """Returns {address: [(function, file:line), ...]}: the functions that an address was inlined from, innermost first."""
    tool = board.binaries["cpp"].replace("g++", "addr2line")
    text = subprocess.run([tool, "-a", "-i", "-f", "-C", "-e", str(image)], input="".join(f"{a:#x}\n" for a in addresses),
                          stdout=subprocess.PIPE, text=True).stdout.splitlines()
    chains, here = {}, None
    at = 0
    while at < len(text):
        if text[at].startswith("0x"):
            here = chains.setdefault(int(text[at], 16), [])
            at += 1
        else:
            here.append((text[at], text[at + 1]))
            at += 2
    return chains


def plain(name):
    """Returns a function's plain name: linear_tile for `void krait::N_SCALAR::linear_tile<1u, (f<2>)>(...)::{lambda...}`."""
    depth, kept = 0, ""
    for c in re.sub(r"operator\S*\(|->", "(", name).removesuffix(" const"):
        depth -= c in ">)]}"
        if depth == 0 and c not in "<>()[]{}":
            kept += c
        depth += c in "<([{"
    return kept.rstrip(": ").split(" ")[-1].split("::")[-1]


def report(board, image, counts):
    """Prints the numbers of executed instructions by kernel and by the source line that calls the kernel."""
    chains = call_chains(board, image, [address for address, count in counts.items() if count])
    by_kernel = collections.Counter()
    for address, count in counts.items():
        chain = chains.get(address, [("?", "?")])
        names = [plain(name) for name, _ in chain]
        kernel = next((name for name in names if name in KERNELS), names[-1] if count else "?")
        # The place of the innermost `run` or apply_ssm is the source line that calls the kernel, which identifies the layer.
        where = next((place.rsplit("/", 1)[-1].split(" ")[0] for name, place in zip(names, (place for _, place in chain))
                      if name in ("run", "apply_ssm")), "")
        by_kernel[(kernel, where)] += count
    for (kernel, where), count in by_kernel.most_common():
        if count > 0:
            print(f"{count:9.0f}  {kernel:16} {where}")
    print(f"{sum(counts.values()):9.0f}  in all")


def hot_loops(board, image, counts, share=0.001):
    """Prints the instructions whose executions are at least the share `share` of all executions, with their execution
    counts."""
    least, gap = share * sum(counts.values()), False
    for line in run([board.binaries["objdump"], "-d", "--no-show-raw-insn", str(image)]).splitlines():
        found = re.match(r" *([0-9a-f]+):\t(.*)", line)
        if not found:
            continue
        count = counts.get(int(found[1], 16), 0)
        if count >= least:
            print(f"{count:7.0f}  {found[1]}  {found[2]}")
        elif not gap:
            print()
        gap = count < least
