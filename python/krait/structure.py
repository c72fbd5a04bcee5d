"""Describes the model of a checkpoint as C++ types: a language model, one layer, or a stack of layers in the order of
--order."""

import itertools
import re

from .checkpoint import Choice, is_language_model, language_model_parts
from .declarations import Declarations, name_members
from .heads import MAMBA2_DEFAULTS, MAMBA3_DEFAULTS, check_settings, possible_ngroups, settings_of_metadata
from .layers import BLOCK_MEMBERS, BLOCKS, Group, Layer, block_of, dims_text, mamba_layer, position_shape, refuse_foreign
from .model_config import Config
from .order import Order
from .order_text import parse
from .proposals import proposals
from .safetensors_file import Problem

COMPONENTS = ["SelectiveStateSpaceModel", "SelectiveStateSpace", *BLOCKS, "ResidualBlock", "Mamba"]
# The options that may change the model of a file that krait.export wrote.
CHANGING = "ignore order norm norm_eps ngroups dt_limit norm_before_gate mixer_norm_eps A_floor head prefix config".split()
MOST_COMMANDS = 8  # the largest number of commands that a question lists


class Model:
    """The model of a checkpoint. `layers` are its layers, declarations() returns its C++ declarations, and `tensors` are the
    parameters that the packing program loads, under their names in the library."""

    def __init__(self, checkpoint, options):
        self.checkpoint, self.options, self.notes = checkpoint, options, checkpoint.notes
        self.config = Config(checkpoint.config, checkpoint.config_name, self.notes)
        if getattr(options, "config", None) is not None and not self.config:
            raise Problem(
                f"--config {options.config}: has no effect: found neither model_type (Hugging Face) nor ssm_cfg (mamba-ssm), "
                "wanted one of them"
            )
        self.tensors = {}
        self.open = {"norm", "norm_eps"}  # those of the options --norm and --norm-eps that a layer depends on
        self.is_stated = states_structure(checkpoint, options)
        # The error within which krait.export proved this model, as text. None if it did not, or if options change the model.
        changed = any(getattr(options, name) for name in CHANGING if hasattr(options, name))
        self.proved = None if changed else checkpoint.metadata.get("proved_within")
        if options.order is None:
            options.order = checkpoint.metadata.get("order")
        if not checkpoint.tensors:
            raise Problem("found no tensors, wanted those of a model")
        if not self.is_stated:
            refuse_foreign(checkpoint.tensors)
        self.set_eps()
        self.set_block_settings()
        self.set_norm_kind()
        names, top = checkpoint.tensors, {name.split(".")[0] for name in checkpoint.tensors}
        known = [*COMPONENTS, "Mamba2", "Mamba3"]
        if "component" in checkpoint.metadata and checkpoint.metadata["component"] not in known:
            raise Problem(f"unknown component {checkpoint.metadata['component']!r}: wanted one of {', '.join(known)}")
        if options.head is not None and (options.order is not None or not is_language_model(names)):
            found = "no language model" if options.order is None else "an order of layers, which says where the model ends"
            raise Problem(f"--head {options.head}: has no effect: found {found}, wanted a language model without --order")
        if options.order is None and is_language_model(names):
            self.make_language_model()
        elif options.order is None and (
            ({"A_log", "B_bias"} & top and {"in_proj", "x_proj"} & top) or {"norm", "mixer"} == top
        ):
            self.make_single()
        else:
            self.make_stack()
        self.check_blocks()
        if unused := self.config.unused():
            self.notes.append(f"{self.config.name}: keys that krait pack does not use: {', '.join(unused)}")
        if self.config.content.get("residual_in_fp32") is False:
            self.notes.append(f"{self.config.name}: residual_in_fp32 is false, but Krait's residuals are always float32")

    def set_eps(self):
        """Sets the eps of the norms, from --norm-eps, config.json or the metadata, or an assumed eps. The assumption is printed
        if the model has norms."""
        given = (self.options.norm_eps, self.config.norm_eps(), self.metadata_eps("norm_eps"), self.metadata_eps("eps"))
        found = next((eps for eps in given if eps is not None), None)
        self.eps_is_assumed = found is None
        self.eps = 1e-5 if found is None else found

    def set_block_settings(self):
        """Sets the dims of blocks that shapes do not determine, from options, config.json or the metadata. A setting that is in
        none of these sources is absent."""
        of_file = {**settings_of_metadata(self.checkpoint.metadata), **self.config.block_settings()}
        given = {name: getattr(self.options, name, None) for name in {**MAMBA2_DEFAULTS, **MAMBA3_DEFAULTS}}
        given = {name: value for name, value in given.items() if value is not None}
        check_settings(given, "options: ")
        for name, value in given.items():
            if of_file.get(name, value) != value:
                raise Problem(
                    f"{name}: found {value} among the options, wanted {of_file[name]}, which the checkpoint's files give"
                )
        dt_b_c_eps = self.config.dt_b_c_eps() or self.metadata_eps("dt_b_c_eps")
        self.block_settings = {"dt_b_c_eps": dt_b_c_eps, **of_file, **given}

    def set_norm_kind(self):
        """Sets the kind of the norms that have a bias, from --norm, config.json or the metadata. Without any of them, the kind
        is None."""
        of_config, metadata = self.config.norm_kind(), self.checkpoint.metadata
        of_file = metadata.get("norm", "rms_norm") if "component" in metadata else None
        if of_file not in (None, "rms_norm", "layer_norm"):
            raise Problem(f"metadata: norm: found {of_file!r}, wanted 'rms_norm' or 'layer_norm'")
        self.norm_kind = self.options.norm or of_config or of_file
        if of_config not in (None, self.norm_kind):
            rms_norm = str(of_config == "rms_norm").lower()
            raise Problem(f"--norm {self.norm_kind}: {self.config.name} has rms_norm {rms_norm}, wanted --norm {of_config}")

    def metadata_eps(self, key):
        """Returns the eps that the metadata of the checkpoint gives under `key`, or None if the metadata lacks the key."""
        text = self.checkpoint.metadata.get(key)
        try:
            value = None if text is None else float(text)
        except (TypeError, ValueError):
            value = -1.0
        if value is not None and not 0 < value < 1:
            raise Problem(f"metadata: {key}: found {text!r}, wanted a number between 0 and 1")
        return value

    def note_assumptions(self, blocks):
        """Prints the assumptions about properties that a checkpoint without config.json does not contain."""
        facts = []
        used = {one.dims.get(name) for layer in self.layers for one in layer.all() for name in ("eps", "norm_eps")}
        if self.eps_is_assumed and self.eps in used:
            facts.append("the norms' eps is 1e-5 (nn.RMSNorm's default is 1.1920929e-07); --norm-eps gives another")
        if blocks and not self.config and not self.is_stated and "component" not in self.checkpoint.metadata:
            facts.append("a block computes y = x + mixer(norm(x)) with SiLU, as mamba-ssm's")
        self.notes += [f"assumed: {fact}" for fact in facts]

    def check_blocks(self):
        """Raises Problem if config.json names another kind of block than the layers have. Prints the assumptions about blocks
        of Mamba-2 and Mamba-3. Raises Choice if nothing states the formula of Mamba-3's A, which the tensors do not
        determine."""
        found = [(block_of(one.component, one.dims), one.dims) for layer in self.layers for one in layer.all()]
        blocks = {block: dims for block, dims in found if block is not None}
        self.config.check_block(blocks.keys())
        self.check_effects(blocks, any(dims.get("rmsnorm") for _, dims in found))

        def note(block, settings):
            texts = [settings[name] for name in settings if name not in self.block_settings]
            if block in blocks and texts:
                self.notes.append(f"assumed: blocks of {block[:5]}-{block[5]} have mamba-ssm's defaults: {', '.join(texts)}")

        if "Mamba2Block" in blocks:
            dims = blocks["Mamba2Block"]
            others = [str(ngroups) for ngroups in possible_ngroups(dims) if ngroups != dims["ngroups"]]
            groups = {"ngroups": f"ngroups 1 (--ngroups; the shapes also allow {', '.join(others)})"} if others else {}
            limits = {"dt_limit": "no limits of delta (--dt-limit)"}
            norm = {
                "norm_before_gate": "the norm after the gate (--norm-before-gate)",
                "mixer_norm_eps": "its eps 1e-5 (--mixer-norm-eps)",
            }
            note("Mamba2Block", {**groups, **limits, **(norm if dims["rmsnorm"] else {})})
            if dims["dt_limit"] != MAMBA2_DEFAULTS["dt_limit"]:
                self.notes.append(
                    "dt_limit limits delta for every token; mamba-ssm and transformers limit it in forward(), but not in their "
                    "steps, whose outputs therefore differ"
                )
        eps = "the eps of the norms within blocks 1e-5 (--mixer-norm-eps)"
        note("Mamba3Block", {"A_floor": "A_floor 1e-4 (--A-floor)", "mixer_norm_eps": eps})
        if "Mamba3Block" in blocks:
            self.check_A_formula()

    def check_effects(self, blocks, mamba2_has_norms):
        """Raises Problem for an option that would change nothing, because the model has no blocks of its kind or no norms that
        leave the option open. `blocks` contains the dims of each kind of blocks in the model, and `mamba2_has_norms`
        is whether one of its Mamba2Blocks contains a norm."""
        changed_by = {"Mamba2Block": [*MAMBA2_DEFAULTS], "Mamba3Block": [*MAMBA3_DEFAULTS, "A_formula"]}
        for name in itertools.chain(*changed_by.values()):
            if getattr(self.options, name, None) is None:
                continue
            wanted = [block for block, names in changed_by.items() if name in names]
            found = [block for block in wanted if block in blocks]
            what = f"--{name.replace('_', '-')}: has no effect: found"
            if not found:
                present = f"only {'s and '.join(blocks)}s" if blocks else "no Mamba blocks"
                raise Problem(f"{what} {present} in the model, wanted a {' or a '.join(wanted)}")
            needs_norm = name == "norm_before_gate" or name == "mixer_norm_eps" and found == ["Mamba2Block"]
            if needs_norm and not mamba2_has_norms:
                raise Problem(f"{what} Mamba2Blocks without a norm, wanted a norm.weight in them")
        if self.options.norm_eps is not None and "norm_eps" not in self.open:
            raise Problem("--norm-eps: has no effect: found no norms without an eps=E of their own in the model, wanted one")
        if self.options.norm is not None and "norm" not in self.open:
            raise Problem(
                f"--norm {self.options.norm}: has no effect: found no norm that has a bias and no stated kind, wanted one. For "
                "a LayerNorm without a bias, write layer_norm(NAME) in --order"
            )
        has_dt_b_c_eps = any("dt_b_c_eps" in one.dims for layer in self.layers for one in layer.all())
        if getattr(self.options, "config", None) is not None and not (blocks or self.open or has_dt_b_c_eps):
            raise Problem(
                f"--config {self.options.config}: has no effect: found neither Mamba blocks nor norms without a stated eps "
                "or kind in the model, wanted one of them"
            )

    def check_A_formula(self):
        metadata = self.checkpoint.metadata
        stated = metadata.get("A_formula", "heavy_tail" if "component" in metadata else None)
        formula = self.options.A_formula or stated
        if formula is None:
            raise Choice(
                "Mamba-3's A has had two formulas, and no file contains which: -max(heavy_tail(a), A_floor), as in mamba-ssm "
                "since June 2026 and in mamba3-jax, or -max(softplus(a), A_floor), as in mamba-ssm before. Krait supports "
                "only heavy_tail; if the model was trained with it, give",
                [["--A-formula", "heavy_tail"]],
            )
        if formula != "heavy_tail":
            raise Problem(
                f"--A-formula {formula} is not supported: found A = -max({formula}(a), A_floor), wanted heavy_tail: Krait "
                "computes A as mamba-ssm does since June 2026. Train the model again with that version"
            )

    def make_single(self):
        """Makes this a model of one layer: a Mamba block, a ResidualBlock or a selective state space."""
        order = self.new_order()
        group = Group("", self.checkpoint.tensors)
        loose = [
            name
            for name in group.tensors
            if name.split(".")[0] not in {*BLOCK_MEMBERS, "mixer"}
        ]
        if loose:
            raise Problem(
                f"{loose[0]}: found a tensor {group.tensors[loose[0]].shape}, wanted only tensors of layers: "
                f"if forward() does not use it, skip it with --ignore {loose[0]}"
            )
        if "mixer" in group.first():
            (layer,) = order.of_group(group)
        else:
            layer = mamba_layer(group, self.block_settings)
            self.notes.append(f"a {layer.component} alone: no norm and no residual")
        self.layers, self.component, self.open = [layer], layer.component, order.open
        self.tensors = {name: tensor for name, tensor in layer.params.items()}
        self.note_assumptions(layer.component == "ResidualBlock")

    def new_order(self):
        return Order(self.checkpoint.tensors, self.eps, self.block_settings, self.norm_kind, self.notes)

    def make_language_model(self):
        """Makes this a language model: an embedding, blocks, a norm and a head, whose tensors may have any of the names in
        LANGUAGE_MODEL."""
        parts = {part: next(iter(roots.items())) for part, roots in language_model_parts(self.checkpoint.tensors).items()}
        names = {
            "embedding": "backbone.embedding.",
            "layers": "backbone.layers.",
            "norm_f": "backbone.norm_f.",
            "lm_head": "lm_head.",
        }
        renamed = {
            names[part] + rest: self.checkpoint.tensors[name]
            for part, (_, found) in parts.items()
            for name, rest in found.items()
        }
        root = parts["layers"][0]
        norm_bias = any(name.endswith("norm.bias") or name.endswith("norm_f.bias") for name in renamed)
        if self.config.norm_kind() == "layer_norm" and not norm_bias:
            raise Problem(f"{self.config.name} has rms_norm false, but the norms have no bias: mamba-ssm's LayerNorm has one")
        if "lm_head.bias" in renamed:
            raise Problem("lm_head.bias is not supported: Krait's head has no bias")
        whole = Group("", renamed)
        embedding, head = renamed["backbone.embedding.weight"], renamed.get("lm_head.weight")
        headless = head is None and not root.endswith("backbone.")
        if self.options.head is not None and head is not None:
            raise Problem(f"--head {self.options.head}: found lm_head.weight, wanted a checkpoint without a head")
        if headless and self.is_without_head():
            return self.make_headless(renamed)
        if self.options.head == "none":
            return self.make_headless(renamed)
        vocab_size, d_model = whole.shape("backbone.embedding.weight", "vocab_size", "d_model")
        layers = whole.sub("backbone").sub("layers").first()
        if layers != set(map(str, range(len(layers)))):
            raise Problem(f"found layers {', '.join(sorted(layers, key=int))}, wanted layers numbered from 0 on")
        mixer = mamba_layer(whole.sub("backbone.layers.0.mixer"), self.block_settings)
        for number in range(1, len(layers)):
            other = mamba_layer(whole.sub(f"backbone.layers.{number}.mixer"), self.block_settings)
            if other.component != mixer.component:
                self.ask_order_of_hybrid(parts, other, mixer)
            if other.dims != mixer.dims:
                raise Problem(f"layers.{number}: found {other.describe()}, wanted layers.0's {mixer.describe()}")
        if norm_bias and self.norm_kind is None:
            raise Choice(
                "the norms have a bias, so they may be LayerNorms (mamba-ssm with rms_norm=False) or RMSNorms with a bias",
                [["--norm", "layer_norm"], ["--norm", "rms_norm"]],
            )
        same = head is not None and (head.dtype, head.shape, bytes(head.data)) == (
            embedding.dtype,
            embedding.shape,
            bytes(embedding.data),
        )
        self.config.check_head(head is not None, same)
        tied = flag(self.checkpoint.metadata["tied"]) if "tied" in self.checkpoint.metadata else head is None or same
        dims = {
            "vocab_size": vocab_size,
            "n_layers": len(layers),
            **mixer.dims,
            "norm_bias": norm_bias,
            "norm": "LayerNorm" if self.norm_kind == "layer_norm" else "RmsNorm",
            "norm_eps": self.eps,
            "tied": tied,
        }
        if dims["d_model"] != d_model:
            raise Problem(f"embedding: found d_model {d_model}, wanted that of layers.0.mixer, {dims['d_model']}")
        self.config.check_sizes(dims)
        self.layers, self.component, self.tensors = [Layer("", "Mamba", dims)], "Mamba", renamed
        self.note_assumptions(True)
        if head is None and not self.config and "tied" not in self.checkpoint.metadata:
            self.notes.append(
                "assumed: the head is the embedding's weight, because there is no lm_head.weight; else --head none"
            )
        if mixer.component == "MambaBlock" and not self.config and "component" not in self.checkpoint.metadata:
            self.notes.append(
                "assumed: Mamba, and not FalconMamba, whose tensors have the same names; else --config config.json"
            )

    def ask_order_of_hybrid(self, parts, other, mixer):
        """Raises Choice for a language model whose blocks are of several kinds, with the --order that packs it as a stack."""
        words = {part: root for part, (root, _) in parts.items()}
        embedding = next(name for name in self.checkpoint.tensors if name.startswith(words["embedding"] + "embedding"))
        order = [f"embedding({embedding.removesuffix('.weight')})", f"{words['layers']}layers", f"{words['norm_f']}norm_f"]
        order += [f"linear({words['lm_head']}lm_head)"] if "lm_head" in words else []
        raise Choice(
            f"{other.path}: found a {other.component}, and {mixer.path} is a {mixer.component}: blocks of several kinds are a "
            + ("stack, whose head is lm_head" if "lm_head" in words else "stack, without a head: there is no lm_head.weight"),
            [["--order", ",".join(order)]],
        )

    def is_without_head(self):
        """Returns whether the model of a checkpoint without lm_head outputs hidden states instead of logits."""
        if self.options.head is not None:
            return self.options.head == "none"
        headless = self.config.is_headless()
        if headless is None:
            raise Choice(
                "there is no lm_head.weight, so the model may give logits through the embedding's weight (tied), or "
                "the hidden states after norm_f (none)",
                [["--head", "tied"], ["--head", "none"]],
            )
        if headless:
            self.notes.append(
                f"{self.config.name}: the architecture is a model without a head, so the outputs are the hidden states "
                "after norm_f; --head tied gives logits"
            )
        return headless

    def make_headless(self, renamed):
        self.checkpoint.tensors = {
            name.removeprefix("backbone."): tensor for name, tensor in renamed.items() if name != "lm_head.weight"
        }
        self.options.order = "embedding(embedding),layers,norm_f"
        self.make_stack()
        blocks = self.layers[1]
        self.config.check_sizes({**self.layers[0].dims, **blocks.dims, "n_layers": blocks.count or 1})

    def make_stack(self):
        tensors = self.checkpoint.tensors
        loose = [name for name in tensors if "." not in name]
        if self.options.order is None:
            self.refuse_buffers()
        if loose and self.options.order is None and not self.may_be_positions(loose):
            self.refuse(
                f"{loose[0]}: found a tensor {tensors[loose[0]].shape}, wanted only tensors of layers: "
                f"if forward() does not use it, skip it with --ignore {loose[0]}"
            )
        order = self.new_order()
        units = list(dict.fromkeys(name.split(".")[0] for name in tensors))
        if self.options.order is None:
            if len(units) > 1 or not all(re.match(r"\w+\.\d+\.(norm|mixer)\.", name) for name in tensors):
                self.ask_order()
            self.options.order = units[0]
        layers = order.layers(parse(self.options.order))
        unused = [name for name in tensors if name not in order.used]
        if unused:
            raise Problem(
                f"{unused[0]}: found a tensor {tensors[unused[0]].shape} of a layer that is not in --order: add the layer, or "
                f"if forward() does not use it, skip it with --ignore {unused[0]}"
            )
        self.component, self.open = "Stack", order.open
        self.layers, self.tensors = name_members(layers)
        self.note_assumptions(any(one.component == "ResidualBlock" for layer in layers for one in layer.all()))
        if not any(layer.pools for layer in layers) and any(layer.has_state for layer in layers):
            self.notes.append("no pooling: an output for every token")

    def may_be_positions(self, loose):
        """Returns whether the tensors that belong to no layer have the shapes of learned positions, and fit into an order of
        the layers."""
        tensors = self.checkpoint.tensors
        if any((position_shape(tensors[name].shape) or [1])[0] == 1 for name in loose):
            return False
        try:
            return next(proposals(tensors), None) is not None
        except Problem:
            return False

    def ask_order(self):
        """Raises Choice with texts for --order that fit the tensors. The user must choose, because tensors determine neither
        the order of layers nor the layers without tensors."""
        try:
            texts = list(itertools.islice(proposals(self.checkpoint.tensors), MOST_COMMANDS))
        except Problem as problem:
            self.refuse(problem.args[0])
        if not texts:
            self.refuse("a stack of layers, of which krait pack finds no order that fits the shapes: write with --order what "
                        "forward() does")  # fmt: skip
        raise Choice(
            "a stack of layers: tensors contain neither the order of layers nor activations, residuals and pooling. Write with "
            "--order what forward() does, and compare with --check. These are some of the orders that fit the shapes:",
            [["--order", text] for text in texts],
        )

    def refuse(self, text):
        """Raises Problem with a text or, if the tensors with some prefixes are language models, Choice with the prefixes."""
        names = [name.split(".", 1) for name in self.checkpoint.tensors if "." in name]
        tops = [top for top in dict.fromkeys(top for top, _ in names) if is_language_model([b for a, b in names if a == top])]
        if tops:
            raise Choice(f"{text}; a language model has", [["--prefix", top] for top in tops])
        raise Problem(text)

    def refuse_buffers(self):
        """Raises Problem if the checkpoint is a language model but for tensors that are no weight or bias, such as buffers."""
        names = list(self.checkpoint.tensors)
        strays = [name for name in names if language_model_parts([name]) is None]
        others = [name for name in strays if name.rpartition(".")[2] not in ("weight", "bias")]
        if strays and strays == others and is_language_model(set(names) - set(strays)):
            raise Problem(
                f"{strays[0]}: found a tensor {self.checkpoint.tensors[strays[0]].shape} beside those of a language model: if "
                f"forward() does not use it, skip it with --ignore {strays[0]}"
            )

    def trailing_tokens(self):
        """Returns the number of tokens of zeros that must follow a sequence of whole tokens to get PyTorch's last outputs."""
        convolution = self.layers[0].convolution
        return max(0, convolution.trailing_tokens()) if convolution is not None else 0

    def declarations(self, constant, storage):
        """Returns C++ code that declares the dims, each as `constant`, and Model, with weights stored as `storage`."""
        if self.component != "Stack":
            (layer,) = self.layers
            return [
                f"{constant} auto dims = {dims_text(self.component, layer.dims, storage)};",
                f"using Model = {layer.type('dims', storage)};",
            ]
        lines = []
        parts = Declarations(constant, storage, lines).members("Parts", self.layers)
        return [*lines, f"using Model = krait::Stack<{parts}>;"]

    def describe(self):
        return ", ".join(
            f"{layer.member}{': ' if layer.member else ''}{layer.describe()}" for layer in self.layers
        )


def states_structure(checkpoint, options):
    """Returns whether the metadata of a checkpoint gives the order of its layers, as that of krait.export does, and no option
    gives another one."""
    return "order" in checkpoint.metadata and options.order is None


def flag(text):
    return str(text).strip().lower() in ("true", "1", "yes")
