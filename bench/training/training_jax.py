"""Worker for JAX: a training step written for this comparison, jitted as one function.

  training_jax.py WEIGHTS sequential|associative     how the scan runs: lax.scan, or lax.associative_scan
"""

import training_protocol as protocol


class Jax:
    def __init__(self, file, scan):
        import jax
        import jax.numpy as jnp

        self.jax, self.jnp, self.at = jax, jnp, 0
        self.version = f"JAX {jax.__version__}"
        self.p = {name: jnp.asarray(weight) for name, weight in protocol.weights(file).items()}
        self.layers = sum(name.endswith("A_log") for name in self.p)
        d_inner, d_state = self.p["backbone.layers.0.mixer.A_log"].shape
        self.d_state, self.d_conv = d_state, self.p["backbone.layers.0.mixer.conv1d.weight"].shape[-1]
        self.state = [(jnp.zeros((protocol.STREAMS, self.d_conv - 1, d_inner)),
                       jnp.zeros((protocol.STREAMS, d_inner, d_state))) for _ in range(self.layers)]
        self.moments = jax.tree.map(lambda w: (jnp.zeros_like(w), jnp.zeros_like(w)), self.p)
        self.steps = 0
        self.scan = self.sequential if scan == "sequential" else self.associative
        gradients = jax.value_and_grad(self.loss, has_aux=True)
        self.jitted_gradients = jax.jit(gradients)

        def step(p, moments, state, tokens, count):
            (loss, state), g = gradients(p, state, tokens)
            return *self.adamw(p, g, moments, count), state, loss

        self.jitted_step = jax.jit(step, donate_argnums=(0, 1, 2))

    def sequential(self, decay, dBx, C, h):
        """Returns y [streams, tokens, d_inner] and the last h, from the decays and delta B x [streams, tokens, d_inner,
        d_state]."""
        def advance(h, now):
            decay, dBx, C = now
            h = decay * h + dBx
            return h, (h @ C[:, :, None])[..., 0]

        h, y = self.jax.lax.scan(advance, h, tuple(self.jnp.moveaxis(x, 1, 0) for x in (decay, dBx, C)))
        return self.jnp.moveaxis(y, 0, 1), h

    def associative(self, decay, dBx, C, h):
        dBx = dBx.at[:, 0].add(decay[:, 0] * h)
        _, h = self.jax.lax.associative_scan(lambda a, b: (a[0] * b[0], b[0] * a[1] + b[1]), (decay, dBx), axis=1)
        return (h @ C[..., None])[..., 0], h[:, -1]

    def norm(self, x, weight):
        return x * self.jax.lax.rsqrt(self.jnp.mean(x * x, axis=-1, keepdims=True) + 1e-5) * weight

    def mixer(self, w, x, window, h):
        jax, jnp = self.jax, self.jnp
        u, z = jnp.split(x @ w("in_proj.weight").T, 2, axis=-1)
        padded = jnp.concatenate([window, u], axis=1)
        taps = w("conv1d.weight")[:, 0]
        u = sum(padded[:, k : k + x.shape[1]] * taps[:, k] for k in range(self.d_conv)) + w("conv1d.bias")
        u = jax.nn.silu(u)
        rank = w("dt_proj.weight").shape[1]
        dt, B, C = jnp.split(u @ w("x_proj.weight").T, [rank, rank + self.d_state], axis=-1)
        delta = jax.nn.softplus(dt @ w("dt_proj.weight").T + w("dt_proj.bias"))
        decay = jnp.exp(delta[..., None] * -jnp.exp(w("A_log")))
        y, h = self.scan(decay, (delta * u)[..., None] * B[:, :, None], C, h)
        y = (y + w("D") * u) * jax.nn.silu(z)
        return y @ w("out_proj.weight").T, padded[:, x.shape[1]:], h

    def loss(self, p, state, tokens):
        jax, jnp = self.jax, self.jnp
        x, after = p["backbone.embedding.weight"][tokens[:, :-1]], []
        for i, (window, h) in enumerate(state):
            prefix = f"backbone.layers.{i}."
            w = lambda name, prefix=prefix: p[f"{prefix}mixer.{name}"]
            y, window, h = self.mixer(w, self.norm(x, p[f"{prefix}norm.weight"]), window, h)
            x = x + y
            after.append((window, h))
        logits = self.norm(x, p["backbone.norm_f.weight"]) @ p["backbone.embedding.weight"].T
        chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), tokens[:, 1:, None], axis=-1)
        return -chosen.mean(), jax.lax.stop_gradient(after)

    def adamw(self, p, g, moments, count):
        jnp, (beta1, beta2) = self.jnp, protocol.BETAS
        norm = jnp.sqrt(sum((x * x).sum() for x in g.values()))
        factor = jnp.where(norm > protocol.MOST_NORM, protocol.MOST_NORM / norm, 1.0)
        new, after = {}, {}
        for name, w in p.items():
            gradient, (m, v) = factor * g[name], moments[name]
            m, v = beta1 * m + (1 - beta1) * gradient, beta2 * v + (1 - beta2) * gradient * gradient
            kept = 1 - protocol.RATE * protocol.WEIGHT_DECAY * name.endswith(protocol.DECAYED)
            step = m / (1 - beta1**count) / (jnp.sqrt(v / (1 - beta2**count)) + protocol.EPS)
            new[name], after[name] = kept * w - protocol.RATE * step, (m, v)
        return new, after

    def tokens(self):
        self.at += protocol.WINDOW
        return self.jnp.asarray(protocol.windows(self.at - protocol.WINDOW), "int32")

    def gradients(self):
        (loss, self.state), g = self.jitted_gradients(self.p, self.state, self.tokens())
        return self.jax.device_get((loss, g))

    def step(self):
        self.steps += 1
        self.p, self.moments, self.state, loss = self.jitted_step(self.p, self.moments, self.state, self.tokens(),
                                                                  self.jnp.float32(self.steps))
        self.jax.block_until_ready(loss)


protocol.serve(Jax)
