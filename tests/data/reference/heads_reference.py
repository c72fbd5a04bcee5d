"""Mamba-2 and Mamba-3 in plain numpy float64, which compute the expected outputs of the reference vectors.

Written from the equations of Dao and Gu 2024 (arXiv 2405.21060) and of the paper on Mamba-3 (arXiv 2603.15569), one token
after the other. Names, shapes and the order of rows are those of mamba-ssm's checkpoints. Shapes: u (L, d_model); H heads of P
channels; N is d_state; G groups, of which head j uses group j // (H / G); R is mimo_rank.
"""
import numpy as np

from mamba_reference import causal_conv1d, linear, normalised, rms_norm, sigmoid, silu, softplus, sub


def of_heads(groups, heads):
    """Expands an array (G, ...) of groups to an array (H, ...) of heads: repeats the entry of each group for each head of the
    group."""
    return np.repeat(groups, heads // len(groups), axis=0)


def mamba2_block(u, p, headdim, ngroups=1, dt_limit=(0.0, np.inf), norm_before_gate=False, norm_eps=1e-5):
    """A block of Mamba-2. Returns the outputs (L, d_model) and the last h (H, P, N).

    p: in_proj.weight (2 H P + 2 G N + H, d_model), the rows of z, x, B, C and dt; conv1d.weight (H P + 2 G N, 1, d_conv);
    dt_bias and A_log (H,); D (H,) or (H P,); norm.weight (H P,), optional; out_proj.weight (d_model, H P); optional biases."""
    H, P, G = len(p["A_log"]), headdim, ngroups
    taps = p["conv1d.weight"][:, 0, :]
    N = (len(taps) - H * P) // (2 * G)
    z, xBC, dt = np.split(linear(u, p["in_proj.weight"], p.get("in_proj.bias")), [H * P, 2 * H * P + 2 * G * N], axis=-1)
    x, B, C = np.split(silu(causal_conv1d(xBC, taps, p.get("conv1d.bias"))), [H * P, H * P + G * N], axis=-1)
    delta = np.clip(softplus(dt + p["dt_bias"]), *dt_limit)
    decay = np.exp(-np.exp(p["A_log"]) * delta)
    D = np.broadcast_to(p["D"].reshape(H, -1), (H, P))
    h, rows = np.zeros((H, P, N)), []
    for t in range(len(u)):
        x_t = x[t].reshape(H, P)
        B_t, C_t = (of_heads(v[t].reshape(G, N), H) for v in (B, C))
        h = decay[t][:, None, None] * h + np.einsum("h,hp,hn->hpn", delta[t], x_t, B_t)
        rows.append((np.einsum("hpn,hn->hp", h, C_t) + D * x_t).ravel())
    y = np.array(rows)
    if "norm.weight" in p:
        def norm(v):
            return normalised(v.reshape(len(v), G, -1), norm_eps).reshape(v.shape) * p["norm.weight"]
        y = norm(y) * silu(z) if norm_before_gate else norm(y * silu(z))
    else:
        y = y * silu(z)
    return linear(y, p["out_proj.weight"], p.get("out_proj.bias")), h


def rotate(v, phi, pairwise):
    """Returns v with pairs of elements in the last axis rotated by the angles phi (H, S): elements 2i and 2i + 1 if pairwise,
    otherwise elements i and i + N / 2."""
    S, half = phi.shape[-1], v.shape[-1] // 2
    a, b = (slice(0, 2 * S, 2), slice(1, 2 * S, 2)) if pairwise else (slice(0, S), slice(half, half + S))
    turned = np.array(v)
    turned[..., a] = np.cos(phi) * v[..., a] - np.sin(phi) * v[..., b]
    turned[..., b] = np.sin(phi) * v[..., a] + np.cos(phi) * v[..., b]
    return turned


def mamba3_block(u, p, headdim, ngroups=1, A_floor=1e-4, norm_eps=1e-5):
    """A block of Mamba-3. Returns the outputs (L, d_model) and the last state: h (H, P, N), angles (H, S) in [0, 2 pi), k
    (H, R, N) and x (H, P).

    p: in_proj.weight (2 H P + 2 R G N + 3 H + S, d_model), the rows of z, x, B, C, dt, a, trap and angle; dt_bias and D (H,);
    B_bias and C_bias (H, R, N); B_norm.weight and C_norm.weight (N,); norm.weight (H P,), optional; mimo_x, mimo_z and mimo_o
    (H, R, P), which only a MIMO block has; out_proj.weight (d_model, H P); optional biases."""
    (H, R, N), P, G = p["B_bias"].shape, headdim, ngroups
    projected = linear(u, p["in_proj.weight"], p.get("in_proj.bias"))
    sizes = [H * P, H * P, R * G * N, R * G * N, H, H, H]
    z, x, B, C, dt, a, trap, angle = np.split(projected, np.cumsum(sizes), axis=-1)
    delta = softplus(dt + p["dt_bias"])
    heavy_tail = np.where(a < 0, 1 / (1 + np.abs(a)), 1 + np.abs(a))
    alpha = np.exp(-np.maximum(heavy_tail, A_floor) * delta)
    share = sigmoid(trap)
    is_mimo = "mimo_x" in p
    mimo_x, mimo_z, mimo_o = (p[name] if is_mimo else np.ones((H, 1, P)) for name in ("mimo_x", "mimo_z", "mimo_o"))

    def of_states(v, name, phi):
        v = normalised(v.reshape(R, G, N), norm_eps) * p[f"{name}_norm.weight"]
        v = of_heads(v.transpose(1, 0, 2), H) + p[f"{name}_bias"]
        return rotate(v, phi[:, None, :], not is_mimo)

    h, k, x_before, phi, rows = np.zeros((H, P, N)), np.zeros((H, R, N)), np.zeros((H, P)), np.zeros((H, angle.shape[-1])), []
    for t in range(len(u)):
        phi = (phi + np.pi * np.outer(delta[t], np.tanh(angle[t]))) % (2 * np.pi)
        k_before, k = k, of_states(B[t], "B", phi)
        q = of_states(C[t], "C", phi)
        v_before, v = x_before[:, None, :] * mimo_x, x[t].reshape(H, 1, P) * mimo_x
        x_before = x[t].reshape(H, P)
        beta, gamma = (1 - share[t]) * delta[t] * alpha[t], share[t] * delta[t]
        h = (alpha[t][:, None, None] * h + np.einsum("h,hrp,hrn->hpn", beta, v_before, k_before)
             + np.einsum("h,hrp,hrn->hpn", gamma, v, k))
        y = np.einsum("hpn,hrn->hrp", h, q) + p["D"][:, None, None] * v
        if "norm.weight" in p:
            y = normalised(y, norm_eps) * p["norm.weight"].reshape(H, 1, P)
        rows.append((y * silu(z[t].reshape(H, 1, P) * mimo_z) * mimo_o).sum(1).ravel())
    return linear(np.array(rows), p["out_proj.weight"], p.get("out_proj.bias")), (h, phi, k, x_before)


def residual_block(x, p, mixer, eps=1e-5, norm=rms_norm):
    """Returns y = x + mixer(norm(x)). mixer(u, p) is one of the blocks above, which return their outputs and last state."""
    return x + mixer(norm(x, p["norm.weight"], p.get("norm.bias"), eps), sub(p, "mixer."))[0]


def language_model(tokens, p, mixer, eps=1e-5, norm=rms_norm):
    """Runs a language model that consists of residual blocks of Mamba-2 or Mamba-3. tokens: (L,) integers; returns logits (L,
    vocab_size)."""
    embedding = p.get("backbone.embedding.weight", p.get("backbone.embeddings.weight"))
    x = embedding[np.asarray(tokens)]
    layers = {int(name.split(".")[2]) for name in p if name.startswith("backbone.layers.")}
    for layer in sorted(layers):
        x = residual_block(x, sub(p, f"backbone.layers.{layer}."), mixer, eps, norm)
    return linear(norm(x, p["backbone.norm_f.weight"], p.get("backbone.norm_f.bias"), eps), p.get("lm_head.weight", embedding))
