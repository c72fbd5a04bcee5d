"""Reads what config.json of Hugging Face (model_type) or mamba-ssm (ssm_cfg) specifies about a model. Rejects keys that select
something that Krait lacks, or that contradict the tensors, with an error that names the key."""

import math

from safetensors_file import Problem

# Keys that do not change the outputs: training, initial weights, generation, other implementations of the same arithmetic.
HARMLESS = {
    "architectures",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "unk_token_id",
    "dtype",
    "torch_dtype",
    "initializer_range",
    "rescale_prenorm_residual",
    "time_step_floor",
    "time_step_init_scheme",
    "time_step_max",
    "time_step_min",
    "time_step_scale",
    "transformers_version",
    "use_associative_scan",
    "use_cache",
    "use_mambapy",
    "_name_or_path",
    "name_or_path",
    "output_hidden_states",
    "return_dict",
    "id2label",
    "label2id",
    "fused_add_norm",
    "pad_vocab_size_multiple",
    "auto_map",
    "use_mamba_kernels",
    "output_attentions",
    "return_dict_in_generate",
    "problem_type",
    "num_labels",
    "is_encoder_decoder",
    "tokenizer_class",
    "chunk_size_feed_forward",
}
SIZES = {
    "hidden_size": "d_model",
    "d_model": "d_model",
    "num_hidden_layers": "n_layers",
    "n_layer": "n_layers",
    "vocab_size": "vocab_size",
    "state_size": "d_state",
    "d_state": "d_state",
    "conv_kernel": "d_conv",
    "d_conv": "d_conv",
    "intermediate_size": "d_inner",
    "time_step_rank": "dt_rank",
    "dt_rank": "dt_rank",
}
MODEL_TYPES = ("mamba", "falcon_mamba")


class Config:
    """config.json, or none. take() marks a key as used; the keys that are left are printed."""

    def __init__(self, content, name, notes):
        self.content, self.name, self.used = content or {}, name or "config.json", set()
        if self.content and not self.content.keys() & {"model_type", "ssm_cfg", "d_model", "hidden_size"}:
            notes.append(f"{self.name} is not used: it has neither model_type (Hugging Face) nor ssm_cfg (mamba-ssm)")
            self.content = {}
        self.check_type()

    def __bool__(self):
        return bool(self.content)

    def take(self, key, default=None):
        self.used.add(key)
        return self.content.get(key, default)

    def refuse(self, key, found, wanted):
        raise Problem(f"{self.name}: {key} is not supported: found {found!r}, wanted {wanted}")

    def require(self, key, wanted, absent=None):
        """Rejects any value of a key but the wanted ones; an absent key counts as `absent`."""
        value = self.take(key, absent)
        if self and value is not None and value not in wanted:
            self.refuse(key, value, " or ".join(map(repr, wanted)) or "no such key")

    def check_type(self):
        self.require("model_type", MODEL_TYPES)
        self.require("hidden_act", ("silu", "swish"))
        self.require("quantization_config", ())
        self.require("rms_norm", (True, False))
        self.require("attn_layer_idx", ([],))
        self.require("attn_cfg", ({},))
        self.require("d_intermediate", (0,))
        self.require("bidirectional", (False,))
        self.ssm = self.take("ssm_cfg") or {}
        if not isinstance(self.ssm, dict):
            self.refuse("ssm_cfg", self.ssm, "an object")
        if self.ssm.get("layer", "Mamba1") != "Mamba1":
            self.refuse("ssm_cfg.layer", self.ssm["layer"], "'Mamba1'")

    def eps(self, key, default=None):
        """Returns the value of a key, which must be a number between 0 and 1, or `default` if the key is absent."""
        value = self.take(key, default)
        if value is not None and (type(value) not in (int, float) or not 0 < value < 1):
            self.refuse(key, value, "a number between 0 and 1")
        return value if value is None else float(value)

    def norm_eps(self):
        """Returns the eps of the norms that config.json gives, or None."""
        return self.eps("layer_norm_epsilon" if "layer_norm_epsilon" in self.content else "norm_epsilon")

    def norm_kind(self):
        """The word of --norm for mamba-ssm's rms_norm, or None if the key is absent."""
        value = self.take("rms_norm")
        return None if value is None else "rms_norm" if value else "layer_norm"

    def dt_b_c_eps(self):
        """Returns the eps of FalconMamba's norms of dt, B and C, or None for other models."""
        return self.eps("mixer_rms_eps", 1e-6) if self.content.get("model_type") == "falcon_mamba" else None

    def is_headless(self):
        """Returns whether config.json describes a model without a head, or None if it names no architecture."""
        names = self.take("architectures")
        name = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else None
        if name is None:
            return None
        if name.endswith("ForCausalLM") or name.endswith("LMHeadModel"):
            return False
        if name.endswith("Model"):
            return True
        self.refuse("architectures", name, "a ...ForCausalLM or ...Model")

    def check_head(self, has_head, is_tied):
        """Compares tie_word_embeddings with the tensors."""
        key = "tie_word_embeddings" if "tie_word_embeddings" in self.content else "tie_embeddings"
        tied = self.take(key)
        if tied is False and not has_head:
            raise Problem(f"lm_head.weight is missing: {self.name} has {key} false, so the head is a tensor of its own")
        if tied is True and has_head and not is_tied:
            raise Problem(f"lm_head.weight differs from the embedding, but {self.name} has {key} true")

    def check_sizes(self, dims):
        """Compares the sizes in config.json with those of the tensors."""
        for where, content in ((self.name, self.content), (f"{self.name}: ssm_cfg", self.ssm)):
            for key, name in SIZES.items():
                value = content.get(key)
                self.used.add(key)
                if type(value) is not int or name not in dims:
                    continue
                if name == "vocab_size" and "ssm_cfg" in self.content:  # mamba-ssm rounds it up
                    multiple = self.take("pad_vocab_size_multiple", 1)
                    multiple = multiple if type(multiple) is int and multiple > 0 else 1
                    value = math.ceil(value / multiple) * multiple
                if value != dims[name]:
                    raise Problem(
                        f"{where}: {key} differs from the tensors: found {value}, but the tensors have {name} {dims[name]}"
                    )
        self.used |= {"expand", "residual_in_fp32"}
        for key, layers in (("use_bias", ("in_bias", "out_bias")), ("use_conv_bias", ("conv_bias",))):
            value = self.take(key)
            for name in layers:
                if type(value) is bool and name in dims and value != dims[name]:
                    raise Problem(
                        f"{self.name}: {key} differs from the tensors: found {str(value).lower()}, but the blocks have "
                        f"{'' if dims[name] else 'no '}{name}"
                    )

    def unused(self):
        return sorted(self.content.keys() - self.used - HARMLESS)
