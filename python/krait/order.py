"""The option --order: the layers of a stack in the order in which the model's forward() applies them.

proj, residual(layers.*.norm, layers.*.mamba), layer_norm(norm_f), mean, head.0, relu, head.3
"""

import itertools
import re

from .batch_norm import fold_batch_norms
from .checkpoint import Choice
from .layers import (
    ACTIVATIONS,
    BLOCKS,
    NORM_KINDS,
    NORMS,
    POOLS,
    Group,
    Layer,
    is_mixer,
    mamba_layer,
    positional_embedding,
    residual_block,
    strided_conv1d,
)
from .order_options import is_option, read_options
from .order_text import Node, parse
from .safetensors_file import Problem, Tensor, closest

KINDS = ["linear", "embedding", "positional", "conv1d", *NORMS]  # words for layers with tensors
WORDS = [*ACTIVATIONS, *POOLS, "rms_norm", "layer_norm", "identity"]  # words for layers without tensors
# What may be written in --order besides names. Messages and the help list these forms, and a test compares them with the table
# of docs/from-pytorch.md.
FORMS = [*WORDS, *(f"{kind}(NAME)" for kind in KINDS), "residual(...)", "plain(...)"]


def starred(path):
    """Returns a tensor's path with * instead of numbers, so that a note about all layers is printed once."""
    return re.sub(r"(?<=\.)\d+(?=\.)", "*", path)


def check_numbers(path, numbers):
    """Raises Problem if the numbers in the names of layers are not 0, 1, 2, ...: a missing number belongs to a layer without
    tensors, such as an activation, which --order must name."""
    numbers = sorted(numbers, key=int)
    if numbers != list(map(str, range(len(numbers)))):
        raise Problem(
            f"{path}: found elements {', '.join(numbers)}, wanted 0 to {len(numbers) - 1}: name each in --order, with the "
            "layers between them that have no tensors"
        )


def written(layer, name):
    """Returns the text of a layer in --order. The name of a norm alone stands for an RMSNorm without a bias, or a BatchNorm."""
    words = {"LayerNorm": "layer_norm", "RmsNorm": "rms_norm" if layer.dims.get("bias") else None}
    word = words.get(layer.component)
    return f"{word}({name})" if word else name


class Order:
    """Makes the layers of a model from the checkpoint's tensors and the nodes of the option --order."""

    def __init__(self, tensors, eps, block_settings, norm_kind, notes):
        self.tensors, self.eps, self.block_settings, self.norm_kind, self.notes = tensors, eps, block_settings, norm_kind, notes
        self.used = set()
        self.open = set()  # the options --norm and --norm_eps, as "norm" and "norm_eps", if a norm depends on them

    def default_eps(self):
        self.open.add("norm_eps")
        return self.eps

    def group(self, path):
        found = {name[len(path) + 1 :]: t for name, t in self.tensors.items() if name.startswith(path + ".")}
        if path in self.tensors:
            found[""] = self.tensors[path]
        if not found:
            raise Problem(f"--order: found {path}, wanted {self.known(path)}")
        return Group(path, found)

    def known(self, word):
        """Returns the text that lists the names and words of --order, and the one of them that is most like `word`."""
        paths = [".".join(parts[:end]) for name in self.tensors for parts in [name.split(".")] for end in range(1, len(parts))]
        top = list(dict.fromkeys(name.split(".")[0] for name in self.tensors))
        return f"one of {', '.join(top)}, or one of the words {', '.join(FORMS)}{closest(word, [*paths, *FORMS, *top])}"

    def layers(self, nodes, in_residual=False, before=None):
        """Returns the layers that the nodes name, in their order, with each BatchNorm folded into a neighbouring layer.
        `before` is the layer before the first of these layers, or None."""
        found, plain = [], set()  # plain: the layers for which --order states that they have a residual, or none
        for one, other in zip(nodes, nodes[1:]):
            if one.star() is not None and one.star() == other.star():
                both = f"{one.text()},{other.text()}"
                raise Problem(
                    f"--order: found {both}, which applies all layers {one.star()} of the first group before those of the "
                    f"second: wanted plain({both}) if each of {one.star()} applies both"
                )
        for node in itertools.chain.from_iterable(map(self.repeated, nodes)):
            made = self.of_node(node, found[-1] if found else before)
            if node.word == "plain" or in_residual:
                plain.update(map(id, made))
            found += made
        self.check_neighbours(found, plain)
        return fold_batch_norms([layer for layer in found if layer.word != "identity"], self.notes)

    def repeated(self, node):
        """Returns the node or, if it contains names with *, one copy for each number that replaces * in the names of the
        checkpoint."""
        name = next((word for word in node.words() if "*" in word), None)
        if name is None:
            return [node]
        pattern = re.compile(re.escape(name).replace(r"\*", r"(\d+)", 1).replace(r"\*", r"\d+") + r"(?:\..*)?")
        numbers = sorted({match[1] for match in map(pattern.fullmatch, self.tensors) if match}, key=int)
        if not numbers:
            raise Problem(f"--order: found {name}, wanted * in the place of the number of a layer")
        check_numbers(name, numbers)
        return [node.with_index(number) for number in numbers]

    def of_node(self, node, before):
        if node.word == "residual" and node.inner is not None:
            return [self.residual(self.layers(node.inner, True, before))]
        if node.word == "plain" and node.inner is not None:
            inner = []
            for again in itertools.chain.from_iterable(map(self.repeated, node.inner)):
                inner += self.of_node(again, inner[-1] if inner else before)
            return inner
        if node.inner is not None:
            options = [inner for inner in node.inner if is_option(inner)]
            names = [inner for inner in node.inner if not is_option(inner)]
            if node.word not in KINDS and (names or node.word not in WORDS):
                raise Problem(f"--order: found {node.word}(...), wanted {self.known(node.word)}")
            if names or node.word not in WORDS:
                if len(names) != 1 or names[0].inner is not None:
                    raise Problem(f"--order: found {len(names)} layers in {node.word}(...), wanted the name of one")
                group = self.group(names[0].word)
                numbers = read_options(node.word, group.path, options, group.tensors)
                return [self.conv1d(group, numbers) if node.word == "conv1d" else self.leaf(group, node.word, numbers)]
        is_group = any(name.startswith(node.word + ".") for name in self.tensors)
        if node.word in WORDS and (node.inner is not None or not is_group):
            numbers = read_options(node.word, "", node.inner or [], {})
            if before is None:
                raise Problem(f"--order: found {node.word} first, wanted a layer with tensors, which has a width")
            if node.word in NORMS:  # elementwise_affine=False
                dims = {"d_model": before.d_out, "bias": False, "eps": numbers.get("eps") or self.default_eps()}
                ones = Tensor.of_floats([before.d_out], [1.0] * before.d_out)
                return [Layer("", NORMS[node.word], dims, {"weight": ones}, node.word)]
            component = "Activation" if node.word in ACTIVATIONS else POOLS.get(node.word, "identity")
            return [Layer("", component, {"d_model": before.d_out}, word=node.word)]
        return self.of_group(self.group(node.word))

    def of_group(self, group):
        first = group.first()
        if all(word.isdigit() for word in first):  # nn.ModuleList or nn.Sequential
            check_numbers(group.path, first)
            return [layer for word in sorted(first, key=int) for layer in self.of_group(group.sub(word))]
        if first == {"norm", "mixer"} and is_mixer(group.sub("mixer")):
            self.check_block_norm(group.sub("norm"))
            return [self.residual([self.leaf(group.sub("norm")), self.leaf(group.sub("mixer"))])]
        return [self.leaf(group)]

    def check_block_norm(self, norm):
        if "bias" in norm.tensors:
            self.open.add("norm")
        if "bias" in norm.tensors and self.norm_kind is None:
            inner = re.sub(r"\d+(?=\.norm$)", "*", norm.path)
            raise Choice(
                f"{norm.path} has a bias, so it may be a LayerNorm or an RMSNorm with a bias. Give --norm, or in --order "
                f"residual(layer_norm({inner}),{inner.removesuffix('norm')}mixer)",
                [["--norm", "layer_norm"], ["--norm", "rms_norm"]],
            )

    def leaf(self, group, kind=None, numbers=None):
        """Returns the layer that a group of tensors forms, if the layer contains no other layers; otherwise raises Problem.
        `kind` is the word of --order that names the kind of layer, and `numbers` are the values of the layer's options."""
        first, tensors = group.first(), group.tensors
        self.used.update(map(group.name, tensors))
        if kind == "positional":
            return positional_embedding(group)
        if is_mixer(group) and kind is None:
            return mamba_layer(group, self.block_settings)
        rank = len(tensors["weight"].shape) if "weight" in tensors else None
        bias = "bias" in tensors
        norm_names = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
        if first <= norm_names and (rank == 1 or "running_mean" in first) and kind in (None, *NORMS):
            return self.norm(group, kind, (numbers or {}).get("eps") or self.default_eps())
        if not first <= {"weight", "bias"} or rank not in (2, 3):
            names = ", ".join(sorted(tensors))
            raise Problem(
                f"{group.path}: found {names[:200]}{'...' if len(names) > 200 else ''}, wanted the tensors of one layer"
                f"{' for ' + kind if kind else ''}: a Linear, Embedding, norm, depthwise Conv1d, MambaBlock or selective "
                f"state space. Name the layers within it in --order, or skip it with --ignore '{group.path}.*'"
            )
        if rank == 2 and kind == "embedding":
            vocab_size, d_model = group.shape("weight", "vocab_size", "d_model")
            return Layer(group.path, "Embedding", {"vocab_size": vocab_size, "d_model": d_model}, tensors)
        if rank == 2 and kind in (None, "linear"):
            d_out, d_in = group.shape("weight", "d_out", "d_in")
            layer = Layer(group.path, "Linear", {"d_in": d_in, "d_out": d_out, "bias": bias}, tensors)
            layer.may_embed = kind is None and not bias
            return layer
        if rank == 3 and kind in (None, "conv1d"):
            channels, one, d_conv = group.shape("weight", "channels", "1", "d_conv")
            if one != 1:
                raise Problem(
                    f"{group.path}: found weight {tensors['weight'].shape}, a Conv1d that is not depthwise: write "
                    f"conv1d({group.path}, stride=S, padding=P) in --order, with the Conv1d's stride and padding"
                )
            self.notes.append(
                f"{group.path}: the Conv1d is taken for causal: padding of d_conv - 1 = {d_conv - 1} tokens before "
                "the first and none behind the last, stride 1"
            )
            return Layer(group.path, "Conv1d", {"channels": channels, "d_conv": d_conv, "bias": bias}, tensors)
        raise Problem(f"--order: found {kind}({group.path}), but its weight is {tensors['weight'].shape}")

    def conv1d(self, group, numbers):
        """Returns the layer of conv1d(NAME, stride=S, padding=P, channels=1), where `numbers` is {option: number}."""
        shape = group.tensors["weight"].shape if "weight" in group.tensors else []
        if not group.first() <= {"weight", "bias"} or len(shape) != 3:
            return self.leaf(group, "conv1d")  # leaf() rejects the weight
        d_out, channels, kernel = shape
        found = f"--order: found {{}} in conv1d({group.path}), whose weight is {shape}"
        for option, wanted in {"kernel_size": kernel, "channels": channels}.items():
            if numbers.get(option, wanted) != wanted:
                raise Problem(f"{found.format(f'{option}={numbers[option]}')}, wanted {option}={wanted}")
        groups = numbers.get("groups", 1)
        if groups != 1 and (groups != d_out or channels != 1 or "channels" in numbers):
            raise Problem(
                f"{found.format(f'groups={groups}')}, wanted groups=1{f', or {d_out} of a depthwise one' * (channels == 1)}: "
                "Krait has no other groups"
            )
        if groups != 1 or channels == 1 and not {"groups", "channels"} & numbers.keys():
            for option, wanted in {"stride": 1, "padding": kernel - 1}.items():
                given = f"{option}={numbers.get(option)}"
                if groups == 1 and option in numbers:
                    raise Problem(
                        f"{found.format(given)} and may be that of a depthwise Conv1d or of a Conv1d of 1 channel: wanted also "
                        f"groups={d_out} for a depthwise one, or channels=1"
                    )
                if numbers.get(option, wanted) != wanted:
                    raise Problem(
                        f"{found.format(given)}, wanted {option}={wanted}: a depthwise Conv1d of Krait is causal, with stride 1"
                    )
            return self.leaf(group, "conv1d")
        self.used.update(map(group.name, group.tensors))
        layer = strided_conv1d(group, numbers.get("stride", 1), numbers.get("padding", 0), numbers.get("right_padding"))
        self.notes.append(
            f"{group.path}: Conv1d with stride {layer.dims['stride']}, padding {layer.convolution.given_padding}, dilation 1"
        )
        self.notes.append(layer.convolution.note(group.path, layer.dims["channels"]))
        return layer

    def norm(self, group, kind, eps):
        first = group.first()
        if "running_mean" in first or "running_var" in first:
            kind = kind or "batch_norm"
        elif kind is None and "bias" in first:
            self.open.add("norm")
            kind = self.norm_kind
            if kind is None:
                raise Choice(
                    f"{group.path} has a weight and a bias, so it may be a LayerNorm, an RMSNorm with a bias, or a "
                    f"BatchNorm without its running_mean and running_var. Write layer_norm({group.path}) or "
                    f"rms_norm({group.path}) in --order, or give --norm",
                    [["--norm", "layer_norm"], ["--norm", "rms_norm"]],
                )
        elif kind is None:
            kind = "rms_norm"
            self.notes.append(f"assumed: {starred(group.path)} has no bias, so it is an RMSNorm")
        lacking = {"batch_norm": {"running_mean", "running_var"}, "rms_norm": {"weight"}, "layer_norm": {"weight"}}[
            kind
        ] - first
        unknown = (
            first
            - {"weight", "bias"}
            - ({"running_mean", "running_var", "num_batches_tracked"} if kind == "batch_norm" else set())
        )
        if lacking or unknown:
            raise Problem(
                f"{group.path}: found {', '.join(sorted(first))}, wanted a {NORMS[kind]}'s tensors"
                f"{': ' + ', '.join(sorted(lacking)) + ' missing' if lacking else ''}"
            )
        (d_model,) = group.shape("running_mean" if kind == "batch_norm" else "weight", "d_model")
        for name in first - {"num_batches_tracked"}:
            if group.tensors[name].shape != [d_model]:
                raise Problem(f"{group.name(name)}: found shape {group.tensors[name].shape}, wanted [{d_model}]")
        return Layer(group.path, NORMS[kind], {"d_model": d_model, "bias": "bias" in first, "eps": eps}, group.tensors)

    def residual(self, inner):
        paths = [layer.path.split(".") for layer in inner if layer.path]
        path = []
        for words in zip(*paths):
            if len(set(words)) > 1:
                break
            path.append(words[0])
        path = ".".join(path)
        if len(inner) == 2 and inner[0].component in NORM_KINDS and inner[1].component in BLOCKS:
            return residual_block(path, *inner)
        if not inner:
            raise Problem("--order: found residual(...) of identity, wanted a layer")
        for layer in inner:
            if layer.pools or layer.d_in is None or layer.warm_up > 0:
                raise Problem(
                    f"--order: found {layer.word or layer.path} within residual(...), wanted layers with an "
                    "output for every token"
                )
        if inner[0].d_in != inner[-1].d_out:
            raise Problem(
                f"--order: found residual(...) of {inner[0].d_in} inputs and {inner[-1].d_out} outputs, "
                "wanted as many outputs as inputs"
            )
        made = Layer(path, "Residual", {"d_in": inner[0].d_in, "d_out": inner[-1].d_out}, parts=inner)
        made.has_state = any(layer.has_state for layer in inner)
        return made

    def check_neighbours(self, layers, plain):
        """Raises Problem if neighbouring layers have different widths, or if a model's forward() is unlikely to apply them one
        after the other. `plain` has the ids of the layers for which --order states where the residual is."""
        if len(layers) > 1 and getattr(layers[0], "may_embed", False):
            self.decide_embedding(layers, layers[1])
        names = [layer.path or layer.word or "residual(...)" for layer in layers]
        for at, (before, here) in enumerate(zip(layers, layers[1:])):
            if before.d_out != here.d_in:
                source = at  # the last layer whose width its tensors determine: the words after it have the same width
                while source > 0 and layers[source].word:
                    source -= 1
                takes = "token ids" if here.d_in is None else f"{here.d_in} inputs"
                raise Problem(
                    f"--order: {','.join(names[source : at + 1])} gives {before.d_out} outputs, but the next layer, "
                    f"{names[at + 1]}, takes {takes}: wanted a layer that takes {before.d_out} inputs"
                )
        for at, (before, here) in enumerate(zip(layers, layers[1:])):
            if before.component == here.component == "Linear":
                raise Problem(
                    f"--order: found two Linears side by side, {names[at]} and {names[at + 1]}: wanted the activation "
                    f"between them ({', '.join(ACTIVATIONS)}), or identity if there is none"
                )
            pair = {before.component, here.component}
            blocks = {id(one) for one in (before, here) if one.component in BLOCKS}
            pair_text = ",".join(written(one, name) for one, name in zip((before, here), names[at:]))
            beside = blocks and pair <= {*BLOCKS, *NORMS.values()}
            if beside and not blocks <= plain:
                raise Problem(
                    f"--order: found {pair_text}, a block beside a norm or a block: wanted residual(...) around the layers to "
                    f"whose output the input is added, such as residual({pair_text}), or plain({pair_text}) if nothing is added"
                )
        for layer in layers[1:]:
            if layer.warm_up > 0:
                raise Problem(
                    f"--order: found {layer.path} after another layer, wanted it first: the first {layer.warm_up} tokens have "
                    "no output, because its padding is less than its kernel"
                )
        pooled = None
        for layer in layers:
            if pooled and (layer.has_state or layer.pools):
                raise Problem(
                    f"--order: found {layer.path or layer.word} after {pooled.word}, wanted only layers without state: "
                    "after pooling there is one vector and no sequence"
                )
            pooled = layer if layer.pools else pooled

    def decide_embedding(self, layers, after):
        """Decides whether the first layer, which has a weight of rank 2 and no bias, is a Linear or an Embedding, by the
        width of the next layer."""
        (first, *_), (rows, columns) = layers, layers[0].params["weight"].shape
        if after.d_in == columns != rows:
            layers[0] = Layer(first.path, "Embedding", {"vocab_size": rows, "d_model": columns}, first.params)
        elif after.d_in == rows == columns:
            raise Problem(
                f"--order: {first.path} may be a Linear or an Embedding: write linear({first.path}) or "
                f"embedding({first.path})"
            )
