"""Writes checkpoints with PyTorch, transformers, mamba3-jax and safetensors, and the outputs of their models.

  torch_cases.py FOLDER

Each case is a folder with the checkpoint and check.safetensors (inputs x and the library's float32 outputs y). cases.json has
the arguments for krait pack, and the words of the message if the case is to be rejected. The file vector.safetensors of a case,
if there is one, contains the model as a reference vector for tests/vectors/check.
"""

import json
import pathlib
import sys

import torch
import transformers
from jax import numpy as jnp
from mamba3_jax.modeling import Mamba3Config
from mamba3_jax.params import create_random_model, load_pytorch_weights
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from transformers.models.mamba2.modeling_mamba2 import Mamba2Mixer

FOLDER = pathlib.Path(sys.argv[1])
TOKENS, IDS, WIDTH, FEATURES, CLASSES = 200, 32, 16, 6, 4
CASES = {}


class Block(nn.Module):
    """A Mamba block as mamba-minimal computes it, without the fused kernels of mamba-ssm."""

    def __init__(self, d_model=WIDTH, d_state=8, d_conv=4, dt_rank=1):
        super().__init__()
        d_inner = 2 * d_model
        self.d_inner, self.d_state, self.dt_rank = d_inner, d_state, dt_rank
        self.in_proj = nn.Linear(d_model, 2 * d_inner, bias=False)
        self.conv1d = nn.Conv1d(d_inner, d_inner, d_conv, groups=d_inner, padding=d_conv - 1)
        self.x_proj = nn.Linear(d_inner, dt_rank + 2 * d_state, bias=False)
        self.dt_proj = nn.Linear(dt_rank, d_inner)
        self.A_log = nn.Parameter(torch.log(torch.arange(1.0, d_state + 1)).repeat(d_inner, 1))
        self.D = nn.Parameter(torch.ones(d_inner))
        self.out_proj = nn.Linear(d_inner, d_model, bias=False)

    def forward(self, x):
        u, z = self.in_proj(x).chunk(2, -1)
        u = F.silu(self.conv1d(u.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2))
        dt, B, C = self.x_proj(u).split([self.dt_rank, self.d_state, self.d_state], -1)
        delta, A = F.softplus(self.dt_proj(dt)), -torch.exp(self.A_log)
        h, y = torch.zeros(x.shape[0], self.d_inner, self.d_state, dtype=x.dtype), []
        for t in range(x.shape[1]):
            h = torch.exp(delta[:, t, :, None] * A) * h + delta[:, t, :, None] * B[:, t, None] * u[:, t, :, None]
            y.append((h * C[:, t, None]).sum(-1) + self.D * u[:, t])
        return self.out_proj(torch.stack(y, 1) * F.silu(z))


class Residual(nn.Module):
    """Computes x + block(norm(x)). The block has the name `block`, by default mamba-ssm's name."""

    def __init__(self, norm, block="mixer", make=Block):
        super().__init__()
        self.name = block
        self.norm = norm()
        self.add_module(block, make())

    def forward(self, x):
        return x + getattr(self, self.name)(self.norm(x))


class Channels(nn.Module):
    """Applies a module that takes [batch, tokens, channels] to inputs [batch, channels, tokens]."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x.transpose(1, 2)).transpose(1, 2)


class Apply(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def rms(eps=1e-5):
    return nn.RMSNorm(WIDTH, eps=eps)


MEAN, LAST, MAX = Apply(lambda x: x.mean(1)), Apply(lambda x: x[:, -1]), Apply(lambda x: x.amax(1))


def model_of(**layers):
    """Returns a module in evaluation mode that applies `layers` one after the other; a list counts as one layer that applies
    its elements. Random numbers are added to all one-dimensional parameters, such as biases, because their initial zeros and
    ones would hide parameters that krait pack exchanges or ignores."""
    model = nn.Sequential()
    for name, layer in layers.items():
        model.add_module(name, nn.Sequential(*layer) if isinstance(layer, list) else layer)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter += 0.3 * torch.randn_like(parameter)
    return model.eval()


def record(name, folder, x, y, options=(), refused=None):
    save_file({"x": x.contiguous(), "y": y.detach().float().contiguous()}, folder / "check.safetensors")
    CASES[name] = {"options": list(options), "refused": refused}


def record_vector(folder, tensors, tokens, logits, **metadata):
    """Writes the weights, token ids and logits of a language model as a reference vector for tests/vectors/check."""
    contents = {**tensors, "tokens": tokens.to(torch.int32).contiguous(), "logits": logits.detach().float().contiguous()}
    save_file(contents, folder / "vector.safetensors", {name: str(value) for name, value in metadata.items()})


def folder_of(name):
    folder = FOLDER / name
    folder.mkdir(parents=True)
    return folder


def case(name, model, *options, x=None, refused=None, state=None, change=lambda model: None):
    """Writes a case of the test: the weights of a PyTorch model as a safetensors file, its inputs and outputs, and the options
    of krait pack. `refused` has the words of the expected message if krait pack must reject the checkpoint."""
    folder, x = folder_of(name), torch.randn(1, TOKENS, FEATURES) if x is None else x
    change(model)
    with torch.no_grad():
        y = model(x)
    save_file(dict(model.state_dict() if state is None else state), folder / "model.safetensors")
    record(name, folder, x[0] if x.shape[0] == 1 else x, y[0] if x.shape[0] == 1 else y, options, refused)


def language_models():
    shape = dict(vocab_size=IDS, hidden_size=WIDTH, state_size=8, num_hidden_layers=2, initializer_range=0.3)
    ids = torch.randint(0, IDS, (1, TOKENS))

    def hugging_face(name, kind=transformers.MambaForCausalLM, refused=None, options=(), dtype=None, save=None, **config):
        folder = folder_of(name)
        config_class = kind.config_class
        model = kind(config_class(**{**shape, **config})).eval()
        if dtype is not None:
            model = model.to(dtype)
        (save or model.save_pretrained)(*([model, folder] if save else [folder]))
        model = model.float()
        with torch.no_grad():
            out = model(ids)
        record(name, folder, ids[0], (out.logits if "logits" in out else out.last_hidden_state)[0], options, refused)
        return model

    def save_state(change):
        def save(model, folder):
            change({k: v.clone() for k, v in model.state_dict().items() if k != "lm_head.weight"}, folder)

        return save

    base = hugging_face("hf")
    hugging_face("hf_eps_1e-6", layer_norm_epsilon=1e-6)
    hugging_face("hf_eps_1e-2", layer_norm_epsilon=1e-2)
    hugging_face("hf_untied", tie_word_embeddings=False)
    hugging_face("hf_biases", use_bias=True, use_conv_bias=False)
    hugging_face("hf_odd", hidden_size=18, intermediate_size=36, expand=2, state_size=5, conv_kernel=3, time_step_rank=3)
    hugging_face("hf_bf16", dtype=torch.bfloat16)
    hugging_face("hf_f16", dtype=torch.float16)
    hugging_face("hf_sharded", save=lambda model, folder: model.save_pretrained(folder, max_shard_size="8KB"))
    hugging_face("hf_headless", transformers.MambaModel)
    hugging_face("hf_falcon", transformers.FalconMambaForCausalLM)
    hugging_face("hf_falcon_eps", transformers.FalconMambaForCausalLM, mixer_rms_eps=1e-3)
    hugging_face("hf_gelu", hidden_act="gelu", refused="hidden_act is not supported: found 'gelu'")

    def bin_file(model, folder):
        model.config.save_pretrained(folder)
        torch.save(model.state_dict(), folder / "pytorch_model.bin")

    hugging_face("hf_bin", save=bin_file)
    for name, prefix in {
        "ddp": "module.",
        "compiled": "_orig_mod.",
        "wrapped": "net.model.",
        "fsdp": "_fsdp_wrapped_module.",
    }.items():
        hugging_face(
            name,
            save=save_state(
                lambda state, folder, p=prefix: save_file({p + k: v for k, v in state.items()}, folder / "model.safetensors")
            ),
        )
    hugging_face(
        "compiled_blocks",
        save=save_state(
            lambda state, folder: save_file(
                {k.replace(".mixer.", "._orig_mod.mixer.").replace(".norm.", "._orig_mod.norm."): v for k, v in state.items()},
                folder / "model.safetensors",
            )
        ),
    )
    hugging_face(
        "f64",
        save=save_state(
            lambda state, folder: save_file({k: v.double() for k, v in state.items()}, folder / "model.safetensors")
        ),
    )
    hugging_face(
        "lightning",
        save=save_state(
            lambda state, folder: torch.save(
                {"state_dict": {"model." + k: v for k, v in state.items()}, "epoch": 3}, folder / "model.ckpt"
            )
        ),
    )
    hugging_face(
        "trainer",
        save=save_state(
            lambda state, folder: torch.save(
                {"model": state, "optimizer": {"state": {}, "param_groups": []}}, folder / "model.pt"
            )
        ),
    )
    for name, wrap in {
        "loss_beside_the_weights": lambda state: {"epoch": 3, "loss": torch.tensor(0.5), "model_state_dict": state},
        "nested_states": lambda state: {"checkpoint": {"model": state, "step": torch.tensor(4)}, "args": {"lr": 0.1}},
        "state_of_generators": lambda state: {"model": state, "rng": {"cpu": torch.get_rng_state()}, "loss": torch.ones(2, 2)},
        "scores_of_callbacks": lambda state: {"state_dict": state, "callbacks": {"best": {"models": {"a": torch.tensor(0.5)}}}},
        "extra_state": lambda state: {**state, "_extra_state": {"scale": torch.ones(2, 2)}},
    }.items():
        hugging_face(name, save=save_state(lambda state, folder, wrap=wrap: torch.save(wrap(state), folder / "model.pt")))
    for name, refused, content in [
        ("optimiser_alone", "found no state dict in a dict with the keys state (dict), param_groups (list), wanted a dict of",
         {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]}),
        ("list_of_tensors", "found no state dict in a list, wanted a dict of tensors", [torch.ones(3)]),
        ("meta_device", "weight: found a tensor torch.float32, torch.strided, on the device meta, which has no numbers, wanted",
         {"weight": torch.ones(3, 3, device="meta")}),
    ]:  # fmt: skip
        hugging_face(name, save=save_state(lambda state, folder, content=content: torch.save(content, folder / "model.pt")),
                     refused=refused)  # fmt: skip
    two = save_state(lambda state, folder: torch.save({"model": state, "ema": state}, folder / "model.pt"))
    hugging_face("two_states", save=two, refused="several state dicts are in the file")
    hugging_face("two_states_key", save=two, options=["--key", "ema"])
    hugging_face(
        "whole_module",
        save=lambda model, folder: torch.save(Block(), folder / "model.pt"),
        refused="rejects the file: wanted tensors alone",
    )
    minimal = {"backbone.embeddings": "embedding", "backbone.": ""}

    def renamed(state, names):
        for old, new in names.items():
            state = {k.replace(old, new): v for k, v in state.items()}
        return state

    hugging_face(
        "mamba_minimal",
        save=save_state(
            lambda state, folder: save_file(
                {**renamed(state, minimal), "lm_head.weight": state["backbone.embeddings.weight"].clone()},
                folder / "model.safetensors",
            )
        ),
    )
    hugging_face(
        "mamba_py",
        save=save_state(
            lambda state, folder: save_file(
                {
                    **renamed(state, {"backbone.layers": "mamba.layers", **minimal}),
                    "lm_head.weight": state["backbone.embeddings.weight"].clone(),
                },
                folder / "model.safetensors",
            )
        ),
    )
    hugging_face(
        "headless_asks",
        transformers.MambaModel,
        save=save_state(lambda state, folder: save_file(state, folder / "model.safetensors")),
        refused="--head tied",
    )
    return base


def mamba2_models():
    """Writes test cases for the Mamba-2 model of the library transformers."""
    shape = dict(vocab_size=IDS, hidden_size=WIDTH, state_size=8, num_hidden_layers=2, initializer_range=0.3)
    shape |= dict(num_heads=4, head_dim=8, n_groups=1)
    ids = torch.randint(0, IDS, (1, TOKENS))

    def case_of(name, kind=transformers.Mamba2ForCausalLM, refused=None, options=(), dtype=None, shard="1GB", **config):
        folder, model = folder_of(name), kind(kind.config_class(**{**shape, **config})).eval()
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                if parameter.dim() == 1 and "A_log" not in key:  # moves the parameters away from their initial values
                    parameter += 0.3 * torch.randn_like(parameter)
        if dtype is not None:
            model = model.to(dtype)
        model.save_pretrained(folder, max_shard_size=shard)
        model = model.float()
        with torch.no_grad():
            out = model(ids)
        y = (out.logits if "logits" in out else out.last_hidden_state)[0]
        record(name, folder, ids[0], y, options, refused)
        return folder, model, y

    case_of("mamba2")
    case_of("mamba2_bf16", dtype=torch.bfloat16)
    case_of("mamba2_f16", dtype=torch.float16)
    case_of("mamba2_sharded", shard="8KB")
    folder, model, y = case_of("mamba2_groups_2", n_groups=2, tie_word_embeddings=True, layer_norm_epsilon=1e-3)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    eps = dict(norm_eps=1e-3, mixer_norm_eps=1e-3)
    record_vector(folder, state, ids[0], y, component="Mamba2", ngroups=2, tied=True, **eps)
    odd = dict(hidden_size=18, num_heads=12, head_dim=3, state_size=5, conv_kernel=3)
    case_of("mamba2_groups_4_odd", n_groups=4, use_bias=True, use_conv_bias=False, **odd)
    case_of("mamba2_dt_limit", time_step_limit=(0.02, 0.1))
    case_of("mamba2_headless", transformers.Mamba2Model)
    # Without config.json, the number of groups is assumed, unless an option gives it.
    for name, options, refused in [
        ("mamba2_groups_given", ["--ngroups", "2"], None),
        ("mamba2_groups_assumed", [], "check with f32 weights: largest error"),
    ]:
        folder, *_ = case_of(name, n_groups=2, options=options, refused=refused)
        (folder / "config.json").unlink()

    def mixer():
        return Mamba2Mixer(transformers.Mamba2Config(**{**shape, "n_groups": 2}), 0)

    def classifier(*layers):
        head = nn.Linear(WIDTH, CLASSES)
        return model_of(proj=nn.Linear(FEATURES, WIDTH), layers=list(layers), norm_f=rms(), mean=MEAN, head=head)

    order = ["--order", "proj,layers,norm_f,mean,head", "--ngroups", "2"]
    case("mamba2_classifier", classifier(*(Residual(rms, make=mixer) for _ in range(2))), *order)
    case("mamba2_hybrid", classifier(Residual(rms), Residual(rms, make=mixer)), *order)


def mamba3_models():
    """Writes cases with random checkpoints of Mamba-3 under mamba-ssm's names, and the logits that the library mamba3-jax
    computes with their weights."""
    ids = torch.randint(0, IDS, (1, TOKENS))

    def case_of(name, refused=None, options=("--A-formula", "heavy_tail"), rope_fraction=0.5, **how):
        sizes = dict(vocab_size=IDS, hidden_size=WIDTH, state_size=8, head_dim=8, num_hidden_layers=2, chunk_size=16)
        config = Mamba3Config(**sizes, rope_fraction=rope_fraction, **how)
        rank, heads, d_inner = config.effective_mimo_rank, config.num_heads, config.intermediate_size
        shapes = {
            "in_proj.weight": [config.d_in_proj, WIDTH],
            "out_proj.weight": [WIDTH, d_inner],
            "dt_bias": [heads],
            "D": [heads],
            "B_bias": [heads, rank, 8],
            "C_bias": [heads, rank, 8],
            "B_norm.weight": [8],
            "C_norm.weight": [8],
        }
        if config.is_mimo:
            shapes |= {key: [heads, rank, 8] for key in ("mimo_x", "mimo_z", "mimo_o")}
        if config.is_outproj_norm:
            shapes["norm.weight"] = [d_inner]
        whole = {"backbone.embedding.weight": [IDS, WIDTH], "backbone.norm_f.weight": [WIDTH]}
        for at in range(2):
            whole |= {f"backbone.layers.{at}.mixer.{key}": extents for key, extents in shapes.items()}
            whole[f"backbone.layers.{at}.norm.weight"] = [WIDTH]
        if not config.tie_word_embeddings:
            whole["lm_head.weight"] = [IDS, WIDTH]
        # delta is about 0.1. With delta 1, mamba3-jax's own error is up to 7e-5, because it adds up angles in float32.
        means = {key: -2 if key.endswith("dt_bias") else len(extents) == 1 for key, extents in whole.items()}
        state = {key: 0.3 * torch.randn(*extents) + means[key] for key, extents in whole.items()}
        model, loaded, skipped = load_pytorch_weights(create_random_model(config), {k: t.numpy() for k, t in state.items()})
        assert len(loaded) == len(state) and not skipped, skipped
        y = torch.tensor(jnp.asarray(model(jnp.asarray(ids.numpy()))["logits"][0]).tolist())
        folder = folder_of(name)
        save_file(state, folder / "model.safetensors")
        keys = ("rope_fraction", "ngroups", "is_mimo", "mimo_rank", "is_outproj_norm", "A_floor")
        ssm = {"layer": "Mamba3", "d_state": 8, "headdim": 8, **{key: getattr(config, key) for key in keys}}
        whole = {"d_model": WIDTH, "n_layer": 2, "vocab_size": IDS, "ssm_cfg": ssm, "rms_norm": True}
        (folder / "config.json").write_text(json.dumps({**whole, "tie_embeddings": config.tie_word_embeddings}))
        record(name, folder, ids[0], y, options, refused)
        return folder, state, y

    case_of("mamba3")
    case_of("mamba3_groups_norm", ngroups=2, is_outproj_norm=True, rope_fraction=1.0, tie_word_embeddings=False)
    case_of("mamba3_mimo_norm", is_mimo=True, mimo_rank=2, is_outproj_norm=True, A_floor=0.5)
    folder, state, y = case_of("mamba3_mimo", is_mimo=True, mimo_rank=4)
    record_vector(folder, state, ids[0], y, component="Mamba3", tied=True, mimo_rank=4)
    case_of("mamba3_asks", options=(), refused="--A-formula heavy_tail")
    case_of("mamba3_old_A", options=("--A-formula", "softplus"), refused="--A-formula softplus is not supported")


def classifiers():
    def layers(block="mixer", norm=rms):
        return [Residual(norm, block), Residual(norm, block)]

    def classic(**more):
        return model_of(
            **{
                "proj": nn.Linear(FEATURES, WIDTH),
                "layers": layers(),
                "norm_f": rms(),
                "mean": MEAN,
                "head": nn.Linear(WIDTH, CLASSES),
                **more,
            }
        )

    order = "proj,layers,norm_f,mean,head"
    case("classic", classic(), "--order", order)
    case("classic_asks", classic(), refused="--order proj,layers,norm_f,mean,head")
    case("classic_batch", classic(), "--order", order, x=torch.randn(3, 50, FEATURES))
    case("wrong_pool", classic(), "--order", order.replace("mean", "last"), refused="check with f32 weights: largest error")
    case("wrong_norm", classic(), "--order", "proj,norm_f,layers,mean,head", refused="check with f32 weights: largest error")
    case(
        "wrong_activation",
        classic(),
        "--order",
        "proj,relu,layers,norm_f,mean,head",
        refused="check with f32 weights: largest error",
    )
    case(
        "every_token",
        model_of(proj=nn.Linear(FEATURES, WIDTH), layers=layers(), head=nn.Linear(WIDTH, CLASSES)),
        "--order",
        "proj,layers,head",
    )
    small = classic(layers=layers(norm=lambda: nn.RMSNorm(WIDTH)), norm_f=nn.RMSNorm(WIDTH))
    case("default_eps", small, "--order", order, "--norm-eps", "1.1920929e-07")

    def stronger(model):
        """Enlarges the weights of the head's Linears, so that activations after them are tested outside their linear range."""
        for layer in model.head:
            if isinstance(layer, nn.Linear):
                layer.weight.data *= 4

    case(
        "activations",
        model_of(
            proj=nn.Linear(FEATURES, WIDTH),
            silu=nn.SiLU(),
            layers=layers("mamba"),
            tanh=nn.Tanh(),
            last=LAST,
            head=[
                nn.Linear(WIDTH, 24),
                nn.ReLU(),
                nn.Dropout(),
                nn.Linear(24, 20),
                nn.GELU(),
                nn.Linear(20, 24),
                nn.GELU("tanh"),
                nn.Linear(24, 12),
                nn.Sigmoid(),
                nn.Linear(12, CLASSES),
            ],
        ),
        "--order",
        "proj,silu,residual(layers.*.norm,layers.*.mamba),tanh,last,"
        "head.0,relu,head.3,gelu,head.5,gelu_tanh,head.7,sigmoid,head.9",
        change=stronger,
    )

    def trained(model):
        model.train()
        for _ in range(3):
            model(2 * torch.randn(8, 20, FEATURES) + 1)
        model.eval()

    normed = model_of(
        proj=nn.Linear(FEATURES, WIDTH),
        bn=Channels(nn.BatchNorm1d(WIDTH)),
        layers=layers(),
        mean=MEAN,
        bn2=nn.BatchNorm1d(WIDTH),
        head=nn.Linear(WIDTH, CLASSES, bias=False),
    )
    case("batch_norm", normed, "--order", "proj,bn,layers,mean,bn2,head", change=trained)
    case("batch_norm_alone", normed, "--order", "proj,layers,bn,mean,bn2,head", refused="BatchNorm1d is not supported here")

    class Bare(nn.Module):
        def __init__(self, residual):
            super().__init__()
            self.residual, self.proj, self.norm = residual, nn.Linear(FEATURES, WIDTH), rms()
            self.mamba, self.head = Block(), nn.Linear(WIDTH, CLASSES)

        def forward(self, x):
            x = self.proj(x)
            y = self.mamba(self.norm(x))
            return self.head((x + y if self.residual else y).mean(1))

    case("bare_asks", Bare(True).eval(), "--order", "proj,norm,mamba,mean,head", refused="residual(norm,mamba)")
    case("bare_residual", Bare(True).eval(), "--order", "proj,residual(norm,mamba),mean,head")
    case("bare_plain", Bare(False).eval(), "--order", "proj,plain(norm,mamba),mean,head")
    case(
        "bare_wrong",
        Bare(False).eval(),
        "--order",
        "proj,residual(norm,mamba),mean,head",
        refused="check with f32 weights: largest error",
    )
    ids = torch.randint(0, IDS, (1, TOKENS))
    case(
        "text_classifier",
        model_of(tok=nn.Embedding(IDS, WIDTH), layers=layers(), norm_f=rms(), last=LAST, head=nn.Linear(WIDTH, CLASSES)),
        "--order",
        "tok,layers,norm_f,last,head",
        x=ids,
    )

    class FeedForward(nn.Module):
        """Computes x + block(norm1(x)), then x + mlp(y + tanh(y)) with y = norm2(x), so that one residual contains another."""

        def __init__(self):
            super().__init__()
            self.norm1, self.mamba, self.norm2 = rms(), Block(), nn.LayerNorm(WIDTH)
            self.mlp = nn.Sequential(nn.Linear(WIDTH, 40), nn.GELU(), nn.Linear(40, WIDTH))

        def forward(self, x):
            x = x + self.mamba(self.norm1(x))
            y = self.norm2(x)
            return x + self.mlp(y + torch.tanh(y))

    deep = classic(layers=[FeedForward(), FeedForward()])
    mamba = "residual(layers.*.norm1,layers.*.mamba)"
    mlp = "residual(layer_norm(layers.*.norm2),residual(tanh),layers.*.mlp.0,gelu,layers.*.mlp.2)"
    case("residuals", deep, "--order", f"proj,plain({mamba},{mlp}),norm_f,mean,head")
    case("residuals_of_a_list", deep, "--order", f"proj,{mamba},{mlp},norm_f,mean,head", refused=f"wanted plain({mamba},{mlp})")
    case(
        "residuals_wrong",
        deep,
        "--order",
        f"proj,plain({mamba},{mlp.replace('residual(tanh),', '')}),norm_f,mean,head",
        refused="check with f32 weights: largest error",
    )

    class Positions(nn.Module):
        """Adds learned positions for 250 tokens to the output of the first layer."""

        def __init__(self):
            super().__init__()
            self.pos_embed, self.layers = nn.Parameter(torch.randn(1, 250, WIDTH)), classic()

        def forward(self, x):
            first, *others = self.layers
            x = first(x)
            return nn.Sequential(*others)(x + self.pos_embed[:, : x.shape[1]])

    positions, order_of_positions = Positions(), "layers.proj,{},layers.layers,layers.norm_f,mean,layers.head"
    case("positions", positions, "--order", order_of_positions.format("positional(pos_embed)"))
    case("positions_ask", positions, refused="positional(pos_embed)")
    case("layer_norm", classic(norm_f=nn.LayerNorm(WIDTH), mean=MAX), "--order", "proj,layers,layer_norm(norm_f),max,head")
    case(
        "layer_norm_plain",
        classic(norm_f=nn.LayerNorm(WIDTH, elementwise_affine=False)),
        "--order",
        "proj,layers,layer_norm,mean,head",
    )
    case(
        "layer_norm_wrong",
        classic(norm_f=nn.LayerNorm(WIDTH)),
        "--order",
        order,
        "--norm",
        "rms_norm",
        refused="check with f32 weights: largest error",
    )
    with_layer_norm = layers(norm=lambda: nn.LayerNorm(WIDTH))
    case("layer_norm_blocks", classic(layers=with_layer_norm), "--order", order, "--norm", "layer_norm")
    model = model_of(
        embedding=nn.Embedding(IDS, WIDTH),
        layers=with_layer_norm,
        norm_f=nn.LayerNorm(WIDTH),
        lm_head=nn.Linear(WIDTH, IDS, bias=False),
    )
    state = {name if name.startswith("lm_head.") else "backbone." + name: t for name, t in model.state_dict().items()}
    case("mamba_ssm_layer_norm", model, x=ids, state=state)
    config = {"d_model": WIDTH, "n_layer": 2, "vocab_size": IDS, "ssm_cfg": {}, "rms_norm": False, "tie_embeddings": False}
    (FOLDER / "mamba_ssm_layer_norm" / "config.json").write_text(json.dumps(config))
    case("layer_norm_asks", classic(norm_f=nn.LayerNorm(WIDTH)), "--order", order, refused="--norm layer_norm")
    case(
        "lstm",
        classic(mean=nn.Sequential()),
        "--order",
        order,
        refused="an RNN, LSTM or GRU",
        state={**classic().state_dict(), **{"lstm." + k: v for k, v in nn.LSTM(4, 4).state_dict().items()}},
    )
    case(
        "bidirectional",
        classic(),
        "--order",
        order,
        refused="a bidirectional model is not supported",
        state={**classic().state_dict(), **{"bwd." + k: v for k, v in Block().state_dict().items()}},
    )
    case(
        "conv",
        classic(),
        "--order",
        "proj,conv,layers,norm_f,mean,head",
        refused="not depthwise",
        state={**classic().state_dict(), "conv.weight": torch.randn(WIDTH, WIDTH, 3)},
    )

    def convolution(conv, **more):
        return model_of(conv=Channels(conv), layers=layers(), norm_f=rms(), **more, head=nn.Linear(WIDTH, CLASSES))

    rest = "layers,norm_f,mean,head"
    front = convolution(nn.Conv1d(FEATURES, WIDTH, 7, stride=4, padding=3), mean=MEAN)
    case("conv_stride", front, "--order", f"conv1d(conv, stride=4, padding=3),{rest}", x=torch.randn(2, 103, FEATURES))
    case(
        "conv_wrong_padding",
        front,
        "--order",
        f"conv1d(conv, stride=4, padding=2),{rest}",
        refused="check with f32 weights: largest error",
    )
    dilated = convolution(nn.Conv1d(FEATURES, WIDTH, 3, stride=2, dilation=2), mean=MEAN)
    case(
        "conv_dilation",
        dilated,
        "--order",
        f"conv1d(conv, stride=2, dilation=2),{rest}",
        refused="found dilation=2 in conv1d(conv), wanted dilation=1",
    )
    bare = convolution(nn.Conv1d(FEATURES, WIDTH, 10, stride=5, bias=False))
    case("conv_every_token", bare, "--order", f"conv1d(conv, stride=5),{rest.replace('mean,', '')}")
    audio = model_of(
        conv=Channels(nn.Conv1d(1, WIDTH, 25, stride=10, padding=12)),
        bn=Channels(nn.BatchNorm1d(WIDTH)),
        relu=nn.ReLU(),
        conv2=Channels(nn.Conv1d(WIDTH, WIDTH, 3, padding=2)),
        trim=Apply(lambda x: x[:, :-2]),
        layers=layers(),
        head=nn.Linear(WIDTH, CLASSES),
    )
    case(
        "conv_audio",
        audio,
        "--order",
        "conv1d(conv, channels=1, stride=10, padding=12),bn,relu,conv1d(conv2, padding=2),layers,head",
        x=torch.randn(1, 2000, 1),
    )


def main():
    torch.manual_seed(7)
    transformers.logging.set_verbosity_error()
    language_models()
    mamba2_models()
    mamba3_models()
    classifiers()
    (FOLDER / "cases.json").write_text(json.dumps(CASES))


main()
