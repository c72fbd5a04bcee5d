#!/usr/bin/env python3
"""Compares bf16, f16 and int8 weights, and the outputs of models with them, with the numpy code of quantised.py.

  storage_test.py [--compiler C] [--flags=FLAGS] [--include DIR] [--cases NAME,...]

For every model in CASES, the stored weights must equal quantised.py's to the bit, and the outputs must be within TOLERANCES of
the float64 reference with these weights. Rounding to 16 bits is tested with every bf16 and f16 number, every tie between two
neighbours, the floats next to these, and every kind of NaN. Outputs of int8 layers must be equal to the bit, also with ties in
weights and inputs and with inputs around 2^-100. Exit code 0: all weights and outputs agree; 1: some do not; 77: numpy or the
compiler is missing.
"""
import argparse
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
REFERENCE = HERE.parent / "data" / "reference"
sys.path[:0] = [str(HERE.parents[1] / "python"), str(REFERENCE)]
try:
    import numpy as np
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)
import quantised  # noqa: E402
from krait.layers import dims_text  # noqa: E402
from vector_file import File, component_of, dims_of  # noqa: E402

# The models, each of which compiles in a few seconds. Maps the name of a reference vector to norm_eps, or to None for the
# default.
CASES = {"block_odd_all_biases": None, "block_conv2_no_bias": None, "ssm_odd_biases": None, "mamba_tied": None,
         "mamba_untied_odd": 0.25}
# Largest errors, relative to the largest output. With int8, float32 and float64 may round an input near the middle of two
# integers differently, and the rounded inputs then differ by 1 / 32639 of the largest input of the token. The tolerance is
# three such differences. Measured: 1.0e-5 for mamba_tied (300 tokens), and at most 2.5e-7 if no input is so close to the
# middle.
TOLERANCES = {"bf16": 1e-5, "f16": 1e-5, "int8": 1e-4}
# The int8 layers: d_in, d_out, and whether there is a bias. Some d_in are odd; the outputs fill narrow panels and several
# panels.
LINEARS = [(3, 20, False), (8, 16, True), (77, 150, True), (601, 33, False)]
problems = []


def check(good, text):
    if not good:
        problems.append(text)
        print("FAIL " + text)


class Case:
    """A reference vector. Writes its weights and inputs as files for the C++ program, and checks the files that the program
    writes."""

    def __init__(self, name, eps, folder):
        self.name, self.folder = name, folder / name
        file = File(REFERENCE / f"{name}.safetensors")
        self.component = component_of(file)
        self.dims = dims_of(file, self.component)
        if eps is not None:
            self.dims["norm_eps"] = eps
        self.eps = self.dims.get("norm_eps", 1e-5)
        others = ("input", "tokens", "output", "logits", "final_state")
        self.weights = {weight: np.array(file.numbers(weight), np.float32).reshape(entry.shape)
                        for weight, entry in file.tensors.items() if weight not in others}
        self.folder.mkdir()
        for weight, values in self.weights.items():
            values.tofile(self.folder / f"{weight}.f32")
        if self.component == "Mamba":
            self.input = np.array(file.numbers("tokens"), np.int32)
        else:
            self.input = np.array(file.numbers("input"), np.float32).reshape(file.tensors["input"].shape)
        self.input.tofile(self.folder / "input")

    def calls(self):
        for storage in TOLERANCES:
            dims = dims_text(self.component, self.dims, f"krait::Storage::{storage}")
            yield f'run_storage<krait::{self.component}<{dims}>>("{self.folder}", "{storage}");'

    def judge(self, storage):
        for name, weight in self.weights.items():
            if name.endswith(quantised.LINEAR_WEIGHTS):
                check_stored(self.folder / f"{name}.{storage}", weight, storage, f"{self.name} {name}")
        x = self.input if self.component == "Mamba" else self.input.astype(np.float64)
        wanted = quantised.forward(self.component, x, self.weights, storage, self.eps)
        found = np.fromfile(self.folder / f"output.{storage}", np.float32).reshape(wanted.shape)
        error = np.abs(found - wanted).max() / np.abs(wanted).max()
        print(f"     {self.name} {storage}: {error:.1e}")
        check(error <= TOLERANCES[storage], f"{self.name} {storage}: {error:.1e}, wanted at most {TOLERANCES[storage]:.0e}")


def check_stored(path, weight, storage, name):
    if storage == "int8":
        whole, scales = quantised.int8(weight)
        wanted, found = np.concatenate([whole.ravel(), scales.view(np.int32)]), np.fromfile(path, np.int32)
    else:
        round_to, widened = (quantised.bf16, quantised.widened_bf16) if storage == "bf16" else (quantised.f16, quantised.widened_f16)
        wanted, found = widened(round_to(weight)).astype(np.float32).view(np.uint32).ravel(), np.fromfile(path, np.uint32)
    check(np.array_equal(found, wanted), f"{name}: {storage} weights differ from quantised.py's")


def hostile_floats():
    """Returns, as float32, every bf16 and f16 number, the midpoints between neighbouring numbers, the floats next to these
    midpoints, and NaNs."""
    halves = np.arange(1 << 15, dtype=np.uint32)
    numbers = []
    with np.errstate(all="ignore"):
        f16 = np.nan_to_num(halves[: 0x7C00].astype(np.uint16).view(np.float16).astype(np.float64))
        f16 = np.append(f16, 65536.0)
        bf16 = (halves[: 0x7F80] << 16).view(np.float32).astype(np.float64)
        bf16 = np.append(bf16, 2.0**128)
        for table in (f16, bf16):
            middles = np.concatenate([table, (table[1:] + table[:-1]) / 2]).astype(np.float32)
            numbers += [middles, np.nextafter(middles, np.float32(np.inf)), np.nextafter(middles, np.float32(-np.inf))]
    bits = np.array([0x7F800000, 0x7F800001, 0x7F8000FF, 0x7F80FFFF, 0x7F810000, 0x7FBFFFFF, 0x7FC00000, 0x7FC00001, 0x7FFFFFFF],
                    np.uint32)
    positive = np.concatenate([*numbers, bits.view(np.float32)])
    return np.concatenate([positive.view(np.uint32), positive.view(np.uint32) | 0x80000000]).view(np.float32)


def judge_floats(folder, floats):
    for name, round_to, infinity in (("bf16", quantised.bf16, 0x7F80), ("f16", quantised.f16, 0x7C00)):
        found, wanted = np.fromfile(folder / f"floats.{name}", np.uint16), round_to(floats)
        nan = np.isnan(floats)  # any NaN is accepted if its sign is kept
        is_nan = ((found & 0x7FFF) > infinity) & (found >> 15 == np.signbit(floats))
        wrong = np.flatnonzero(np.where(nan, ~is_nan, found != wanted))
        check(wrong.size == 0, f"{name}: {wrong.size} of {floats.size} numbers are rounded wrongly; float, found, wanted: "
              f"{[(floats[i], hex(found[i]), hex(wanted[i])) for i in wrong[:1]]}")


class LinearCase:
    """An int8 Linear layer. numpy computes the same bits as the layer, because the definition of int8 layers fixes every
    rounding."""

    def __init__(self, d_in, d_out, bias, folder, random):
        self.name = f"linear_{d_in}_{d_out}"
        self.folder = folder / self.name
        dims = dims_text("Linear", {"d_in": d_in, "d_out": d_out, "bias": bias}, "krait::Storage::int8")
        self.type = f"krait::Linear<{dims}>"
        self.weight = random.uniform(-1, 1, (d_out, d_in)).astype(np.float32)
        # In rows whose largest weight is 127, the scale is 1, so weights of n + 0.5 are ties, which have both signs here.
        self.weight[0::3] = random.integers(-100, 100, (len(self.weight[0::3]), d_in)) + np.float32(0.5)
        self.weight[0::3, 0] = 127
        self.weight[4] = 0
        self.weight[5] *= np.float32(2.0**-119)
        self.weight[7] *= np.float32(2.0**-121)
        self.bias = random.uniform(-1, 1, d_out).astype(np.float32) if bias else None
        most = np.float32(min(32639, (2**31 - 1) // (127 * d_in)))
        rows = [random.uniform(-1, 1, d_in) * scale for scale in (1, 1e-3, 1e5, 3, 1e-20, 1e20, 0.2)]
        tie = random.integers(-300, 300, d_in) + 0.5
        tie[-1] = most
        rows += [tie, -tie, np.zeros(d_in), np.full(d_in, 1.0), -np.full(d_in, 1.0)]
        for exponent in (-104, -101, -100, -99, -96):  # largest inputs just below, at and just above 2^exponent
            for factor in (1 - 2**-24, 1, 1 + 2**-23, 1.37):
                row = random.uniform(-1, 1, d_in)
                row[d_in // 2] = -1
                rows.append(row * factor * 2.0**exponent)
        self.input = np.array(rows, np.float32)
        self.folder.mkdir()
        self.weight.tofile(self.folder / "weight.f32")
        self.input.tofile(self.folder / "input")
        if bias:
            self.bias.tofile(self.folder / "bias.f32")

    def judge(self):
        check_stored(self.folder / "weight.int8", self.weight, "int8", self.name)
        whole, scales = quantised.int8(self.weight)
        q, step = quantised.rounded_inputs(self.input)
        sums = (q.astype(np.int64) @ whole.T.astype(np.int64)).astype(np.float32)
        factor = (scales * step).astype(np.float32)
        bias = 0 if self.bias is None else self.bias.astype(np.longdouble)
        # A fused multiply-add rounds once. longdouble represents the product exactly, and the sum precisely enough to be
        # rounded equally.
        wanted = (sums.astype(np.longdouble) * factor.astype(np.longdouble) + bias).astype(np.float32)
        for verb in ("int8", "prefill"):
            found = np.fromfile(self.folder / f"output.{verb}", np.float32).reshape(wanted.shape)
            wrong = np.argwhere(found != wanted)
            check(len(wrong) == 0, f"{self.name} by {'step' if verb == 'int8' else verb}: {len(wrong)} of {wanted.size} outputs differ, "
                  f"the first {[(tuple(i), found[tuple(i)], wanted[tuple(i)]) for i in wrong[:1]]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--flags", default="-march=native", help="compiler flags, written as --flags=...")
    parser.add_argument("--include", default=str(HERE / "../../include"))
    parser.add_argument("--cases", default=",".join(CASES), help="comma-separated names; the int8 layers always run")
    options = parser.parse_args()
    if not shutil.which(options.compiler):
        print(f"skipped: the compiler {options.compiler} is not here")
        return 77
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        cases = [Case(case, CASES[case], folder) for case in options.cases.split(",") if case]
        random = np.random.default_rng(1)
        linears = [LinearCase(*sizes, folder, random) for sizes in LINEARS]
        floats = hostile_floats()
        floats.tofile(folder / "floats")
        lines = [call for case in cases for call in case.calls()]
        lines += [f'run_linear<{case.type}>("{case.folder}");' for case in linears]
        source = folder / "storage.cpp"
        source.write_text('#include "storage.hpp"\n\nint main() {\n  round_floats("' + name + '");\n  ' + "\n  ".join(lines) +
                          '\n  std::printf("%s\\n", krait::target_name());\n}\n')
        program = str(folder / "storage")
        subprocess.run([options.compiler, "-std=c++20", "-O0", *shlex.split(options.flags), "-DKRAIT_QUIET", "-I" + options.include,
                        f"-I{HERE}", str(source), "-o", program], check=True)
        print("target " + subprocess.run([program], check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
        judge_floats(folder, floats)
        for case in cases:
            for storage in TOLERANCES:
                case.judge(storage)
        for case in linears:
            case.judge()
    print(f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
