"""Defines the models, weights, tokens and line protocol that compare.py and its workers use.

A worker is a process with one model. It first prints "ready" and a JSON object with its version. Then it answers each line
that it reads with one line: the nanoseconds taken, or "no: " and the reason.

    decode TOKENS                     runs TOKENS further steps of the current sequence
    prefill LENGTH every|last TIMES   prefills a new sequence of LENGTH tokens, TIMES times; logits of every token or the last
    streams N TIMES                   runs TIMES further steps of N sequences together, with the logits of all
    logits decode|every LENGTH FILE   runs a new sequence by steps or by one prefill; writes the float32 logits to FILE
    logits streams LENGTH FILE        runs the sequence together with 3 others; writes its logits
"""
import dataclasses
import json
import math
import os
import sys
import time


@dataclasses.dataclass(frozen=True)
class Model:
    vocab_size: int
    d_model: int
    n_layers: int
    prefill: tuple  # the prefill lengths to measure
    d_state: int = 16
    d_conv: int = 4
    headdim: int = 0  # of Mamba-2; 0: Mamba-1

    @property
    def d_inner(self):
        return 2 * self.d_model

    @property
    def heads(self):
        return self.d_inner // self.headdim

    @property
    def dt_rank(self):
        return math.ceil(self.d_model / 16)


# The models, as in krait_worker.cpp, with mamba-ssm's defaults. S has d_model 128 and 4 layers; M has the shape of mamba-130m.
# S2 and S2_64 are models of Mamba-2 with the sizes of S and d_state 16 or 64.
MODELS = {"S": Model(256, 128, 4, (128, 512)), "M": Model(50280, 768, 24, (128,)),
          "S2": Model(256, 128, 4, (512,), headdim=32), "S2_64": Model(256, 128, 4, (512,), d_state=64, headdim=32)}

# The numbers of sequences that are processed together.
STREAMS = (1, 2, 4, 8, 16, 32, 64)
CHECKED_STREAMS = 4  # the number of sequences whose logits are compared


def token(position, model):
    """Returns the token at a position of the sequence that all programs process. The sequence contains every token before a
    token repeats."""
    return (7919 * position + 11) % model.vocab_size


def tokens(length, model):
    return [token(i, model) for i in range(length)]


def stream_tokens(position, n, model):
    """Returns the tokens at a position of n sequences, one for each. Sequence 0 is the sequence that token() returns; each
    other sequence is the part of sequence 0 from a later position on."""
    return [token(position + 1000 * stream, model) for stream in range(n)]


def write_weights(model, file):
    """Writes seeded random weights to a safetensors file with Hugging Face's names, and returns the weights.

    The ranges are similar to those of an untrained model, but no parameter consists only of 0 or only of 1, because such a
    parameter could hide a mistake. Only numpy is needed.
    """
    import numpy

    random = numpy.random.default_rng(0)

    def uniform(low, high, *shape):
        return random.uniform(low, high, shape).astype(numpy.float32)

    def linear(rows, cols):
        return uniform(-(cols**-0.5), cols**-0.5, rows, cols)

    d, inner = model.d_model, model.d_inner
    tensors = {"backbone.embeddings.weight": uniform(-0.1, 0.1, model.vocab_size, d)}
    for layer in range(model.n_layers):
        convolved = inner + 2 * model.d_state
        mixer = {
            "in_proj.weight": linear(inner + convolved + model.heads, d),
            "conv1d.weight": uniform(-0.5, 0.5, convolved, 1, model.d_conv),
            "conv1d.bias": uniform(-0.5, 0.5, convolved),
            "dt_bias": uniform(-6.9, -2.2, model.heads),
            "A_log": numpy.log(uniform(1, 16, model.heads)),
            "D": uniform(0.5, 1.5, model.heads),
            "norm.weight": uniform(0.5, 1.5, inner),
            "out_proj.weight": linear(d, inner),
        } if model.headdim else {
            "in_proj.weight": linear(2 * inner, d),
            "conv1d.weight": uniform(-0.5, 0.5, inner, 1, model.d_conv),
            "conv1d.bias": uniform(-0.5, 0.5, inner),
            "x_proj.weight": linear(model.dt_rank + 2 * model.d_state, inner),
            "dt_proj.weight": linear(inner, model.dt_rank),
            "dt_proj.bias": uniform(-6.9, -2.2, inner),  # softplus: steps of 0.001 to 0.1
            "A_log": numpy.log(numpy.arange(1, model.d_state + 1) * uniform(0.9, 1.1, inner, 1)).astype(numpy.float32),
            "D": uniform(0.5, 1.5, inner),
            "out_proj.weight": linear(d, inner),
        }
        tensors |= {f"backbone.layers.{layer}.mixer.{name}": tensor for name, tensor in mixer.items()}
        tensors[f"backbone.layers.{layer}.norm.weight"] = uniform(0.5, 1.5, d)
    tensors["backbone.norm_f.weight"] = uniform(0.5, 1.5, d)

    header, end = {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [end, end + tensor.nbytes]}
        end += tensor.nbytes
    text = json.dumps(header).encode()
    text = text.ljust(-(-len(text) // 8) * 8)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    with open(partial, "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            out.write(tensor.astype("<f4", "C").tobytes())
    partial.replace(file)
    return tensors


def serve(make):
    """Runs a worker: answers the protocol's lines by calls of the object that make(model, file, *options) returns. The object's
    members:

    version                    the program's version, as text
    reset()                    starts a new sequence
    step(token)                processes one token and returns its logits, in any form
    prefill(tokens, every)     processes a new sequence and returns the logits of every token, or of the last
    start_streams(n)           starts n sequences (optional)
    step_streams(tokens)       processes one token of each of these sequences and returns their logits
    array(logits)              returns such logits as a numpy array, and waits until they are computed

    make raises ImportError if the program is not installed; a function that the program lacks raises NotImplementedError.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # output of libraries goes to stderr, because stdout is for answers

    def answer(text):
        print(text, file=answers, flush=True)

    name, file, *options = sys.argv[1:]
    model = MODELS[name]
    try:
        peer = make(model, file, *options)
    except ImportError as error:
        return answer(f"no: {error}")
    answer("ready " + json.dumps({"version": peer.version}))

    position = at = streams = 0
    peer.reset()
    for line in sys.stdin:
        verb, *words = line.split()
        try:
            start = time.perf_counter_ns()
            if verb == "decode":
                if streams > 0:  # the peer's state is that of several sequences
                    peer.reset()
                    position, streams, start = 0, 0, time.perf_counter_ns()
                for position in range(position, position + int(words[0])):
                    logits = peer.step(token(position, model))
                position += 1
                peer.array(logits)
            elif verb == "streams":
                n = int(words[0])
                if n != streams:
                    if not hasattr(peer, "start_streams"):
                        raise NotImplementedError("no streams")
                    peer.start_streams(n)
                    streams, at, start = n, 0, time.perf_counter_ns()
                for at in range(at, at + int(words[1])):
                    logits = peer.step_streams(stream_tokens(at, n, model))
                at += 1
                peer.array(logits)
            elif verb == "prefill":
                text = tokens(int(words[0]), model)
                for _ in range(int(words[2])):
                    peer.array(peer.prefill(text, words[1] == "every"))
            else:
                text = tokens(int(words[1]), model)
                write_logits(peer, text, words[0], words[2], model)
                peer.reset()
                position = streams = 0
            answer(time.perf_counter_ns() - start)
        except NotImplementedError as error:
            answer(f"no: {error}")


def write_logits(peer, text, way, file, model):
    import numpy

    if way == "streams":
        if not hasattr(peer, "start_streams"):
            raise NotImplementedError("no streams")
        peer.start_streams(CHECKED_STREAMS)
        steps = (peer.step_streams(stream_tokens(at, CHECKED_STREAMS, model)) for at in range(len(text)))
        rows = numpy.stack([numpy.array(peer.array(step)).reshape(CHECKED_STREAMS, -1)[0] for step in steps])
    elif way == "decode":
        peer.reset()
        rows = numpy.stack([numpy.array(peer.array(peer.step(t))).reshape(-1) for t in text])
    else:
        rows = numpy.array(peer.array(peer.prefill(text, True)))
    rows.astype(numpy.float32).tofile(file)
