#!/usr/bin/env python3
"""Compares the speed of training model S by Krait and by other programs, with the same weights and tokens, on one core.

  training.py [--krait PROGRAM] [--rounds N] [--json FILE]      needs numpy and safetensors; JAX if installed
  training.py --show FILE                                       prints the table of an earlier run

A step computes the gradient of the mean cross-entropy over windows of 256 tokens of 8 streams, limits its norm, and makes a
step of AdamW, in float32. Each program is a worker process (training_protocol.py), pinned to one core. The workers take turns,
so that the load of other processes affects all alike. The least processor time counts, which other processes lengthen only by
the caches that they use; with two threads, the least time. Before the measurements, the loss and the gradients of each program
are compared with Krait's. Krait's worker also measures the peak rate of multiply-adds of the core, and a second one does both
with two threads on two cores.
"""
import argparse
import datetime
import json
import math
import os
import pathlib
import statistics
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.append(str(HERE.parent / "compare"))
import training_protocol
from compare import Worker, processor
from protocol import MODELS, write_weights

TOLERANCE = 1e-4  # largest difference of a gradient, relative to the largest gradient of its tensor
PEAK_TIMES = 200  # rounds of the peak in a sample
LANES_OF_PEAK = 12  # vectors of multiply-adds in a round of the peak
ROUNDS_OF_PEAK = 4096
PEERS = {
    "JAX, lax.scan": ("training_jax.py", ["sequential"], "pip install jax"),
    "JAX, associative_scan": ("training_jax.py", ["associative"], "pip install jax"),
}


def gradients(worker, shapes):
    """Returns the loss and the gradients, by name, that a worker computes."""
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "gradients")
        worker.ask(f"gradients {file}")
        numbers = np.fromfile(file, np.float32)
    loss, at, found = float(numbers[0]), 1, {}
    for name in sorted(shapes):
        size = math.prod(shapes[name])
        found[name] = numbers[at : at + size]
        at += size
    if at != len(numbers):
        raise RuntimeError(f"{worker.name}: {len(numbers)} numbers, wanted {at}")
    return loss, found


def compare(workers, shapes):
    """Compares the loss and the gradients of each worker with those of the first. Returns {program: (loss's difference, largest
    difference of a gradient, its name)}."""
    import numpy as np

    loss, wanted = gradients(workers[0], shapes)
    report = {}
    for worker in workers[1:]:
        other, found = gradients(worker, shapes)
        errors = {name: float(np.abs(found[name] - wanted[name]).max() / np.abs(wanted[name]).max()) for name in wanted}
        worst = max(errors, key=errors.get)
        report[worker.name] = (abs(other - loss) / loss, errors[worst], worst)
    return report


def linear_products(model):
    """Returns the multiply-adds of a step in the three products of the linear layers: outputs, gradients of inputs and
    gradients of weights."""
    d, inner, rank, wide = model.d_model, model.d_inner, model.dt_rank, 2 * model.d_state
    layer = 2 * inner * d + (rank + wide) * inner + inner * rank + d * inner
    tokens = training_protocol.STREAMS * training_protocol.WINDOW
    return 3 * tokens * (model.n_layers * layer + d * model.vocab_size)


def table(report):
    """Returns the lines of a Markdown table of a report's times, shares and differences."""
    best = {name: min(samples) for name, samples in report["step_ms"].items()}
    tokens = training_protocol.STREAMS * training_protocol.WINDOW
    lines = ["| program | step, least | median | least / Krait's | tokens a second | largest difference of a gradient |",
             "|---|---:|---:|---:|---:|---:|"]
    for name, least in best.items():
        difference = f"{report['agreement'][name][1]:.1e}" if name in report["agreement"] else ""
        lines.append(f"| {name} | {least:.1f} ms | {statistics.median(report['step_ms'][name]):.1f} ms | "
                     f"{least / best['Krait']:.1f} | {tokens / least * 1e3:,.0f} | {difference} |")
    return lines


def summary(report):
    """Returns the lines of a Markdown table of Krait's speed relative to the FMA peak, and with two threads."""
    peak, products, least = report["peak_G"], report["linear_products"], min(report["step_ms"]["Krait"])
    lines = ["| what was measured | figure |", "|---|---:|",
             f"| FMA peak of a core, multiply-adds a second | {peak['one core']:.0f} G |",
             f"| multiply-adds of the linear layers' three products in a step | {products / 1e9:.2f} G |",
             f"| the linear layers' multiply-adds divided by the time of a training step, relative to the FMA peak | "
             f"{100 * products / (least * 1e6) / peak['one core']:.0f} % |"]
    of_two = peak.get("two cores", 0.0) / peak["one core"]
    if 0.0 < of_two < 1.8:  # other processes used the cores
        lines.append(f"| two threads relative to one | not measured: the FMA peak of two threads was {of_two:.1f} times that "
                     "of one |")
    elif of_two > 0.0:
        wall = {name: min(samples) for name, samples in report["wall_ms"].items()}
        lines += [f"| two threads relative to one, time of a step | {wall['Krait'] / wall['Krait, two threads']:.2f} times |",
                  f"| two threads relative to one, FMA peak | {of_two:.2f} times |"]
    return lines


def measure(options):
    model = MODELS["S"]
    cores = sorted(os.sched_getaffinity(0))
    core = options.core if options.core is not None else cores[-1]
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "S.safetensors"
        tensors = write_weights(model, file)
        shapes = {name.replace("embeddings", "embedding"): tensor.shape for name, tensor in tensors.items()}
        krait = [str(options.krait), str(file)]
        workers = [Worker("Krait", [*krait, "1"], core)]
        if workers[0].missing:
            sys.exit(f"Krait {workers[0].missing}; meson compile -C build training_krait")
        for name, (script, arguments, hint) in PEERS.items():
            worker = Worker(name, [sys.executable, str(HERE / script), str(file), *arguments], core, hint)
            if worker.missing:
                print(f"{name} {worker.missing}", file=sys.stderr)
            else:
                workers.append(worker)
        if len(cores) > 1:  # both threads may run on both cores
            both = ",".join(map(str, cores[:2]))
            workers.append(Worker("Krait, two threads", ["taskset", "-c", both, *krait, "2"], core))
        agreement = compare(workers, shapes)
        lanes = int(workers[0].version.split()[1])
        step_ms = {worker.name: [] for worker in workers if worker.name != "Krait, two threads"}
        wall_ms, peak = {worker.name: [] for worker in workers if worker.name.startswith("Krait")}, {"one core": 0.0}
        for worker in workers:
            worker.ask("step 1")  # JAX compiles
        for turn in range(options.rounds):
            print(f"round {turn + 1} of {options.rounds}", file=sys.stderr)
            for worker in workers:
                if worker.name != "Krait, two threads":
                    step_ms[worker.name].append(worker.ask("cpu 1") / 1e6)
                if worker.name.startswith("Krait"):
                    threads = 1 if worker.name == "Krait" else 2
                    rate = threads * PEAK_TIMES * ROUNDS_OF_PEAK * LANES_OF_PEAK * lanes / worker.ask(f"peak {PEAK_TIMES}")
                    wall_ms[worker.name].append(worker.ask("step 1") / 1e6)
                    key = "one core" if threads == 1 else "two cores"
                    peak[key] = max(peak.get(key, 0.0), rate)
        report = {"date": datetime.date.today().isoformat(), "processor": processor(),
                  "versions": {worker.name: worker.version for worker in workers}, "step_ms": step_ms, "wall_ms": wall_ms,
                  "peak_G": peak, "linear_products": linear_products(model), "agreement": agreement}
        for worker in workers:
            worker.end()
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--krait", type=pathlib.Path, default=HERE.parent.parent / "build" / "bench" / "training_krait")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--core", type=int)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--show", type=pathlib.Path)
    options = parser.parse_args()
    report = json.loads(options.show.read_text()) if options.show else measure(options)
    print(*table(report), "", *summary(report), sep="\n")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    wrong = [name for name, (loss, error, _) in report["agreement"].items() if not max(loss, error) <= TOLERANCE]
    for name in wrong:
        print(f"{name} DISAGREES")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
