"""Trains the activity model of this example in plain PyTorch, or evaluates settings by cross-validation.

    pip install -r requirements.txt ../../../python
    pip download --no-deps aeon==1.6.0
    python train.py --wheel aeon-1.6.0-py3-none-any.whl --cross-validate
    python train.py --wheel aeon-1.6.0-py3-none-any.whl --out activity.safetensors --test-series test_series.safetensors

Cross-validation reads only the 40 training series, so that no choice of settings depends on the test series.
"""

import argparse
import math
import zipfile

import krait
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

ACTIVITIES = ["Standing", "Running", "Walking", "Badminton"]
CHANNELS, SAMPLES, FOLDS = 6, 100, 5
# Name -> d_model, dropout, noise, learning rate, epochs.
RECIPES = {
    "small": (12, 0.1, 0.1, 5e-3, 60),
    "small, more noise": (12, 0.1, 0.3, 5e-3, 60),
    "wide": (24, 0.1, 0.1, 5e-3, 60),
    "wide, more dropout": (24, 0.3, 0.1, 5e-3, 60),
    "wide, more noise": (24, 0.1, 0.3, 5e-3, 60),
}
CHOSEN = "wide, more dropout"


class Mamba(nn.Module):
    """A Mamba block with the parameters of mamba_ssm.Mamba, in plain PyTorch."""

    def __init__(self, d_model, d_state=8, d_conv=4, dt_rank=1):
        super().__init__()
        d_inner = 2 * d_model
        self.sizes = [dt_rank, d_state, d_state]
        self.in_proj = nn.Linear(d_model, 2 * d_inner, bias=False)
        self.conv1d = nn.Conv1d(d_inner, d_inner, d_conv, groups=d_inner, padding=d_conv - 1)
        self.x_proj = nn.Linear(d_inner, sum(self.sizes), bias=False)
        self.dt_proj = nn.Linear(dt_rank, d_inner)
        delta = torch.exp(torch.empty(d_inner).uniform_(math.log(0.01), math.log(0.3)))
        self.dt_proj.bias.data = delta + torch.log(-torch.expm1(-delta))  # the inverse of softplus
        self.A_log = nn.Parameter(torch.log(torch.arange(1.0, d_state + 1)).repeat(d_inner, 1))
        self.D = nn.Parameter(torch.ones(d_inner))
        self.out_proj = nn.Linear(d_inner, d_model, bias=False)

    def forward(self, x):
        u, z = self.in_proj(x).chunk(2, -1)
        u = F.silu(self.conv1d(u.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2))
        dt, B, C = self.x_proj(u).split(self.sizes, -1)
        delta, A = F.softplus(self.dt_proj(dt)), -self.A_log.exp()
        h, y = 0, []
        for t in range(x.shape[1]):
            h = (delta[:, t, :, None] * A).exp() * h + (delta[:, t] * u[:, t])[..., None] * B[:, t, None]
            y.append((h * C[:, t, None]).sum(-1) + self.D * u[:, t])
        return self.out_proj(torch.stack(y, 1) * F.silu(z))


class Activity(nn.Module):
    """Scores of four activities from samples [batch, 6, samples] of an accelerometer and a gyroscope."""

    def __init__(self, d_model, dropout, mean, std):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.conv = nn.Conv1d(CHANNELS, d_model, kernel_size=8, stride=4)
        self.norm, self.mamba, self.norm_f = nn.LayerNorm(d_model), Mamba(d_model), nn.LayerNorm(d_model)
        self.dropout, self.head = nn.Dropout(dropout), nn.Linear(d_model, len(ACTIVITIES))

    def forward(self, x):
        x = F.relu(self.conv((x - self.mean) / self.std)).transpose(1, 2)
        x = x + self.dropout(self.mamba(self.norm(x)))
        return self.head(self.norm_f(x).mean(dim=1))


def read_series(wheel, part):
    """Returns the series [series, 6, 100] of the part TRAIN or TEST of BasicMotions, and their activities."""
    name = f"aeon/datasets/data/BasicMotions/BasicMotions_{part}.ts"
    lines = zipfile.ZipFile(wheel).read(name).decode().split("@data\n")[1].split()
    series = [[[float(one) for one in channel.split(",")] for channel in line.split(":")[:-1]] for line in lines]
    return torch.tensor(series), torch.tensor([ACTIVITIES.index(line.split(":")[-1].capitalize()) for line in lines])


def train(x, y, recipe, seed=0):
    d_model, dropout, noise, rate, epochs = RECIPES[recipe]
    torch.manual_seed(seed)
    mean, std = x.mean((0, 2)), x.std((0, 2))
    model = Activity(d_model, dropout, mean[:, None], std[:, None])
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs)
    for _ in range(epochs):
        start = int(torch.randint(0, 24, ()))
        cropped = x[..., start : start + SAMPLES - 24]  # a window of 76 samples of each series
        noisy = cropped + noise * std[:, None] * torch.randn_like(cropped)
        scaled = noisy * (1 + 0.2 * torch.randn(len(x), 1, 1))
        loss = F.cross_entropy(model(scaled), y, label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


def cross_validate(x, y):
    for recipe in RECIPES:
        wrong, entropy = 0, 0.0
        for fold in range(FOLDS):
            held_out = torch.arange(len(x)) % FOLDS == fold
            model = train(x[~held_out], y[~held_out], recipe)
            with torch.no_grad():
                scores = model(x[held_out])
            wrong += int((scores.argmax(1) != y[held_out]).sum())
            entropy += float(F.cross_entropy(scores, y[held_out], reduction="sum"))
        print(f"{recipe}: {wrong} of {len(x)} wrong, cross-entropy {entropy / len(x):.4f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", required=True)
    parser.add_argument("--cross-validate", action="store_true")
    parser.add_argument("--out", default="activity.safetensors")
    parser.add_argument("--test-series", help="write the test series, and score them once")
    options = parser.parse_args()
    torch.set_num_threads(1)
    x, y = read_series(options.wheel, "TRAIN")
    if options.cross_validate:
        return cross_validate(x, y)
    model = train(x, y, CHOSEN)
    print(krait.export(model, x, options.out))
    if options.test_series:
        x, y = read_series(options.wheel, "TEST")
        frames = x.transpose(1, 2).contiguous()  # [series, samples, channels], as Krait takes them
        credit = {"source": "BasicMotions of the UEA archive, from the package aeon 1.6.0 (BSD-3-Clause)"}
        save_file({"x": frames, "activities": y.to(torch.uint8)}, options.test_series, credit)
        with torch.no_grad():
            print("PyTorch:", int((model(x).argmax(1) == y).sum()), "of", len(y))
        for storage in ("f32", "bf16", "f16", "int8"):
            scores = krait.load(options.out, storage=storage).outputs(frames)
            print(f"{storage}:", int((scores.argmax(1) == y.numpy()).sum()), "of", len(y))


if __name__ == "__main__":
    main()
