"""Proposes texts for --order that fit the shapes of a checkpoint's layers."""

import itertools

from .layers import BLOCKS, Group, is_mixer, mamba_layer, position_shape
from .safetensors_file import Problem

MOST_STEPS = 20_000


class Unit:
    """A layer of a proposed order, or several layers that belong together. `texts` are alternative texts for --order; d_in and
    d_out are the widths of the input and output, None for token ids."""

    def __init__(self, texts, d_in, d_out, has_state=False, is_norm=False, is_bare=False, is_position=False):
        self.texts, self.d_in, self.d_out = texts, d_in, d_out
        self.has_state, self.is_norm, self.is_bare, self.is_position = has_state, is_norm, is_bare, is_position


def units_of(group):
    """Returns the list of Units that a group of tensors forms, in the order of their names."""
    first, tensors = group.first(), group.tensors
    if first == {""}:
        _, d_model = position_shape(tensors[""].shape) or (None, None)
        return [Unit([f"positional({group.path})"], d_model, d_model, is_position=True)] if d_model else []
    if is_mixer(group):
        layer = mamba_layer(group)
        return [Unit([group.path], layer.d_in, layer.d_out, True, is_bare=layer.component in BLOCKS)]
    weight = tensors.get("weight", tensors.get("running_mean"))
    if weight is not None and len(weight.shape) == 1:
        texts = (
            [f"layer_norm({group.path})", f"rms_norm({group.path})"]
            if "bias" in tensors and "running_mean" not in tensors
            else [group.path]
        )
        return [Unit(texts, weight.shape[0], weight.shape[0], is_norm=True)]
    if weight is not None and len(weight.shape) == 2:
        d_out, d_in = weight.shape
        if "embed" in group.path.lower() and "bias" not in tensors:
            return [Unit([f"embedding({group.path})"], None, d_in)]
        return [Unit([group.path], d_in, d_out)]
    if weight is not None and len(weight.shape) == 3 and weight.shape[1] > 1:
        return [Unit([f"conv1d({group.path},stride=1,padding=0)"], weight.shape[1], weight.shape[0], True)]
    if weight is not None:
        return [Unit([group.path], weight.shape[0], weight.shape[0], True)]
    children = [
        Group(group.name(word), {"": tensors[word]}) if word in tensors else group.sub(word)
        for word in sorted(first, key=lambda word: (not word.isdigit(), int(word) if word.isdigit() else 0, word))
    ]
    found = [units_of(child) for child in children]
    if first == {"norm", "mixer"} and "norm.bias" not in tensors:
        (norm,), (mixer,) = (
            (units if len(units) == 1 else [None] for units in found) if all(len(u) == 1 for u in found) else ((None,), (None,))
        )
        if norm and mixer:
            return [Unit([group.path], mixer.d_in, mixer.d_out, True)]
    if all(child.path.rpartition(".")[2].isdigit() for child in children) and all(found):
        return numbered_units(group, children, found)
    return [unit for units in found for unit in units]


def numbered_units(group, children, found):
    """Returns the list of Units of a ModuleList or Sequential: one Unit if all children are alike, otherwise one for each
    child."""
    names = [
        [text.replace(child.path + ".", group.path + ".*.") for unit in units for text in unit.texts]
        for child, units in zip(children, found)
    ]
    if all(len(units) == 1 and units[0].texts == [child.path] and units[0].has_state for child, units in zip(children, found)):
        bare = found[0][0].is_bare
        texts = [f"residual({group.path}.*)", f"plain({group.path}.*)"] if bare else [group.path]
        return [Unit(texts, found[0][0].d_in, found[-1][0].d_out, True)]
    if (
        len(found[0]) == 2
        and all(one == names[0] for one in names)
        and any(u.is_bare for u in found[0])
        and any(u.is_norm for u in found[0])
    ):
        norm, mixer = sorted(found[0], key=lambda unit: unit.is_bare)
        starred = [text.replace(children[0].path + ".", group.path + ".*.") for text in norm.texts]
        block = mixer.texts[0].replace(children[0].path + ".", group.path + ".*.")
        return [
            Unit(
                [f"{kind}({text},{block})" for kind in ("residual", "plain") for text in starred], mixer.d_in, mixer.d_out, True
            )
        ]
    if all(one == names[0] for one in names) and (texts := feed_forward_texts(found[0])):
        starred = [text.replace(children[0].path + ".", group.path + ".*.") for text in texts]
        return [Unit(starred, found[0][0].d_in, found[0][0].d_in, True)]
    units = [unit for units in found for unit in units]
    if all(len(unit.texts) == 1 for unit in units) and all(a.d_out == b.d_in for a, b in zip(units, units[1:])):
        words = (
            ["relu", "gelu", "identity"]
            if any(not (a.has_state or a.is_norm or b.is_norm) for a, b in zip(units, units[1:]))
            else [""]
        )
        return [
            Unit(
                [f",{word},".join(unit.texts[0] for unit in units).replace(",,", ",") for word in words],
                units[0].d_in,
                units[-1].d_out,
            )
        ]
    return units


def feed_forward_texts(units):
    """Returns texts for a layer that consists of a block and a feed-forward network, each with a norm and a residual, or None
    if the units do not form such a layer. The network is one unit or two Linears. The first norm is taken as the norm of the
    block."""
    norms, blocks = [unit for unit in units if unit.is_norm], [unit for unit in units if unit.is_bare]
    linears = [unit for unit in units if not (unit.is_norm or unit.has_state or unit.d_in is None)]
    linears.sort(key=lambda unit: unit.d_in > unit.d_out)  # the Linear to more channels first
    if (len(norms), len(blocks), len(units) - len(linears)) != (2, 1, 3) or len(linears) not in (1, 2):
        return None
    widths = {unit.d_in for unit in norms} | {blocks[0].d_in, blocks[0].d_out, linears[0].d_in, linears[-1].d_out}
    if len(widths) != 1 or linears[0].d_out != linears[-1].d_in and len(linears) == 2:
        return None
    networks = linears[0].texts if len(linears) == 1 else [f"{linears[0].texts[0]},gelu,{linears[1].texts[0]}"]
    return [
        f"plain(residual({norms[0].texts[at]},{blocks[0].texts[0]}),residual({norms[1].texts[at]},{network}))"
        for network in networks
        for at in range(min(len(norm.texts) for norm in norms))
    ]


def orders_of(units):
    """Returns the orders of units in which each unit's input width equals the output width of the unit before. The search ends
    after MOST_STEPS steps."""
    steps = 0

    def search(chain, left):
        nonlocal steps
        steps += 1
        if not left:
            yield chain
        for unit in left:
            fits = chain[-1].d_out == unit.d_in if chain else not unit.is_position
            if steps < MOST_STEPS and fits:
                yield from search([*chain, unit], [other for other in left if other is not unit])

    return search([], units)


def proposals(tensors):
    """Returns the texts for --order that fit the shapes of tensors, for each order of layers and each choice of pooling, norms
    and residuals."""
    units = sorted(units_of(Group("", tensors)), key=lambda unit: not unit.is_position)  # positions first
    if not units:
        return
    found = False
    for chain in itertools.islice(orders_of(units), 3):
        found = True
        timed = max((at for at, unit in enumerate(chain) if unit.has_state), default=None)
        cut = None if timed is None else timed + 1
        while cut is not None and cut < len(chain) and chain[cut].is_norm:
            cut += 1
        for pool in ([] if cut is None else ["mean", "last"]) + [""]:
            for texts in itertools.islice(itertools.product(*(unit.texts for unit in chain)), 2 if pool else 1):
                words, end = list(texts), cut
                for at in range(len(chain) - 1, -1, -1):
                    if not chain[at].is_bare:
                        continue
                    if at > 0 and chain[at - 1].is_norm:
                        words[at - 1 : at + 1] = [f"residual({words[at - 1]},{words[at]})"]
                        end = end and end - (end > at)
                    elif any(unit.is_norm or unit.is_bare for unit in chain[max(at - 1, 0) : at] + chain[at + 1 : at + 2]):
                        words[at] = f"plain({words[at]})"  # an order must state that nothing is added to a block beside these
                yield ",".join([*words[:end], pool, *words[end:]] if pool else words)
    if not found and len(units) < 10:
        seams = ", ".join(f"{unit.texts[0]} {'tokens' if unit.d_in is None else unit.d_in} to {unit.d_out}" for unit in units)
        raise Problem(f"no order of its layers fits: {seams}")
