#!/usr/bin/env python3
"""Tests krait.load: its outputs, scores and snapshots are equal to the bit to those of a C++ program.

  load_test.py [--compiler COMMAND] [--cache FOLDER] [--quick]

--quick tests int8 weights of one model. Also tests states, streams, threads, the cache, and the exceptions for wrong arguments.
Exit code 0: all checks pass; 1: some fail; 77: numpy is not installed.
"""
import argparse
import copy
import json
import os
import pathlib
import pickle
import pty
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "python"))
try:
    import numpy as np
except ImportError:
    print("skipped: no numpy on this machine")
    sys.exit(77)
import krait  # noqa: E402
from krait import compiler as compilers  # noqa: E402
from krait import runtime, safetensors_file  # noqa: E402

SPEAKER = ROOT / "examples" / "speaker" / "speaker.safetensors"
SERIES = ROOT / "examples" / "speaker" / "test_series.safetensors"
LANGUAGE = ROOT / "tests" / "data" / "reference" / "mamba_tied.safetensors"
OPTIONS = {"speaker": (SPEAKER, {"order": "linear_in,layers,norm_f,mean,classifier"}),
           "language": (LANGUAGE, {"ignore": ["tokens", "*logits"]})}


class Test:
    def __init__(self, compiler, folder):
        self.compiler, self.folder, self.wrong = compiler, folder, []

    def expect(self, fact, sentence):
        if not fact:
            self.wrong.append(sentence)
            print(sentence, flush=True)

    def raises(self, kind, words, call):
        try:
            call()
        except kind as error:
            self.expect(words in str(error), f"wanted {words!r}, found: {error}")
        else:
            self.expect(False, f"no {kind.__name__}: {words}")

    def load(self, name, storage, **options):
        checkpoint, more = OPTIONS[name]
        return krait.load(checkpoint, storage=storage, compiler=self.compiler, **more, **options)


def inputs_of(name):
    if name == "speaker":
        return np.frombuffer(safetensors_file.read(SERIES)[0]["frames"].data, np.float32).reshape(-1, 12)[:60].copy()
    return np.array(safetensors_file.read(LANGUAGE)[0]["tokens"].numbers("tokens"), np.int64)


def check_bits(test, program, name, storages):
    """Checks that step, prefill, many streams and snapshots of krait.load's model give the same bits as the C++ program
    `program`."""
    xs, inputs, output = inputs_of(name), test.folder / f"{name}.inputs", test.folder / f"{name}.outputs"
    inputs.write_bytes(xs.tobytes())
    subprocess.run([program, name, inputs, OPTIONS[name][0], output], check=True)
    for storage in storages:
        model = test.load(name, storage)
        content = output.with_suffix(f".outputs.{storage}").read_bytes()
        size = len(xs) * model.d_out * 4
        wanted, snapshot = np.frombuffer(content[:size], np.float32).reshape(len(xs), model.d_out), content[size:]

        def same(found, wanted, what):
            test.expect(found.dtype == np.float32 and found.shape == wanted.shape and found.tobytes() == wanted.tobytes(),
                        f"{name} {storage}: {what} differs from the C++ program's")

        state = model.state()
        same(np.stack([model.step(state, x) for x in xs]), wanted, "step")
        test.expect(state.save() == snapshot, f"{name} {storage}: the snapshot differs from the C++ program's")
        state = model.state()
        same(np.concatenate([model.prefill(state, part) for part in (xs[:0], xs[:1], xs[1:30], xs[30:])]), wanted, "prefill")
        test.expect(state.save() == snapshot, f"{name} {storage}: the snapshot after prefill differs")
        same(model.forward(xs, last=True), wanted[-1], "the last output")
        same(model.prefill(model.state(), xs[:20], last=True), wanted[19], "the last output of a prefix")
        # 20 streams: stream i starts at call i, so each stream is one token behind the stream before it.
        states, outputs = [model.state() for _ in range(20)], []
        for t in range(40):
            here = [i for i in range(20) if i <= t]
            outputs.append(model.step([states[i] for i in here], np.stack([xs[t - i] for i in here])))
        test.expect(all(outputs[t][i].tobytes() == wanted[t - i].tobytes() for t in range(40) for i in range(min(20, t + 1))),
                    f"{name} {storage}: streams differ from the C++ program's sequences")
        if name == "language":
            ids = np.where(xs < 64, xs, 5)
            logits = model.forward(ids[:-1]).astype(np.float64)
            exact = np.take_along_axis(logits - np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1, keepdims=True))
                                       - logits.max(1, keepdims=True), ids[1:, None], 1)[:, 0]
            scores = model.score(ids)
            test.expect(scores.shape == exact.shape and np.abs(scores - exact).max() < 1e-4, f"{storage}: scores are wrong")
            test.expect(model.score(ids[:1]).shape == model.score([]).shape == (0,), "scores of fewer than 2 tokens")
        print(f"{name} {storage}: {len(xs)} tokens, {model!r}", flush=True)


def check_states(test, model):
    """Checks that a copy or a snapshot of a state continues its sequence, and that a state keeps its model in memory."""
    xs = inputs_of("speaker")
    state = model.state()
    model.prefill(state, xs[:10])
    saved, other, third = state.save(), state.copy(), copy.deepcopy(state)
    after = model.prefill(state, xs[10:])
    test.expect((model.prefill(other, xs[10:]) == after).all() and (model.prefill(third, xs[10:]) == after).all(),
                "a copy of a state continues differently")
    state.restore(saved)
    test.expect(state.save() == saved, "a restored state has other bytes")
    test.expect((model.prefill(state, xs[10:]) == after).all(), "a restored state continues differently")
    test.raises(krait.Problem, "snapshot", lambda: state.restore(saved[:-1]))
    test.raises(krait.Problem, "snapshot", lambda: state.restore(b""))
    before = state.save()
    damaged = bytearray(saved)
    damaged[-1] ^= 1
    test.raises(krait.Problem, "CRC-32", lambda: state.restore(bytes(damaged)))
    test.expect(state.save() == before, "a rejected snapshot changes the state")
    state.reset()
    test.expect(state.save() == model.state().save(), "reset does not start a new sequence")
    test.expect(state.is_finite(), "a fresh state is not finite")
    model.step(state, np.full(12, np.nan, np.float32))
    test.expect(not state.is_finite(), "NaN in a state is not found")
    test.raises(TypeError, "state.save()", lambda: pickle.dumps(state))
    test.raises(TypeError, "krait.load in each process", lambda: pickle.dumps(model))
    # A state keeps its model's weights.
    alone = test.load("speaker", "int8").state()
    rubbish = [np.full(model.flash_bytes, 255, np.uint8) for _ in range(20)]
    test.expect((alone.model.prefill(alone, xs[:10]) == model.forward(xs[:10])).all() and rubbish,
                "a model ends before its state")
    test.expect((model.prefill(test.load("speaker", "int8").state(), xs[:10]) == model.forward(xs[:10])).all(),
                "a model rejects the state of an equal model")


def check_arguments(test, model):
    """Checks that arguments of wrong shapes and dtypes raise exceptions that name what was found and wanted."""
    state, x = model.state(), np.zeros(12, np.float32)
    adapter = test.folder / "adapter_model.safetensors"
    name = "base_model.model.backbone.layers.0.mixer.in_proj.lora_A.weight"
    safetensors_file.write(adapter, {name: safetensors_file.Tensor.of_floats([2, 4], [0.0] * 8)})
    for kind, words, call in [
            (ValueError, "x: found shape [11], wanted [12]", lambda: model.step(state, x[:11])),
            (ValueError, "x: found shape [1, 12], wanted [12]", lambda: model.step(state, x[None])),
            (ValueError, "x: found shape [12], wanted [tokens, 12]", lambda: model.prefill(state, x)),
            (ValueError, "x: found shape [2, 12], wanted [1, 12]", lambda: model.step([state], np.stack([x, x]))),
            (ValueError, "x: found no tokens", lambda: model.prefill(state, x[None][:0], last=True)),
            (TypeError, "x: found dtype complex64, wanted float32", lambda: model.step(state, x.astype(np.complex64))),
            (TypeError, "x: found dtype <U1, wanted float32", lambda: model.step(state, ["a"] * 12)),
            (TypeError, "state: found ndarray, wanted a state", lambda: model.step([x], x[None])),
            (TypeError, "state: found NoneType", lambda: model.prefill(None, x[None])),
            (TypeError, "not the logits of a language model", lambda: model.score([1, 2])),
            (RuntimeError, "twice in a list of states", lambda: model.step([state, state], np.stack([x, x]))),
            (krait.Problem, "storage: found 'int4', wanted one of f32, bf16, f16, int8: did you mean 'int8'?",
             lambda: test.load("speaker", "int4")),
            (krait.Problem, f"{test.folder / 'absent'}: cannot be read: No such file",
             lambda: krait.load(test.folder / "absent", compiler=test.compiler)),
            (ValueError, "x: found shape [0, 3, 12], wanted at least one", lambda: model.outputs(np.zeros((0, 3, 12)))),
            (ValueError, "x: found no tokens, wanted at least one", lambda: model.outputs(np.zeros((2, 0, 12)))),
            (TypeError, "reference: found function, wanted an nn.Module or its", lambda: model.check(lambda x: x, x[None])),
            (TypeError, "norm_eps: found '1e-6', wanted a number", lambda: krait.load(SPEAKER, norm_eps="1e-6")),
            (TypeError, "ngroups: found 2.0, wanted an integer", lambda: krait.load(SPEAKER, ngroups=2.0)),
            (TypeError, "dt_limit: found '0,1', wanted two numbers", lambda: krait.load(SPEAKER, dt_limit="0,1")),
            (TypeError, "order: found ['a'], wanted a text", lambda: krait.load(SPEAKER, order=["a"])),
            (TypeError, "ignore: found 1, wanted a list of texts", lambda: krait.load(SPEAKER, ignore=1)),
            (TypeError, "config: found 1, wanted a path", lambda: krait.load(SPEAKER, config=1)),
            (TypeError, "norm_before_gate: found 'yes', wanted True or", lambda: krait.load(SPEAKER, norm_before_gate="yes")),
            (TypeError, "found the argument 'ordr'", lambda: krait.load(SPEAKER, ordr="a")),
            (TypeError, "found the argument 'type', wanted storage", lambda: krait.load(SPEAKER, type="int8")),
            (TypeError, "found the argument 'checkpoint'", lambda: krait.load(SPEAKER, checkpoint="other.safetensors")),
            (krait.Problem, "LoRA) is not supported: merge it into the weights", lambda: krait.load(adapter)),
            (krait.Problem, "--norm layer_norm: has no effect", lambda: test.load("speaker", "f32", norm="layer_norm")),
            (krait.Problem, "order='linear_in,layers,norm_f,mean,classifier'",
             lambda: krait.load(SPEAKER, compiler=test.compiler))]:
        test.raises(kind, words, call)
    test.expect({"load", "export", "pack", "Model", "__version__"} <= set(dir(krait)), f"dir(krait): found {dir(krait)}")
    test.expect(model.step([], np.zeros((0, 12))).shape == (0, 9), "a step of no streams")
    test.expect(state.save() == model.state().save(), "a rejected call changes the state")
    for other in (np.float64, np.float16, np.int32):
        test.expect((model.step(model.state(), np.ones(12, other)) == model.step(model.state(), np.ones(12, np.float32))).all(),
                    f"{other.__name__} is not converted")
    strided = np.ones((5, 24), np.float32)[:, ::2]
    test.expect((model.forward(strided) == model.forward(np.ascontiguousarray(strided))).all(), "an array with strides")


def check_ids(test, model):
    state = model.state()
    for kind, words, call in [
            (TypeError, "x: found dtype float64, wanted integers: the model takes token ids", lambda: model.step(state, 1.0)),
            (ValueError, f"x: found the token id {model.vocab_size}, wanted 0 to {model.vocab_size - 1}",
             lambda: model.prefill(state, [1, model.vocab_size])),
            (ValueError, f"x: found the token id -1, wanted 0 to {model.vocab_size - 1}", lambda: model.step(state, -1)),
            (ValueError, "x: found the token id -1, wanted 0 or more",  # a stack, whose vocabulary is not known
             lambda: runtime.integers([-1], "x", (None,), None)),
            (ValueError, "x: found shape [1], wanted []", lambda: model.step(state, [1])),
            (ValueError, "x: found shape [], wanted [tokens]", lambda: model.prefill(state, 3)),
            (ValueError, "ids: found the token id 64, wanted 0 to 63", lambda: model.score([1, 64])),
            (ValueError, "ids: found the token id -1, wanted 0 to 63", lambda: model.score([1, -1]))]:
        test.raises(kind, words, call)
    test.raises(ValueError, "state: found a state of another model",
                lambda: model.step(test.load("speaker", "int8").state(), 1))


def check_check(test, model):
    """Checks that model.check accepts the outputs of the same model with f32 weights, and rejects other outputs."""
    xs = inputs_of("speaker")
    y = model.outputs(xs)
    test.expect(y.shape == (9,) and model.outputs(xs.reshape(4, 15, 12)).shape == (4, 9), "shapes of outputs")
    test.expect(model.check(y, xs) == 0, "check rejects the model's own outputs")
    wrong = y.copy()
    wrong[3] += 0.2 * np.abs(y).max()
    test.raises(krait.Problem, "of the largest output, wanted at most 0.05: output [3] is", lambda: model.check(wrong, xs))
    test.raises(krait.Problem, "found outputs [9], wanted the reference's shape [8]", lambda: model.check(y[:8], xs))
    test.raises(krait.Problem, "only zeros", lambda: model.check(0 * y, xs))


def check_threads(test, model):
    """Checks that threads can share a model, and that a state that another thread uses is rejected."""
    xs = np.tile(inputs_of("speaker"), (20, 1))
    wanted, found, rejected = model.forward(xs), {}, []

    def run(i):
        found[i] = model.forward(xs)

    threads = [threading.Thread(target=run, args=[i]) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    test.expect(all((found[i] == wanted).all() for i in range(4)), "threads have other outputs")
    state = model.state()
    with state._locked():
        step = lambda: rejected.append(model.step(state, xs[0]))  # noqa: E731
        thread = threading.Thread(target=lambda: test.raises(RuntimeError, "in use", step))
        thread.start()
        thread.join()
    test.expect(not rejected and state.save() == model.state().save(), "a state that is in use is changed")


def check_cache(test):
    """Checks that krait.load reuses the compiled library in its cache until a header, the source or the library itself
    changes."""
    cache, real = test.folder / "cache", compilers.compile_program
    include, compiled = test.folder / "include", []
    include.mkdir()
    header = include / "number.hpp"
    os.environ["KRAIT_CACHE"], kept = str(cache), os.environ.get("KRAIT_CACHE")

    def compile_program(*arguments):
        compiled.append(arguments)
        return real(*arguments)

    def number(source='#include "number.hpp"\nextern "C" [[gnu::visibility("default")]] int number() { return NUMBER; }\n'):
        return compilers.compiled_library(source, test.compiler, include).number()

    compilers.compile_program = compile_program
    try:
        header.write_text("#define NUMBER 1\n")
        test.expect([number(), number(), len(compiled)] == [1, 1, 1], "a library is not taken from the cache")
        header.write_text("#define NUMBER 2\n")
        test.expect([number(), number(), len(compiled)] == [2, 2, 2], "a changed header does not change the library")
        header.write_text("#define NUMBER 1\n")
        test.expect([number(), len(compiled)] == [1, 3], "a header that is as before gives another library")
        for library in cache.glob("*.so"):
            library.unlink()
        test.expect([number(), len(compiled)] == [1, 4], "a deleted library is not compiled again")
        record = next(cache.glob("*.json"))
        for text in ("", "{}", "[]", json.dumps({"library": "x", "digest": None, "headers": {}})):
            record.write_text(text)
            test.expect(number() == 1, f"the record {text!r} is not rejected")
        library = cache / json.loads(record.read_text())["library"]
        library.write_bytes(library.read_bytes()[:-1])
        count = len(compiled)
        test.expect([number(), len(compiled)] == [1, count + 1], "a damaged library is not compiled again")
        test.raises(krait.Problem, "does not compile", lambda: number("#error no\n"))
        undefined = 'int absent();\nextern "C" [[gnu::visibility("default")]] int number() { return absent(); }\n'
        test.raises(krait.Problem, "cannot be loaded: found --compiler", lambda: number(undefined))
        test.raises(krait.Problem, "the compiler writes no program: found --compiler 'true', wanted a C++ compiler",
                    lambda: compilers.compiled_library("", "true", include))
        test.expect(not list(cache.glob("krait_*")), "the cache keeps work folders")
        (test.folder / "file").write_text("")
        os.environ["KRAIT_CACHE"] = str(test.folder / "file" / "cache")
        test.raises(krait.Problem, "$KRAIT_CACHE names another folder", number)
    finally:
        compilers.compile_program = real
        os.environ.pop("KRAIT_CACHE")
        if kept is not None:
            os.environ["KRAIT_CACHE"] = kept


def check_progress(test):
    """Checks that a progress line is printed only to a terminal, and only if a task takes over two seconds."""
    code = ("import sys, time\nsys.path.insert(0, sys.argv[1])\nfrom krait.compiler import progress\n"
            "with progress('a short task'): pass\nwith progress('a long task'): time.sleep(2.3)\n")
    main, side = pty.openpty()
    shown = subprocess.Popen([sys.executable, "-c", code, ROOT / "python"], stderr=side, stdout=subprocess.PIPE)
    silent = subprocess.run([sys.executable, "-c", code, ROOT / "python"], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    shown.communicate()
    os.close(side)
    text = os.read(main, 10000).decode()
    os.close(main)
    test.expect("krait: a long task: 2 s" in text and "short" not in text, f"progress: {text!r}")
    test.expect(silent.stderr == silent.stdout == b"", f"progress without a terminal: {silent}")


def check_progress_of_a_library(test):
    """Checks that compiling a library shows a progress line on a terminal, and that taking the library from the cache shows
    nothing. The compiler takes over two seconds."""
    slow = test.folder / "slow_compiler"
    slow.write_text(f'#!/bin/sh\n[ "$1" = --version ] || sleep 2.3\nexec {test.compiler} "$@"\n')
    slow.chmod(0o755)
    code = ("import sys\nsys.path.insert(0, sys.argv[1])\nfrom krait.compiler import compiled_library\n"
            "compiled_library('int number;', sys.argv[2], sys.argv[3])\n")
    command = [sys.executable, "-c", code, ROOT / "python", slow, test.folder]

    def shown(cache):
        main, side = pty.openpty()
        done = subprocess.run(command, stderr=side, stdout=side, env={**os.environ, "KRAIT_CACHE": str(test.folder / cache)})
        os.close(side)
        text = b""
        try:
            while part := os.read(main, 10000):
                text += part
        except OSError:
            pass  # everything is read
        os.close(main)
        test.expect(done.returncode == 0, f"compiled_library on a terminal: {text}")
        return text.decode()

    first, second = shown("terminal"), shown("terminal")
    test.expect(f"krait: {compilers.ONCE}: 2 s" in first and first.count("\n") == 1, f"progress of a library: {first!r}")
    test.expect(second == "", f"progress of a library in the cache: {second!r}")
    silent = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            env={**os.environ, "KRAIT_CACHE": str(test.folder / "no_terminal")})
    test.expect(silent.returncode == 0 and silent.stdout == b"", f"progress of a library without a terminal: {silent}")


def check_run(test):
    """Checks the command krait run."""
    xs, source, target = inputs_of("speaker"), test.folder / "x.npy", test.folder / "y.npy"
    np.save(source, xs)
    command = [sys.executable, ROOT / "tools" / "krait", "run", SPEAKER, source, "--order", OPTIONS["speaker"][1]["order"],
               "--type", "int8", "--compiler", test.compiler, "--output"]
    done = subprocess.run([*command, target], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    model = test.load("speaker", "int8")
    test.expect(done.returncode == 0 and target.exists(), f"krait run: {done.stdout}")
    test.expect((np.load(target) == model.outputs(xs)).all(), "krait run has other outputs")
    np.save(source, xs[:, :5])
    done = subprocess.run([*command, test.folder / "z.npy"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    test.expect(done.returncode == 1 and "found shape [60, 5], wanted [tokens, 12]" in done.stdout
                and "Traceback" not in done.stdout and not (test.folder / "z.npy").exists(), f"run: {done.stdout}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--cache", type=pathlib.Path, help="the cache of compiled libraries; default: an empty folder")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="krait_load_test_") as folder:
        folder = pathlib.Path(folder)
        os.environ["KRAIT_CACHE"] = str(options.cache or folder / "libraries")
        test, program = Test(options.compiler, folder), folder / "reference"
        flags = ["-std=c++20", "-O0", *compilers.machine_flags(), f"-I{ROOT / 'include'}"]
        flags += [] if options.quick else ["-DALL_STORAGE_TYPES"]
        subprocess.run([options.compiler, *flags, HERE / "load_reference.cpp", "-o", program], check=True)
        check_bits(test, program, "speaker", ["int8"] if options.quick else ["int8", "f32", "bf16", "f16"])
        if not options.quick:
            check_bits(test, program, "language", ["int8", "f32", "bf16", "f16"])
            check_ids(test, test.load("language", "int8"))
        model = test.load("speaker", "int8")
        check_states(test, model)
        check_arguments(test, model)
        check_check(test, model)
        check_threads(test, model)
        check_cache(test)
        check_progress(test)
        check_progress_of_a_library(test)
        check_run(test)
    print(f"{len(test.wrong)} faults")
    return 1 if test.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
