#!/usr/bin/env python3
"""Tests the script `check`: its result for good reference vectors, for wrong values and for invalid files.

  check_test.py [--compiler C]           the files of odd/, files with a wrong value, and every kind of invalid file
  check_test.py [--compiler C] --fresh   all cases of odd_vectors.py, with new random weights; needs numpy (77 without it)

Exit code 0: check behaved as expected; 1: it did not.
"""
import argparse
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
REFERENCE = HERE.parent / "data" / "reference"


def check(compiler, files):
    """Runs the script tests/vectors/check, and returns its exit code and a dictionary from file names to the lines that check
    printed for them."""
    done = subprocess.run([HERE / "check", "--compiler", compiler, "--flags", "-march=native -O0", *files],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout, end="")
    lines = {}
    for line in done.stdout.splitlines():
        for path in map(str, files):
            if path + ":" in line:
                lines[pathlib.Path(path).stem] = line.replace(path + ": ", "")
    return done.returncode, lines


def changed(source, path, change):
    """Writes a changed copy of the safetensors file `source` to `path`. change(header, data) modifies its arguments, or returns
    the bytes of the whole copy."""
    content = source.read_bytes()
    (size,) = struct.unpack_from("<Q", content)
    header, data = json.loads(content[8 : 8 + size]), bytearray(content[8 + size :])
    whole = change(header, data)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data if whole is None else whole)
    return path


def damage_output(header, data):
    """Adds 1e-3 to the last expected output of a reference vector."""
    at = header["output"]["data_offsets"][1] - 4
    (value,) = struct.unpack_from("<f", data, at)
    struct.pack_into("<f", data, at, value + 1e-3)


def damage_gradient(header, data):
    """Changes the last element of D's gradient by 1e-3 times the largest element."""
    begin, end = header["grad.D"]["data_offsets"]
    values = struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])
    struct.pack_into("<f", data, end - 4, values[-1] + 1e-3 * max(map(abs, values)))


def spoil_state(header, data):
    struct.pack_into("<f", data, header["final_state"]["data_offsets"][0], float("nan"))


def rename(old, new):
    def change(header, data):
        header[new] = header.pop(old)
    return change


def reshape(name, shape):
    def change(header, data):
        header[name]["shape"] = shape
    return change


def metadata(**entries):
    def change(header, data):
        header["__metadata__"].update(entries)
    return change


def rename_layer(header, data):
    for name in [name for name in header if ".layers.1." in name]:
        header[name.replace(".layers.1.", ".layers.7.")] = header.pop(name)


def foreign_token(header, data):
    struct.pack_into("<i", data, header["tokens"]["data_offsets"][0] + 8, 64)


def not_a_number(header, data):
    struct.pack_into("<f", data, header["D"]["data_offsets"][0] + 4, float("nan"))


# Invalid files. Maps a name to the reference vector to copy, the change to the copy, and the words that check must print.
NONSENSE = {
    "text": ("ssm_plain", lambda header, data: b"once upon a time", "not a safetensors file: its first 8 bytes are a header length"),
    "short": ("ssm_plain", lambda header, data: b"once", "not a safetensors file: found 4 bytes"),
    "no_json": ("ssm_plain", lambda header, data: struct.pack("<Q", 4) + b"{tex", "its header is not JSON"),
    "cut_off": ("ssm_plain", lambda header, data: data.__delitem__(slice(-8, None)), "data offsets are wrong: found ["),
    "unknown_component": ("ssm_plain", metadata(component="Transformer"), "unknown component 'Transformer'"),
    "no_output": ("ssm_plain", rename("output", "answer"), "output is missing: wanted a tensor [12, 16]"),
    "no_weight": ("ssm_plain", rename("dt_proj.weight", "dt_projection.weight"), "dt_proj.weight is missing"),
    "other_weight": ("ssm_plain", rename("x_proj.weight", "x_proj.w"), "x_proj.weight: parameter is missing"),
    "flat_input": ("ssm_plain", reshape("input", [192]), "input: found shape [192], wanted [length, 16]"),
    "turned_weight": ("ssm_plain", reshape("x_proj.weight", [16, 34]), "found [16, 34], wanted [34, 16]"),
    "other_metadata": ("ssm_plain", metadata(d_state="8"), "metadata d_state = 8, by the tensors' shapes and names 16"),
    "bias_in_metadata": ("ssm_plain", metadata(x_bias="True"), "x_bias = True, by the tensors' shapes and names False"),
    "high_rank": ("ssm_plain", reshape("dt_proj.weight", [1, 32]), "found dt_rank 32, wanted at most d_inner, 16"),
    "no_gradient": ("grad_block", rename("grad.D", "grad.E"), "grad.D: found no such tensor, wanted shape [21]"),
    "other_gradient": ("grad_block", reshape("grad.D", [3, 7]), "grad.D: found [3, 7], wanted shape [21]"),
    "other_parameter": ("grad_block", rename("D", "E"), "grad.E: found no such tensor, wanted shape [21]"),
    "flat_cotangent": ("grad_block", reshape("cotangent", [520]), "cotangent: found shape [520], wanted shape [40, 13]"),
    "no_targets": ("grad_mamba_tied", rename("targets", "goals"), "targets: found no such tensor, wanted shape [70]"),
    "no_layer_1": ("mamba_tied", rename_layer, "found layers 0, 7, wanted layers numbered from 0 on"),
    "foreign_token": ("mamba_tied", foreign_token, "tokens[2] is 64, wanted a whole number from 0 to 63"),
    "nan_weight": ("ssm_plain", not_a_number, "D: value is not finite: found element [1] is NaN"),
}


def fail(text):
    sys.exit(f"check_test: {text}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="c++")
    parser.add_argument("--fresh", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if options.fresh:
            try:
                import odd_vectors
            except ImportError as error:
                print(f"skipped: {error}")
                return 77
            for at, (case, setup) in enumerate(odd_vectors.CASES.items()):
                odd_vectors.make(folder / f"{case}.safetensors", 100 + at, *setup)
            code, lines = check(options.compiler, sorted(folder.iterdir()))
            if code != 0 or len(lines) != len(odd_vectors.CASES):
                fail(f"fresh vectors: {len(lines)} lines, exit code {code}")
            return 0

        damaged = changed(REFERENCE / "ssm_plain.safetensors", folder / "damaged.safetensors", damage_output)
        spoilt = changed(REFERENCE / "ssm_plain.safetensors", folder / "spoilt.safetensors", spoil_state)
        gradient = changed(REFERENCE / "grad_ssm_norms.safetensors", folder / "gradient.safetensors", damage_gradient)
        code, lines = check(options.compiler, [damaged, spoilt, gradient])
        if code != 1 or not all(line.startswith("FAIL") for line in lines.values()) or len(lines) != 3:
            fail(f"three files with a wrong value each: exit code {code}, wanted 1 and FAIL for all")

        odd = sorted((HERE / "odd").glob("*.safetensors"))
        files = [*odd, damaged, folder / "absent.safetensors"]
        stack = HERE / "odd" / "stack_max.safetensors"
        order = metadata(order="into,rms_norm(norm),mean,layer_norm(norm_f),relu,head")
        files += [changed(stack, folder / "other_order.safetensors", order),
                  changed(stack, folder / "no_order.safetensors",
                          lambda header, data: header["__metadata__"].pop("order") and None)]
        padding = metadata(order="conv1d(conv,stride=4,padding=2),layer_norm(norm),residual(relu),head")
        files += [changed(HERE / "odd" / "conv_padding.safetensors", folder / "other_padding.safetensors", padding),
                  changed(HERE / "odd" / "conv_padding.safetensors", folder / "no_residual.safetensors",
                          metadata(order="conv1d(conv,stride=4,padding=3),layer_norm(norm),relu,head"))]
        files += [changed(REFERENCE / f"{source}.safetensors", folder / f"{name}.safetensors", change)
                  for name, (source, change, _) in NONSENSE.items()]
        code, lines = check(options.compiler, files)
        if code != 2:
            fail(f"nonsense among good files: exit code {code}, wanted 2")
        wanted = {path.stem: "ok" for path in odd}
        wanted |= {"other_order": "FAIL", "other_padding": "FAIL", "no_residual": "FAIL", "no_order": "order is missing"}
        wanted |= {"damaged": "FAIL", "absent": "cannot be read: No such file or directory"}
        wanted |= {name: said for name, (_, _, said) in NONSENSE.items()}
        for name, said in wanted.items():
            if said not in lines.get(name, ""):
                fail(f"{name}: wanted '{said}', found '{lines.get(name)}'")
        if not odd:
            fail("odd/ holds no files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
