#!/usr/bin/env python3
"""Draws the plots docs/plots/MACHINE/*.svg from a machine's results in bench/results/MACHINE.

  bench/plot.py MACHINE
  bench/plot.py MACHINE --record speed=FILE scaling=FILE streams=FILE

--record first copies the figures that the plots need from the output files (--benchmark_out) of bench/speed, bench/scaling and
bench/streams to bench/results/MACHINE.
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
MARKERS = {"f32": "o", "bf16": "s", "f16": "^", "int8": "D"}
OTHER, LINE = "#9aa4b2", "#57606a"
plt.rcParams.update({
    "svg.fonttype": "none", "svg.hashsalt": "krait", "font.family": "sans-serif", "font.size": 9,
    "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"], "axes.spines.top": False, "axes.spines.right": False,
    "axes.edgecolor": LINE, "figure.facecolor": "white", "legend.frameon": False})


def results(machine, name):
    return ROOT / "bench" / "results" / machine / f"{name}.json"


def record(source, kept_in):
    """Writes the minimum and median time of each benchmark in `source`, a JSON file of Google Benchmark, to the file `kept_in`,
    without the machine's host name and paths. Times are CPU times, except for bench/streams, whose times are elapsed times
    because it uses several threads."""
    run = json.loads(pathlib.Path(source).read_text())
    times, counters = {}, {}
    for line in run["benchmarks"]:
        if line.get("run_type") != "iteration":
            continue
        time = line["real_time" if line["run_name"].endswith("/real_time") else "cpu_time"]
        times.setdefault(line["run_name"], []).append(time * US[line["time_unit"]])
        for key in COUNTERS:
            if key in line:  # keep the best of the rates
                counters.setdefault(line["run_name"], {})
                counters[line["run_name"]][key] = max(line[key], counters[line["run_name"]].get(key, 0))
    kept = {"context": {key: run["context"][key] for key in CONTEXT if key in run["context"]}, "benchmarks": {
        # Google Benchmark adds its own options to names: "prefill/512/min_time:0.050", "streams/16/real_time".
        re.sub(r"/\w+:[\w.]+|/real_time", "", bench): {
            "min_us": round(min(t), 4), "median_us": round(statistics.median(t), 4), **counters.get(bench, {})}
        for bench, t in sorted(times.items())}}
    kept_in.parent.mkdir(parents=True, exist_ok=True)
    kept_in.write_text(json.dumps(kept, indent=1) + "\n")


def plain(axis):
    """Labels a logarithmic axis with numbers such as 10 or 1,000 instead of powers of ten."""
    axis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda x, _: f"{x:,.10g}"))


def roofline(speed):
    """Draws the roofline plot. The legend names every line and point, because labels beside the points would cover each
    other."""
    benchmarks = speed["benchmarks"]
    figure, axes = plt.subplots(figsize=(8.2, 3.8), layout="constrained")
    left, right = 0.3, 90
    peak = 2 * benchmarks["f32 multiply-adds"]["per second"] / 1e9
    axes.plot([left, right], [peak, peak], color=LINE, linewidth=1, label=f"f32 multiply-add: {peak:.0f} GFLOP/s")
    for kilobytes, label, style in ((2048, "read 2 MB", "--"), (524288, "read 512 MB", ":")):
        rate = benchmarks[f"bytes read, of KB/{kilobytes}"]["per second"] / 1e9
        axes.plot([left, peak / rate], [rate * left, peak], style, color=LINE, linewidth=1.2, label=f"{label}: {rate:.0f} GB/s")
    lowest = peak
    for name, found in benchmarks.items():
        if "multiply-adds" not in found or name.startswith("Mamba-"):
            continue
        model, storage, call = name.split(" ")
        if call != "decode" and storage != "f32":  # the arithmetic limit is f32's
            continue
        at = 2 * found["multiply-adds"] / found["bytes"], 2 * found["multiply-adds"] / found["min_us"] / 1e3
        lowest = min(lowest, at[1])
        marker = {"prefill/128": "<", "prefill/512": ">"}.get(call, MARKERS[storage])
        axes.plot(*at, marker, color=COLORS[model], markersize=5.5, fillstyle="full" if call == "decode" else "none",
                  linestyle="none", label=f"{model} {storage} {call.replace('/', ' of ')}")
    axes.set(xscale="log", yscale="log", xlim=(left, right), ylim=(lowest / 1.8, peak * 1.5),
             ylabel="GFLOP/s on one core (logarithmic)",
             xlabel="FLOP for each byte of weights and state, read once for each chunk of tokens (logarithmic)")
    axes.xaxis.label.set_size(8)
    plain(axes.xaxis), plain(axes.yaxis)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def peers(compare):
    rows = {}
    for result in compare["results"]:
        model, measure = result["model"], result["measure"]
        if "streams" in measure:
            continue
        if model == "M" or not measure.endswith("last logits"):
            rows.setdefault(f"{model}: {measure}", {})[result["program"]] = result["min_us"]
    lines = -(-len(rows) // 3)
    figure, grid = plt.subplots(lines, 3, figsize=(9.6, 2.2 * lines), layout="constrained")
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
        plain(axes.xaxis)
        axes.tick_params(labelsize=7)
        axes.tick_params(axis="y", length=0)
    figure.supxlabel("best time as a multiple of Krait's (logarithmic axis, from 0.5; shorter is better)", fontsize=8)
    return figure


def scaling(run):
    benchmarks = run["benchmarks"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.4), layout="constrained")

    def line(axes, name, color, label, tokens):
        found = sorted((int(bench.split("/")[1]), one["min_us"]) for bench, one in benchmarks.items()
                       if bench.startswith(name))
        at, times = zip(*((x, us / tokens(x)) for x, us in found))
        axes.plot(at, times, "o-", color=color, markersize=4, linewidth=1.2, label=label)
        return at, times

    line(left, "decode by tokens", COLORS["S"], "a step after this many tokens", lambda x: 1)
    line(left, "prefill by tokens", COLORS["M"], "a prefill of this many tokens", lambda x: x)
    left.set(ylim=0, xlabel="tokens (logarithmic); d_model 128, 4 layers", ylabel="µs a token")
    widths, times = line(right, "decode by d_model", COLORS["S"], "step", lambda x: 1)
    line(right, "prefill by d_model", COLORS["M"], "prefill of 128 tokens", lambda x: 128)
    right.plot(widths, [times[2] * (w / widths[2]) ** 2 for w in widths], ":", color=OTHER, label="proportional to d_model²")
    right.set(yscale="log", xlabel="d_model (logarithmic); 4 layers, d_state 16", ylabel="µs a token (logarithmic)")
    plain(right.yaxis)
    for axes, ticks in ((left, [1, 32, 1024, 32768, 1048576]), (right, widths)):
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks)
        plain(axes.xaxis)
        axes.minorticks_off()
        axes.tick_params(labelsize=8)
        axes.legend(fontsize=7, loc="lower left" if axes is left else "upper left")
    return figure


def streams(run, compare):
    benchmarks = run["benchmarks"]
    figure, grid = plt.subplots(1, 2, figsize=(9.2, 4.6), layout="constrained")
    for axes, model in zip(grid, ("S", "M")):
        def rates(prefix, time="min_us"):
            found = sorted((int(name.rsplit("/", 1)[1]), one[time]) for name, one in benchmarks.items()
                           if re.fullmatch(re.escape(prefix) + r"/\d+", name))
            return [n for n, _ in found], [n / us * 1e6 for n, us in found]

        for storage in ("f32", "bf16", "int8"):
            axes.plot(*rates(f"{model} {storage} streams"), MARKERS[storage] + "-", color=COLORS[model], markersize=4,
                      linewidth=1.2, fillstyle="full" if storage == "f32" else "none", label=f"Krait, {storage}")
        axes.plot(*rates(f"limit of {model} f32 streams", "median_us"), color=LINE, linewidth=1,
                  label="limit, f32: the slower of reading and multiply-adds")
        programs = {}
        for result in compare["results"]:
            if result["model"] == model and re.search("streams?, a token each$", result["measure"]):
                programs.setdefault(result["program"], {})[int(result["measure"].split()[0])] = result["min_us"]
        others = [one for one in sorted(programs.items()) if not one[0].startswith("Krait")]
        for (name, times), marker in zip(others, "ov^sDPX"):
            axes.plot(list(times), [n / us * 1e6 for n, us in times.items()], marker + ":", color=OTHER, markersize=4,
                      linewidth=1, label=name)
        axes.set_xscale("log", base=2)
        axes.set(yscale="log", xlabel="streams (logarithmic)", ylabel="tokens a second on one core (logarithmic)")
        axes.set_title(f"model {model}", fontsize=8, loc="left")
        plain(axes.xaxis), plain(axes.yaxis)
        axes.tick_params(labelsize=8)
        axes.legend(fontsize=6.5, loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("machine", help="the name of a folder in bench/results")
    parser.add_argument("--record", nargs="+", default=[], metavar="KIND=FILE",
                        help="--benchmark_out of bench/speed, scaling or streams, with --benchmark_filter=.")
    options = parser.parse_args()
    for kind, _, source in (one.partition("=") for one in options.record):
        record(source, results(options.machine, kind))
    plots = ROOT / "docs" / "plots" / options.machine
    for draw, *names in ((roofline, "speed"), (peers, "compare"), (scaling, "scaling"), (streams, "streams", "compare")):
        paths = [results(options.machine, name) for name in names]
        if missing := [path for path in paths if not path.exists()]:
            print(f"no {missing[0].relative_to(ROOT)}", file=sys.stderr)
            continue
        plots.mkdir(parents=True, exist_ok=True)
        figure = draw(*(json.loads(path.read_text()) for path in paths))
        figure.savefig(plots / f"{draw.__name__}.svg", bbox_inches="tight", pad_inches=0.05, metadata={"Date": None})
        plt.close(figure)


if __name__ == "__main__":
    main()
