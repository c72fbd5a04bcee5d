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

    def advance(self, state, ids):
        """Processes one token of each sequence. Returns the new state and the logits."""
        run = self.run
        if state is None:
            run, state = self.model, self.cache(config=self.config)
        with self.torch.inference_mode():
            return state, run(ids, cache_params=state, use_cache=True).logits

    def step(self, token):
        self.state, logits = self.advance(self.state, self.torch.tensor([[token]]))
        return logits

    def start_streams(self, n):
        self.streams = None

    def step_streams(self, tokens):
        self.streams, logits = self.advance(self.streams, self.torch.tensor(tokens)[:, None])
        return logits.transpose(0, 1)

    def prefill(self, tokens, every):
        with self.torch.inference_mode():
            self.state = self.cache(config=self.config)
            out = self.run(self.torch.tensor([tokens]), cache_params=self.state, use_cache=True,
                           logits_to_keep=0 if every else 1)
        return out.logits

    def array(self, logits):
        return logits[0].numpy()


serve(Torch)
