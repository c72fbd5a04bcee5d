#!/usr/bin/env python3
"""Exports PyTorch modules of many kinds with krait.export: outputs must be right within 1e-5, or the module must be rejected
with a message that names the reason.

  export_cases.py FOLDER COMPILER [WORD]    only cases whose names contain the word; calls: arguments

Needs torch, transformers, mambapy and numpy. Exit code 0: all right; 1: some are wrong.
"""

import copy
import math
import pathlib
import subprocess
import sys
import time
import warnings

import numpy as np
import torch
import transformers
from mambapy import mamba as mamba_py_library
from torch import nn
from torch.nn import functional as F
from transformers.models.mamba2.modeling_mamba2 import Mamba2Mixer

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "tests" / "data" / "reference")]
import heads_reference  # noqa: E402
import krait  # noqa: E402

WIDTH, FEATURES, CLASSES, IDS, TOKENS = 16, 6, 4, 32, 40
GOOD, BAD = {}, {}


def good(words):
    """Registers a test case: a function that returns a module and an example input for krait.export. The description of the
    layers, which krait.export returns, must contain `words`."""
    return lambda make: GOOD.update({make.__name__: (make, words)})


def bad(words):
    """Registers a test case: a function that returns a module that krait.export must reject, and an example input. The message
    must contain `words`."""
    return lambda make: BAD.update({make.__name__: (make, words)})


class Block(nn.Module):
    """A Mamba block in plain PyTorch, without the fused kernels of mamba-ssm."""

    def __init__(self, activation=F.silu, d_model=WIDTH, d_state=8, d_conv=4, dt_rank=1):
        super().__init__()
        d_inner = 2 * d_model
        self.sizes, self.activate = [dt_rank, d_state, d_state], activation
        self.in_proj = nn.Linear(d_model, 2 * d_inner, bias=False)
        self.conv1d = nn.Conv1d(d_inner, d_inner, d_conv, groups=d_inner, padding=d_conv - 1)
        self.x_proj = nn.Linear(d_inner, sum(self.sizes), bias=False)
        self.dt_proj = nn.Linear(dt_rank, d_inner)
        self.A_log = nn.Parameter(torch.log(torch.arange(1.0, d_state + 1)).repeat(d_inner, 1))
        self.D = nn.Parameter(torch.ones(d_inner))
        self.out_proj = nn.Linear(d_inner, d_model, bias=False)

    def forward(self, x):
        u, z = self.in_proj(x).chunk(2, -1)
        u = self.activate(self.conv1d(u.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2))
        dt, B, C = self.x_proj(u).split(self.sizes, -1)
        delta, A = F.softplus(self.dt_proj(dt)), -self.A_log.exp()
        h, y = 0, []
        for t in range(x.shape[1]):
            h = (delta[:, t, :, None] * A).exp() * h + (delta[:, t] * u[:, t])[..., None] * B[:, t, None]
            y.append((h * C[:, t, None]).sum(-1) + self.D * u[:, t])
        return self.out_proj(torch.stack(y, 1) * self.activate(z))


class Mamba3(nn.Module):
    """A block of Mamba-3 with mamba-ssm's parameters, computed by the reference in numpy."""

    def __init__(self, rank=1, heads=4, headdim=8, d_state=8, A_floor=1e-2):
        super().__init__()
        self.headdim, self.A_floor = headdim, A_floor
        rows = 2 * heads * headdim + 2 * rank * d_state + 3 * heads + d_state // 4
        self.in_proj = nn.Linear(WIDTH, rows, bias=False)
        self.dt_bias, self.D = nn.Parameter(torch.full((heads,), -2.0)), nn.Parameter(torch.ones(heads))
        self.B_bias = nn.Parameter(torch.randn(heads, rank, d_state))
        self.C_bias = nn.Parameter(torch.randn(heads, rank, d_state))
        self.B_norm, self.C_norm = nn.RMSNorm(d_state, eps=1e-5), nn.RMSNorm(d_state, eps=1e-5)
        if rank > 1:
            for name in ("mimo_x", "mimo_z", "mimo_o"):
                self.register_parameter(name, nn.Parameter(torch.randn(heads, rank, headdim)))
        self.out_proj = nn.Linear(heads * headdim, WIDTH, bias=False)

    def forward(self, u):
        weights = {name: one.detach().double().numpy() for name, one in self.named_parameters()}
        rows = [heads_reference.mamba3_block(one, weights, self.headdim, A_floor=self.A_floor)[0] for one in u.double().numpy()]
        return torch.stack([torch.tensor(one) for one in rows]).float()


class PreNorm(nn.Module):
    """Computes x + f(norm(x))."""

    def __init__(self, norm, f):
        super().__init__()
        self.norm, self.f = norm, f

    def forward(self, x):
        return x + self.f(self.norm(x))


class RMSNorm(nn.Module):
    """An RMSNorm written with pow, mean and rsqrt, as many models contain it."""

    def __init__(self, eps=1e-6):
        super().__init__()
        self.eps, self.scale = eps, nn.Parameter(torch.rand(WIDTH) + 0.5)

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.scale


class Apply(nn.Module):
    """A module whose forward(x) is function(self, x), with the layers and parameters that the function uses."""

    def __init__(self, function, **layers):
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            (self.add_module if isinstance(layer, nn.Module) else self.register_parameter)(name, layer)

    def forward(self, x):
        return self.function(self, x)


def features(*shape):
    return torch.randn(*(shape or (2, TOKENS, FEATURES))) * 2 + 0.3


def ids():
    return torch.randint(0, IDS, (2, TOKENS))


def proj():
    return nn.Linear(FEATURES, WIDTH)


def head():
    return nn.Linear(WIDTH, CLASSES)


MEAN = Apply(lambda self, x: x.mean(1))


@good("linear(proj),relu,residual(layer_norm(norm,eps=1e-05),mamba),mean,linear(head.0),relu,linear(head.3)")
def classifier():
    def forward(self, x):
        x = F.relu(self.bn(self.proj(x).transpose(1, 2)).transpose(1, 2))
        x = x + self.drop(self.mamba(self.norm(x)))
        return self.head(x.mean(dim=1))

    layers = nn.Sequential(nn.Linear(WIDTH, 20), nn.ReLU(), nn.Dropout(), nn.Linear(20, CLASSES))
    return Apply(forward, proj=proj(), bn=nn.BatchNorm1d(WIDTH), norm=nn.LayerNorm(WIDTH), mamba=Block(), drop=nn.Dropout(),
                 head=layers), features()  # fmt: skip


@good("silu,plain(mamba),tanh,linear(a),gelu,linear(b),gelu_tanh,linear(c),sigmoid,last,linear(head)")
def activations():
    def forward(self, x):
        x = torch.tanh(self.mamba(F.silu(self.proj(x))))
        x = self.gelu(self.b(F.gelu(self.a(x))))
        return self.head(torch.sigmoid(self.c(x))[:, -1])

    return Apply(forward, proj=proj(), mamba=Block(), a=nn.Linear(WIDTH, 20), b=nn.Linear(20, 24), gelu=nn.GELU("tanh"),
                 c=nn.Linear(24, WIDTH), head=head()), features()  # fmt: skip


@good("rms_norm(4,eps=1.1920928955078125e-07),max,linear(6)")
def sequential_blocks():
    blocks = [PreNorm(nn.RMSNorm(WIDTH), Block()) for _ in range(3)]
    return nn.Sequential(proj(), *blocks, nn.RMSNorm(WIDTH), Apply(lambda self, x: x.amax(1)), head()), features()


@good("residual(layer_norm(blocks.0.norm2,eps=0.001),linear(blocks.0.mlp.0),gelu,linear(blocks.0.mlp.2))")
def feed_forward_residuals():
    def layer(self, x):
        y = self.mamba(self.norm1(x))
        x = y + x
        x += self.mlp(self.norm2(x))
        return x

    def block():
        mlp = nn.Sequential(nn.Linear(WIDTH, 40), nn.GELU(), nn.Linear(40, WIDTH), nn.Dropout(0.2))
        return Apply(layer, norm1=RMSNorm(), mamba=Block(), norm2=nn.LayerNorm(WIDTH, eps=1e-3), mlp=mlp)

    def forward(self, x):
        for one in self.blocks:
            x = one(x)
        return self.head(x)

    return Apply(forward, blocks=nn.ModuleList([block(), block()]), head=head()), features(2, TOKENS, WIDTH)


@good("residual(residual(tanh),linear(a)),linear(head)")
def residual_of_a_residual():
    def forward(self, x):
        x = self.proj(x)
        y = x + torch.tanh(x)
        return self.head(x + self.a(y))

    return Apply(forward, proj=proj(), a=nn.Linear(WIDTH, WIDTH), head=head()), features()


@good("conv1d(between,groups=16),residual(rms_norm(norm,eps=1e-05),mamba),mean,linear(after),relu,linear(head)")
def batch_norms():
    def forward(self, x):
        x = self.between(F.relu(self.proj(x)).transpose(1, 2)).transpose(1, 2)
        x = x + self.mamba(self.norm(x))
        return self.head(F.relu(self.after(x.mean(1))))

    return Apply(forward, proj=proj(), between=nn.BatchNorm1d(WIDTH), norm=nn.RMSNorm(WIDTH, eps=1e-5), mamba=Block(),
                 after=nn.BatchNorm1d(WIDTH, affine=False), head=head()), features()  # fmt: skip


@good("conv1d(conv,stride=4,padding=3),relu")
def conv_front():
    def forward(self, x):
        x = F.relu(self.bn(self.conv(x))).transpose(1, 2)
        x = x + self.mamba(self.norm(x))
        return self.head(x.mean(1))

    return Apply(forward, conv=nn.Conv1d(FEATURES, WIDTH, 7, stride=4, padding=3), bn=nn.BatchNorm1d(WIDTH),
                 norm=nn.LayerNorm(WIDTH), mamba=Block(), head=head()), features(2, FEATURES, 103)  # fmt: skip


@good("conv1d(a,stride=1,padding=4,right_padding=0),relu,conv1d(b,stride=1,padding=2,right_padding=0),silu,max,linear(head)")
def causal_convs():
    def forward(self, x):
        x = F.relu(self.a(F.pad(x.transpose(1, 2), (4, 0))))
        x = F.silu(self.b(x)[..., : x.shape[-1]])
        return self.head(F.adaptive_max_pool1d(x, 1).flatten(1))

    return Apply(forward, a=nn.Conv1d(FEATURES, WIDTH, 3, dilation=2), b=nn.Conv1d(WIDTH, WIDTH, 3, padding=2),
                 head=head()), features()  # fmt: skip


@good("conv1d(depthwise,groups=6),linear(pointwise),relu,mean,linear(out)")
def separable_convs():
    def forward(self, x):
        x = self.depthwise(x.transpose(1, 2))[:, :, : x.shape[1]]
        return self.out(torch.relu(self.pointwise(x)).mean(-1))

    return Apply(forward, depthwise=nn.Conv1d(FEATURES, FEATURES, 4, groups=FEATURES, padding=3),
                 pointwise=nn.Conv1d(FEATURES, WIDTH, 1), out=head()), features()  # fmt: skip


@good("embedding(tok),positional(positional)")
def positions():
    def forward(self, x):
        x = self.tok(x) + self.pos[:, : x.shape[1]]
        x = x + self.mamba(self.norm(x))
        return self.head(self.norm_f(x)[:, -1, :])

    return Apply(forward, tok=nn.Embedding(IDS, WIDTH), pos=nn.Parameter(torch.randn(1, 100, WIDTH)), norm=nn.LayerNorm(WIDTH),
                 mamba=Block(), norm_f=nn.LayerNorm(WIDTH), head=head()), ids()  # fmt: skip


@good("a language model: Mamba, 2 layers, tied head")
def tied_head():
    def forward(self, x):
        return F.linear(self.norm_f(self.layers(self.tok(x))), self.tok.weight)

    layers = nn.Sequential(*(PreNorm(nn.LayerNorm(WIDTH), Block()) for _ in range(2)))
    return Apply(forward, tok=nn.Embedding(IDS, WIDTH), layers=layers, norm_f=nn.LayerNorm(WIDTH)), ids()


@good("layers.0.f),rms_norm(norm_f,eps=1e-05),linear(lm_head)")
def tied_head_with_positions():
    def forward(self, x):
        y = self.tok(x) + self.pos(torch.arange(x.shape[1]))
        return self.lm_head(self.norm_f(self.layers(y)))

    layers = nn.Sequential(PreNorm(nn.RMSNorm(WIDTH, eps=1e-5), Block()))
    made = Apply(forward, tok=nn.Embedding(IDS, WIDTH), pos=nn.Embedding(50, WIDTH), layers=layers,
                 norm_f=nn.RMSNorm(WIDTH, eps=1e-5), lm_head=nn.Linear(WIDTH, IDS, bias=False))  # fmt: skip
    made.lm_head.weight = made.tok.weight
    return made, ids()


def hugging_face(kind, **config):
    shape = dict(vocab_size=IDS, hidden_size=WIDTH, state_size=8, num_hidden_layers=2, initializer_range=0.3)
    return kind(kind.config_class(**{**shape, **config})), ids()


@good("a language model: Mamba, 2 layers, tied head")
def transformers_mamba():
    return hugging_face(transformers.MambaForCausalLM)


@good("residual(rms_norm(layers.1.norm,eps=0.01),layers.1.mixer),rms_norm(norm_f")
def transformers_mamba_model():
    return hugging_face(transformers.MambaModel, layer_norm_epsilon=1e-2, use_bias=True, use_conv_bias=False)


@good("a language model: Mamba2, 2 layers, untied head")
def transformers_mamba2():
    heads = dict(num_heads=4, head_dim=8, n_groups=2, time_step_limit=(0.02, 0.1), layer_norm_epsilon=1e-3)
    return hugging_face(transformers.Mamba2ForCausalLM, **heads, tie_word_embeddings=False)


@good("a language model: Mamba, 2 layers, tied head")
def transformers_falcon_mamba():
    return hugging_face(transformers.FalconMambaForCausalLM, mixer_rms_eps=1e-3)


def mamba_py_model(**config):
    """Returns a model with the layers of mambapy.lm.LM, whose module imports packages that are not installed here."""
    config = mamba_py_library.MambaConfig(d_model=WIDTH, d_state=8, **config)
    return nn.Sequential(nn.Embedding(IDS, WIDTH), mamba_py_library.Mamba(config),
                         mamba_py_library.RMSNorm(WIDTH, config.rms_norm_eps), nn.Linear(WIDTH, IDS, bias=False))  # fmt: skip


@good("a language model: Mamba, 2 layers, untied head")
def mamba_py():
    return mamba_py_model(n_layers=2), ids()


@good("residual(rms_norm(2.norm.rms_norm,eps=1e-06),2.f),mean,linear(4)")
def hybrid():
    config = transformers.Mamba2Config(vocab_size=IDS, hidden_size=WIDTH, state_size=8, num_heads=4, head_dim=8, n_groups=2)
    blocks = [PreNorm(RMSNorm(), Block()), PreNorm(RMSNorm(), Mamba2Mixer(config, 0))]
    return nn.Sequential(proj(), *blocks, MEAN, head()), features()


@good("residual(rms_norm(1.norm,eps=1e-05),1.f),plain(2),mean,linear(4)")
def mamba3():
    return nn.Sequential(proj(), PreNorm(nn.RMSNorm(WIDTH, eps=1e-5), Mamba3()), Mamba3(), MEAN, head()), features()


@good("residual(layer_norm(1.norm,eps=1e-05),1.f),last,linear(3)")
def mamba3_mimo():
    block = PreNorm(nn.LayerNorm(WIDTH), Mamba3(rank=2))
    return nn.Sequential(proj(), block, Apply(lambda self, x: x.select(1, -1)), head()), features()


@good("linear(proj),relu,mean,linear(head)")
def normalised_inputs():
    def forward(self, x):
        x = F.relu(self.proj((x - self.mean) / self.std))
        return (self.head(x.sum(1) / x.shape[1]) * 0.5 + 3).squeeze(-1)

    return Apply(forward, proj=proj(), mean=nn.Parameter(torch.randn(FEATURES)), std=nn.Parameter(torch.rand(FEATURES) + 1),
                 head=nn.Linear(WIDTH, 1)), features()  # fmt: skip


@good("linear(linear),layer_norm(layer_norm,eps=1e-05),linear(linear_2),sigmoid")
def functions():
    def forward(self, x):
        x = F.layer_norm(F.linear(x, self.a, self.bias), (WIDTH,), None, self.bias)
        return (1 - torch.matmul(x, self.b)).sigmoid_()

    vectors = {"a": torch.randn(WIDTH, FEATURES), "b": torch.randn(WIDTH, CLASSES), "bias": torch.randn(WIDTH)}
    return Apply(forward, **{name: nn.Parameter(one) for name, one in vectors.items()}), features()


@good("linear(0.linear),relu,linear(2.linear),residual(layer_norm(3.norm,eps=1e-05),3.f),linear(4)")
def parametrized():
    normed = [nn.utils.parametrizations.weight_norm(one) for one in (proj(), nn.Linear(WIDTH, WIDTH))]
    block = PreNorm(nn.LayerNorm(WIDTH, bias=False), Block())
    return nn.Sequential(normed[0], nn.ReLU(inplace=True), normed[1], block, head()), features()


@good("linear(0),residual(layer_norm(1.norm,eps=1e-05),1.f),linear(2)")
def half_precision():
    return nn.Sequential(proj(), PreNorm(nn.LayerNorm(WIDTH), Block()), head()).bfloat16(), features()


@good("linear(proj),tanh,linear(head)")
def without_batch():
    return Apply(lambda self, x: self.head(torch.tanh(self.proj(x))), proj=proj(), head=head()), features(TOKENS, FEATURES)


@good("conv1d(conv,stride=2,padding=0),relu,max,linear(head)")
def keepdim_and_windows():
    def forward(self, x):
        return self.head(self.pool(F.relu(self.conv(x.permute(0, 2, 1)))).squeeze(2))

    conv = nn.Conv1d(FEATURES, WIDTH, 5, stride=2, groups=2)
    return Apply(forward, conv=conv, pool=nn.MaxPool1d(18), head=head()), features()


@good("conv1d(conv1d,groups=6),conv1d(front.0.0.conv1d,stride=1,padding=4,right_padding=0),silu,residual(layer_norm")
def nested_with_buffers():
    def forward(self, x):
        x = ((x - self.mean) / self.std).permute(0, 2, 1)
        x = self.front(x)[:, :, :-4].permute(0, 2, 1)
        for layer in self.layers:
            x = x + self.scale * layer["mixer"](layer["norm"](x))
        return self.head(x[:, -1])

    weight_norm = nn.utils.parametrizations.weight_norm
    front = nn.Sequential(nn.Sequential(weight_norm(nn.Conv1d(FEATURES, WIDTH, 5, padding=4)), nn.SiLU()), nn.Dropout(0.2))
    layers = nn.ModuleList(
        nn.ModuleDict({"norm": nn.LayerNorm(WIDTH, elementwise_affine=False), "mixer": Block(dt_rank=2)}) for _ in range(2)
    )
    module = Apply(forward, front=front, layers=layers, head=head(), scale=nn.Parameter(torch.rand(WIDTH)))
    module.register_buffer("mean", torch.randn(FEATURES))
    module.register_buffer("std", torch.rand(FEATURES) + 0.5)
    return module, features()


@good("embedding(embedding),residual(rms_norm(norm,eps=1.1920928955078125e-07),mixer),residual(layer_norm(norm2,eps=1e-05),")
def feed_forward_in_halves():
    def forward(self, x):
        x = self.embedding(x) * math.sqrt(WIDTH)
        x = x + self.mixer(self.norm(x))
        return self.head((x + self.down(F.silu(self.up(self.norm2(x))))).mean(1))

    layers = dict(norm2=nn.LayerNorm(WIDTH), up=nn.Linear(WIDTH, 40), down=nn.Linear(40, WIDTH, bias=False), head=head())
    return Apply(forward, embedding=nn.Embedding(IDS, WIDTH), norm=nn.RMSNorm(WIDTH), mixer=Block(), **layers).half(), ids()


@good("embedding(embedding),mean,linear(head)")
def ids_of_another_dtype():
    def forward(self, x):
        return self.head(self.pool(self.embedding(x.long()).transpose(1, 2)).squeeze(2))

    embedding, pool = nn.Embedding(IDS, WIDTH), nn.AdaptiveAvgPool1d((1,))
    return Apply(forward, embedding=embedding, pool=pool, head=head()), ids().to(torch.uint8)


@good("linear(proj),positional(positional),linear(head)")
def positions_with_an_offset():
    def forward(self, x):
        return self.head(self.proj(x) + self.positions[:, 2 : x.shape[1] + 2])

    return Apply(forward, proj=proj(), positions=nn.Parameter(torch.randn(1, 100, WIDTH)), head=head()), features()


class CentredNorm(nn.Module):
    """A LayerNorm that is not PyTorch's."""

    def __init__(self):
        super().__init__()
        self.weight, self.bias, self.eps = nn.Parameter(torch.ones(FEATURES)), nn.Parameter(torch.zeros(FEATURES)), 1e-5

    def forward(self, x):
        x = x - x.mean(-1, keepdim=True)
        return x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight + self.bias


@good("layer_norm(0,eps=1e-05),linear(1),identity,linear(2)")
def example_of_zeros():
    return nn.Sequential(CentredNorm(), proj(), head()), torch.zeros(1, TOKENS, FEATURES)


@good("conv1d(0,stride=1,padding=0),relu")
def sync_batch_norm():
    return nn.Sequential(nn.Conv1d(FEATURES, WIDTH, 3), nn.SyncBatchNorm(WIDTH), nn.ReLU()), features(2, FEATURES, TOKENS)


@good("linear(0),relu,linear(2)")
def example_of_numpy():
    return nn.Sequential(proj(), nn.ReLU(), head()), np.random.default_rng(1).normal(size=(TOKENS, FEATURES))


class Adapted(nn.Module):
    """A Linear with an adapter, with the names of PEFT."""

    def __init__(self, base_layer):
        super().__init__()
        self.base_layer = base_layer
        self.lora_A = nn.ModuleDict({"default": nn.Linear(base_layer.in_features, 2, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(2, base_layer.out_features, bias=False)})

    def forward(self, x):
        return self.base_layer(x) + self.lora_B["default"](self.lora_A["default"](x))


@bad("0.mixer.in_proj.base_layer.weight: an adapter (LoRA) is not supported: merge it into the weights first")
def adapter():
    model, x = hugging_face(transformers.MambaModel)
    for layer in model.layers:
        layer.mixer.in_proj = Adapted(layer.mixer.in_proj)
    return model, x


@bad("as many tokens as positions: found")
def clamped_positions():
    def forward(self, x):
        return self.head(self.proj(x) + self.positions(torch.arange(x.shape[1]).clamp(max=100)))

    return Apply(forward, proj=proj(), positions=nn.Embedding(120, WIDTH), head=head()), features()


class RootNorm(nn.Module):
    """An RMSNorm whose eps is outside of the square root."""

    def __init__(self):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(FEATURES)), 1e-6

    def forward(self, x):
        return x / (x.pow(2).mean(-1, keepdim=True).sqrt() + self.eps) * self.weight


@bad("0 (RootNorm): found a module with a weight and an eps that computes neither an RMSNorm nor a LayerNorm")
def eps_outside_of_the_root():
    return nn.Sequential(RootNorm(), proj(), head()), features()


@bad("--order: found 43 layers, from 0 to 42, wanted at most 40 in a stack")
def many_layers():
    layers = [one for _ in range(21) for one in (nn.Linear(FEATURES, FEATURES), nn.Tanh())]
    return nn.Sequential(*layers, proj()), features()


@bad("linear_dynamic in 0: found the function linear_dynamic")
def quantised():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(nn.Sequential(proj(), head()), {nn.Linear}), features()


@bad("embedding (Embedding): found max_norm 1.0, wanted None")
def max_norm():
    embedding = nn.Embedding(IDS, WIDTH, max_norm=1.0)
    with torch.no_grad():
        embedding.weight /= 10  # forward() changes the weights that have a larger norm
    return Apply(lambda self, x: self.head(self.embedding(x)), embedding=embedding, head=head()), ids()


@bad("add in forward(): found arithmetic with token ids, wanted an embedding of the ids")
def shifted_ids():
    return Apply(lambda self, x: self.head(self.e(x + 1)), e=nn.Embedding(IDS + 1, WIDTH), head=head()), ids()


@bad("div in 1: found a division by a tensor that depends on the input")
def reciprocal():
    return nn.Sequential(proj(), Apply(lambda self, x: torch.ones(WIDTH) / (x.sigmoid() + 1)), head()), features()


@bad("div in 1: found div with rounding_mode 'floor', wanted div without it")
def rounded_quotient():
    return nn.Sequential(proj(), Apply(lambda self, x: torch.div(x, 2, rounding_mode="floor")), head()), features()


@bad("f (Block): found axes [tokens, batch, channels], wanted [batch, tokens, channels]")
def tokens_first():
    return Apply(lambda self, x: self.f(self.proj(x).transpose(0, 1)), proj=proj(), f=Block()), features(TOKENS, 2, FEATURES)


@bad("as [batch, tokens, channels], the example has 1 token, wanted at least two")
def one_token():
    return nn.Sequential(proj(), head()), features(1, 1, FEATURES)


@bad("the module returns 2 tensors, wanted one: return the output that Krait should compute")
def named_outputs():
    return nn.Sequential(proj(), Apply(lambda self, x: {"a": self.a(x), "b": self.b(x)}, a=head(), b=head())), features()


@bad("or the first tokens after a Conv1d (with the example as [batch, channels, tokens])")
def part_of_the_channels():
    return Apply(lambda self, x: self.head(torch.cat([x[..., :3], x[..., 3:]], -1)), head=proj()), features()


@bad("lstm (LSTM): found a layer LSTM")
def lstm():
    lstm = nn.LSTM(FEATURES, WIDTH, batch_first=True)
    return Apply(lambda self, x: self.head(self.lstm(x)[0]), lstm=lstm, head=head()), features()


@bad("1.self_attn (MultiheadAttention): found")
def attention():
    attention = nn.MultiheadAttention(WIDTH, 2)
    return nn.Sequential(proj(), Apply(lambda self, x: self.self_attn(x, x, x)[0], self_attn=attention)), features()


@bad("flip in forward(): found a reversal of the tokens, as in bidirectional models, wanted layers that process")
def bidirectional():
    def forward(self, x):
        x = self.proj(x)
        return self.head(self.mamba(x) + self.mamba(x.flip(1)).flip(1))

    return Apply(forward, proj=proj(), mamba=Block(), head=head()), features()


@bad("mul in 1: found a product of two tensors that depend on the input, such as a gate")
def gate():
    return nn.Sequential(proj(), Apply(lambda self, x: self.a(x) * torch.sigmoid(self.b(x)), a=head(), b=head())), features()


@bad("cat in forward(): found 2 tensors that depend on the input")
def branches():
    def forward(self, x):
        return torch.cat([self.a(x), self.b(x)], -1)

    return Apply(forward, a=proj(), b=proj()), features()


@bad("add in forward(): found a sum of two tensors of which neither is computed from the other")
def sum_of_branches():
    return Apply(lambda self, x: self.a(x) + self.b(x), a=proj(), b=proj()), features()


@bad("1 (LeakyReLU): found a layer LeakyReLU")
def leaky_relu():
    return nn.Sequential(proj(), nn.LeakyReLU(), head()), features()


@bad("2 (Conv1d): found a Conv1d of 3 taps with stride 1, 1 zeros before the tokens and 1 after them, wanted stride 1")
def second_conv_reads_ahead():
    conv = nn.Conv1d(FEATURES, WIDTH, 3, padding=1)
    return nn.Sequential(conv, nn.ReLU(), nn.Conv1d(WIDTH, WIDTH, 3, padding=1)), features(2, FEATURES, TOKENS)


@bad("1: found bool() of a tensor that depends on the input")
def data_dependent():
    def forward(self, x):
        return self.head(torch.relu(x) if x.mean() > 0 else x)

    return nn.Sequential(proj(), Apply(forward, head=head())), features()


@bad("1 (MaxPool1d): found pooling from [2, 16, 40] to [2, 16, 20]")
def windows():
    conv = nn.Conv1d(FEATURES, WIDTH, 3, padding=1)
    return nn.Sequential(conv, nn.MaxPool1d(2), nn.Conv1d(WIDTH, CLASSES, 1)), features(2, FEATURES, TOKENS)


@bad("2 (Block): differs from Krait's mixer: found")
def other_mixer():
    return nn.Sequential(proj(), Block(), Block(activation=F.gelu), MEAN, head()), features()


@bad("2 (Softmax): found a layer Softmax")
def softmax():
    return nn.Sequential(proj(), head(), nn.Softmax(-1)), features()


@bad("dt_layernorm.weight: a Mamba block with norms on dt")
def inner_norms():
    return mamba_py_model(n_layers=1, inner_layernorms=True), ids()


@bad("1 (LayerNorm): found a norm over [40, 16]")
def norm_of_tokens():
    return nn.Sequential(proj(), nn.LayerNorm([TOKENS, WIDTH]), head()), features()


@bad("the first half of the example: found")
def sum_over_tokens():
    return nn.Sequential(proj(), nn.ReLU(), Apply(lambda self, x: x.sum(1)), head()), features()


@good("linear(0),residual(tanh),linear(2)")
def autograd_function():
    class Hidden(torch.autograd.Function):
        @staticmethod
        def forward(context, x):
            return torch.tanh(x)

    return nn.Sequential(proj(), Apply(lambda self, x: x + Hidden.apply(x)), head()), features()


@bad("other numbers: found")
def noise_in_evaluation():
    return nn.Sequential(proj(), Apply(lambda self, x: x + torch.randn(x.shape[1:])), head()), features()


@bad("dropout in 1: found a function that changes the numbers")
def dropout_in_evaluation():
    return nn.Sequential(proj(), Apply(lambda self, x: F.dropout(x, 0.5)), head()), features()


@bad("2 (Mamba2Mixer): found ngroups 1, wanted 2")
def different_groups():
    def mixer(groups):
        shape = dict(hidden_size=WIDTH, state_size=8, num_heads=4, head_dim=8)
        return Mamba2Mixer(transformers.Mamba2Config(**shape, n_groups=groups), 0)

    return nn.Sequential(proj(), mixer(2), mixer(1), head()), features()


@bad("flatten in 1: found a change of shape from [2, 40, 16] to [2, 640]")
def flattened():
    return nn.Sequential(proj(), Apply(lambda self, x: x.flatten(1)), nn.Linear(TOKENS * WIDTH, CLASSES)), features()


@bad("the module returns 2 tensors, wanted one")
def two_outputs():
    return nn.Sequential(proj(), Apply(lambda self, x: (x.mean(1), x.amax(1)))), features()


@bad("1 (GroupNorm): found a layer GroupNorm")
def group_norm():
    return nn.Sequential(nn.Conv1d(FEATURES, WIDTH, 3), nn.GroupNorm(4, WIDTH)), features().transpose(1, 2)


@bad("twice as many tokens: found")
def fixed_index():
    return nn.Sequential(proj(), Apply(lambda self, x: x[:, TOKENS - 1]), head()), features()


def shaken(module):
    """Moves parameters away from their initial values, and gives BatchNorms other statistics than the initial ones. Returns the
    module in training mode."""
    with torch.no_grad():
        for name, one in module.named_parameters():
            if one.dim() == 1 and "A_log" not in name and "dt_bias" not in name:
                one += 0.3 * torch.randn_like(one)
        for one in module.modules():
            if isinstance(one, nn.BatchNorm1d):
                one.running_mean += torch.randn_like(one.running_mean)
                one.running_var *= 1 + torch.rand_like(one.running_var)
    return module.train()


def tensors_of(module):
    return [(name, one) for name, one in module.state_dict().items() if isinstance(one, torch.Tensor)]


def check_calls(folder, compiler):
    """Yields a message for each wrong argument of krait.export that has no clear message, for a convolution whose last outputs
    a stream does not give after zeros, and if krait pack does not say that krait.export has proved a file."""
    conv = nn.Sequential(nn.Conv1d(FEATURES, WIDTH, 8, stride=4, padding=4), nn.ReLU()).eval()
    x, path = torch.randn(1, FEATURES, TOKENS), folder / "padded.safetensors"
    absent, scripted = folder / "absent" / "a.safetensors", torch.jit.script(conv)
    for kind, words, call in [
        (TypeError, "example: found tuple (tensor(", lambda: krait.export(conv, (x,), path)),
        (TypeError, "wanted one tensor or array, the module's only input", lambda: krait.export(conv, {"x": x}, path)),
        (TypeError, "example: found list [[1, 2], [3]]", lambda: krait.export(conv, [[1, 2], [3]], path)),
        (TypeError, "wanted the nn.Module from which TorchScript was made", lambda: krait.export(scripted, x, path)),
        (krait.Problem, f"cannot write {absent}: there is no folder {absent.parent}", lambda: krait.export(conv, x, absent)),
    ]:
        try:
            call()
            yield f"accepted: {words}"
        except kind as error:
            if words not in str(error):
                yield f"wanted {words!r}, found {error}"
    krait.export(conv, x, path, compiler=compiler)
    model, wanted = krait.load(path, compiler=compiler), conv(x)[0].T.detach().numpy()
    tokens = x[0].T.reshape(-1, model.d_in).numpy()
    tokens = np.concatenate([tokens, np.zeros((model.trailing_tokens, model.d_in), np.float32)])
    found = model.prefill(model.state(), tokens)[model.warm_up :]
    if model.trailing_tokens != 1 or found.shape != wanted.shape or np.abs(found - wanted).max() > 1e-5:
        yield f"padded: found {model.trailing_tokens} trailing tokens and outputs {found.shape}, wanted 1 and {wanted.shape}"
    normed = nn.Sequential(nn.Linear(FEATURES, WIDTH), nn.LayerNorm(WIDTH)).eval()
    path = folder / "normed.safetensors"
    krait.export(normed, torch.randn(1, TOKENS, FEATURES), path, compiler=compiler)
    proved = "krait.export proved that the outputs with f32 weights are the module's within 1e-05"
    for order, wanted in {None: proved, "linear(0),layer_norm(1)": "not checked"}.items():
        text = krait.pack(path, image=folder / "normed.image", compiler=compiler, order=order)[1]
        if (wanted not in text) or (proved in text) != (wanted == proved):
            yield f"krait.pack, order {order}: found {text!r}, wanted {wanted!r}"


def main():
    folder, compiler, word = pathlib.Path(sys.argv[1]), sys.argv[2], (sys.argv[3:] or [""])[0]
    transformers.logging.set_verbosity_error()
    wrong = []
    for name, (make, words) in {**GOOD, **BAD}.items():
        if word not in name:
            continue
        torch.manual_seed(len(name))
        module, example = make()
        shaken(module)
        before = copy.deepcopy(dict(tensors_of(module)))
        path, start, message, layers = folder / f"{name}.safetensors", time.monotonic(), "", ""
        try:
            layers = krait.export(module, example, path, compiler=compiler)
        except krait.Problem as problem:
            message = str(problem)
        print(f"{name}: {time.monotonic() - start:.1f} s: {layers or message}", flush=True)
        if module.training is False or any(not torch.equal(before[key], one) for key, one in tensors_of(module)):
            wrong.append(f"{name}: the module has changed")
        if name in BAD:
            if words not in message or path.exists():
                wrong.append(f"{name}: wanted {words!r}, found {message or layers!r}")
            continue
        if not path.exists() or words not in layers:
            wrong.append(f"{name}: wanted {words!r}, found {message or layers!r}")
            continue
        try:
            krait.load(path, compiler=compiler).check(module.float(), example, 1e-5)
        except krait.Problem as problem:
            wrong.append(f"{name}: {problem}")
    if not word or word == "calls":
        wrong += check_calls(folder, compiler)
    for name in ("conv_front", "tied_head_with_positions", "transformers_mamba2"):
        if word and word not in name:
            continue
        command = [sys.executable, ROOT / "tools" / "krait", "report", folder / f"{name}.safetensors", "--compiler", "g++"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            wrong.append(f"{name}: krait report: {done.stdout}")
    print(f"{len(GOOD)} modules, {len(BAD)} that are rejected", *wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
