"""Defines the work and the line protocol that training.py and its workers use.

A worker is a process that trains model S, whose weights it reads from a file. It first prints "ready" and a JSON object with
its version. Then it answers each line that it reads with one line: the nanoseconds taken, or "no: " and the reason.

    gradients FILE   computes the gradient of a window of each stream; writes the loss and the gradients, in the order of names
    step TIMES       makes TIMES training steps: the gradients of a window of each stream, clipping by norm, AdamW
    cpu TIMES        does the same, and answers with the nanoseconds of processor time
    peak TIMES       makes TIMES times 4096 rounds of 12 vectors of multiply-adds (only Krait)
"""
import json
import os
import pathlib
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "compare"))
from protocol import MODELS, token

STREAMS, WINDOW = 8, 256
RATE, BETAS, EPS, WEIGHT_DECAY, MOST_NORM = 1e-5, (0.9, 0.99), 1e-8, 0.1, 1.0
DECAYED = ("embedding.weight", "in_proj.weight", "x_proj.weight", "dt_proj.weight", "out_proj.weight")  # weight decay applies


def windows(at):
    """Returns the tokens [STREAMS, WINDOW + 1] from position `at` of each stream on."""
    import numpy

    position = at + numpy.arange(WINDOW + 1)[None] + 1000 * numpy.arange(STREAMS)[:, None]
    return token(position, MODELS["S"])


def weights(file):
    """Returns the weights of a safetensors file by their names in mamba-ssm."""
    from safetensors.numpy import load_file

    return {name.replace("embeddings", "embedding"): weight for name, weight in load_file(file).items()}


def serve(make):
    """Runs a worker: answers the protocol's lines by calls of the object that make(weights file, *options) returns. The object
    has a member `version` and the functions gradients() -> (loss, {name: array}) and step(), which returns when the step is
    done."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # output of libraries goes to stderr, because stdout is for answers

    def answer(text):
        print(text, file=answers, flush=True)

    try:
        peer = make(*sys.argv[1:])
    except ImportError as error:
        return answer(f"no: {error}")
    answer("ready " + json.dumps({"version": peer.version}))
    for line in sys.stdin:
        verb, argument = line.split()
        clock = time.process_time_ns if verb == "cpu" else time.perf_counter_ns
        start = clock()
        if verb in ("step", "cpu"):
            for _ in range(int(argument)):
                peer.step()
        elif verb == "gradients":
            loss, gradients = peer.gradients()
            with open(argument, "wb") as file:
                for array in [loss, *(gradients[name] for name in sorted(gradients))]:
                    file.write(array.astype("<f4", "C").tobytes())
        else:
            answer(f"no: {verb}")
            continue
        answer(clock() - start)
