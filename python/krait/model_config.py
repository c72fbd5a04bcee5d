"""Reads what config.json of Hugging Face (model_type) or mamba-ssm (ssm_cfg) specifies about a model. Rejects keys that select
something that Krait lacks, or that contradict the tensors, with an error that names the key."""

import math

from .heads import check_settings
from .layers import block_of
from .safetensors_file import Problem

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
    "chunk_size",
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
    "num_heads": "heads",
    "head_dim": "headdim",
    "headdim": "headdim",
    "n_groups": "ngroups",
    "ngroups": "ngroups",
}
# The blocks of a model: Hugging Face's model_type and mamba-ssm's ssm_cfg.layer.
MODEL_TYPES = {"mamba": "MambaBlock", "falcon_mamba": "MambaBlock", "mamba2": "Mamba2Block"}
SSM_LAYERS = {"Mamba1": "MambaBlock", "Mamba2": "Mamba2Block", "Mamba3": "Mamba3Block"}
# Keys of ssm_cfg that follow from the tensors, and keys without an effect on the outputs: initial weights, and other
# implementations of the same arithmetic.
SSM_FLAGS = {
    "bias": ("in_bias", "out_bias"),
    "conv_bias": ("conv_bias",),
    "D_has_hdim": ("D_has_hdim",),
    "rmsnorm": ("rmsnorm",),
    "is_outproj_norm": ("is_outproj_norm",),
    "is_mimo": ("is_mimo",),
}
SSM_SETTINGS = ("dt_limit", "norm_before_gate", "A_floor", "rope_fraction")
SSM_HARMLESS = {
    "layer",
    "A_init_range",
    "chunk_size",
    "conv_init",
    "device",
    "dropout",
    "dt_init",
    "dt_init_floor",
    "dt_max",
    "dt_min",
    "dt_scale",
    "dtype",
    "layer_idx",
    "process_group",
    "sequence_parallel",
    "use_fast_path",
    "use_mem_eff_path",
}


class Config:
    """The content of config.json, or of no file. take() marks a key as used; keys that were not taken are printed."""

    def __init__(self, content, name, notes):
        self.content, self.name, self.used = content or {}, name or "config.json", set()
        if self.content and not self.content.keys() & {"model_type", "ssm_cfg", "d_model", "hidden_size"}:
            notes.append(f"{self.name} is not used: it has neither model_type (Hugging Face) nor ssm_cfg (mamba-ssm)")
            self.content = {}
        self.check_type()
        self.note_ignored(notes)

    def __bool__(self):
        return bool(self.content)

    def take(self, key, default=None):
        self.used.add(key)
        return self.content.get(key, default)

    def refuse(self, key, found, wanted):
        raise Problem(f"{self.name}: {key} is not supported: found {found!r}, wanted {wanted}")

    def require(self, key, wanted, absent=None):
        """Raises Problem if the value of a key is not one of `wanted`. An absent key counts as `absent`."""
        value = self.take(key, absent)
        if self and value is not None and value not in wanted:
            self.refuse(key, value, " or ".join(map(repr, wanted)) or "no such key")

    def check_type(self):
        self.require("model_type", tuple(MODEL_TYPES))
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
        layer = self.ssm.get("layer", "Mamba1")
        if layer not in SSM_LAYERS:
            self.refuse("ssm_cfg.layer", layer, " or ".join(map(repr, SSM_LAYERS)))
        self.is_mamba2_of_transformers = self.content.get("model_type") == "mamba2"
        self.block = MODEL_TYPES.get(self.content.get("model_type"))  # the component of the blocks, or None
        if "ssm_cfg" in self.content and self.block is None:
            self.block = SSM_LAYERS[layer]

    def note_ignored(self, notes):
        """Takes keys that older versions of transformers write for Mamba-2, and that have no effect in transformers."""
        if self.is_mamba2_of_transformers:
            for key, used in (("norm_before_gate", False), ("rms_norm", True)):
                if self.take(key, used) != used:
                    found, fact = str(not used).lower(), "after the gate" if key == "norm_before_gate" else "an RMSNorm"
                    notes.append(f"{self.name}: {key} is {found}, but transformers does not use it: the norm is {fact}")

    def check_block(self, blocks):
        """Raises Problem if config.json names another kind of block (Mamba-1, -2 or -3) than the tensors have."""
        if self.block is not None and blocks and self.block not in blocks:
            key = "model_type" if self.content.get("model_type") in MODEL_TYPES else "ssm_cfg.layer"
            value = self.content.get("model_type") or self.ssm.get("layer", "Mamba1")
            raise Problem(
                f"{self.name}: {key} differs from the tensors: found {value!r}, whose blocks are {self.block}s, but the "
                f"tensors are those of {', '.join(sorted(blocks))}s"
            )

    def number(self, key, value):
        """Returns a number of config.json. transformers writes infinity as {"__float__": "Infinity"}."""
        if isinstance(value, dict) and value.keys() == {"__float__"}:
            value = {"Infinity": math.inf}.get(value["__float__"], value)
        if type(value) not in (int, float):
            self.refuse(key, value, "a number")
        return value

    def block_settings(self):
        """Returns the settings of blocks of Mamba-2 and Mamba-3 that shapes do not determine (heads.py). An absent key has its
        library's default."""
        of_transformers = self.is_mamba2_of_transformers
        given, where = (self.content, "") if of_transformers else (self.ssm, "ssm_cfg.")
        if self.block not in ("Mamba2Block", "Mamba3Block"):
            return {}
        settings = {"mixer_norm_eps": self.eps("layer_norm_epsilon", 1e-5) if of_transformers else 1e-5}
        if self.block == "Mamba3Block":
            settings |= {key: self.number(where + key, given[key]) for key in ("A_floor", "rope_fraction") if key in given}
            settings.setdefault("A_floor", 1e-4)
        else:
            groups_key, limit_key = ("n_groups", "time_step_limit") if of_transformers else ("ngroups", "dt_limit")
            ngroups, limit = given.get(groups_key, 8 if of_transformers else 1), given.get(limit_key, (0.0, math.inf))
            before = False if of_transformers else given.get("norm_before_gate", False)
            if type(ngroups) is not int:
                self.refuse(where + groups_key, ngroups, "an integer")
            if not isinstance(limit, (list, tuple)):
                self.refuse(where + limit_key, limit, "two numbers")
            if type(before) is not bool:
                self.refuse(where + "norm_before_gate", before, "true or false")
            limit = tuple(float(self.number(where + limit_key, one)) for one in limit)
            settings |= {"ngroups": ngroups, "dt_limit": limit, "norm_before_gate": before}
        self.used |= {"n_groups", "time_step_limit"}
        check_settings(settings, f"{self.name}: ")
        return settings

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
        """Returns the value of the option --norm that corresponds to mamba-ssm's rms_norm, or None if the key is absent."""
        value = self.take("rms_norm")
        return None if value is None or self.is_mamba2_of_transformers else "rms_norm" if value else "layer_norm"

    def dt_b_c_eps(self):
        """Returns the eps of FalconMamba's norms of dt, B and C, or None for other models."""
        return self.eps("mixer_rms_eps", 1e-6) if self.content.get("model_type") == "falcon_mamba" else None

    def is_headless(self):
        """Returns whether config.json describes a model without a head, or None if config.json names no architecture."""
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
        """Raises Problem if tie_word_embeddings contradicts the tensors."""
        key = "tie_word_embeddings" if "tie_word_embeddings" in self.content else "tie_embeddings"
        tied = self.take(key)
        if tied is False and not has_head:
            raise Problem(f"lm_head.weight is missing: {self.name} has {key} false, so the head is a tensor of its own")
        if tied is True and has_head and not is_tied:
            raise Problem(f"lm_head.weight differs from the embedding, but {self.name} has {key} true")

    def check_sizes(self, dims):
        """Raises Problem if the kind of blocks, a size or a bias in config.json differs from the tensors."""
        self.check_block({block_of("Mamba", dims)})
        if "headdim" in dims:
            dims = {**dims, "heads": dims["d_inner"] // dims["headdim"], "is_mimo": dims.get("mimo_rank", 1) > 1}
        for where, content in ((self.name, self.content), (f"{self.name}: ssm_cfg", self.ssm)):
            for key, name in SIZES.items():
                value = content.get(key)
                self.used.add(key)
                if type(value) is not int or name not in dims:
                    continue
                if name == "vocab_size" and "ssm_cfg" in self.content:  # mamba-ssm rounds vocab_size up
                    multiple = self.take("pad_vocab_size_multiple", 1)
                    multiple = multiple if type(multiple) is int and multiple > 0 else 1
                    value = math.ceil(value / multiple) * multiple
                if value != dims[name]:
                    raise Problem(
                        f"{where}: {key} differs from the tensors: found {value}, but the tensors have {name} {dims[name]}"
                    )
        self.used |= {"expand", "residual_in_fp32"}
        flags = {"use_bias": ("in_bias", "out_bias"), "use_conv_bias": ("conv_bias",)}
        of_ssm = {f"ssm_cfg.{key}": names for key, names in SSM_FLAGS.items()}
        for key, names in {**flags, **of_ssm}.items():
            value = self.ssm.get(key.removeprefix("ssm_cfg.")) if key in of_ssm else self.take(key)
            for name in names:
                if type(value) is bool and name in dims and value != dims[name]:
                    raise Problem(
                        f"{self.name}: {key} differs from the tensors: found {str(value).lower()}, but the blocks have "
                        f"{'' if dims[name] else 'no '}{name}"
                    )
        if "headdim" in dims:
            self.check_heads(dims)

    def check_heads(self, dims):
        """Raises Problem if a size of the blocks of Mamba-2 or Mamba-3 in config.json differs from the tensors."""
        rank, d_ssm = self.ssm.get("mimo_rank"), self.ssm.get("d_ssm")
        if dims["is_mimo"] and type(rank) is int and rank != dims["mimo_rank"]:
            raise Problem(
                f"{self.name}: ssm_cfg: mimo_rank differs from the tensors: found {rank}, but the tensors have mimo_rank "
                f"{dims['mimo_rank']}"
            )
        if d_ssm is not None and d_ssm != dims["d_inner"]:
            self.refuse("ssm_cfg.d_ssm", d_ssm, f"d_inner, {dims['d_inner']}: Krait's blocks contain no MLP")
        for where, content in ((self.name, self.content), (f"{self.name}: ssm_cfg", self.ssm)):
            expand = content.get("expand")
            if type(expand) in (int, float) and int(expand * dims["d_model"]) != dims["d_inner"]:
                raise Problem(
                    f"{where}: expand differs from the tensors: found {expand}, but the tensors have d_model "
                    f"{dims['d_model']} and d_inner {dims['d_inner']}"
                )

    def unused(self):
        checked = {*SIZES, *SSM_FLAGS, *SSM_SETTINGS, "d_ssm", "expand", "mimo_rank"}
        of_ssm = self.ssm.keys() - checked - SSM_HARMLESS
        return sorted(self.content.keys() - self.used - HARMLESS) + sorted(f"ssm_cfg.{key}" for key in of_ssm)
