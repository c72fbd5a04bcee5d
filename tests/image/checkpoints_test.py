#!/usr/bin/env python3
"""Tests how krait pack reads checkpoints: each is recognised as the right model, or rejected by name. Compiles nothing.

Writes checkpoints as mamba-ssm, Hugging Face and training programs do. Exit code 0: all checks pass; 1: some fail.
"""

import array
import contextlib
import io
import json
import math
import pathlib
import random
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "python")]
from krait import command, layers, packing, safetensors_file  # noqa: E402
from krait.order import FORMS  # noqa: E402
from krait.safetensors_file import Tensor  # noqa: E402

DRAW = random.Random(2)


def floats(*shape):
    return Tensor.of_floats(shape, [DRAW.uniform(-0.5, 0.5) for _ in range(math.prod(shape))])


def mixer(prefix, d_model=4, d_inner=8, d_state=3, dt_rank=1):
    shapes = {
        "A_log": [d_inner, d_state],
        "D": [d_inner],
        "conv1d.weight": [d_inner, 1, 4],
        "conv1d.bias": [d_inner],
        "dt_proj.weight": [d_inner, dt_rank],
        "dt_proj.bias": [d_inner],
        "in_proj.weight": [2 * d_inner, d_model],
        "out_proj.weight": [d_model, d_inner],
        "x_proj.weight": [dt_rank + 2 * d_state, d_inner],
    }
    return {prefix + name: floats(*shape) for name, shape in shapes.items()}


def mamba2(prefix, d_model=4, d_inner=8, heads=4, of_groups=12, norm=True, bias=False, D=None, mlp=0):
    """Returns the tensors of a Mamba-2 block. of_groups is ngroups d_state; mlp is the number of rows of an MLP in in_proj."""
    channels = d_inner + 2 * of_groups
    shapes = {
        "A_log": [heads],
        "D": [heads if D is None else D],
        "conv1d.bias": [channels],
        "conv1d.weight": [channels, 1, 4],
        "dt_bias": [heads],
        "in_proj.weight": [d_inner + mlp + channels + heads, d_model],
        "out_proj.weight": [d_model, d_inner],
    }
    shapes |= {"norm.weight": [d_inner]} if norm else {}
    shapes |= {"in_proj.bias": [d_inner + channels + heads], "out_proj.bias": [d_model]} if bias else {}
    return {prefix + name: floats(*shape) for name, shape in shapes.items()}


def mamba3(prefix, d_model=4, d_inner=8, heads=4, ngroups=1, d_state=8, rank=1, angles=2, norm=False):
    rows = 2 * d_inner + 2 * ngroups * d_state * rank + 3 * heads + angles
    shapes = {
        "B_bias": [heads, rank, d_state],
        "B_norm.weight": [d_state],
        "C_bias": [heads, rank, d_state],
        "C_norm.weight": [d_state],
        "D": [heads],
        "dt_bias": [heads],
        "in_proj.weight": [rows, d_model],
        "out_proj.weight": [d_model, d_inner],
    }
    shapes |= {name: [heads, rank, d_inner // heads] for name in ("mimo_o", "mimo_x", "mimo_z")} if rank > 1 else {}
    shapes |= {"norm.weight": [d_inner]} if norm else {}
    return {prefix + name: floats(*shape) for name, shape in shapes.items()}


def blocks(prefix="layers.", count=2, norm="norm", name="mixer", bias=False, make=mixer):
    made = {}
    for number in range(count):
        made |= {f"{prefix}{number}.{norm}.weight": floats(4), **make(f"{prefix}{number}.{name}.")}
        if bias:
            made[f"{prefix}{number}.{norm}.bias"] = floats(4)
    return made


def language_model(prefix="backbone.", embedding="embeddings", head=None, make=mixer):
    made = {f"{prefix}{embedding}.weight": floats(7, 4), f"{prefix}norm_f.weight": floats(4)}
    made |= blocks(prefix + "layers.", make=make)
    return made | ({head + "lm_head.weight": floats(7, 4)} if head is not None else {})


def linear(name, d_in, d_out, bias=True):
    return {f"{name}.weight": floats(d_out, d_in)} | ({f"{name}.bias": floats(d_out)} if bias else {})


def norm(name, bias=True, width=4):
    return {f"{name}.weight": floats(width)} | ({f"{name}.bias": floats(width)} if bias else {})


def batch_norm(name, width=4, buffers=True):
    made = norm(name, width=width)
    if buffers:
        made |= {
            f"{name}.running_mean": floats(width),
            f"{name}.num_batches_tracked": Tensor("I64", [], b"\0" * 8),
            f"{name}.running_var": Tensor.of_floats([width], [DRAW.uniform(0.5, 2) for _ in range(width)]),
        }
    return made


def prefixed(prefix, tensors):
    return {prefix + name: tensor for name, tensor in tensors.items()}


CLASSIFIER = {**linear("proj", 6, 4), **blocks(), **norm("norm_f", bias=False), **linear("head", 4, 3)}
CONFIG = {
    "model_type": "mamba",
    "architectures": ["MambaForCausalLM"],
    "hidden_act": "silu",
    "hidden_size": 4,
    "intermediate_size": 8,
    "state_size": 3,
    "conv_kernel": 4,
    "num_hidden_layers": 2,
    "vocab_size": 7,
    "time_step_rank": 1,
    "use_bias": False,
    "use_conv_bias": True,
    "tie_word_embeddings": True,
    "layer_norm_epsilon": 1e-5,
    "residual_in_fp32": True,
}


class Test:
    def __init__(self, folder):
        self.folder, self.wrong, self.count = folder, [], 0

    def expect(self, fact, sentence):
        if not fact:
            self.wrong.append(sentence)

    def write(self, tensors, config=None, name="model.safetensors"):
        """Writes a checkpoint and its config.json to a new folder, and returns the folder."""
        self.count += 1
        folder = self.folder / str(self.count)
        folder.mkdir()
        safetensors_file.write(folder / name, tensors)
        if config is not None:
            (folder / "config.json").write_text(json.dumps(config))
        return folder

    def open(self, path, *options, name="pack"):
        """Runs the command krait NAME on a checkpoint up to the point where its model is determined. Returns (model, ""), or
        (None, error message) if the command fails."""
        sys.argv = ["krait", *filter(None, [name, path and str(path)]), *options]
        message, model = io.StringIO(), None

        def keep(options, say):
            nonlocal model
            model = packing.open_model(options)

        packing.run = keep
        with contextlib.redirect_stderr(message):
            try:
                code = command.main()
            except SystemExit as end:  # an option was rejected
                code = end.code
        self.expect((code == 0) == (model is not None), f"exit code {code}: {message.getvalue()}")
        return model, message.getvalue()

    def takes(self, what, tensors, *options, config=None, layers=None, notes=(), name="model.safetensors"):
        """Checks that a checkpoint with these tensors is recognised as a model of the layers `layers`, and that the notes that
        krait pack prints contain the words `notes`. `what` names the case in messages. Returns the model."""
        path = tensors if isinstance(tensors, pathlib.Path) else self.write(tensors, config, name)
        model, message = self.open(path, *options)
        if model is None:
            self.wrong.append(f"{what}: {message}")
            return None
        found = " ".join(layer.component + (f"x{layer.count}" if layer.count else "") for layer in model.layers)
        self.expect(layers is None or found == layers, f"{what}: found {found}, wanted {layers}")
        for note in notes:
            self.expect(any(note in line for line in model.notes), f"{what}: no note {note!r} in {model.notes}")
        return model

    def refuses(self, what, words, tensors, *options, config=None, name="pack"):
        """Checks that a checkpoint with these tensors is rejected with a message that contains the words `words`. `what` names
        the case in messages. Returns the message."""
        path = tensors if tensors is None or isinstance(tensors, pathlib.Path) else self.write(tensors, config)
        model, message = self.open(path, *options, name=name)
        print(f"{what}: {message.strip()[:400]}")
        self.expect(model is None, f"{what}: not rejected")
        for word in [words] if isinstance(words, str) else words:
            self.expect(word in message, f"{what}: wanted {word!r}, found: {message}")
        return message


def check_names(test):
    """Checks that the names of language models' tensors are recognised, with the prefixes that wrappers add."""
    for what, tensors in {
        "Hugging Face": language_model(),
        "mamba-ssm": language_model(embedding="embedding", head=""),
        "DistributedDataParallel": prefixed("module.", language_model(head="")),
        "torch.compile": prefixed("_orig_mod.", language_model(head="")),
        "Lightning": prefixed("model.", language_model(head="")),
        "two wrappers": prefixed("module._orig_mod.", language_model(head="")),
        "a wrapper within names": {
            name.replace("layers.", "layers._orig_mod."): t for name, t in language_model(head="").items()
        },
        "each block compiled": {
            name.replace(".mixer.", "._orig_mod.mixer.").replace(".norm.", "._orig_mod.norm."): t
            for name, t in language_model(head="").items()
        },
        "mamba.py": {
            "embedding.weight": floats(7, 4),
            **blocks("mamba.layers."),
            **norm("norm_f", False),
            "lm_head.weight": floats(7, 4),
        },
        "mamba-minimal": language_model("", "embedding", ""),
    }.items():
        model = test.takes(what, tensors, layers="Mamba")
        if model:
            test.expect(
                {"backbone.embedding.weight", "backbone.layers.1.mixer.A_log", "backbone.norm_f.weight"}
                <= model.tensors.keys(),
                f"{what}: {sorted(model.tensors)}",
            )
            test.expect(model.layers[0].dims["tied"] is ("lm_head.weight" not in model.tensors), f"{what}: tied")
    other = {**prefixed("student.", language_model(head="")), **prefixed("teacher.", language_model(head=""))}
    test.takes("--prefix", other, "--prefix", "student", layers="Mamba", notes=["23 tensors without the prefix student."])
    test.refuses("two models", ["--prefix student", "--prefix teacher"], other)
    test.refuses("two models and a number", ["step", "--prefix student"], {**other, "step": floats()})
    beside = {**prefixed("model.", language_model()), "criterion.weight": floats(7)}
    test.refuses("a model and the weights of a loss", ["criterion 7 to 7", "--prefix model"], beside)
    buffers = {**language_model(), "backbone.rotary.inv_freq": floats(4), "backbone.rotary.cache": floats(4)}
    test.refuses("a buffer", "rotary.inv_freq: found a tensor [4] beside those of a language model", buffers)
    for words in ["rotary.*"], ["backbone.rotary.*"], ["rotary.cache", "*.inv_freq"]:
        ignored = [word for name in words for word in ("--ignore", name)]
        test.takes(f"--ignore {words}", {**buffers}, *ignored, layers="Mamba")
    test.refuses("--ignore of no tensor", "--ignore cache: found no such tensor, wanted one of backbone", buffers, "--ignore",
                 "cache")  # fmt: skip
    test.refuses("a prefix that is not there", "--prefix pupil.: found no tensor", other, "--prefix", "pupil")
    headless = language_model("")
    test.refuses("headless", ["--head tied", "--head none"], headless)
    test.takes("headless and tied", headless, "--head", "tied", layers="Mamba")
    test.takes("hidden states", headless, "--head", "none", layers="Embedding ResidualBlockx2 RmsNorm")
    test.takes(
        "headless by config.json",
        headless,
        config={**CONFIG, "architectures": ["MambaModel"]},
        layers="Embedding ResidualBlockx2 RmsNorm",
        notes=["hidden states"],
    )
    test.takes("blocks alone", blocks(), layers="ResidualBlockx2")
    test.takes("a block with a prefix", mixer("mamba."), layers="MambaBlock", notes=["no norm and no residual"])
    test.refuses(
        "layers 0 and 2",
        "found layers 0, 2",
        {name.replace("layers.1.", "layers.2."): t for name, t in language_model().items()},
    )
    short = {name: t for name, t in language_model().items() if name != "backbone.layers.1.mixer.D"}
    test.refuses("a missing tensor", "backbone.layers.1.mixer.D is missing", short)
    test.refuses("a head with a bias", "lm_head.bias is not supported", {**language_model(head=""), "lm_head.bias": floats(7)})
    doubles = {
        name: Tensor("F64", t.shape, array.array("d", t.numbers(name)).tobytes()) for name, t in language_model().items()
    }
    model = test.takes("F64", doubles, layers="Mamba", notes=["22 F64 tensors are rounded to F32"])
    test.expect(model and all(t.dtype == "F32" for t in model.tensors.values()), "F64: not rounded")


def check_config(test):
    model = test.takes("eps of config.json", language_model(), config={**CONFIG, "layer_norm_epsilon": 0.01}, layers="Mamba")
    test.expect(model and model.layers[0].dims["norm_eps"] == 0.01, "eps of config.json")
    model = test.takes(
        "no config.json", language_model(), layers="Mamba", notes=["eps is 1e-5", "with SiLU", "not FalconMamba"]
    )
    test.takes("keys without an effect", language_model(), config={**CONFIG, "new_key": 3}, notes=["does not use: new_key"])
    model = test.takes("FalconMamba", language_model(), config={**CONFIG, "model_type": "falcon_mamba", "mixer_rms_eps": 1e-4})
    test.expect(model and model.layers[0].dims["dt_b_c_eps"] == 1e-4, "FalconMamba: eps")
    for kind in ("bamba", "jamba", "zamba", "falcon_h1", "gpt2"):
        test.refuses(
            kind, f"model_type is not supported: found '{kind}'", language_model(), config={**CONFIG, "model_type": kind}
        )
    for key, value, words in [
        ("hidden_act", "gelu", "hidden_act is not supported: found 'gelu', wanted 'silu' or 'swish'"),
        ("layer_norm_epsilon", "x", "layer_norm_epsilon is not supported"),
        ("use_bias", True, "use_bias differs"),
        ("use_conv_bias", False, "use_conv_bias differs"),
        ("hidden_size", 5, "hidden_size differs"),
        ("num_hidden_layers", 3, "num_hidden_layers differs"),
        ("state_size", 16, "state_size differs"),
        ("tie_word_embeddings", False, "lm_head.weight is missing"),
        ("quantization_config", {"bits": 4}, "quantization_config is not supported"),
    ]:
        test.refuses(key, words, language_model(), config={**CONFIG, key: value})
    test.refuses("a head that differs", "differs from the embedding", language_model(head=""), config=CONFIG)
    test.takes(
        "a config.json of another program",
        language_model(),
        config={"learning_rate": 1},
        notes=["config.json is not used", "eps is 1e-5"],
    )
    ssm = {
        "d_model": 4,
        "n_layer": 2,
        "vocab_size": 5,
        "ssm_cfg": {},
        "rms_norm": True,
        "pad_vocab_size_multiple": 7,
        "tie_embeddings": True,
        "residual_in_fp32": True,
        "fused_add_norm": True,
        "attn_layer_idx": [],
        "attn_cfg": {},
        "d_intermediate": 0,
    }
    test.takes("config.json of mamba-ssm", language_model(embedding="embedding"), config=ssm, layers="Mamba")
    for key, value in {
        "pad_vocab_size_multiple": "x",
        "ssm_cfg": [1],
        "vocab_size": None,
        "attn_cfg": [],
        "rms_norm": 1,
    }.items():
        test.open(test.write(language_model(embedding="embedding"), {**ssm, key: value}))  # raises no exception
    with_bias = {**blocks("backbone.layers.", bias=True), "backbone.norm_f.bias": floats(4)}
    layer_norms = {**language_model(embedding="embedding"), **with_bias}
    test.refuses("biases of a language model's norms", ["--norm layer_norm", "--norm rms_norm"], layer_norms)
    for options, config, kind in [
        ([], {**ssm, "rms_norm": False}, "LayerNorm"),
        ([], ssm, "RmsNorm"),
        (["--norm", "layer_norm"], None, "LayerNorm"),
        (["--norm", "rms_norm"], None, "RmsNorm"),
    ]:
        model = test.takes(f"norms with a bias, {options}", layer_norms, *options, config=config, layers="Mamba")
        text = f".norm_bias = true, .norm = krait::NormKind::{'layer' if kind == 'LayerNorm' else 'rms'}"
        test.expect(model and text in model.declarations("constexpr", "storage")[0], f"norms with a bias, {options}: dims")
    test.refuses(
        "--norm against config.json",
        "config.json has rms_norm true, wanted --norm rms_norm",
        layer_norms,
        "--norm",
        "layer_norm",
        config=ssm,
    )
    test.refuses(
        "rms_norm false without biases",
        "config.json has rms_norm false, but the norms have no bias",
        language_model(embedding="embedding"),
        config={**ssm, "rms_norm": False},
    )
    for key, value in {"rms_norm": "no", "attn_layer_idx": [1], "d_intermediate": 8, "ssm_cfg": {"layer": "Mamba4"}}.items():
        test.refuses(f"mamba-ssm's {key}", f"config.json: {key}", language_model(), config={**ssm, key: value})


MAMBA2_CONFIG = {
    **{key: value for key, value in CONFIG.items() if key not in ("intermediate_size", "state_size")},
    "model_type": "mamba2",
    "architectures": ["Mamba2ForCausalLM"],
    "state_size": 6,
    "num_heads": 4,
    "head_dim": 2,
    "n_groups": 2,
    "expand": 2,
    "chunk_size": 256,
    "time_step_limit": [0.0, {"__float__": "Infinity"}],
    "layer_norm_epsilon": 1e-3,
}
SSM_CONFIG = {
    "d_model": 4,
    "n_layer": 2,
    "vocab_size": 7,
    "rms_norm": True,
    "tie_embeddings": True,
    "d_intermediate": 0,
    "attn_layer_idx": [],
}


def check_mamba2(test):
    def dims(what, tensors, *options, config=None, notes=(), layers="Mamba", **wanted):
        """Checks that a checkpoint is recognised, that its blocks have the dims `wanted`, and that the C++ declarations contain
        these dims."""
        model = test.takes(what, tensors, *options, config=config, layers=layers, notes=notes)
        if model:
            found = next(layer.dims for layer in model.layers if "headdim" in layer.dims)
            different = {name: found[name] for name in wanted if found[name] != wanted[name]}
            test.expect(not different, f"{what}: found {different}, wanted {wanted}")
            declared = "".join(model.declarations("constexpr", "storage"))
            test.expect("krait::Mamba2" in declared and "mamba_ssm" not in declared, f"{what}: {declared}")
        return model

    model = language_model(make=mamba2)
    # Without a config.json, the settings that do not follow from shapes are assumed, and krait pack prints them.
    given = dims(
        "Mamba-2",
        model,
        notes=["ngroups 1 (--ngroups; the shapes also allow 2, 4), no limits of delta (--dt-limit), the norm after the gate"],
        ngroups=1,
        d_state=12,
        headdim=2,
        d_inner=8,
        d_conv=4,
        rmsnorm=True,
        D_has_hdim=False,
        dt_limit=(0.0, math.inf),
    )
    text = ".dt_limit = {0.0, std::numeric_limits<float>::infinity()}"
    test.expect(given and text in given.declarations("constexpr", "storage")[0], "Mamba-2: dt_limit")
    test.expect(given and not any("FalconMamba" in note for note in given.notes), "Mamba-2: FalconMamba")
    named = language_model(embedding="embedding", head="", make=mamba2)
    dims("mamba-ssm's names", named, ngroups=1, tied=False)
    dims("a prefix", prefixed("module.", named), ngroups=1)
    options = "--ngroups 2 --dt-limit 0.01,0.5 --norm-before-gate --mixer-norm-eps 1e-3".split()
    set_by_options = {"ngroups": 2, "d_state": 6, "dt_limit": (0.01, 0.5), "norm_before_gate": True, "mixer_norm_eps": 1e-3}
    given = dims("Mamba-2, all options", model, *options, notes=["dt_limit limits delta for every token"], **set_by_options)
    test.expect(given and not any("assumed: blocks of" in note for note in given.notes), "Mamba-2, all options: notes")
    dims("dt_limit without an upper limit", model, "--dt-limit", "0.01,inf", dt_limit=(0.01, math.inf))
    test.refuses("ngroups 5", "conv1d.weight: found ngroups d_state 12 and ngroups 5", model, "--ngroups", "5")
    test.refuses("ngroups 3", "A_log: found the number of heads 4 and ngroups 3", model, "--ngroups", "3")
    test.refuses("ngroups 0", "options: ngroups: found 0, wanted at least 1", model, "--ngroups", "0")
    words = "options: dt_limit: found (0.5, 0.1), wanted two numbers"
    test.refuses("dt_limit upside down", words, model, "--dt-limit", "0.5,0.1")
    test.refuses("eps 2", "mixer_norm_eps: found 2.0, wanted a number between 0 and 1", model, "--mixer-norm-eps", "2")

    def other(**how):
        return language_model(make=lambda prefix: mamba2(prefix, **how))

    dims("Mamba-2 without a norm", other(norm=False), rmsnorm=False, notes=["no limits of delta (--dt-limit)"])
    dims("D for each channel", other(D=8), D_has_hdim=True)
    dims("biases", other(bias=True), in_bias=True, out_bias=True)
    dims("one head", other(heads=1), headdim=8, ngroups=1)
    # Settings from a config.json of Hugging Face.
    of_file = dict(ngroups=2, d_state=6, mixer_norm_eps=1e-3, norm_eps=1e-3, norm_before_gate=False, dt_limit=(0.0, math.inf))
    given = dims("config.json of transformers", model, config=MAMBA2_CONFIG, **of_file)
    test.expect(given and given.notes == ["reads model.safetensors"] or not given, f"Mamba-2: notes {given and given.notes}")
    limits = {**MAMBA2_CONFIG, "time_step_limit": [0.0, 0.1]}
    dims("time_step_limit", model, config=limits, dt_limit=(0.0, 0.1), notes=["dt_limit limits delta for every token"])
    unused = {**MAMBA2_CONFIG, "norm_before_gate": True, "rms_norm": False}
    words = [f"{key}, but transformers does not use it" for key in ("norm_before_gate is true", "rms_norm is false")]
    dims("keys that transformers does not use", model, config=unused, notes=words, norm="RmsNorm", **of_file)
    headless = {name.removeprefix("backbone."): tensor for name, tensor in model.items()}
    config = {**MAMBA2_CONFIG, "architectures": ["Mamba2Model"]}
    dims("Mamba2Model", headless, config=config, layers="Embedding ResidualBlockx2 RmsNorm", ngroups=2)
    for key, value, words in [
        ("num_heads", 2, "num_heads differs from the tensors: found 2, but the tensors have heads 4"),
        ("head_dim", 4, "head_dim differs"),
        ("n_groups", 4, "state_size differs from the tensors: found 6, but the tensors have d_state 3"),
        ("n_groups", "2", "n_groups is not supported: found '2', wanted an integer"),
        ("n_groups", 0, "ngroups: found 0"),
        ("state_size", 5, "state_size differs"),
        ("expand", 3, "expand differs from the tensors: found 3, but the tensors have d_model 4 and d_inner 8"),
        ("time_step_limit", [0.1], "dt_limit: found (0.1,), wanted two numbers"),
        ("time_step_limit", [0.5, 0.1], "dt_limit: found (0.5, 0.1)"),
        ("time_step_limit", 3, "time_step_limit is not supported: found 3, wanted two numbers"),
        ("time_step_limit", [0.0, "x"], "time_step_limit is not supported: found 'x'"),
        ("layer_norm_epsilon", "x", "layer_norm_epsilon is not supported"),
        ("use_bias", True, "use_bias differs"),
        ("use_conv_bias", False, "use_conv_bias differs"),
        ("hidden_act", "gelu", "hidden_act is not supported"),
        ("model_type", "mamba", "found 'mamba', whose blocks are MambaBlocks, but the tensors are those of Mamba2Blocks"),
    ]:
        test.refuses(f"Mamba-2's {key}", words, model, config={**MAMBA2_CONFIG, key: value})
    words = "found 'mamba2', whose blocks are Mamba2Blocks, but the tensors are those of MambaBlocks"
    test.refuses("mamba2 with blocks of Mamba-1", words, language_model(), config={**CONFIG, "model_type": "mamba2"})
    words = "ngroups: found 4 among the options, wanted 2, which the checkpoint's files give"
    test.refuses("--ngroups against config.json", words, model, "--ngroups", "4", config=MAMBA2_CONFIG)
    # Settings from a config.json of mamba-ssm.
    ssm = {"layer": "Mamba2", "ngroups": 2, "d_state": 6, "headdim": 2, "expand": 2, "d_ssm": None, "chunk_size": 64}
    config = {**SSM_CONFIG, "tie_embeddings": False, "ssm_cfg": ssm}
    given = dims("mamba-ssm's Mamba2", named, config=config, ngroups=2, d_state=6)
    test.expect(given and not any("assumed: blocks of" in note for note in given.notes), "mamba-ssm's Mamba2: notes")
    more = {**ssm, "dt_limit": [0.0, 0.2], "norm_before_gate": True, "d_ssm": 8, "rmsnorm": True, "D_has_hdim": False}
    config = {**SSM_CONFIG, "ssm_cfg": more}
    dims("settings of ssm_cfg", model, config=config, norm_before_gate=True, dt_limit=(0.0, 0.2), mixer_norm_eps=1e-5)
    dims("a new key", model, config={**SSM_CONFIG, "ssm_cfg": {**ssm, "new": 1}}, notes=["does not use: ssm_cfg.new"])
    for key, value, words in [
        ("d_ssm", 4, "ssm_cfg.d_ssm is not supported: found 4, wanted d_inner, 8: Krait's blocks contain no MLP"),
        ("layer", "Mamba3", "found 'Mamba3', whose blocks are Mamba3Blocks"),
        ("layer", "Mamba1", "found 'Mamba1', whose blocks are MambaBlocks"),
        ("headdim", 4, "ssm_cfg: headdim differs"),
        ("D_has_hdim", True, "ssm_cfg.D_has_hdim differs from the tensors: found true, but the blocks have no D_has_hdim"),
        ("rmsnorm", False, "ssm_cfg.rmsnorm differs"),
        ("bias", True, "ssm_cfg.bias differs"),
        ("conv_bias", False, "ssm_cfg.conv_bias differs"),
        ("expand", 1, "ssm_cfg: expand differs"),
        ("dt_limit", "x", "ssm_cfg.dt_limit is not supported"),
        ("norm_before_gate", 1, "ssm_cfg.norm_before_gate is not supported: found 1"),
    ]:
        test.refuses(f"ssm_cfg's {key}", words, model, config={**SSM_CONFIG, "ssm_cfg": {**ssm, key: value}})
    attention = {**SSM_CONFIG, "ssm_cfg": ssm, "attn_layer_idx": [1]}
    test.refuses("attention", "attn_layer_idx is not supported: found [1]", model, config=attention)
    # Damaged checkpoints.
    words = "in_proj.weight: found 50 rows, wanted 44, those of z, x, B, C and dt: rows of an MLP"
    test.refuses("an MLP in in_proj", words, other(mlp=6))
    path = "backbone.layers.0.mixer."
    for name in ("in_proj.weight", "dt_bias", "D", "conv1d.weight", "out_proj.weight"):
        short = {key: tensor for key, tensor in model.items() if key != path + name}
        test.refuses(f"Mamba-2 without {name}", f"{name} is missing", short)
    words = "dt_proj.weight: found a tensor [8, 1] within a Mamba2Block"
    test.refuses("a tensor of Mamba-1", words, {**model, path + "dt_proj.weight": floats(8, 1)})
    test.refuses("an odd number of channels", "found 33 channels", {**model, path + "conv1d.weight": floats(33, 1, 4)})
    test.refuses("too few channels", "found 8 channels", {**model, path + "conv1d.weight": floats(8, 1, 4)})
    test.refuses("3 heads", "A_log: found d_inner 8 and the number of heads 3", {**model, path + "A_log": floats(3)})
    # Stacks.
    classifier = {**linear("proj", 6, 4), **blocks(make=mamba2), **norm("norm_f", False), **linear("head", 4, 3)}
    taken = "Linear ResidualBlockx2 RmsNorm MeanPool Linear"
    order = "proj,layers,norm_f,mean,head"
    notes = ["the norm after the gate"]
    dims("a classifier", classifier, "--order", order, "--ngroups", "2", layers=taken, ngroups=2, notes=notes)
    test.refuses("a classifier without --order", f"--order {order}", classifier)
    own = {**linear("proj", 6, 4), **blocks(name="mamba", make=mamba2), **linear("head", 4, 3)}
    order = "proj,residual(layers.*.norm,layers.*.mamba),last,head"
    dims("other names", own, "--order", order, layers="Linear ResidualBlockx2 LastPool Linear")
    test.refuses("other names without --order", "residual(layers.*.norm,layers.*.mamba)", own)
    dims("a block alone", mamba2(""), layers="Mamba2Block", notes=["a Mamba2Block alone: no norm and no residual"])
    dims("a residual block alone", {"norm.weight": floats(4), **mamba2("mixer.")}, layers="ResidualBlock")


def check_mamba3(test):
    def dims(what, tensors, *options, config=None, notes=(), layers="Mamba", **wanted):
        options = ["--A-formula", "heavy_tail", *options]
        model = test.takes(what, tensors, *options, config=config, layers=layers, notes=notes)
        if model:
            found = next(layer.dims for layer in model.layers if "mimo_rank" in layer.dims)
            different = {name: found[name] for name in wanted if found[name] != wanted[name]}
            test.expect(not different, f"{what}: found {different}, wanted {wanted}")
            test.expect("krait::Mamba3" in "".join(model.declarations("constexpr", "storage")), f"{what}: declarations")
        return model

    def other(**how):
        return language_model(embedding="embedding", make=lambda prefix: mamba3(prefix, **how))

    model = other()
    test.refuses("Mamba-3 asks for A", ["Mamba-3's A has had two formulas", "--A-formula heavy_tail"], model)
    test.refuses("the old A", "--A-formula softplus is not supported", model, "--A-formula", "softplus")
    note = "Mamba-3 have mamba-ssm's defaults: A_floor 1e-4 (--A-floor), the eps of the norms within blocks 1e-5 (--mixer"
    dims("Mamba-3", model, notes=[note], ngroups=1, mimo_rank=1, rope_fraction=0.5, headdim=2, d_state=8, A_floor=1e-4)
    dims("Mamba-3, options", model, *"--A-floor 1e-3 --mixer-norm-eps 1e-6".split(), A_floor=1e-3, mixer_norm_eps=1e-6)
    # Shapes determine ngroups and the number of angles.
    for ngroups, rank, angles, norm in [(2, 1, 4, True), (4, 4, 2, False), (1, 2, 1, True), (2, 3, 3, False)]:
        dims(
            f"Mamba-3, ngroups {ngroups}, mimo_rank {rank}, angles {angles}",
            other(ngroups=ngroups, rank=rank, angles=angles, norm=norm),
            ngroups=ngroups,
            mimo_rank=rank,
            rope_fraction=angles / 4,
            is_outproj_norm=norm,
        )
    ssm = {"layer": "Mamba3", "d_state": 8, "headdim": 2, "expand": 2, "ngroups": 1, "rope_fraction": 0.5, "A_floor": 1e-3}
    config = {**SSM_CONFIG, "ssm_cfg": {**ssm, "is_mimo": False, "mimo_rank": 4, "is_outproj_norm": False, "chunk_size": 64}}
    given = dims("mamba-ssm's Mamba3", model, config=config, A_floor=1e-3)
    test.expect(given and not any("assumed: blocks" in note for note in given.notes), "mamba-ssm's Mamba3: notes")
    mimo = {**config["ssm_cfg"], "is_mimo": True}
    dims("mamba-ssm's Mamba3, MIMO", other(rank=4), config={**SSM_CONFIG, "ssm_cfg": mimo}, mimo_rank=4)
    dims("an odd rope_fraction", model, config={**SSM_CONFIG, "ssm_cfg": {**ssm, "rope_fraction": 0.6}}, rope_fraction=0.6)
    formula = ["--A-formula", "heavy_tail"]
    for key, value, words in [
        ("rope_fraction", 1.0, "of which 2 are those of angles, wanted 4: rope_fraction is 1.0"),
        ("rope_fraction", 2.0, "rope_fraction: found 2.0"),
        ("ngroups", 2, "ngroups differs from the tensors: found 2, but the tensors have ngroups 1"),
        ("is_mimo", True, "ssm_cfg.is_mimo differs from the tensors: found true, but the blocks have no is_mimo"),
        ("is_outproj_norm", True, "ssm_cfg.is_outproj_norm differs"),
        ("A_floor", "x", "ssm_cfg.A_floor is not supported: found 'x', wanted a number"),
        ("headdim", 4, "headdim differs"),
        ("layer", "Mamba2", "whose blocks are Mamba2Blocks, but the tensors are those of Mamba3Blocks"),
    ]:
        test.refuses(f"Mamba-3's {key}", words, model, *formula, config={**SSM_CONFIG, "ssm_cfg": {**ssm, key: value}})
    mimo = {**SSM_CONFIG, "ssm_cfg": {**ssm, "is_mimo": True, "mimo_rank": 2}}
    test.refuses("another mimo_rank", "mimo_rank differs from the tensors: found 2", other(rank=4), *formula, config=mimo)
    path = "backbone.layers.0.mixer."
    for name in ("in_proj.weight", "dt_bias", "D", "C_bias", "B_norm.weight", "out_proj.weight"):
        short = {key: tensor for key, tensor in model.items() if key != path + name}
        test.refuses(f"Mamba-3 without {name}", f"{name} is missing", short, *formula)
    for rows in (40, 51):
        words = f"in_proj.weight: found {rows} rows, wanted 2 d_inner + 2 ngroups d_state mimo_rank + 3 heads + angles"
        test.refuses(f"{rows} rows", words, {**model, path + "in_proj.weight": floats(rows, 4)}, *formula)
    words = "B_bias: found mimo_rank 2, but there is no"
    test.refuses("rank 2 without mimo_x", words, {**model, path + "B_bias": floats(4, 2, 8)}, *formula)
    words = "mimo_x: found mimo_rank 1, wanted at least 2"
    extra = {path + name: floats(4, 1, 2) for name in ("mimo_x", "mimo_z", "mimo_o")}
    test.refuses("rank 1 with mimo_x", words, {**model, **extra}, *formula)
    test.refuses("A_log in Mamba-3", "within a Mamba2Block", {**model, path + "A_log": floats(4)}, *formula)
    dims("a block alone", mamba3(""), layers="Mamba3Block", notes=["a Mamba3Block alone"])
    dims("a residual block alone", {"norm.weight": floats(4), **mamba3("mixer.")}, layers="ResidualBlock")
    classifier = {**linear("proj", 6, 4), **blocks(make=mamba3), **linear("head", 4, 3)}
    dims("a classifier", classifier, "--order", "proj,layers,last,head", layers="Linear ResidualBlockx2 LastPool Linear")
    test.refuses("a classifier without --order", "--order proj,layers,last,head", classifier, *formula)
    # Hybrid models: consecutive blocks of one type form an array.
    makes = (mamba2, mamba2, mamba3, mixer, mamba3)
    hybrid = {**linear("proj", 6, 4), **linear("head", 4, 3)}
    for number, make in enumerate(makes):
        hybrid |= {f"layers.{number}.norm.weight": floats(4), **make(f"layers.{number}.mixer.")}
    taken = "Linear ResidualBlockx2 ResidualBlock ResidualBlock ResidualBlock LastPool Linear"
    model = dims("a hybrid", hybrid, "--order", "proj,layers,last,head", layers=taken)
    declared = "".join(model.declarations("constexpr", "storage")) if model else ""
    for kind in ("Mamba2BlockDims", "Mamba3BlockDims", "krait::BlockDims"):
        test.expect(kind in declared, f"a hybrid: no {kind} in {declared}")
    test.refuses("a hybrid asks for A", "--A-formula heavy_tail", hybrid, "--order", "proj,layers,last,head")
    model = language_model(embedding="embedding", head="", make=mamba2)
    model = {name: tensor for name, tensor in model.items() if "layers.1.mixer" not in name}
    model |= mamba3("backbone.layers.1.mixer.")
    order = "embedding(backbone.embedding),backbone.layers,backbone.norm_f,linear(lm_head)"
    words = ["layers.1.mixer: found a Mamba3Block, and backbone.layers.0.mixer is a Mamba2Block", order]
    test.refuses("a hybrid language model", words, model, *formula)
    dims("a hybrid language model", model, "--order", order, layers="Embedding ResidualBlock ResidualBlock RmsNorm Linear")


def check_shards(test):
    def sharded(change=lambda folder, index: None):
        folder = test.write({}, CONFIG)
        (folder / "model.safetensors").unlink()
        tensors, weight_map = language_model(), {}
        for at, names in enumerate((list(tensors)[:9], list(tensors)[9:]), 1):
            file = f"model-0000{at}-of-00002.safetensors"
            safetensors_file.write(folder / file, {name: tensors[name] for name in names})
            weight_map |= dict.fromkeys(names, file)
        index = {"metadata": {}, "weight_map": weight_map}
        change(folder, index)
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        return folder

    test.takes("shards", sharded(), layers="Mamba")
    test.refuses(
        "a missing shard",
        "model-00002-of-00002.safetensors: missing",
        sharded(lambda folder, _: (folder / "model-00002-of-00002.safetensors").unlink()),
    )
    test.refuses(
        "a missing tensor",
        "x.weight: missing",
        sharded(lambda _, index: index["weight_map"].update({"x.weight": "model-00001-of-00002.safetensors"})),
    )
    test.refuses(
        "a stray tensor", "does not list it there", sharded(lambda _, index: index["weight_map"].pop("backbone.norm_f.weight"))
    )
    test.refuses("an empty index", "found no weight_map", sharded(lambda _, index: index["weight_map"].clear()))
    folder = sharded()
    test.takes("an index", folder / "model.safetensors.index.json", layers="Mamba")
    test.refuses("one shard", "found one shard of 2, wanted the folder", folder / "model-00001-of-00002.safetensors")
    safetensors_file.write(folder / "model-00003-of-00002.safetensors", {})
    test.takes("a stray shard", folder, notes=["not read, because model.safetensors.index.json does not list it: model-00003"])
    (folder / "model.safetensors.index.json").unlink()
    test.refuses("no index", "but no model.safetensors.index.json", folder)
    empty = test.folder / "empty"
    empty.mkdir()
    test.refuses("an empty folder", "found an empty folder, wanted model.safetensors", empty)
    pickle = test.write(language_model(), name="model.pt")
    test.refuses("torch.save", "torch", pickle)


def check_orders(test):
    test.refuses(
        "no order", ["--order proj,layers,norm_f,mean,head", "--order proj,layers,norm_f,last,head", "--check"], CLASSIFIER
    )
    test.takes(
        "an order",
        CLASSIFIER,
        "--order",
        "proj,layers,norm_f,mean,head",
        layers="Linear ResidualBlockx2 RmsNorm MeanPool Linear",
        notes=["norm_f has no bias", "eps is 1e-5"],
    )
    test.takes(
        "no pooling unless it is given",
        CLASSIFIER,
        "--order",
        "proj,layers,norm_f,head",
        notes=["no pooling"],
        layers="Linear ResidualBlockx2 RmsNorm Linear",
    )
    two = {**CLASSIFIER, **norm("norm_f")}
    test.refuses(
        "a norm with a bias",
        ["norm_f has a weight and a bias", "--norm layer_norm", "--norm rms_norm"],
        two,
        "--order",
        "proj,layers,norm_f,mean,head",
    )
    test.takes(
        "rms_norm(...)",
        two,
        "--order",
        "proj,layers,rms_norm(norm_f),mean,head",
        layers="Linear ResidualBlockx2 RmsNorm MeanPool Linear",
    )
    test.takes(
        "layer_norm(...), max",
        two,
        "--order",
        "proj,layers,layer_norm(norm_f),max,head",
        layers="Linear ResidualBlockx2 LayerNorm MaxPool Linear",
    )
    test.takes(
        "--norm layer_norm",
        two,
        "--order",
        "proj,layers,norm_f,max,head",
        "--norm",
        "layer_norm",
        layers="Linear ResidualBlockx2 LayerNorm MaxPool Linear",
    )
    model = test.takes(
        "a norm without weights",
        CLASSIFIER,
        "--order",
        "proj,layer_norm,layers,norm_f,mean,head",
        layers="Linear LayerNorm ResidualBlockx2 RmsNorm MeanPool Linear",
    )
    test.expect(model and model.tensors["layer_norm.weight"].numbers("").tolist() == [1.0] * 4, "a norm without weights")
    biased = {**CLASSIFIER, **blocks(bias=True)}
    test.refuses(
        "blocks whose norms have a bias",
        ["--norm layer_norm", "residual(layer_norm(layers.*.norm),layers.*.mixer)"],
        biased,
        "--order",
        "proj,layers,norm_f,mean,head",
    )
    model = test.takes(
        "one block with LayerNorm",
        {"norm.weight": floats(4), "norm.bias": floats(4), **mixer("mixer.")},
        "--norm",
        "layer_norm",
        layers="ResidualBlock",
    )
    test.expect(
        model and ".norm_bias = true, .norm = krait::NormKind::layer" in model.declarations("constexpr", "storage")[0],
        "one block with LayerNorm: dims",
    )
    model = test.takes(
        "blocks with LayerNorm",
        biased,
        "--norm",
        "layer_norm",
        "--order",
        "proj,layers,norm_f,mean,head",
        layers="Linear ResidualBlockx2 RmsNorm MeanPool Linear",
    )
    test.expect(model and model.layers[1].dims["norm"] == "LayerNorm", "blocks with LayerNorm: dims")
    order = "proj,residual(layer_norm(layers.*.norm),layers.*.mixer),norm_f,mean,head"
    model = test.takes("residual(layer_norm(...),...)", biased, "--order", order)
    test.expect(model and model.layers[1].dims["norm"] == "LayerNorm", "residual(layer_norm(...),...): dims")
    test.takes("--norm rms_norm", biased, "--order", "proj,layers,norm_f,mean,head", "--norm", "rms_norm")
    head = {name: t for name, t in CLASSIFIER.items() if "head" not in name} | linear("head.0", 4, 8) | linear("head.3", 8, 3)
    test.refuses("head.0 and head.3", "head: found elements 0, 3", head, "--order", "proj,layers,norm_f,mean,head")
    test.refuses(
        "neighbouring Linears",
        ["two Linears side by side, head.0 and head.3", "identity"],
        head,
        "--order",
        "proj,layers,norm_f,mean,head.0,head.3",
    )
    test.takes(
        "identity",
        head,
        "--order",
        "proj,layers,norm_f,mean,head.0,identity,head.3",
        layers="Linear ResidualBlockx2 RmsNorm MeanPool Linear Linear",
    )
    model = test.takes(
        "relu",
        head,
        "--order",
        "proj,silu,layers,norm_f,mean,head.0,relu,head.3",
        layers="Linear Activation ResidualBlockx2 RmsNorm MeanPool Linear Activation Linear",
    )
    test.expect(model and "(krait::Relu<8>, relu)" in model.declarations("constexpr", "storage")[-2], "relu: declarations")
    bare = {**linear("proj", 6, 4), **norm("norm", False), **mixer("mamba."), **linear("head", 4, 3)}
    test.refuses(
        "a block beside a norm", ["residual(norm,mamba)", "plain(norm,mamba)"], bare, "--order", "proj,norm,mamba,mean,head"
    )
    test.refuses("an order is proposed with both", "residual(norm,mamba)", bare)
    test.takes(
        "residual(...)", bare, "--order", "proj,residual(norm,mamba),mean,head", layers="Linear ResidualBlock MeanPool Linear"
    )
    test.takes(
        "plain(...)", bare, "--order", "proj,plain(norm,mamba),mean,head", layers="Linear RmsNorm MambaBlock MeanPool Linear"
    )
    many = {f"part{at}.weight": floats(4, 4) for at in range(40)} | linear("odd", 5, 6)
    test.refuses("many layers that do not fit", "a stack of layers", many)
    wrapped = {**language_model(), **linear("classifier", 4, 3)}
    test.takes(
        "a classifier of a language model",
        wrapped,
        "--order",
        "backbone.embeddings,backbone.layers,backbone.norm_f,last,classifier",
        layers="Embedding ResidualBlockx2 RmsNorm LastPool Linear",
    )
    test.refuses(
        "a classifier of a language model, no order",
        "embedding(backbone.embeddings),backbone.layers,backbone.norm_f,last,classifier",
        wrapped,
    )
    sequential = {**linear("0", 6, 4), **prefixed("1.", blocks()), **linear("4", 4, 3)}
    model = test.takes(
        "nn.Sequential", sequential, "--order", "0,1.layers,mean,4", layers="Linear ResidualBlockx2 MeanPool Linear"
    )
    test.expect(
        model and "(krait::MeanPool<4>, pool)" in model.declarations("constexpr", "storage")[-2], "nn.Sequential: names"
    )
    row = {**mixer("layers.0."), **mixer("layers.1.")}
    test.refuses("blocks without norms ask", ["residual(layers.*)", "plain(layers.*)"], row)
    test.refuses("a block beside a block", "plain(layers.0,layers.1)", row, "--order", "layers")
    test.takes("plain(layers)", row, "--order", "plain(layers)", layers="MambaBlock MambaBlock")
    own = {**linear("proj", 6, 4), **blocks(name="mamba"), **linear("head", 4, 3)}
    model = test.takes(
        "blocks with other names",
        own,
        "--order",
        "proj,residual(layers.*.norm,layers.*.mamba),last,head",
        layers="Linear ResidualBlockx2 LastPool Linear",
    )
    test.expect(model and "layers.1.mixer.A_log" in model.tensors, "blocks with other names: names")
    test.refuses("blocks with other names, no order", "residual(layers.*.norm,layers.*.mamba)", own)
    def feed_forward(prefix):
        return {
            **norm(f"{prefix}norm1", False),
            **mixer(f"{prefix}mamba."),
            **norm(f"{prefix}norm2", False),
            **linear(f"{prefix}mlp.0", 4, 9),
            **linear(f"{prefix}mlp.2", 9, 4),
        }

    deep = {**linear("proj", 6, 4), **feed_forward("layers.0."), **feed_forward("layers.1."), **linear("head", 4, 3)}
    first, second = (
        "residual(layers.*.norm1,layers.*.mamba)",
        "residual(layers.*.norm2,layers.*.mlp.0,gelu,layers.*.mlp.2)",
    )
    model = test.takes(
        "blocks and feed-forward networks",
        deep,
        "--order",
        f"proj,plain({first},{second}),mean,head",
        layers="Linear ResidualBlock Residual ResidualBlock Residual MeanPool Linear",
    )
    declared = model.declarations("constexpr", "storage") if model else []
    test.expect(
        [line.split()[1] for line in declared if line.startswith("struct")] == ["layers_0_2_Parts", "Parts"]
        and "(krait::Residual<krait::Stack<layers_0_2_Parts>>, layers_1_2)" in declared[-2],
        f"blocks and feed-forward networks: equal Residuals have one type: {declared}",
    )
    test.expect(model and "layers_1_2.mlp_2.weight" in model.tensors, "blocks and feed-forward networks: names")
    test.refuses("an order with feed-forward networks is proposed", f"proj,plain({first},{second}),mean,head", deep)
    order = f"proj,{first},{second},head"
    test.refuses("groups of one list side by side", f"wanted plain({first},{second})", deep, "--order", order)
    model = test.takes(
        "residuals of a list",
        {name: t for name, t in deep.items() if "mamba" not in name and "norm1" not in name},
        "--order",
        "proj,residual(layers.*.norm2,residual(relu),layers.*.mlp.0,gelu,layers.*.mlp.2),residual(layer_norm),head",
        layers="Linear Residualx2 Residual Linear",
    )
    declared = "".join(model.declarations("constexpr", "storage")) if model else ""
    for text in (
        "(std::array<krait::Residual<krait::Stack<layers_Parts>>, 2>, layers)",
        "(krait::Residual<krait::Relu<4>>, residual)",
        "(krait::Residual<krait::LayerNorm<residual_dims>>, residual)",
    ):
        test.expect(text in declared, f"residuals of a list: wanted {text}, found {declared}")
    test.expect(model and {"layers.1.mlp_0.bias", "residual.weight"} <= {*model.tensors}, "residuals of a list: names")
    test.refuses("a residual of other widths", "6 inputs and 4 outputs", deep, "--order", "residual(proj),head")
    test.refuses("a residual of nothing", "residual(...) of identity", deep, "--order", "proj,residual(identity),head")
    test.refuses("a residual of pooling", "within residual(...)", deep, "--order", "proj,residual(mean),head")
    test.refuses(
        "state behind pooling", "after pooling there is one vector", CLASSIFIER, "--order", "proj,mean,layers,norm_f,head"
    )
    test.refuses("a layer that is left out", "not in --order", CLASSIFIER, "--order", "proj,layers,head")
    test.refuses("a name that is not there", "found prj, wanted one of proj", CLASSIFIER, "--order", "prj,layers,norm_f,head")
    for text in ("proj,", "proj,(layers)", "residual(proj", "a b", "proj,mean(layers)", "mean"):
        test.refuses(f"--order {text}", "--order: found", CLASSIFIER, "--order", text)
    square = {"token.weight": floats(4, 4), **blocks()}
    test.refuses("a square weight without a bias", "may be a Linear or an Embedding", square, "--order", "token,layers")
    test.takes("embedding(...)", square, "--order", "embedding(token),layers", layers="Embedding ResidualBlockx2")
    test.takes(
        "an embedding by its shape",
        {"token.weight": floats(9, 4), **blocks()},
        "--order",
        "token,layers",
        layers="Embedding ResidualBlockx2",
    )
    model = test.takes("layers 0 to 11", blocks(count=12), layers="ResidualBlockx12")
    reversed_file = dict(reversed(blocks(count=12).items()))
    model = test.takes("the file's order means nothing", reversed_file, layers="ResidualBlockx12")
    test.expect(
        model and model.tensors["layers.10.norm.weight"].data == reversed_file["layers.10.norm.weight"].data,
        "layers out of order",
    )
    conv = {**linear("proj", 6, 4), "conv.weight": floats(4, 4, 3), "conv.bias": floats(4), **blocks()}
    test.refuses("a Conv1d that is not depthwise", "conv1d(conv, stride=S, padding=P)", conv, "--order", "proj,conv,layers")
    order = "proj,conv1d(conv,padding=1),layers"
    test.refuses("a Conv1d with a warm-up after a layer", "wanted it first", conv, "--order", order)
    test.takes(
        "a Conv1d after a layer",
        conv,
        "--order",
        "proj,conv1d(conv, stride=1, padding=2),layers",
        layers="Linear StridedConv1d ResidualBlockx2",
        notes=["2 more tokens of zeros"],
    )
    strided = {"conv.weight": floats(4, 3, 7), "conv.bias": floats(4), **batch_norm("bn"), **blocks()}
    model = test.takes(
        "a Conv1d with a stride",
        strided,
        "--order",
        "conv1d(conv,stride=4,padding=3),bn,layers",
        layers="StridedConv1d ResidualBlockx2",
        notes=[
            "from 7 to 8 frames (1 older, 0 newer), the padding is 4",
            "bn (BatchNorm1d in evaluation) is folded into conv",
        ],
    )
    if model:
        declared = "".join(model.declarations("constexpr", "storage"))
        test.expect(".channels = 3, .d_out = 4, .kernel = 8, .stride = 4, .padding = 4, .bias = true" in declared, declared)
        columns, norm_weights = model.tensors["conv.weight"].numbers("conv.weight"), strided["bn.weight"].numbers("bn")
        given, variance = strided["conv.weight"].numbers("conv"), strided["bn.running_var"].numbers("bn")
        for row, tap, channel in ((0, 0, 0), (3, 6, 2), (1, 2, 1)):
            wanted = given[(row * 3 + channel) * 7 + tap] * norm_weights[row] / math.sqrt(variance[row] + 1e-5)
            found = columns[row * 24 + (tap + 1) * 3 + channel]
            test.expect(abs(found - wanted) < 1e-6, f"a Conv1d with a stride: column {tap + 1}: {found}, wanted {wanted}")
        test.expect(not any(columns[:3]), f"a Conv1d with a stride: the added tap: {columns[:3]}")
    audio = {"conv.weight": floats(4, 1, 5), **blocks()}
    order = "conv1d(conv,channels=1,stride=5),layers"
    test.takes("a Conv1d of 1 channel", audio, "--order", order, layers="StridedConv1d ResidualBlockx2")
    words, order = "depthwise Conv1d or of a Conv1d of 1 channel", "conv1d(conv,stride=5),layers"
    test.refuses("1 channel or depthwise", words, audio, "--order", order)
    test.refuses("conv1d(...) of a Linear", "but its weight is [4, 6]", conv, "--order", "conv1d(proj),layers")
    # Maps kernel, stride and padding of a PyTorch Conv1d to kernel, padding and warm_up of the StridedConv1d, and to the number
    # of zero tokens to append to a sequence.
    for given, wanted in {
        (3, 1, 1): (3, 1, 1, 1),
        (3, 1, 0): (3, 0, 2, 0),
        (3, 1, 3): (4, 3, 0, 4),
        (7, 4, 3): (8, 4, 0, 0),
        (10, 5, 0): (10, 0, 1, 0),
        (25, 10, 12): (40, 20, 1, 1),
        (4, 2, 1): (6, 2, 1, 1),
    }.items():
        made = layers.Convolution(*given)
        found = (made.kernel, made.padding, made.warm_up, made.trailing_tokens())
        test.expect(found == wanted, f"Conv1d (kernel, stride, padding) {given}: found {found}, wanted {wanted}")


def check_options(test):
    """Checks that --order accepts a layer's option with the value that the layer has, and rejects, by name, an option with a
    value that Krait does not support."""
    strided = {"conv.weight": floats(4, 3, 7), "conv.bias": floats(4), **batch_norm("bn"), **blocks()}
    depthwise = {**linear("proj", 6, 4), "conv.weight": floats(4, 1, 3), **blocks()}
    audio = {"conv.weight": floats(4, 1, 5), **blocks()}
    layers_of = {"strided": "StridedConv1d ResidualBlockx2", "depthwise": "Linear Conv1d ResidualBlockx2"}
    convolutions = "dilation=1", "groups=1", "padding_mode=zeros", "padding_mode='zeros'", "bias=True", "kernel_size=7"
    for options in *convolutions, ",".join(one for one in convolutions if "'" not in one):
        order = f"conv1d(conv,{options},stride=4,padding=3),bn,layers"
        model = test.takes(f"conv1d with {options}", strided, "--order", order, layers=layers_of["strided"])
        plain, _ = test.open(test.write(strided), "--order", "conv1d(conv,stride=4,padding=3),bn,layers")
        test.expect(model and plain and model.layers[0].dims == plain.layers[0].dims, f"conv1d with {options}: other dims")
    for options in "dilation=1", "groups=4", "groups=4,stride=1,padding=2", "bias=False,padding_mode=zeros,kernel_size=3":
        order = f"proj,conv1d(conv,{options}),layers"
        test.takes(f"a depthwise conv1d with {options}", depthwise, "--order", order, layers=layers_of["depthwise"])
    order = "conv1d(conv,groups=1,stride=5,dilation=1),layers"
    test.takes("a Conv1d of 1 channel, by groups=1", audio, "--order", order, layers=layers_of["strided"])
    for options, words in {
        "dilation=2": "found dilation=2 in conv1d(conv), wanted dilation=1: Krait has no dilation. Save the weight with",
        "channels=2": "found channels=2 in conv1d(conv), whose weight is [4, 3, 7], wanted channels=3",
        "groups=2": "found groups=2 in conv1d(conv), whose weight is [4, 3, 7], wanted groups=1: Krait has no other groups",
        "groups=4": "found groups=4",
        "stride=0": "found stride=0 in conv1d(conv), wanted stride=N, a whole number of at least 1",
        "padding=same": "found padding=same in conv1d(conv), wanted padding=N, a whole number",
        "padding_mode=circular": "found padding_mode=circular in conv1d(conv), wanted padding_mode=zeros: Krait pads with",
        "bias=False": "found bias=False in conv1d(conv), wanted bias=True: the layer has a bias",
        "kernel_size=5": "found kernel_size=5 in conv1d(conv), whose weight is [4, 3, 7], wanted kernel_size=7",
        "stride=4,stride=2": "found stride=2 in conv1d(conv) after another stride=..., wanted one",
        "strides=4": "found strides=4 in conv1d(conv), wanted one of the options stride=..., padding=...",
    }.items():
        test.refuses(f"conv1d with {options}", words, strided, "--order", f"conv1d(conv,{options}),bn,layers")
    for options, words in {
        "groups=2": "wanted groups=1, or 4 of a depthwise one",
        "groups=4,channels=1": "found groups=4",
        "groups=4,stride=2": "found stride=2 in conv1d(conv), whose weight is [4, 1, 3], wanted stride=1: a depthwise Conv1d",
        "groups=4,padding=1": "wanted padding=2",
        "bias=True": "wanted bias=False: the layer has no bias",
        "padding=2": "wanted also groups=4 for a depthwise one, or channels=1",
    }.items():
        order = f"proj,conv1d(conv,{options}),layers"
        test.refuses(f"a depthwise conv1d with {options}", words, depthwise, "--order", order)

    tensors = {"token.weight": floats(9, 4), **linear("proj", 4, 4), **norm("norm_f"), **blocks()}
    tensors |= linear("head", 4, 3, False)

    def order_of(changed):
        """Returns a string for the option --order, in which the dictionary `changed` replaces layers: each key is replaced by
        its value."""
        words = "embedding(token)", "linear(proj)", "relu", "layers", "layer_norm(norm_f)", "mean", "linear(head)"
        return ",".join(changed.get(word, word) for word in words)

    for changed in (
        {"embedding(token)": "embedding(token,padding_idx=0,max_norm=None)"},
        {"linear(proj)": "linear(proj,bias=True)", "linear(head)": "linear(head,bias=False)"},
        {"relu": "relu(inplace=True)"},
        {"relu": "silu(inplace=False)"},
        {"relu": "gelu(approximate=none)"},
        {"relu": "gelu_tanh(approximate=tanh)"},
        {"layer_norm(norm_f)": "layer_norm(norm_f,eps=1e-5,elementwise_affine=True,bias=True)"},
    ):
        given = ", ".join(changed.values())
        kinds = "Embedding Linear Activation ResidualBlockx2 LayerNorm MeanPool Linear"
        model = test.takes(given, tensors, "--order", order_of(changed), layers=kinds)
        test.expect(not model or model.layers[4].dims["eps"] == 1e-5, f"{given}: eps {model and model.layers[4].dims}")
    for changed, words in {
        ("embedding(token)", "embedding(token,max_norm=1)"): "wanted max_norm=None: Krait does not scale the rows",
        ("linear(proj)", "linear(proj,bias=False)"): "found bias=False in linear(proj), wanted bias=True",
        ("linear(head)", "linear(head,bias=True)"): "wanted bias=False: the layer has no bias",
        ("linear(head)", "linear(bias=True)"): "found 0 layers in linear(...), wanted the name of one",
        ("relu", "relu(upper=6)"): "found upper=6 in relu(), wanted one of the options inplace=...",
        ("relu", "tanh(inplace=True)"): "found inplace=True in tanh(), wanted no options",
        ("relu", "gelu(approximate=tanh)"): "found approximate=tanh in gelu(), wanted approximate=none: write gelu_tanh",
        ("mean", "mean(dim=1)"): "found dim=1 in mean(), wanted no options",
        ("layer_norm(norm_f)", "layer_norm(norm_f,elementwise_affine=False)"): "wanted elementwise_affine=True",
        ("layer_norm(norm_f)", "layer_norm(norm_f,eps=None)"): "found eps=None in layer_norm(norm_f), wanted eps=E, a number",
    }.items():
        test.refuses(changed[1], words, tensors, "--order", order_of(dict([changed])))
    model = test.takes(
        "eps of one norm",
        {**tensors, **batch_norm("bn")},
        "--order",
        order_of({"layer_norm(norm_f)": "layer_norm(norm_f,eps=1e-6)", "relu": "batch_norm(bn,eps=0.5,momentum=0.1),relu"}),
    )
    test.expect(model and model.layers[4].dims["eps"] == 1e-6, f"eps of one norm: {model and model.layers[4].dims}")
    if model:
        bn = {name: model.checkpoint.tensors[f"bn.{name}"].numbers(name) for name in ("weight", "running_var")}
        wanted = tensors["proj.weight"].numbers("proj")[0] * bn["weight"][0] / math.sqrt(bn["running_var"][0] + 0.5)
        found = model.tensors["proj.weight"].numbers("proj")[0]
        test.expect(abs(found - wanted) < 1e-6, f"eps of a BatchNorm: {found}, wanted {wanted}")
    order = order_of({"layer_norm(norm_f)": "layer_norm(elementwise_affine=False,eps=1e-6)"})
    model = test.takes("a norm without weights", {n: t for n, t in tensors.items() if "norm_f" not in n}, "--order", order)
    test.expect(model and model.layers[4].dims["eps"] == 1e-6, f"a norm without weights: {model and model.layers[4].dims}")


def check_proposals(test):
    """Checks that krait pack accepts the orders that it proposes for a block beside a norm."""
    stack = {**linear("front", 6, 4), **mixer("mix."), "ln.weight": floats(4), "ln.bias": floats(4), **linear("head", 4, 3)}
    for at in "layer_norm", "rms_norm":
        order = f"front,plain(mix),{at}(ln),mean,head"
        test.refuses(f"a {at} after a block", f"--order '{order}'", stack)
        test.takes(f"a {at} after a block", stack, "--order", order, notes=[])
        words = f"such as residual(mix,{at}(ln)), or plain(mix,{at}(ln)) if nothing is added"
        test.refuses(f"a {at} beside a block, as written", words, stack, "--order", f"front,mix,{at}(ln),mean,head")


def check_effects(test):
    """Checks that an option that would change nothing is rejected, by its name and what was found."""
    of_mamba2, no_norm = mamba2(""), mamba2("", norm=False)
    stack = {**linear("proj", 6, 4), **blocks()}
    for what, words, *case in [
        ("--ngroups", "--ngroups: has no effect: found only MambaBlocks in the model, wanted a Mamba2Block", "1"),
        ("--dt-limit", "--dt-limit: has no effect: found only MambaBlocks", "0,1"),
        ("--norm-before-gate", "--norm-before-gate: has no effect: found only MambaBlocks"),
        ("--mixer-norm-eps", "--mixer-norm-eps: has no effect: found only MambaBlocks in the model, wanted a Mamba2Block or a "
         "Mamba3Block", "1e-3"),
        ("--A-floor", "--A-floor: has no effect: found only MambaBlocks in the model, wanted a Mamba3Block", "1e-3"),
        ("--A-formula", "--A-formula: has no effect: found only MambaBlocks", "heavy_tail"),
        ("--key", "--key model: has no effect: found", "model"),
    ]:  # fmt: skip
        test.refuses(f"{what} with Mamba-1", words, language_model(), what, *case)
    test.refuses("--A-floor with Mamba-2", "--A-floor: has no effect: found only Mamba2Blocks", of_mamba2, "--A-floor", "1e-3")
    words = "--norm-before-gate: has no effect: found Mamba2Blocks without a norm"
    test.refuses("--norm-before-gate without a norm", words, no_norm, "--norm-before-gate")
    words = "--ngroups: has no effect: found no Mamba blocks"
    test.refuses("--ngroups without blocks", words, linear("proj", 6, 4), "--order", "proj", "--ngroups", "2")
    words = "--norm-eps: has no effect: found no norms"
    test.refuses("--norm-eps without norms", words, linear("proj", 6, 4), "--order", "proj", "--norm-eps", "1e-3")
    words = "--head tied: has no effect: found an order of layers"
    test.refuses("--head of a stack", words, stack, "--order", "proj,layers", "--head", "tied")
    test.refuses("--head of blocks", "--head none: has no effect: found no language model", blocks(), "--head", "none")
    kind = "--norm layer_norm: has no effect: found no norm that has a bias and no stated kind, wanted one"
    layer_norm = ["--norm", "layer_norm"]
    normed = {**linear("proj", 6, 4), **norm("norm")}
    test.refuses("--norm without norms", kind, linear("proj", 6, 4), "--order", "proj", *layer_norm)
    test.refuses("--norm of a block alone", kind, mixer(""), *layer_norm)
    words = [kind, "write layer_norm(NAME)"]
    test.refuses("--norm of norms without a bias", words, stack, "--order", "proj,layers", *layer_norm)
    test.refuses("--norm of a norm with a kind", kind, normed, "--order", "proj,rms_norm(norm)", *layer_norm)
    test.takes("--norm of a norm with a bias", normed, "--order", "proj,norm", *layer_norm, layers="Linear LayerNorm")
    order = ["--order", "proj,layer_norm(norm,eps=1e-6)"]
    words = "--norm-eps: has no effect: found no norms without an eps=E of their own"
    test.refuses("--norm-eps of a norm with an eps", words, normed, *order, "--norm-eps", "1e-3")
    folded = {**linear("proj", 6, 4), **batch_norm("bn")}
    test.takes("--norm-eps of a BatchNorm", folded, "--order", "proj,bn", "--norm-eps", "1e-3", layers="Linear")
    mixed = {**norm("a", False), **prefixed("x.", mamba2("")), **norm("b", False), **prefixed("y.", no_norm)}
    order = ["--order", "residual(a,x),residual(b,y)"]
    no_norms = {**norm("a", False), **prefixed("x.", mixer("")), **norm("b", False), **prefixed("y.", no_norm)}
    words = "--norm-before-gate: has no effect: found Mamba2Blocks without a norm"
    test.refuses("--norm-before-gate beside Mamba-1", words, no_norms, *order, "--norm-before-gate")
    test.takes("a setting of one of two blocks", mixed, *order, "--norm-before-gate", layers="ResidualBlock ResidualBlock")
    for what, content, tensors, words in [
        ("another program", {"learning_rate": 1}, language_model(), "found neither model_type (Hugging Face) nor ssm_cfg"),
        ("no norms or blocks", CONFIG, linear("proj", 6, 4), "found neither Mamba blocks nor norms without a stated eps"),
    ]:
        file = test.write({}, content) / "config.json"
        order = ["--order", "proj"] if "proj.weight" in tensors else []
        words = f"--config {file}: has no effect: {words}"
        test.refuses(f"--config with {what}", words, tensors, *order, "--config", str(file))
    stated = test.write({}) / "model.safetensors"
    safetensors_file.write(stated, prefixed("a.", linear("proj", 6, 4)), {"order": "linear(a.proj)"})
    words = "--prefix a: has no effect: found the order of the layers in the file's metadata"
    test.refuses("--prefix of a stated order", words, stated, "--prefix", "a")
    test.takes("--prefix and --order", stated, "--prefix", "a", "--order", "proj", layers="Linear")
    order = ["--order", "proj,layers"]
    words = "--name weights: has no effect: found no --header, wanted one"
    test.refuses("--name without --header", words, stack, *order, "--name", "weights", "--image", "a.image")
    words = "--type int8: has no effect: found no --header, --image or --check, wanted one of them"
    test.refuses("--type of nothing", words, stack, *order, "--type", "int8")
    words = "--tolerance: has no effect: found no --check, wanted one"
    test.refuses("--tolerance without --check", words, stack, *order, "--tolerance", "0.1")


def check_parser(test):
    """Checks that a wrong option is rejected in one line, which names what was found and what was wanted."""
    for words, *arguments in [
        ("--type: found 'int4', wanted one of f32, bf16, f16, int8: did you mean 'int8'?", "--type", "int4"),
        ("--type/--storage: found 'q4', wanted one of f32, bf16, f16, int8", "--storage", "q4"),
        ("--norm: found 'layernorm', wanted one of rms_norm, layer_norm: did you mean 'layer_norm'?", "--norm", "layernorm"),
        ("--norm-eps: found 'small', wanted a number", "--norm-eps", "small"),
        ("--ngroups: found '1.5', wanted an integer", "--ngroups", "1.5"),
        ("--dt-limit: found '1', wanted two numbers", "--dt-limit", "1"),
        ("--ordr: found no such option, wanted an option that krait pack --help lists: did you mean '--order'?", "--ordr", "a"),
        ("--quiet: found no such option, wanted an option that krait pack --help lists", "--quiet"),
        ("--output: found an option of krait run, wanted one that krait pack --help lists", "--output", "y.npy"),
        ("found 'layers' after the last argument, wanted nothing: quote a value", "--order", "proj,", "layers"),
        ("--norm-eps: found 2.0, wanted a number between 0 and 1", "--norm-eps", "2"),
    ]:
        message = test.refuses(" ".join(arguments), "", test.folder, *arguments)
        words = words.replace("--type:", "--type/--storage:")
        test.expect(message.startswith(f"krait pack: {words}") and message.count("\n") == 1, f"wanted {words}: {message}")
    message = test.refuses("a command", "did you mean 'pack'?", None, name="pak")
    test.expect(message.startswith("krait: COMMAND: found 'pak', wanted one of pack, check, report, run"), message)
    message = test.refuses("no command", "krait: found no command, wanted one of pack, check, report, run", None, name="")
    stack, order = {**linear("proj", 6, 4), **blocks()}, ["--order", "proj,layers"]
    test.takes("--storage", stack, *order, "--storage", "int8", "--image", "a.image", layers="Linear ResidualBlockx2")
    given = command.options_of(command.add_pack_options, pathlib.Path("a"), {"storage": "int8"})
    test.expect(given.type == "int8", f"krait.pack(storage=...): found type {given.type}")
    for name in "checkpoint", "ordr":
        try:
            command.options_of(command.add_model_options, pathlib.Path("a"), {name: "b"})
            test.expect(False, f"the argument {name} is not rejected")
        except TypeError as error:
            test.expect(f"found the argument {name!r}, wanted one of A_floor" in str(error), str(error))
            test.expect(name == "checkpoint" or str(error).endswith("did you mean 'order'?"), str(error))


def check_words(test):
    """Checks that messages, the help and docs/from-pytorch.md list the same words of --order."""
    page = (ROOT / "docs" / "from-pytorch.md").read_text()
    table = page.split("\n## Layers\n")[1].split("\n\n")[0]
    cells = [row.split(" | ", 1)[1] for row in table.splitlines()[2:] if " | " in row]
    shown = {word for cell in cells for text in re.findall(r"`([^`]*)`", cell) for word in re.findall(r"\w+", text)}
    words = {form.partition("(")[0] for form in FORMS}
    test.expect(words <= shown, f"docs/from-pytorch.md lacks the words {words - shown} of --order")
    called = set(re.findall(r"(\w+)\(", " ".join(text for cell in cells for text in re.findall(r"`([^`]*)`", cell))))
    test.expect(called <= words, f"docs/from-pytorch.md has unknown words {called - words} of --order")
    wanted = ", ".join(FORMS)
    for found, order in {"prj": "prj,layers", "embedding": "embedding", "lstm(...)": "lstm(proj)"}.items():
        words = [f"--order: found {found}, wanted one of proj, layers", f"or one of the words {wanted}"]
        test.refuses(f"the word {found}", words, CLASSIFIER, "--order", order)
    for order, meant in {"prj": "proj", "layers.0.nrm": "layers.0.norm", "proj,ReLU": "relu"}.items():
        test.refuses(f"a mistyped {order}", f": did you mean {meant!r}?", CLASSIFIER, "--order", order)
    forms = {"proj,RMSnorm(norm_f)": "rms_norm(NAME)", "embedding": "embedding(NAME)", "proj,mean(1)": "mean"}
    for order, meant in forms.items():
        test.refuses(f"a mistyped {order}", f": did you mean {meant!r}?", CLASSIFIER, "--order", order)
    test.expect(wanted in " ".join(command.make_parser()[1]["pack"].format_help().split()), "krait pack --help: the words")


def check_widths(test):
    """Checks that neighbours of different widths are named first, with the layer that determines the width."""
    tensors = {**linear("linear_in", 6, 4), **prefixed("mixer.", mixer("")), **linear("classifier", 4, 3)}
    words = "--order: {} gives 3 outputs, but the next layer, mixer, takes 4 inputs: wanted a layer that takes 3 inputs"
    for order, named in {
        "linear_in,classifier,mean,mixer": "classifier,mean",
        "linear_in,identity,classifier,plain(mixer)": "classifier",
        "linear_in,classifier,relu,layer_norm,mixer": "classifier,relu,layer_norm",
    }.items():
        test.refuses(order, words.format(named), tensors, "--order", order)
    words = "token gives 4 outputs, but the next layer, tokens, takes token ids"
    two = {"token.weight": floats(9, 4), "tokens.weight": floats(9, 4)}
    test.refuses("ids after a layer", words, two, "--order", "embedding(token),embedding(tokens)")


def check_metadata(test):
    """Checks that a file whose metadata gives the structure of the model, as krait.export writes it, needs no option, and that
    nothing is guessed."""

    def stated(tensors, **metadata):
        path = test.write(tensors) / "model.safetensors"
        safetensors_file.write(path, tensors, metadata)
        return path

    # Without metadata, krait pack would interpret these names: a wrapper's prefix, a layer of another library, the other
    # direction of a bidirectional model.
    tensors = {f"model.{name}": one for name, one in mixer("reverse.").items()}
    tensors |= {"model.lora_A.weight": floats(4, 6), "model.norm.weight": floats(4), "model.head.weight": floats(3, 4)}
    block = "residual(rms_norm(model.norm,eps=1e-06),model.reverse)"
    path = stated(tensors, order=f"linear(model.lora_A),{block},mean,linear(model.head)")
    model = test.takes("stated order", path, layers="Linear ResidualBlock MeanPool Linear")
    test.expect(model and model.layers[1].dims["norm_eps"] == 1e-6, "the eps of the metadata's order is not used")
    test.expect(model and not model.notes, f"notes about a stated structure: {model and model.notes}")
    test.refuses("an order that contradicts the tensors", "--order: found absent", stated(tensors, order="linear(absent)"))
    facts = {"component": "Mamba", "norm": "rms_norm", "norm_eps": "1e-05", "tied": "true"}
    model = test.takes("stated language model", stated(language_model(head=""), **facts), layers="Mamba")
    test.expect(model and not model.notes, f"notes about a stated language model: {model and model.notes}")
    # --order replaces the order of the metadata. Its names are interpreted as for files without metadata.
    small = {"proj.weight": floats(4, 6), "proj.bias": floats(4), "head.weight": floats(3, 4)}
    path = stated(small, order="linear(proj),relu,linear(head)")
    test.takes("stated order", path, layers="Linear Activation Linear")
    model = test.takes("an order given in place of the stated one", path, "--order", "proj,tanh,head")
    test.expect(model and model.layers[1].word == "tanh", "--order is not taken for the metadata's order")
    # Settings of mixers in the metadata.
    heads = {**mamba2("block."), "proj.weight": floats(4, 6)}
    path = stated(heads, order="linear(proj),plain(block)", ngroups="2", dt_limit="0.1,inf", mixer_norm_eps="0.001")
    model = test.takes("stated settings", path, layers="Linear Mamba2Block")
    dims = model.layers[1].dims if model else {}
    test.expect([dims.get(name) for name in ("ngroups", "dt_limit", "mixer_norm_eps")] == [2, (0.1, math.inf), 0.001],
                f"stated settings: {dims}")  # fmt: skip
    test.refuses("an option that contradicts", "ngroups: found 4 among the options, wanted 2", path, "--ngroups", "4")
    # Padding after the sequence. The outputs of a model that pools depend on it.
    conv = {"conv.weight": floats(4, 3, 5), "head.weight": floats(3, 4)}
    for right, outputs, trailing in ((None, 22, 2), (2, 22, 2), (0, 20, 0), (-1, 19, -1)):
        text = "" if right is None else f",right_padding={right}"
        model = test.takes("right_padding", stated(conv, order=f"conv1d(conv,stride=1,padding=2{text}),max,linear(head)"))
        convolution = model.layers[0].convolution
        found = (convolution.outputs(22), convolution.trailing_tokens())
        test.expect(model.trailing_tokens() == max(0, trailing), f"right_padding {right}: found {model.trailing_tokens()}")
        test.expect(found == (outputs, trailing), f"right_padding {right}: found outputs and more tokens {found}")
    test.refuses("right_padding", "wanted right_padding=N", test.write(conv), "--order", "conv1d(conv,right_padding=x),head")


def check_batch_norm(test):
    tensors = {
        **linear("proj", 6, 4),
        **batch_norm("bn"),
        **blocks(),
        **linear("head", 4, 3, bias=False),
        **batch_norm("last_bn"),
    }

    def values(name):
        return tensors[name].numbers(name)

    model = test.takes(
        "BatchNorm1d",
        tensors,
        "--order",
        "proj,bn,layers,mean,last_bn,head",
        notes=["bn (BatchNorm1d in evaluation) is folded into proj"],
        layers="Linear ResidualBlockx2 MeanPool Linear",
    )
    if model:
        x = [DRAW.uniform(-1, 1) for _ in range(6)]
        bn = {name: values(f"bn.{name}") for name in ("weight", "bias", "running_mean", "running_var")}
        for row in range(4):
            y = sum(w * one for w, one in zip(values("proj.weight")[row * 6 :], x)) + values("proj.bias")[row]
            y = (y - bn["running_mean"][row]) / math.sqrt(bn["running_var"][row] + 1e-5) * bn["weight"][row] + bn["bias"][row]
            folded = (
                sum(w * one for w, one in zip(model.tensors["proj.weight"].numbers("")[row * 6 :], x))
                + model.tensors["proj.bias"].numbers("")[row]
            )
            test.expect(abs(y - folded) < 1e-6, f"BatchNorm1d behind a Linear: {y} and {folded}")
        x = [DRAW.uniform(-1, 1) for _ in range(4)]
        bn = {name: values(f"last_bn.{name}") for name in ("weight", "bias", "running_mean", "running_var")}
        normed = [
            (one - mean) / math.sqrt(variance + 1e-5) * w + b
            for one, mean, variance, w, b in zip(x, bn["running_mean"], bn["running_var"], bn["weight"], bn["bias"])
        ]
        for row in range(3):
            y = sum(w * one for w, one in zip(values("head.weight")[row * 4 :], normed))
            folded = (
                sum(w * one for w, one in zip(model.tensors["head.weight"].numbers("")[row * 4 :], x))
                + model.tensors["head.bias"].numbers("")[row]
            )
            test.expect(abs(y - folded) < 1e-6, f"BatchNorm1d before a Linear: {y} and {folded}")
    order = "proj,layers,bn,mean,head"
    plain = {name: t for name, t in tensors.items() if "last" not in name}
    test.refuses("BatchNorm1d without a neighbour", "bn: BatchNorm1d is not supported here", plain, "--order", order)
    bare = {name: t for name, t in plain.items() if "running" not in name and "num_batches" not in name}
    test.refuses(
        "BatchNorm1d without buffers", ["bn has a weight and a bias", "BatchNorm"], bare, "--order", "proj,bn,layers,mean,head"
    )
    test.refuses(
        "batch_norm(...) without buffers",
        "running_mean, running_var missing",
        bare,
        "--order",
        "proj,batch_norm(bn),layers,mean,head",
    )


def check_foreign(test):
    """Checks that models which Krait does not support are rejected."""
    for name in (
        "layers.0.mixer_bwd.A_log",
        "backward.A_log",
        "layers.0.mixer.A_b_log",
        "layers.0.mixer.conv1d_b.weight",
        "lstm.weight_ih_l0_reverse",
        "mamba_rev.D",
        "layers.0.mixer.D_b",
    ):
        test.refuses(name, [name, "bidirectional"], {**CLASSIFIER, name: floats(4, 4)})
    for name, words in {
        "lstm.weight_ih_l0": "LSTM",
        "attn.in_proj_weight": "attention",
        "layers.0.mixer.dt_layernorm.weight": "norms on dt",
        "attn.qkv.weight": "attention",
        "layers.0.mixer.in_proj.lora_A.weight": "LoRA) is not supported: merge it into the weights first, by PEFT's",
        "layers.0.mixer.in_proj.base_layer.weight": "LoRA) is not supported: merge it",
        "embeddings.lora_embedding_A.default": "LoRA) is not supported: merge it",
        "conv.weight_g": "weight_norm",
    }.items():
        test.refuses(name, [name, words], {**CLASSIFIER, name: floats(4, 4)}, "--order", "proj,layers,norm_f,head")
    lora = {name: one for name, one in language_model().items() if "0.mixer.in_proj" not in name}
    path = "backbone.layers.0.mixer.in_proj."
    lora |= {path + "base_layer.weight": floats(16, 4), path + "lora_A.default.weight": floats(2, 4)}
    folder = test.write(prefixed("base_model.model.", lora), name="adapter_model.safetensors")
    messages = {
        name: test.refuses(f"krait {name} of an adapter", "LoRA) is not supported: merge it", folder, *more, name=name)
        for name, more in {"pack": [], "report": [], "check": ["expected.safetensors"]}.items()
    }
    found = {message.removeprefix(f"krait {name}: ") for name, message in messages.items()}
    test.expect(len(found) == 1, f"the messages about an adapter differ: {found}")
    words = ["storage", "NULL", "errno", "class"]
    chain = {name: one for word in words for name, one in linear(word, 4, 4).items()}
    model = test.takes("reserved names", chain, "--order", ",identity,".join(words))
    members = [layer.member for layer in model.layers if layer.component == "Linear"] if model else []
    test.expect(members == [f"{word}_" for word in words], f"reserved names: {members}")
    long = "a_module_with_a_name_of_many_words." * 3 + "proj"
    named = {**linear(long, 4, 4), **linear("head", 4, 3)}
    found = "weight: found a name of 116 characters, wanted at most 96"
    test.refuses("a long name", found, named, "--order", f"{long},relu,head")
    test.refuses("a tensor too many", "within a MambaBlock", {**blocks(), "layers.0.mixer.norm.weight": floats(8)})
    positions = {**CLASSIFIER, "pos": floats(1, 9, 4)}
    order = "proj,positional(pos),layers,norm_f,mean,head"
    test.refuses("positions without --order", "--order 'proj,positional(pos),layers,norm_f,mean,head'", positions)
    test.refuses("a loose tensor", "--ignore cls_token", {**CLASSIFIER, "cls_token": floats(1, 1, 4)})
    for shape in [1, 9, 4], [9, 4], [9, 1, 4]:
        model = test.takes(
            f"positions {shape}",
            {**positions, "pos": floats(*shape)},
            "--order",
            order,
            layers="Linear PositionalEmbedding ResidualBlockx2 RmsNorm MeanPool Linear",
        )
        text = "(krait::PositionalEmbedding<9, 4, storage>, pos)"
        test.expect(model and text in model.declarations("constexpr", "storage")[-2], f"positions {shape}: type")
        test.expect(model and model.tensors["pos.weight"].shape == [9, 4], f"positions {shape}: tensor")
    model = test.takes(
        "an Embedding of positions",
        {**CLASSIFIER, "encoder.position.weight": floats(1, 4)},
        "--order",
        order.replace("(pos)", "(encoder.position)"),
    )
    test.expect(model and model.layers[1].member == "encoder_position", "an Embedding of positions: name")
    for shape in [4], [2, 9, 4], [1, 1, 9, 4]:
        wrong = {**positions, "pos": floats(*shape)}
        test.refuses(f"positions {shape}", f"positional(pos) with pos {shape}, wanted one tensor", wrong, "--order", order)
    words = "proj gives 4 outputs, but the next layer, pos, takes 5 inputs"
    test.refuses("positions of another width", words, {**positions, "pos": floats(9, 5)}, "--order", order)
    test.refuses("positions with a bias", "wanted one tensor", CLASSIFIER, "--order", order.replace("(pos)", "(proj)"))
    test.refuses("positions after pooling", "after mean", positions, "--order", "proj,layers,norm_f,mean,positional(pos),head")
    test.refuses("cls_token", "cls_token", {**CLASSIFIER, "cls_token": floats(1, 1, 4)}, "--order", "proj,layers,norm_f,head")


def main():
    with tempfile.TemporaryDirectory(prefix="krait_checkpoints_") as folder:
        test = Test(pathlib.Path(folder))
        check_names(test)
        check_config(test)
        check_mamba2(test)
        check_mamba3(test)
        check_shards(test)
        check_orders(test)
        check_options(test)
        check_effects(test)
        check_parser(test)
        check_words(test)
        check_widths(test)
        check_proposals(test)
        check_metadata(test)
        check_batch_norm(test)
        check_foreign(test)
    print(f"{test.count} checkpoints")
    test.expect(test.count >= 250, "fewer than 250 checkpoints")
    print(*test.wrong, sep="\n", end="\n" if test.wrong else "")
    return 1 if test.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
