"""Trains the speaker model of this example, or evaluates settings by cross-validation.

    pip download --no-deps aeon==1.6.0
    python train.py --wheel aeon-1.6.0-py3-none-any.whl --cross-validate
    python train.py --wheel aeon-1.6.0-py3-none-any.whl --out speaker.safetensors

The script reads only the 270 training series, so that no choice of settings depends on the test series.
"""
import argparse, math, sys, time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parent))
from vowels import CHANNELS, CREDIT, SPEAKERS, read_wheel

M, E, S, R, W = 32, 64, 7, 2, 4  # d_model, d_inner, d_state, dt_rank, d_conv
MIXER = "layers.0.mixer."


def init(generator):
    uniform = lambda *shape, fan_in: (torch.rand(*shape, generator=generator) * 2 - 1) / math.sqrt(fan_in)
    dt = torch.exp(torch.empty(E).uniform_(math.log(args.dt_min), math.log(args.dt_max), generator=generator))
    p = {"linear_in.weight": uniform(M, CHANNELS, fan_in=CHANNELS), "linear_in.bias": torch.zeros(M),
         "layers.0.norm.weight": torch.ones(M),
         MIXER + "in_proj.weight": uniform(2 * E, M, fan_in=M),
         MIXER + "conv1d.weight": uniform(E, 1, W, fan_in=W), MIXER + "conv1d.bias": uniform(E, fan_in=W),
         MIXER + "x_proj.weight": uniform(R + 2 * S, E, fan_in=E),
         MIXER + "dt_proj.weight": uniform(E, R, fan_in=R), MIXER + "dt_proj.bias": dt + torch.log(-torch.expm1(-dt)),
         MIXER + "A_log": torch.arange(1.0, S + 1).log().repeat(E, 1), MIXER + "D": torch.ones(E),
         MIXER + "out_proj.weight": uniform(M, E, fan_in=E), "norm_f.weight": torch.ones(M),
         "classifier.weight": uniform(SPEAKERS, M, fan_in=M), "classifier.bias": torch.zeros(SPEAKERS)}
    return {name: value.requires_grad_() for name, value in p.items()}


def rms_norm(x, weight):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * weight


def forward(p, x, lengths, dropout=0.0):
    """Maps standardised series x [batch, frames, channels] to the logits of each whole series [batch, speakers]."""
    mixer = lambda name: p[MIXER + name]
    drop = lambda v: F.dropout(v, dropout) if dropout > 0 else v
    steps = x.shape[1]
    x = F.linear(x, p["linear_in.weight"], p["linear_in.bias"])
    u, z = F.linear(rms_norm(x, p["layers.0.norm.weight"]), mixer("in_proj.weight")).split(E, -1)
    u = F.conv1d(F.pad(u.mT, (W - 1, 0)), mixer("conv1d.weight"), mixer("conv1d.bias"), groups=E).mT
    u = F.silu(u)
    dt, B, C = F.linear(u, mixer("x_proj.weight")).split([R, S, S], -1)
    delta = F.softplus(F.linear(dt, mixer("dt_proj.weight"), mixer("dt_proj.bias")))
    decay = torch.exp(delta[..., None] * -mixer("A_log").exp()).unbind(1)
    push = ((delta * u)[..., None] * B[:, :, None]).unbind(1)
    h, hs = push[0], [push[0]]
    for t in range(1, steps):
        h = torch.addcmul(push[t], decay[t], h)
        hs.append(h)
    y = (torch.stack(hs, 1) * C[:, :, None]).sum(-1) + mixer("D") * u
    x = x + drop(F.linear(drop(y * F.silu(z)), mixer("out_proj.weight")))
    x = rms_norm(x, p["norm_f.weight"])
    mask = torch.arange(steps) < lengths[:, None]
    mean = (x * mask[..., None]).sum(1) / lengths[:, None]
    return F.linear(drop(mean), p["classifier.weight"], p["classifier.bias"])


def augment(x, lengths, generator):
    """Returns each series cropped and stretched in time, with channels shifted and scaled, as by another microphone, and
    with noise, and the new lengths."""
    rand = lambda *shape: torch.rand(*shape, generator=generator)
    randn = lambda *shape: torch.randn(*shape, generator=generator)
    n = len(x)
    begin, end = args.crop * rand(n), 1 - args.crop * rand(n)
    warped = ((lengths - 1) * (end - begin) * torch.exp(args.warp * (2 * rand(n) - 1))).round().clamp(6, 34) + 1
    at = torch.arange(int(warped.max())) / (warped[:, None] - 1)
    at = (at.clamp(max=1) * (end - begin)[:, None] + begin[:, None]) * (lengths[:, None] - 1)
    low = at.floor().long().clamp(max=x.shape[1] - 2)
    pick = lambda i: x.gather(1, i[..., None].expand(-1, -1, CHANNELS))
    out = torch.lerp(pick(low), pick(low + 1), (at - low)[..., None])
    out = out * (1 + args.stretch * randn(n, 1, CHANNELS)) + args.shift * randn(n, 1, CHANNELS)
    return out + args.noise * randn(*out.shape), warped


def fit(x, lengths, labels, seed, show=False):
    """Trains the model and returns the weights, averaged over the last steps of training."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    p = init(generator)
    decayed = [w for name, w in p.items() if w.ndim > 1 and "A_log" not in name and "conv1d" not in name]
    others = [w for w in p.values() if all(w is not d for d in decayed)]
    adam = torch.optim.AdamW([{"params": decayed, "weight_decay": args.weight_decay},
                              {"params": others, "weight_decay": 0.0}], betas=(0.9, 0.98), fused=True)
    batches = math.ceil(len(x) / args.batch)
    total, mean, begin = args.epochs * batches, None, time.time()
    for step in range(total):
        if step % batches == 0: order = torch.randperm(len(x), generator=generator)
        some = order[step % batches::batches]
        for group in adam.param_groups:
            group["lr"] = args.lr * min(1, (step + 1) / 50) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / total)))
        loss = F.cross_entropy(forward(p, *augment(x[some], lengths[some], generator), args.dropout), labels[some],
                               label_smoothing=args.smoothing)
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(p.values(), 1.0)
        adam.step()
        with torch.no_grad():
            if step == 0: mean = {name: w.clone() for name, w in p.items()}
            for name, w in p.items(): mean[name].lerp_(w, max(1 - args.ema, 1 / (step + 1)))
        if show and (step + 1) % (20 * batches) == 0:
            print(f"epoch {(step + 1) // batches}/{args.epochs}  loss {loss.item():.3f}  {time.time() - begin:.0f} s",
                  file=sys.stderr, flush=True)
    return mean


def folds_of(labels, count):
    """Returns the fold of each series. Neighbours in the file are in the same fold, because their recordings are similar."""
    fold = torch.empty_like(labels)
    for speaker in range(SPEAKERS):
        of = (labels == speaker).nonzero()[:, 0]
        fold[of] = torch.arange(len(of)) * count // len(of)
    return fold


def standardise(x, lengths, mean, std):
    mask = torch.arange(x.shape[1]) < lengths[:, None]
    return (x - mean) / std * mask[..., None]


def statistics(x, lengths):
    frames = x[torch.arange(x.shape[1]) < lengths[:, None]]
    return frames.mean(0), frames.std(0)


def cross_validate(x, lengths, labels):
    wrong, nats, fold = 0, 0.0, folds_of(labels, args.folds)
    for f in range(args.folds):
        mean, std = statistics(x[fold != f], lengths[fold != f])
        z = standardise(x, lengths, mean, std)
        p = fit(z[fold != f], lengths[fold != f], labels[fold != f], args.seed + f)
        with torch.no_grad():
            logits = forward(p, z[fold == f], lengths[fold == f])
        wrong += int((logits.argmax(-1) != labels[fold == f]).sum())
        nats += F.cross_entropy(logits, labels[fold == f], reduction="sum").item()
        print(f"fold {f + 1}/{args.folds}: {wrong} wrong so far", file=sys.stderr, flush=True)
    print(f"wrong {wrong} of {len(x)}, cross-entropy {nats / len(x):.4f} nats")


def main():
    arg = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arg.add_argument("--wheel", required=True)
    arg.add_argument("--cross-validate", action="store_true")
    arg.add_argument("--folds", type=int, default=5)
    arg.add_argument("--out", default="speaker.safetensors")
    arg.add_argument("--seed", type=int, default=0)
    for name, default in dict(epochs=100, batch=45, lr=5e-3, weight_decay=0.05, dropout=0.3, smoothing=0.1, ema=0.99,
                              crop=0.15, warp=0.2, stretch=0.05, shift=0.4, noise=0.1, dt_min=1e-2, dt_max=0.5).items():
        arg.add_argument("--" + name.replace("_", "-"), type=type(default), default=default)
    global args
    args = arg.parse_args()
    torch.set_num_threads(1)
    series, labels = read_wheel(args.wheel, "TRAIN")
    lengths = torch.tensor([len(s) for s in series])
    x = torch.zeros(len(series), int(lengths.max()), CHANNELS)
    for i, s in enumerate(series): x[i, :len(s)] = torch.from_numpy(s)
    labels = torch.tensor(labels)
    if args.cross_validate:
        cross_validate(x, lengths, labels)
        return
    mean, std = statistics(x, lengths)
    p = fit(standardise(x, lengths, mean, std), lengths, labels, args.seed, show=True)
    p["linear_in.weight"] = p["linear_in.weight"] / std  # frames go in as they are
    p["linear_in.bias"] = p["linear_in.bias"] - p["linear_in.weight"] @ mean
    save_file({name: w.contiguous() for name, w in p.items()}, args.out,
              {"trained on": CREDIT + "; its training series"})


if __name__ == "__main__":
    main()
