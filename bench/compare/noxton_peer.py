"""Worker for noxton, a JAX library: its Mamba layers, jitted. noxton has no step, and its scan gives wrong results beyond 128
tokens.

Unchanged, noxton's Mamba raises an exception on every input, because its scan requires B and C for each channel. This worker
therefore broadcasts B and C to all channels.
"""
from protocol import serve


class Noxton:
    def __init__(self, model, file):
        import importlib.metadata

        import equinox
        import jax
        import jax.numpy as jnp
        import noxton.nn.mamba as noxton
        from safetensors.numpy import load_file

        scan = noxton.selective_scan
        noxton.selective_scan = lambda u, delta, A, B, C, D: scan(
            u, delta, A, *(jnp.broadcast_to(m[:, None], (len(u), *A.shape)) for m in (B, C)), D)
        net = noxton.Mamba(n_embd=model.d_model, n_dims=model.vocab_size, n_layers=model.n_layers,
                           dt_rank=model.dt_rank, d_conv=model.d_conv, use_in_projection_bias=False,
                           use_out_proj_bias=False, ssm_use_delta_proj_bias=True, key=jax.random.PRNGKey(0))
        weights = load_file(file)
        wanted = [jnp.asarray(weights[name]).reshape(place.shape)
                  for name, place in zip(self.names(model), self.places(net))]
        self.net = equinox.tree_at(self.places, net, wanted)
        self.run = equinox.filter_jit(lambda net, tokens, every: net(tokens) if every else net(tokens)[-1:])
        self.jax, self.jnp = jax, jnp
        self.version = f"noxton {importlib.metadata.version('noxton')}, JAX {jax.__version__}"

    @staticmethod
    def names(model):
        parts = ("norm.weight", "mixer.in_proj.weight", "mixer.conv1d.weight", "mixer.conv1d.bias",
                 "mixer.x_proj.weight", "mixer.dt_proj.weight", "mixer.dt_proj.bias", "mixer.A_log", "mixer.D",
                 "mixer.out_proj.weight")
        layers = [f"backbone.layers.{i}.{part}" for i in range(model.n_layers) for part in parts]
        return layers + ["backbone.norm_f.weight", "backbone.embeddings.weight"]

    @staticmethod
    def places(net):
        found = []
        for layer in net.layers.layers:
            mixer, ssm = layer.mamba_block, layer.mamba_block.ssm
            found += [layer.rns_norm.weight, mixer.in_proj.weight, mixer.conv1d.weight, mixer.conv1d.bias,
                      ssm.input_proj.weight, ssm.delta_proj.weight, ssm.delta_proj.bias, ssm.A_log, ssm.D,
                      mixer.out_proj.weight]
        return found + [net.normalization.weight, net.shared_emb_lm_head.pytree[0].weight]

    def reset(self):
        pass

    def step(self, token):
        raise NotImplementedError("it has no step")

    def prefill(self, tokens, every):
        if len(tokens) > 128:
            raise NotImplementedError("its scan is wrong past 128 tokens")
        return self.run(self.net, self.jnp.array(tokens), every)

    def array(self, logits):
        return self.jax.device_get(logits)


serve(Noxton)
