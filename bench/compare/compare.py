#!/usr/bin/env python3
"""Compares the speed of Krait and other programs, with the same weights and tokens, on one core.

Each program is a worker process (protocol.py). All workers are pinned to one core, and only one works at a time. The workers
take turns in rounds, so that the load of other processes affects all workers alike. A sample is the mean time over --window
milliseconds of work. Before the measurements, each program's logits are compared with Krait's.
"""
import argparse
import dataclasses
import datetime
import importlib.util
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile

import protocol

HERE = pathlib.Path(__file__).resolve().parent
INSTALL = "pip install -r bench/compare/requirements.txt"
TOLERANCE = 1e-3  # largest difference of logits, relative to the largest logit
CHECKED = 128  # number of tokens whose logits are compared

# Name of the program -> (file of its worker, options of the worker, how to install it).
PEERS = {
    "mamba.c": ("mamba_c_peer.py", ["{mamba_c}"], "--mamba-c LIBRARY: mamba.c as a shared object"),
    "JAX": ("jax_peer.py", [], INSTALL),
    "noxton": ("noxton_peer.py", [], INSTALL + ", with Python 3.13 or later"),
    "llama.cpp": ("llama_cpp_peer.py", [], "pip install gguf llama-cpp-python"),
    "PyTorch compiled": ("torch_peer.py", ["compiled"], INSTALL),
    "PyTorch eager": ("torch_peer.py", ["eager"], INSTALL),
    "Krait bf16": ("", ["bf16"], ""),
    "Krait int8": ("", ["int8"], ""),
    "llama.cpp Q8_0": ("llama_cpp_peer.py", ["Q8_0"], "pip install gguf llama-cpp-python"),
    "llama.cpp Q4_K_M": ("llama_cpp_peer.py", ["Q4_K_M"], "pip install gguf llama-cpp-python"),
}
# The logits of programs with rounded weights differ more. Q4_K_M rounds random weights coarsely.
TOLERANCES = {"Krait bf16": 0.1, "Krait int8": 0.1, "llama.cpp Q8_0": 0.1, "llama.cpp Q4_K_M": 1.0}

# The environment of every worker: one thread, and huge pages for malloc, because the weights of M exceed the reach of the TLB
# with 4 KB pages.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "HF_HUB_OFFLINE": "1",
}


class Worker:
    """The process that runs one program of the comparison. `missing` is empty, or the reason why the process could not be
    started."""

    def __init__(self, name, command, core, hint=""):
        self.name, self.missing, self.version = name, "", ""
        self.process = subprocess.Popen(
            command, env=os.environ | ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, {core}))
        first = self.process.stdout.readline().strip()
        if first.startswith("ready "):
            self.version = json.loads(first.removeprefix("ready "))["version"]
        else:
            self.process.wait()
            self.missing = f"not here: {hint}" if first.startswith("no: ") else f"ended at once: {' '.join(command)}"

    def ask(self, line):
        """Sends a request to the worker. Returns the nanoseconds in the worker's answer, or None if the program lacks this
        operation."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name} ended at: {line}")
        return None if answer.startswith("no: ") else int(answer)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


@dataclasses.dataclass(frozen=True)
class Measure:
    label: str
    line: str  # the line to send to the worker; {n} is the number of repetitions

    def repeats(self, worker, window_ns):
        """Returns how often a worker must repeat this operation so that one measurement takes about window_ns, or None if the
        worker's program lacks the operation. The trial runs also warm up the worker."""
        if worker.ask(self.line.format(n=1)) is None:
            return None
        repeats = 1
        for _ in range(2):  # the second estimate is from a longer run, unless one repetition fills the window
            took = worker.ask(self.line.format(n=repeats))
            repeats = max(1, round(repeats * window_ns / took))
            if repeats == 1:
                break
        return repeats


def measures(model, streams):
    found = [Measure(f"{n} {'streams' if n > 1 else 'stream'}, a token each", f"streams {n} {{n}}") for n in streams]
    found.append(Measure("decode, a token", "decode {n}"))
    for length in model.prefill:
        found.append(Measure(f"prefill {length}, all logits", f"prefill {length} every {{n}}"))
        found.append(Measure(f"prefill {length}, last logits", f"prefill {length} last {{n}}"))
    return found


def logits(worker, way, model):
    """Returns the logits [CHECKED, vocab_size] that a worker computes for the first CHECKED tokens of a new sequence, or None
    if its program cannot do so. `way` is "decode" (by steps), "every" (by a prefill) or "streams" (by steps, together with
    other sequences)."""
    import numpy

    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "logits")
        if worker.ask(f"logits {way} {CHECKED} {file}") is None:
            return None
        return numpy.fromfile(file, numpy.float32).reshape(CHECKED, model.vocab_size)


def agreement(workers, model):
    """Compares the logits of each program, in each way of logits(), with the logits of Krait's steps. Returns a list of
    {"program", "way", "difference", "agrees"}, where the largest difference is relative to the largest logit."""
    import numpy

    wanted = logits(workers[0], "decode", model)
    largest = float(numpy.abs(wanted).max())
    found = []
    for worker in workers:
        for way in ("decode", "every", "streams"):
            got = logits(worker, way, model)
            if got is None:
                continue
            difference = float(numpy.abs(got - wanted).max()) / largest
            found.append({"program": worker.name, "way": {"decode": "steps", "every": "prefill"}.get(way, way),
                          "difference": difference, "agrees": difference <= TOLERANCES.get(worker.name, TOLERANCE)})
    return found


def start(name, weights, options, report):
    """Starts the workers of Krait and of the other programs, and returns them, Krait's first. Writes into the report why a
    program is absent."""
    krait = [str(options.build / "bench" / "compare_krait"), name, str(weights)]
    workers = [Worker("Krait", [*krait, "f32"], options.core)]
    if workers[0].missing:
        sys.exit(f"Krait {workers[0].missing}")
    for peer in options.peers:
        if protocol.MODELS[name].headdim and peer in ("mamba.c", "JAX", "noxton"):
            continue  # they have no Mamba-2
        if name == "M" and peer == "PyTorch compiled" and not options.compile_m:
            report["absent"][f"{peer}, M"] = "--compile-m: compiles for many minutes"
            continue
        file, arguments, hint = PEERS[peer]
        arguments = [argument.format(mamba_c=options.mamba_c) for argument in arguments]
        command = [sys.executable, str(HERE / file), name, str(weights)] if file else krait
        worker = Worker(peer, [*command, *arguments], options.core, hint)
        if worker.missing:
            report["absent"][peer] = worker.missing
        else:
            workers.append(worker)
    report["versions"] |= {worker.name: worker.version for worker in workers}
    return workers


def run_model(name, options, report):
    model = protocol.MODELS[name]
    weights = options.work / f"{name}.safetensors"
    if not weights.exists():
        print(f"{name}: writing weights", file=sys.stderr)
        protocol.write_weights(model, weights)
    workers = start(name, weights, options, report)
    print(f"{name}: comparing logits", file=sys.stderr)
    report["agreement"] += [{"model": name} | found for found in agreement(workers, model)]

    plan = []  # (measure, worker, repetitions of a sample, samples)
    for measure in measures(model, options.streams):
        for worker in workers:
            print(f"{name}: {measure.label}: warming {worker.name}", file=sys.stderr)
            if (repeats := measure.repeats(worker, options.window * 1e6)) is not None:
                plan.append((measure, worker, repeats, []))
    for turn in range(options.rounds):
        print(f"{name}: round {turn + 1} of {options.rounds}", file=sys.stderr)
        for measure, worker, repeats, samples in plan:
            samples.append(worker.ask(measure.line.format(n=repeats)) / repeats / 1e3)
    for measure, worker, _, samples in plan:
        report["results"].append({
            "model": name, "measure": measure.label, "program": worker.name, "min_us": round(min(samples), 3),
            "median_us": round(statistics.median(samples), 3), "samples_us": [round(s, 3) for s in samples]})
    for worker in workers:
        worker.end()


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(": ")[1]
    return platform.machine()


def show_time(us):
    value, unit = (us / 1e6, "s") if us >= 1e6 else (us / 1e3, "ms") if us >= 1e3 else (us, "µs")
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:#.3g} {unit}"


def show_ratio(ratio):
    return f"{ratio:.0f}" if ratio >= 9.95 else f"{ratio:.1f}"


def rows_of(report):
    """Returns a report's results as {(model, measure): {program: result}}, in the order in which they were measured."""
    rows = {}
    for result in report["results"]:
        rows.setdefault((result["model"], result["measure"]), {})[result["program"]] = result
    return rows


def table(report):
    """Returns the lines of a Markdown table of a report's times, with one row for each model, measure and program."""
    lines = ["| model | measured | program | min | median | min / Krait's | median / Krait's |",
             "|---|---|---|---:|---:|---:|---:|"]
    for (model, measure), programs in rows_of(report).items():
        krait = programs["Krait"]
        for program, result in programs.items():
            ratios = (f"{result[key] / krait[key]:.2f}" for key in ("min_us", "median_us"))
            lines.append(f"| {model} | {measure} | {program} | {show_time(result['min_us'])} | "
                         f"{show_time(result['median_us'])} | {' | '.join(ratios)} |")
    return lines


def summary(report):
    """Returns the lines of a Markdown table with a row for each model and measure: Krait's best time, and the best times of
    other programs as multiples of Krait's."""
    seen = {result["program"] for result in report["results"]}
    programs = ["Krait", *(peer for peer in PEERS if peer in seen)]
    lines = [f"| model, measurement | {' | '.join(programs)} |", "|---|" + "---:|" * len(programs)]
    for (model, measure), results in rows_of(report).items():
        krait = results["Krait"]["min_us"]
        cells = [f"Krait {show_time(krait)}"]
        for program in programs[1:]:
            cells.append(f"{program} {show_ratio(results[program]['min_us'] / krait)}×" if program in results else "")
        measured = re.sub(r"^prefill (\d+)", r"prefill of \1 tokens", measure)
        lines.append(f"| model {model}, {measured} | {' | '.join(cells)} |")
    return lines


def show(report):
    print("\n".join(table(report)))
    print()
    for found in report["agreement"]:
        verdict = "agrees" if found["agrees"] else "DISAGREES"
        print(f"{found['model']} {found['program']}, {found['way']}: {verdict}: logits differ from Krait's steps by at "
              f"most {found['difference']:.1e} of the largest")
    for program, version in report["versions"].items():
        print(f"{program}: {version}")
    for program, reason in report["absent"].items():
        print(f"{program}: {reason}")


def write(report, options):
    """Writes the report to the file options.json. Keeps the file's results for models that this run did not measure."""
    if options.json.exists():
        earlier = json.loads(options.json.read_text())
        for part in ("results", "agreement"):
            report[part] += [one for one in earlier[part] if one["model"] not in options.models]
            report[part].sort(key=lambda one: list(protocol.MODELS).index(one["model"]))
        report["versions"] = earlier["versions"] | report["versions"]
    options.json.parent.mkdir(parents=True, exist_ok=True)
    text = re.sub(r"\[([\d.,\s]+)\]", lambda found: f"[{' '.join(found[1].split())}]", json.dumps(report, indent=1))
    options.json.write_text(text + "\n")  # the samples of a result are on one line


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"),
                        help="Meson's build folder (%(default)s)")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/compare/models"),
                        help="folder for the generated weights (%(default)s)")
    parser.add_argument("--models", nargs="+", choices=protocol.MODELS, default=["S"], metavar="S|M|S2|S2_64",
                        help="S: d_model 128, 4 layers; M: the shape of mamba-130m, 0.5 GB for each program; S2 and "
                             "S2_64: Mamba-2, d_model 128, 4 layers, d_state 16 or 64 (S)")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS), metavar="PEER",
                        help=", ".join(PEERS) + " (all)")
    parser.add_argument("--streams", nargs="*", type=int, default=[1, 16], metavar="N",
                        help="numbers of sequences that are processed together, at most 64 (1 16)")
    parser.add_argument("--mamba-c", default="", metavar="LIBRARY", help="mamba.c as a shared object")
    parser.add_argument("--compile-m", action="store_true", help="compile M with PyTorch too, which takes many minutes")
    cores = sorted(os.sched_getaffinity(0))
    parser.add_argument("--core", type=int, choices=cores, default=cores[-1],
                        help="the core to which all programs are pinned (%(default)s)")
    parser.add_argument("--rounds", type=int, default=15, help="number of samples (%(default)s)")
    parser.add_argument("--window", type=float, default=50, help="milliseconds of a sample (%(default)s)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE",
                        help="also write the results to FILE; results of models not measured now are kept")
    parser.add_argument("--show", type=pathlib.Path, metavar="FILE",
                        help="print the results of an earlier run and stop")
    return parser.parse_args()


def main():
    options = arguments()
    if options.show:
        return show(json.loads(options.show.read_text()))
    if not importlib.util.find_spec("numpy"):
        sys.exit(f"compare.py needs numpy: {INSTALL}")
    built = subprocess.run(["meson", "compile", "-C", options.build, "compare_krait"], stdout=subprocess.PIPE,
                           text=True)
    if built.returncode != 0:
        sys.exit(f"{built.stdout}Krait's worker was not built")
    report = {"date": str(datetime.date.today()), "processor": processor(),
              "system": platform.freedesktop_os_release()["PRETTY_NAME"], "window_ms": options.window, "versions": {},
              "absent": {}, "agreement": [], "results": []}
    for name in options.models:
        run_model(name, options, report)
    show(report)
    if options.json:
        write(report, options)
    return 0 if all(found["agrees"] for found in report["agreement"]) else 1


if __name__ == "__main__":
    sys.exit(main())
