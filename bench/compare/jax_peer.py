"""Worker for JAX: a Mamba forward pass written for this comparison, jitted once for steps and once for each prefill length."""
from protocol import serve


class Jax:
    def __init__(self, model, file):
        import jax
        import jax.numpy as jnp
        from safetensors.numpy import load_file

        self.jax, self.jnp, self.dims = jax, jnp, model
        self.version = f"JAX {jax.__version__}"
        weights = {name: jnp.asarray(tensor) for name, tensor in load_file(file).items()}
        embedding = weights["backbone.embeddings.weight"]
        layers = []
        for i in range(model.n_layers):
            prefix = f"backbone.layers.{i}."
            layer = {n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)}
            layer["A"] = -jnp.exp(layer.pop("mixer.A_log"))
            # Weights are transposed in advance: a step of S then takes 0.2 ms instead of 0.55 ms.
            layer = {n: jnp.array(w.T) if n.endswith("proj.weight") else w for n, w in layer.items()}
            layers.append(layer)
        everything = (embedding, jnp.array(embedding.T), weights["backbone.norm_f.weight"], layers)
        # Weights are arguments of the jitted functions. As constants, XLA would fold them for minutes when compiling.
        step = jax.jit(lambda w, token, state: self.run(w, token[None], state, True), donate_argnums=2)
        prefill = jax.jit(lambda w, tokens, every: self.run(w, tokens, self.zeros(), every), static_argnums=2)
        def one(weights, token, state):
            logits, state = self.run(weights, token[None], state, True)
            return logits[0], state

        streams = jax.jit(jax.vmap(one, in_axes=(None, 0, 0)), donate_argnums=2)
        self.jitted_streams = lambda tokens: streams(everything, tokens, self.state)
        self.jitted_step = lambda token: step(everything, token, self.state)
        self.jitted_prefill = lambda tokens, every: prefill(everything, tokens, every)

    def zeros(self):
        m = self.dims
        return [(self.jnp.zeros((m.d_conv - 1, m.d_inner)), self.jnp.zeros((m.d_inner, m.d_state)))
                for _ in range(m.n_layers)]

    def run(self, weights, tokens, state, every):
        """Processes tokens [L] after `state`, the state of all layers. Returns the logits ([L, vocab_size] if `every`,
        otherwise [1, vocab_size] of the last token) and the new state."""
        jnp = self.jnp
        embedding, head, norm_f, layers = weights
        x = embedding[tokens]
        after = []
        for layer, (window, h) in zip(layers, state):
            y, window, h = self.mixer(layer, self.norm(x, layer["norm.weight"]), window, h)
            x = x + y
            after.append((window, h))
        x = x if every else x[-1:]
        return self.norm(x, norm_f) @ head, after

    def norm(self, x, weight):
        return x * self.jax.lax.rsqrt(self.jnp.mean(x * x, axis=-1, keepdims=True) + 1e-5) * weight

    def mixer(self, layer, x, window, h):
        jax, jnp, m = self.jax, self.jnp, self.dims
        u, z = jnp.split(x @ layer["mixer.in_proj.weight"], 2, axis=-1)
        padded = jnp.concatenate([window, u])
        taps = layer["mixer.conv1d.weight"][:, 0]
        u = sum(padded[k : k + len(x)] * taps[:, k] for k in range(m.d_conv)) + layer["mixer.conv1d.bias"]
        u = jax.nn.silu(u)
        dt, B, C = jnp.split(u @ layer["mixer.x_proj.weight"], [m.dt_rank, m.dt_rank + m.d_state], axis=-1)
        delta = jax.nn.softplus(dt @ layer["mixer.dt_proj.weight"] + layer["mixer.dt_proj.bias"])

        def advance(h, now):
            delta, du, B, C = now
            h = jnp.exp(delta[:, None] * layer["A"]) * h + du[:, None] * B
            return h, h @ C

        h, y = jax.lax.scan(advance, h, (delta, delta * u, B, C))
        y = (y + layer["mixer.D"] * u) * jax.nn.silu(z)
        return y @ layer["mixer.out_proj.weight"], padded[len(x) :], h

    def reset(self):
        self.state = self.zeros()

    def step(self, token):
        logits, self.state = self.jitted_step(self.jnp.int32(token))
        return logits

    def start_streams(self, n):
        self.state = self.jax.tree.map(lambda one: self.jnp.repeat(one[None], n, axis=0), self.zeros())

    def step_streams(self, tokens):
        logits, self.state = self.jitted_streams(self.jnp.array(tokens, "int32"))
        return logits

    def prefill(self, tokens, every):
        logits, self.state = self.jitted_prefill(self.jnp.array(tokens, "int32"), every)
        return logits

    def array(self, logits):
        self.jax.block_until_ready(self.state)
        return self.jax.device_get(logits)


serve(Jax)
