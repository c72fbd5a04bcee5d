#!/usr/bin/env python3
"""Draws the plots docs/plots/MACHINE/*.svg from a machine's results in bench/results/MACHINE.

  bench/plot.py MACHINE
  bench/plot.py MACHINE --record SPEED.json SCALING.json

--record first copies the figures that the plots need from the output files (--benchmark_out) of bench/speed and bench/scaling
to bench/results/MACHINE.
"""
import argparse
import json
import pathlib
import re
import statistics
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench" / "compare"))
from compare import show_ratio, show_time

CONTEXT = ("date", "mhz_per_cpu", "compiler", "flags", "target", "S", "M")
COUNTERS = ("per second", "bytes", "multiply-adds")
US = {"ns": 1e-3, "us": 1, "ms": 1e3, "s": 1e6}

COLORS = {"S": "#1f6feb", "M": "#bf5b17"}
OTHER, LINE = "#9aa4b2", "#57606a"
plt.rcParams.update({
    "svg.fonttype": "none", "svg.hashsalt": "krait", "font.family": "sans-serif", "font.size": 9,
    "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"], "axes.spines.top": False, "axes.spines.right": False,
    "axes.edgecolor": LINE, "figure.facecolor": "white", "legend.frameon": False})


def results(machine, name):
    return ROOT / "bench" / "results" / machine / f"{name}.json"


def record(source, kept_in):
    """Returns the minimum and median CPU time of each benchmark, without the machine's host name and paths."""
    run = json.loads(pathlib.Path(source).read_text())
    times, counters = {}, {}
    for line in run["benchmarks"]:
        if line.get("run_type") != "iteration":
            continue
        times.setdefault(line["run_name"], []).append(line["cpu_time"] * US[line["time_unit"]])
        for key in COUNTERS:
            if key in line:  # keep the best of the rates
                counters.setdefault(line["run_name"], {})
                counters[line["run_name"]][key] = max(line[key], counters[line["run_name"]].get(key, 0))
    kept = {"context": {key: run["context"][key] for key in CONTEXT if key in run["context"]}, "benchmarks": {
        # Google Benchmark adds its own options to names: "prefill/512/min_time:0.050".
        re.sub(r"/\w+:[\w.]+", "", bench): {
            "min_us": round(min(t), 4), "median_us": round(statistics.median(t), 4), **counters.get(bench, {})}
        for bench, t in sorted(times.items())}}
    kept_in.parent.mkdir(parents=True, exist_ok=True)
    kept_in.write_text(json.dumps(kept, indent=1) + "\n")


def roofline(speed):
    benchmarks = speed["benchmarks"]
    figure, axes = plt.subplots(figsize=(6.6, 3.6))
    left, right = 0.3, 90
    peak = 2 * benchmarks["f32 multiply-adds"]["per second"] / 1e9
    rates = {label: benchmarks[f"bytes read, of KB/{kilobytes}"]["per second"] / 1e9
             for kilobytes, label in ((2048, "read 2 MB"), (524288, "read 512 MB"))}
    for label, rate in rates.items():
        axes.plot([left, peak / rate], [rate * left, peak], color=LINE, linewidth=1)
        axes.annotate(f"{label}: {rate:.0f} GB/s", (left, rate * left), xytext=(2, 5), textcoords="offset points",
                      fontsize=7, color=LINE, rotation=43, rotation_mode="anchor")
    axes.plot([peak / max(rates.values()), right], [peak, peak], color=LINE, linewidth=1)
    axes.annotate(f"f32 multiply-add: {peak:.0f} GFLOP/s", (right, peak * 1.05), fontsize=7, ha="right", color=LINE)
    lowest = peak
    for name, found in benchmarks.items():
        if "multiply-adds" not in found:
            continue
        model, storage, verb = name.split(" ")
        if verb != "decode" and storage != "f32":  # the machine's limit is that of f32
            continue
        at = 2 * found["multiply-adds"] / found["bytes"], 2 * found["multiply-adds"] / found["min_us"] / 1e3
        lowest = min(lowest, at[1])
        axes.plot(*at, "o" if model == "S" else "s", color=COLORS[model], markersize=5,
                  fillstyle="full" if storage == "f32" else "none")
        below = -11 if model == "S" and verb == "prefill/512" else -7 if storage == "f16" else -3
        axes.annotate(f"{model} {storage} {verb.replace('/', ' ')}", at, xytext=(5, below), textcoords="offset points",
                      fontsize=7, color=COLORS[model])
    axes.set(xscale="log", yscale="log", xlim=(left, right), ylim=(lowest / 1.8, peak * 1.5), ylabel="GFLOP/s, one core",
             xlabel="FLOP for each byte of weights and state, read once for each chunk of tokens")
    return figure


def peers(compare):
    rows = {}
    for result in compare["results"]:
        model, measure = result["model"], result["measure"]
        if model == "M" or not measure.endswith("last logits"):
            rows.setdefault(f"{model}: {measure}", {})[result["program"]] = result["min_us"]
    figure, grid = plt.subplots(-(-len(rows) // 3), 3, figsize=(8.6, 1.9 * -(-len(rows) // 3)), layout="constrained")
    for axes in grid.flatten()[len(rows):]:
        axes.remove()
    for axes, (title, times) in zip(grid.flatten(), rows.items()):
        krait = times["Krait"]
        for i, (name, time) in enumerate(sorted(times.items(), key=lambda one: -one[1])):
            axes.barh(name, time / krait, color=COLORS["S"] if name == "Krait" else OTHER, height=0.65)
            axes.annotate(show_time(time) + ("" if name == "Krait" else f", {show_ratio(time / krait)}×"),
                          (time / krait, i), xytext=(2, 0), textcoords="offset points", va="center", fontsize=7)
        axes.set_title(title, fontsize=8, loc="left")
        axes.set(xscale="log", xlim=(0.5, 12 * max(times.values()) / krait))
        axes.xaxis.set_visible(False)
        axes.tick_params(labelsize=7, length=0)
        axes.spines[:].set_visible(False)
    return figure


def scaling(run):
    benchmarks = run["benchmarks"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.2), layout="constrained")

    def line(axes, name, color, label, tokens):
        found = sorted((int(bench.split("/")[1]), one["min_us"]) for bench, one in benchmarks.items()
                       if bench.startswith(name))
        at, times = zip(*((x, us / tokens(x)) for x, us in found))
        axes.plot(at, times, "o-", color=color, markersize=4, linewidth=1.2, label=label)
        return at, times

    line(left, "decode by tokens", COLORS["S"], "decode, behind so many tokens", lambda x: 1)
    line(left, "prefill by tokens", COLORS["M"], "prefill of so many tokens", lambda x: x)
    left.set(ylim=0, xlabel="tokens (d_model 128, 4 layers)", ylabel="µs a token")
    widths, times = line(right, "decode by d_model", COLORS["S"], "decode", lambda x: 1)
    line(right, "prefill by d_model", COLORS["M"], "prefill of 128 tokens", lambda x: 128)
    right.plot(widths, [times[2] * (w / widths[2]) ** 2 for w in widths], ":", color=OTHER, label="square of d_model")
    right.set(yscale="log", xlabel="d_model (4 layers, d_state 16)", ylabel="µs a token")
    for axes in (left, right):
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda x, _: f"{x:.0f}"))
        axes.minorticks_off()
        axes.legend(fontsize=7)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("machine", help="the name of a folder in bench/results")
    parser.add_argument("--record", nargs=2, metavar=("SPEED.json", "SCALING.json"),
                        help="--benchmark_out of bench/speed --benchmark_filter=. and of bench/scaling")
    options = parser.parse_args()
    if options.record:
        for source, name in zip(options.record, ("speed", "scaling")):
            record(source, results(options.machine, name))
    plots = ROOT / "docs" / "plots" / options.machine
    for draw, name in ((roofline, "speed"), (peers, "compare"), (scaling, "scaling")):
        path = results(options.machine, name)
        if not path.exists():
            print(f"no {path.relative_to(ROOT)}", file=sys.stderr)
            continue
        plots.mkdir(parents=True, exist_ok=True)
        figure = draw(json.loads(path.read_text()))
        figure.savefig(plots / f"{draw.__name__}.svg", bbox_inches="tight", pad_inches=0.05, metadata={"Date": None})
        plt.close(figure)


if __name__ == "__main__":
    main()
