"""Worker for PyTorch: MambaForCausalLM or Mamba2ForCausalLM of transformers, eager or compiled with torch.compile."""
from protocol import serve


class Torch:
    def __init__(self, model, file, mode):
        import torch
        import transformers
        from safetensors.torch import load_file

        torch.set_num_threads(1)
        sizes = dict(vocab_size=model.vocab_size, hidden_size=model.d_model, num_hidden_layers=model.n_layers,
                     state_size=model.d_state, conv_kernel=model.d_conv, expand=2, use_bias=False, use_conv_bias=True,
                     layer_norm_epsilon=1e-5, tie_word_embeddings=True)
        if model.headdim:
            config = transformers.Mamba2Config(**sizes, num_heads=model.heads, head_dim=model.headdim, n_groups=1)
            self.model = transformers.Mamba2ForCausalLM(config)
        else:
            config = transformers.MambaConfig(**sizes, time_step_rank=model.dt_rank)
            self.model = transformers.MambaForCausalLM(config)
        self.torch, self.config, self.cache = torch, config, transformers.DynamicCache
        missing, unexpected = self.model.load_state_dict(load_file(file), strict=False)
        assert set(missing) <= {"lm_head.weight"} and not unexpected, (missing, unexpected)
        self.model.eval()
        self.version = f"PyTorch {torch.__version__}, transformers {transformers.__version__}"
        self.run = self.model
        if mode == "compiled":
            # torch.compile compiles the model once for each input shape: once for a step, and once for each prefill length.
            torch._dynamo.config.cache_size_limit = 64
            self.run = torch.compile(self.model, dynamic=False)

    def reset(self):
        # A step needs a cache that is not empty, so the first token of a sequence is processed as a prefill of one token.
        self.state = None

    def step(self, token):
        with self.torch.inference_mode():
            fresh = self.state is None
            if fresh:
                self.state = self.cache(config=self.config)
            run = self.model if fresh else self.run
            out = run(self.torch.tensor([[token]]), cache_params=self.state, use_cache=True)
        return out.logits

    def start_streams(self, n):
        self.streams = None

    def step_streams(self, tokens):
        with self.torch.inference_mode():
            fresh = self.streams is None
            if fresh:
                self.streams = self.cache(config=self.config)
            run = self.model if fresh else self.run
            out = run(self.torch.tensor(tokens)[:, None], cache_params=self.streams, use_cache=True)
        return out.logits.transpose(0, 1)

    def prefill(self, tokens, every):
        with self.torch.inference_mode():
            self.state = self.cache(config=self.config)
            out = self.run(self.torch.tensor([tokens]), cache_params=self.state, use_cache=True,
                           logits_to_keep=0 if every else 1)
        return out.logits

    def array(self, logits):
        return logits[0].numpy()


serve(Torch)
