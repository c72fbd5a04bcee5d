"""Worker for llama.cpp, through the low-level bindings of llama-cpp-python, with the model as a float32 GGUF file."""
import ctypes

from protocol import STREAMS, serve


class LlamaCpp:
    def __init__(self, model, file, storage="F32"):
        import llama_cpp as llama

        self.llama, self.vocab_size = llama, model.vocab_size
        self.quiet = llama.llama_log_callback(lambda *_: None)
        llama.llama_log_set(self.quiet, ctypes.c_void_p(0))
        params = llama.llama_model_default_params()
        params.load_mode = llama.LLAMA_LOAD_MODE_NONE  # load into allocated memory, as the other programs do
        weights = self.quantised(self.convert(model, file), storage)
        net = llama.llama_model_load_from_file(weights.encode(), params)
        params = llama.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = 1 << 20, 512, 512, max(STREAMS)
        params.n_threads = params.n_threads_batch = 1
        self.context = llama.llama_init_from_model(net, params)
        self.batch = llama.llama_batch_init(512, 0, 1)
        self.version = f"llama.cpp as in llama-cpp-python {llama.__version__}"

    def quantised(self, file, storage):
        if storage == "F32":
            return file
        llama, to = self.llama, f"{file}.{storage}"
        params = llama.llama_model_quantize_default_params()
        params.ftype = getattr(llama, f"LLAMA_FTYPE_MOSTLY_{storage}")
        params.nthread = 1
        if llama.llama_model_quantize(file.encode(), to.encode(), ctypes.byref(params)) != 0:
            raise RuntimeError("llama_model_quantize failed")
        return to

    @staticmethod
    def convert(model, file):
        import gguf
        import numpy
        from safetensors.numpy import load_file

        weights = load_file(file)
        out = gguf.GGUFWriter(file + ".gguf", "mamba2" if model.headdim else "mamba")
        out.add_context_length(1 << 20)
        out.add_embedding_length(model.d_model)
        out.add_feed_forward_length(0)
        out.add_head_count(0)
        out.add_block_count(model.n_layers)
        out.add_ssm_conv_kernel(model.d_conv)
        out.add_ssm_inner_size(model.d_inner)
        out.add_ssm_state_size(model.d_state)
        out.add_ssm_time_step_rank(model.heads if model.headdim else model.dt_rank)
        if model.headdim:
            out.add_ssm_group_count(1)
        out.add_layer_norm_rms_eps(1e-5)
        out.add_ssm_dt_b_c_rms(False)
        out.add_vocab_size(model.vocab_size)
        out.add_tokenizer_model("none")
        out.add_tensor("token_embd.weight", weights["backbone.embeddings.weight"])
        out.add_tensor("output_norm.weight", weights["backbone.norm_f.weight"])
        names = {"norm.weight": "attn_norm.weight", "mixer.in_proj.weight": "ssm_in.weight",
                 "mixer.conv1d.weight": "ssm_conv1d.weight", "mixer.conv1d.bias": "ssm_conv1d.bias",
                 "mixer.x_proj.weight": "ssm_x.weight", "mixer.dt_proj.weight": "ssm_dt.weight",
                 "mixer.dt_proj.bias": "ssm_dt.bias", "mixer.A_log": "ssm_a", "mixer.D": "ssm_d",
                 "mixer.out_proj.weight": "ssm_out.weight", "mixer.dt_bias": "ssm_dt.bias",
                 "mixer.norm.weight": "ssm_norm.weight"}
        for i in range(model.n_layers):
            for theirs, name in names.items():
                tensor = weights.get(f"backbone.layers.{i}.{theirs}")
                if tensor is None:  # Mamba-1 and Mamba-2 each lack some of these tensors
                    continue
                if name == "ssm_a":
                    tensor = -numpy.exp(tensor)
                if name == "ssm_conv1d.weight":
                    tensor = tensor[:, 0]
                if model.headdim and name in ("ssm_a", "ssm_d"):
                    tensor = tensor[:, None]
                if name == "ssm_norm.weight":
                    tensor = tensor[None]  # [groups, channels of a group]
                out.add_tensor(f"blk.{i}.{name}", numpy.ascontiguousarray(tensor))
        out.write_header_to_file()
        out.write_kv_data_to_file()
        out.write_tensors_to_file()
        out.close()
        return file + ".gguf"

    def reset(self):
        self.llama.llama_memory_clear(self.llama.llama_get_memory(self.context), True)
        self.position = 0

    def run(self, tokens, every):
        count = self.decode([(token, self.position + i, 0, every or i + 1 == len(tokens)) for i, token in enumerate(tokens)])
        self.position += len(tokens)
        return count

    def decode(self, rows):
        """Processes one token for each row. A row is (token id, position, sequence number, whether to compute logits). Returns
        the number of rows with logits."""
        batch = self.batch
        batch.n_tokens = len(rows)
        for i, (token, position, sequence, wanted) in enumerate(rows):
            batch.token[i], batch.pos[i] = token, position
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, sequence
            batch.logits[i] = wanted
        if self.llama.llama_decode(self.context, batch) != 0:
            raise RuntimeError("llama_decode failed")
        return sum(wanted for *_, wanted in rows)

    def start_streams(self, n):
        self.reset()

    def step_streams(self, tokens):
        count = self.decode([(token, self.position, stream, True) for stream, token in enumerate(tokens)])
        self.position += 1
        return count

    def step(self, token):
        return self.run([token], True)

    def prefill(self, tokens, every):
        self.reset()
        return self.run(tokens, every)

    def array(self, rows):
        import numpy

        return numpy.ctypeslib.as_array(self.llama.llama_get_logits(self.context), (rows, self.vocab_size))


serve(LlamaCpp)
