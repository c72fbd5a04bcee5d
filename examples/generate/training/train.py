"""Trains the byte-level Mamba or Mamba-2 language model of this example, or scores a file with one.

Needs the packages of requirements.txt and a C++ compiler (CXX, default c++; g++ or clang++) for kernels.cpp, which is
built when the script starts. Uses one core; fastest where torch multiplies bfloat16 matrices in hardware (AVX512-BF16).

    bible 'gen1:1-rev22:21' > kjv.txt                        # Debian's bible-kjv: 4,298,239 bytes
    python train.py --text kjv.txt --out kjv.safetensors     # the last 200,000 bytes are held out
    python train.py --score FILE --model kjv.safetensors     # bits per byte of FILE, in float32
    python train.py --mamba2 --text kjv.txt --out kjv_mamba2.safetensors

The score of a text of N bytes is the mean of -log2 p(byte | all the bytes before it) over its bytes 2 to N, the state
starting at zero before byte 1 and carried to the end.
"""
import argparse, ctypes, math, os, subprocess, sys, tempfile, time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

DIMS = dict(vocab_size=256, d_model=128, n_layers=4, d_state=16, d_conv=4, d_inner=256, dt_rank=8)
DIMS2 = dict(vocab_size=256, d_model=128, n_layers=4, d_state=48, d_conv=4, d_inner=256, headdim=16)
V, M, LAYERS, S, W, E, R = DIMS.values()
S2, HEADDIM = DIMS2["d_state"], DIMS2["headdim"]
HEADS, E2 = E // HEADDIM, E + 2 * S2  # E2: channels of Mamba-2's convolution, x, B and C
CHUNK = 16  # the constant `chunk` of kernels.cpp
MIXER = ["norm.weight"] + ["mixer." + k for k in (
    "in_proj.weight", "conv1d.weight", "conv1d.bias", "x_proj.weight", "dt_proj.weight", "dt_proj.bias", "A_log", "D",
    "out_proj.weight")]
MIXER2 = ["norm.weight"] + ["mixer." + k for k in (
    "in_proj.weight", "conv1d.weight", "conv1d.bias", "dt_bias", "A_log", "D", "norm.weight", "out_proj.weight")]


def build_kernels():
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "kernels.so"
        source = Path(__file__).with_name("kernels.cpp")
        subprocess.run([os.environ.get("CXX", "c++"), "-std=c++20", "-O3", "-march=native", "-ffast-math", "-shared",
                        "-fPIC", "-Wno-psabi", source, "-o", library], check=True)
        return ctypes.CDLL(str(library))


def keep_freed_memory():
    """Makes glibc reuse freed arrays of a few MB, because allocating new pages for each takes a fifth of a step."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, 1 << 25)  # M_MMAP_THRESHOLD, at its largest
        libc.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD


def run(name, dtype, *args):
    """Calls a kernel. Tensors are passed as pointers, so they must be contiguous and have the kernel's type."""
    assert all(a.is_contiguous() for a in args if torch.is_tensor(a)), name
    address = ctypes.c_void_p.in_dll(kernels, f"{name}_{str(dtype)[6:]}").value
    ctypes.CFUNCTYPE(None)(address)(
        *[ctypes.c_void_p(a.data_ptr()) if torch.is_tensor(a) else ctypes.c_long(a) for a in args])


class ResidualBlock(torch.autograd.Function):
    """Computes x + mixer(norm(x)). Matrices are multiplied in dtype; x, the state and all gradients of parameters are
    float32. The state [window, h] is updated in place and passes no gradient, so backpropagation stops at the start of
    the training window."""

    @staticmethod
    def forward(ctx, x, state, dtype, norm, in_proj, conv_w, conv_b, x_proj, dt_w, dt_b, A_log, D, out_proj):
        n, length, _ = x.shape
        new = lambda width: torch.empty(n * length, width, dtype=dtype)
        in_proj, x_proj, out_proj = (w.to(dtype) for w in (in_proj, x_proj, out_proj))
        A, conv_w, dt_w = -A_log.exp().T.contiguous(), conv_w[:, 0].T.contiguous(), dt_w.T.contiguous()
        window = state[0]
        run("rms_norm", dtype, n * length, M, x, norm, normed := new(M))
        xz = normed @ in_proj.T
        run("conv1d", dtype, n, length, E, 2 * E, xz, window, conv_w, conv_b, u := new(E))
        dtBC = (u @ x_proj.T).float()
        marks = torch.empty(n, -(-length // CHUNK), S, E)
        run("scan", dtype, n, length, E, xz, u, dtBC, A, D, dt_w, dt_b, state[1], marks, gated := new(E))
        inputs = xz.view(n, length, 2 * E)[:, 1 - W:, :E].float()
        state[0] = torch.cat([window, inputs], 1)[:, 1 - W:].contiguous()
        ctx.save_for_backward(x, window, norm, in_proj, conv_w, conv_b, x_proj, dt_w, dt_b, A, D, out_proj,
                              normed, xz, u, dtBC, marks, gated)
        return x + (gated @ out_proj.T).view_as(x)

    @staticmethod
    def backward(ctx, dout):
        (x, window, norm, in_proj, conv_w, conv_b, x_proj, dt_w, dt_b, A, D, out_proj,
         normed, xz, u, dtBC, marks, gated) = ctx.saved_tensors
        n, length, _ = x.shape
        dmixed = dout.reshape(-1, M).to(xz.dtype)
        dx = dout.clone(memory_format=torch.contiguous_format)
        dgated = dmixed @ out_proj
        dnorm, dconv_w, dconv_b, ddt_w, ddt_b, dA, dD = map(torch.zeros_like, (norm, conv_w, conv_b, dt_w, dt_b, A, D))
        du, dxz, ddtBC = torch.empty_like(u), torch.empty_like(xz), torch.empty_like(dtBC)
        run("scan_backward", xz.dtype, n, length, E, xz, u, dtBC, A, D, dt_w, dt_b, marks, dgated,
            du, dxz, ddtBC, dA, dD, ddt_w, ddt_b)
        ddtBC = ddtBC.to(xz.dtype)
        du.addmm_(ddtBC, x_proj)
        run("conv1d_backward", xz.dtype, n, length, E, 2 * E, xz, window, conv_w, conv_b, du, dxz, dconv_w, dconv_b)
        run("rms_norm_backward", xz.dtype, n * length, M, x, norm, dxz @ in_proj, dx, dnorm)
        return (dx, None, None, dnorm, (dxz.T @ normed).float(), dconv_w.T[:, None], dconv_b, (ddtBC.T @ u).float(),
                ddt_w.T, ddt_b, (dA * A).T, dD, (dmixed.T @ gated).float())


class ResidualBlock2(torch.autograd.Function):
    """ResidualBlock with the mixer of Mamba-2, with ngroups 1 and a norm after the gate."""

    @staticmethod
    def forward(ctx, x, state, dtype, norm, in_proj, conv_w, conv_b, dt_bias, A_log, D, mixer_norm, out_proj):
        n, length, _ = x.shape
        new = lambda width: torch.empty(n * length, width, dtype=dtype)
        in_proj, out_proj = in_proj.to(dtype), out_proj.to(dtype)
        A, conv_w = -A_log.exp(), conv_w[:, 0].T.contiguous()
        window, h = state[0], state[1].clone()
        run("rms_norm", dtype, n * length, M, x, norm, normed := new(M))
        z, xBC, dt = (normed @ w.T for w in in_proj.split([E, E2, HEADS]))
        dt = dt.float() + dt_bias
        delta = torch.nn.functional.softplus(dt)
        decay = torch.exp(delta * A)
        run("conv1d", dtype, n, length, E2, E2, xBC, window, conv_w, conv_b, u := new(E2))
        run("head_scan", dtype, n, length, E, S2, HEADS, z, u, delta, decay, D, state[1], gated := new(E))
        run("rms_norm", dtype, n * length, E, gated := gated.float(), mixer_norm, mixed := new(E))
        state[0] = torch.cat([window, xBC.view(n, length, E2)[:, 1 - W:].float()], 1)[:, 1 - W:].contiguous()
        ctx.save_for_backward(x, window, h, norm, in_proj, conv_w, conv_b, A, D, mixer_norm, out_proj,
                              normed, z, xBC, dt, delta, decay, u, gated, mixed)
        return x + (mixed @ out_proj.T).view_as(x)

    @staticmethod
    def backward(ctx, dout):
        (x, window, h, norm, in_proj, conv_w, conv_b, A, D, mixer_norm, out_proj,
         normed, z, xBC, dt, delta, decay, u, gated, mixed) = ctx.saved_tensors
        n, length, _ = x.shape
        dblock = dout.reshape(-1, M).to(z.dtype)
        dx = dout.clone(memory_format=torch.contiguous_format)
        dgated = torch.zeros_like(gated)
        dnorm, dconv_w, dconv_b, dD, dmixer_norm = map(torch.zeros_like, (norm, conv_w, conv_b, D, mixer_norm))
        dz, du, dxBC, ddelta, dy_y = map(torch.empty_like, (z, u, xBC, delta, delta))
        run("rms_norm_backward", z.dtype, n * length, E, gated, mixer_norm, dblock @ out_proj, dgated, dmixer_norm)
        run("head_scan_backward", z.dtype, n, length, E, S2, HEADS, z, u, delta, decay, D, h.clone(),
            dgated.to(z.dtype), dz, du, ddelta, dy_y, dD)
        run("conv1d_backward", z.dtype, n, length, E2, E2, xBC, window, conv_w, conv_b, du, dxBC, dconv_w, dconv_b)
        # With g_t = dL/dh_t: g_t . (decay_t h_{t-1}) = g_{t+1} . (decay_{t+1} h_t) + dy_t . (C_t h_t) - g_t . (B_t delta_t x_t)
        dlog = (dy_y - ddelta * delta).view(n, length, HEADS).flip(1).cumsum(1).flip(1).reshape(-1, HEADS)
        ddt = (ddelta + dlog * A) * dt.sigmoid()
        dzxBCdt = torch.cat([dz, dxBC, ddt.to(z.dtype)], 1)
        run("rms_norm_backward", z.dtype, n * length, M, x, norm, dzxBCdt @ in_proj, dx, dnorm)
        return (dx, None, None, dnorm, (dzxBCdt.T @ normed).float(), dconv_w.T[:, None], dconv_b, ddt.sum(0),
                (dlog * delta).sum(0) * A, dD, dmixer_norm, (dblock.T @ mixed).float())


class Head(torch.autograd.Function):
    """Computes the mean cross-entropy of the target, in nats, with the tied head. The forward pass also computes the
    gradient of the logits."""

    @staticmethod
    def forward(ctx, x, target, dtype, norm_f, embedding):
        rows, loss, embedding = target.numel(), torch.empty(()), embedding.to(dtype)
        run("rms_norm", dtype, rows, M, x, norm_f, normed := torch.empty(rows, M, dtype=dtype))
        run("cross_entropy", dtype, rows, V, logits := normed @ embedding.T, target, loss)
        ctx.save_for_backward(x, norm_f, embedding, normed, logits)
        return loss

    @staticmethod
    def backward(ctx, dloss):  # dloss is 1: nothing comes after the loss
        x, norm_f, embedding, normed, dlogits = ctx.saved_tensors
        dx, dnorm_f = torch.zeros_like(x), torch.zeros_like(norm_f)
        run("rms_norm_backward", dlogits.dtype, len(normed), M, x, norm_f, dlogits @ embedding, dx, dnorm_f)
        return dx, None, None, dnorm_f, (dlogits.T @ normed).float()


def init(mamba2):
    """Returns initial weights, drawn as in mamba-ssm."""
    p = {"backbone.embedding.weight": torch.randn(V, M) * 0.02}
    uniform = lambda fan_in, *shape: (torch.rand(shape) * 2 - 1) / math.sqrt(fan_in)
    for i in range(LAYERS):
        dt = torch.exp(torch.rand(HEADS if mamba2 else E) * math.log(0.1 / 0.001) + math.log(0.001)).clamp(min=1e-4)
        bias = dt + torch.log(-torch.expm1(-dt))  # softplus(bias) = dt
        p.update(zip([f"backbone.layers.{i}.{k}" for k in MIXER2], (
            torch.ones(M), uniform(M, E + E2 + HEADS, M), uniform(W, E2, 1, W), uniform(W, E2), bias,
            (torch.rand(HEADS) * 15 + 1).log(), torch.ones(HEADS), torch.ones(E),
            uniform(E, M, E) / math.sqrt(LAYERS)))) if mamba2 else p.update(zip([f"backbone.layers.{i}.{k}" for k in MIXER], (
            torch.ones(M), uniform(M, 2 * E, M), uniform(W, E, 1, W), uniform(W, E), uniform(E, R + 2 * S, E),
            uniform(R, E, R), bias,
            torch.arange(1.0, S + 1).log().repeat(E, 1), torch.ones(E), uniform(E, M, E) / math.sqrt(LAYERS))))
    p["backbone.norm_f.weight"] = torch.ones(M)
    return p


def is_mamba2(p):
    return "backbone.layers.0.mixer.dt_bias" in p


def zero_state(n, mamba2):
    shapes = ((n, W - 1, E2), (n, E // 16, S2, 16)) if mamba2 else ((n, W - 1, E), (n, S, E))
    return [list(map(torch.zeros, shapes)) for _ in range(LAYERS)]


def loss_of(p, tokens, target, state, dtype):
    x = torch.nn.functional.embedding(tokens, p["backbone.embedding.weight"])
    block, names = (ResidualBlock2, MIXER2) if is_mamba2(p) else (ResidualBlock, MIXER)
    for i in range(LAYERS):
        x = block.apply(x, state[i], dtype, *[p[f"backbone.layers.{i}.{k}"] for k in names])
    return Head.apply(x, target, dtype, p["backbone.norm_f.weight"], p["backbone.embedding.weight"])


@torch.no_grad()
def score(p, text, window=2048):
    """Returns the bits per byte of a text, computed in float32."""
    state, nats = zero_state(1, is_mamba2(p)), 0.0
    for start in range(0, len(text) - 1, window):
        piece = text[None, start:start + window + 1]
        target = piece[:, 1:].contiguous()
        nats += loss_of(p, piece[:, :-1].contiguous(), target, state, torch.float32).item() * target.numel()
    return nats / math.log(2) / (len(text) - 1)


class Muon:
    """An optimiser: momentum steps that Newton-Schulz iterations make nearly orthogonal (Jordan et al. 2024), scaled to
    the size of AdamW's steps so that both have the same learning rate. Each group is a list of matrices of one shape."""

    def __init__(self, groups, weight_decay, momentum=0.95):
        self.groups, self.weight_decay, self.momentum = groups, weight_decay, momentum
        self.moments = [torch.zeros(len(g), *g[0].shape) for g in groups]

    @torch.no_grad()
    def step(self, lr):
        for group, moment in zip(self.groups, self.moments):
            grad = torch.stack([w.grad for w in group])
            moment.lerp_(grad, 1 - self.momentum)
            x = torch.lerp(grad, moment, self.momentum)
            tall = x.shape[1] > x.shape[2]
            x = (x / x.norm(dim=(1, 2), keepdim=True)).bfloat16()
            x = x.mT.contiguous() if tall else x
            for _ in range(5):
                a = x @ x.mT
                a = torch.baddbmm(a, a, a, beta=-4.7750, alpha=2.0315)
                x = torch.baddbmm(x, a, x, beta=3.4445)
            for w, step in zip(group, (x.mT if tall else x).float()):
                w.mul_(1 - lr * self.weight_decay).add_(step, alpha=-lr * 0.2 * math.sqrt(max(w.shape)))


def batches(text, n, window, rng):
    """Yields (tokens, target, fresh) without end: n streams read the text from a random place, window by window. If fresh
    is true, the streams start anew."""
    while True:
        rolled = torch.roll(text, -int(rng.integers(len(text))))
        length = (len(text) - 1) // n
        starts = torch.arange(n)[:, None] * length
        for at in range(0, length - window + 1, window):
            i = starts + torch.arange(at, at + window)
            yield rolled[i], rolled[i + 1], at == 0


def read(path):
    return torch.from_numpy(np.frombuffer(Path(path).read_bytes(), np.uint8).astype(np.int64))


def save(p, path):
    component, dims = ("Mamba2", DIMS2) if is_mamba2(p) else ("Mamba", DIMS)
    meta = {"component": component, "dims": " ".join(f"{k}={v}" for k, v in dims.items()),
            "licence": "public domain text", "format": "pt"}
    save_file({k: v.detach().contiguous() for k, v in p.items()}, path + ".part", meta)
    os.replace(path + ".part", path)


def train(args):
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    text = read(args.text)
    text, held_out = text[:-args.held_out], text[-args.held_out:]
    p = {k: v.requires_grad_() for k, v in init(args.mamba2).items()}
    hidden = [[p[f"backbone.layers.{i}.mixer.{k}.weight"] for i in range(LAYERS)]
              for k in ("in_proj", "x_proj", "out_proj") if k != "x_proj" or not args.mamba2]
    rest = {k: w for k, w in p.items() if not any(w is h for group in hidden for h in group)}
    decayed = [w for k, w in rest.items() if k.endswith(("embedding.weight", "dt_proj.weight"))]
    others = [w for w in rest.values() if all(w is not d for d in decayed)]
    adam = torch.optim.AdamW([{"params": decayed, "weight_decay": args.weight_decay},
                              {"params": others, "weight_decay": 0.0}], betas=(0.9, 0.99), fused=True)
    muon = Muon(hidden, args.weight_decay)
    state, begin, saved, mean = None, time.time(), time.time(), None
    stream = batches(text, args.batch, args.window, rng)
    for step in range(1, args.steps + 1):
        lr = args.lr * min(1, step / args.warmup) * (1 - max(0, step - args.warmup) / (args.steps + 1 - args.warmup))
        tokens, target, fresh = next(stream)
        if fresh:
            state = zero_state(args.batch, args.mamba2)
        for i in np.flatnonzero(rng.random(args.batch) < args.reset):  # a prompt starts from zero too
            for window, h in state:
                window[i] = h[i] = 0
        loss = loss_of(p, tokens, target, state, torch.bfloat16)
        for w in p.values():
            w.grad = None
        loss.backward()
        torch.nn.utils.clip_grad_norm_(p.values(), 1.0)
        for group in adam.param_groups:
            group["lr"] = lr
        adam.step()
        muon.step(lr)
        bits = loss.item() / math.log(2)
        if not math.isfinite(bits):
            sys.exit(f"step {step}: the loss is not finite")
        mean = bits if mean is None else mean + 0.02 * (bits - mean)
        if step % args.log == 0 or step == args.steps:
            spent = time.time() - begin
            print(f"step {step}/{args.steps}  {step * tokens.numel() / spent:.0f} bytes/s  loss {mean:.4f} bits/byte  "
                  f"lr {lr:.2e}  {spent / 60:.1f} min, {spent / step * (args.steps - step) / 60:.1f} to go",
                  file=sys.stderr, flush=True)
        if time.time() - saved > 60 * args.save_minutes or step == args.steps:
            part = held_out if step == args.steps else held_out[:50000]
            print(f"step {step}/{args.steps}  held out: {score(p, part):.4f} bits/byte on {len(part)} bytes",
                  file=sys.stderr, flush=True)
            save(p, args.out)
            saved = time.time()


def main():
    arg = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arg.add_argument("--text", default="kjv.txt")
    arg.add_argument("--out", default="kjv.safetensors")
    arg.add_argument("--held-out", type=int, default=200_000, help="bytes at the text's end kept from training")
    arg.add_argument("--steps", type=int, default=20000)
    arg.add_argument("--batch", type=int, default=8)
    arg.add_argument("--window", type=int, default=512)
    arg.add_argument("--lr", type=float, default=8e-3)
    arg.add_argument("--warmup", type=int, default=300)
    arg.add_argument("--weight-decay", type=float, default=0.1)
    arg.add_argument("--reset", type=float, default=0.01, help="chance that a stream's state is set to zero at a step")
    arg.add_argument("--seed", type=int, default=0)
    arg.add_argument("--log", type=int, default=200, help="steps between two lines of progress")
    arg.add_argument("--save-minutes", type=float, default=4)
    arg.add_argument("--mamba2", action="store_true", help="train a Mamba-2 of fewer parameters")
    arg.add_argument("--score", metavar="FILE")
    arg.add_argument("--model")
    args = arg.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    global kernels
    kernels = build_kernels()
    if args.score:
        print(f"{score(load_file(args.model), read(args.score)):.6f}")
    else:
        train(args)


if __name__ == "__main__":
    main()
