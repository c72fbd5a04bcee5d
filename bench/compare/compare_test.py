#!/usr/bin/env python3
"""Tests compare.py without the other programs: Krait's worker answers every request, with the logits of the reference.

  compare_test.py KRAIT_WORKER

Also checks that compare.py reports a worker with other weights, and a worker program that does not exist.
"""
import os
import pathlib
import sys
import tempfile

import numpy as np

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent.parent / "tests" / "data" / "reference"))
import compare
import mamba_reference
import protocol


def main():
    model = protocol.MODELS["S"]
    core = min(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        weights = pathlib.Path(folder) / "S.safetensors"
        tensors = protocol.write_weights(model, weights)
        krait = compare.Worker("Krait", [sys.argv[1], "S", str(weights), "f32"], core)
        assert not krait.missing, krait.missing

        wanted = mamba_reference.mamba(protocol.tokens(compare.CHECKED, model),
                                       {name: tensor.astype(np.float64) for name, tensor in tensors.items()})
        for way in ("decode", "every", "streams"):
            error = np.abs(compare.logits(krait, way, model) - wanted).max() / np.abs(wanted).max()
            print(f"{way}: {error:.1e} of the largest logit")
            assert error <= 1e-5, error

        for measure in compare.measures(model, [1, 3]):
            assert krait.ask(measure.line.format(n=1)) > 0, measure
        assert krait.ask("dance 3") is None

        # A worker with other weights must be reported as disagreeing, and a missing program as absent.
        changed = np.fromfile(weights, np.uint8)
        changed[-4 * model.d_model:].view("<f4")[:] *= 1.01  # norm_f
        changed.tofile(weights)
        other = compare.Worker("other", [sys.argv[1], "S", str(weights), "f32"], core)
        found = compare.agreement([krait, other], model)
        assert [one["agrees"] for one in found] == [True] * 3 + [False] * 3, found
        absent = compare.Worker("mamba.c", [sys.executable, str(HERE / "mamba_c_peer.py"), "S", str(weights),
                                            ""], core, "somewhere")
        assert absent.missing == "not here: somewhere", absent.missing
        krait.end()
        other.end()


main()
