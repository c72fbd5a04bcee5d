"""Declares the layers of a model in C++: the members of stacks, their names, dims and types."""

import itertools
import re

from .layers import KINDS, dims_text
from .safetensors_file import Problem

LONGEST_NAME = 96  # longest_param_name of core/reflect.hpp
MOST_MEMBERS = 40  # the largest number of members that KRAIT_PARAMS declares
ARRAYS = ["ResidualBlock", "Residual"]  # components that may be elements of an array in a stack
# Words that cannot be the name of a stack's member: keywords and macros of C++, and names that stacks declare.
RESERVED = set(
    """
    and auto bool break buffers case catch char class const continue d_in d_out default delete do double else enum
    export extern false float for goto if int levels long members multiply_adds new not operator or private protected
    public register return short static struct summarises switch takes_tokens template this throw true try typename
    storage union using virtual void warm_up while works_in_place xor Branch First Last Parts Scratch State
    EOF NULL errno stderr stdin stdout
    """.split()
)


class Declarations:
    """Appends C++ declarations of the dims and types of layers to the list `lines`."""

    def __init__(self, constant, storage, lines):
        self.constant, self.storage, self.lines = constant, storage, lines
        self.parts = {}  # name of each declared struct, by the layers that are its members

    def members(self, name, layers):
        """Declares a struct with the layers as members, unless an equal struct exists, and returns the struct's name."""
        kinds = repr([(layer.member, layer.kind()) for layer in layers])
        if kinds not in self.parts:
            stem = name.removesuffix("Parts")
            members = ",\n    ".join(f"({self.type(stem + layer.member, layer)}, {layer.member})" for layer in layers)
            self.lines.append(f"struct {name} {{\n  KRAIT_PARAMS({name},\n    {members});\n}};")
            self.parts[kinds] = name
        return self.parts[kinds]

    def type(self, name, layer):
        """Returns the C++ type of a layer that is a member of a stack. Appends the declarations that the type needs; their
        names start with `name`."""
        if layer.component == "Residual":
            if is_alone(layer.parts):
                inner = self.type(name, layer.parts[0])
            else:
                inner = f"krait::Stack<{self.members(name + '_Parts', layer.parts)}>"
            one = f"krait::Residual<{inner}>"
        else:
            if layer.component in {*KINDS, "ResidualBlock"}:
                self.lines.append(f"{self.constant} auto {name}_dims = {dims_text(layer.component, layer.dims, self.storage)};")
            one = layer.type(f"{name}_dims", self.storage)
        return one if layer.count is None else f"std::array<{one}, {layer.count}>"


def is_alone(parts):
    """Returns whether a Residual contains one layer, and not a stack."""
    return len(parts) == 1 and parts[0].count is None


def name_members(layers, root=""):
    """Returns the layers that are the members of a stack, and {C++ name: tensor} of all parameters. The C++ name of a member is
    the path of its layer within `root`. Neighbouring residual blocks that are equal, or Residuals, become one member: an
    array."""
    for layer in layers:
        if layer.component == "Residual":
            layer.parts, layer.params = name_members(layer.parts, layer.path)
            if is_alone(layer.parts):
                layer.params = layer.parts[0].params
    members, tensors, taken = [], {}, set()
    for _, run in itertools.groupby(layers, lambda one: one.kind() if one.component in ARRAYS else id(one)):
        run = list(run)
        first = run[0]
        path = first.path.removeprefix(root + ".")
        parent, _, number = path.rpartition(".")
        siblings = [layer for layer in layers if layer.path.rpartition(".")[0] == first.path.rpartition(".")[0]]
        if first.component in ARRAYS and (len(run) > 1 or (number == "0" and len(siblings) == 1)):
            first.count = len(run)
            path = parent if number.isdigit() else path
        unnamed = "pool" if first.pools else first.word or ("residual" if first.component == "Residual" else "block")
        name = re.sub(r"[^A-Za-z0-9_]", "_", path) or unnamed
        name = f"layer_{name}" if name[0].isdigit() else name
        name += "_" if name in RESERVED else ""
        name = next(one for one in itertools.chain([name], (f"{name}_{at}" for at in itertools.count(2))) if one not in taken)
        taken.add(name)
        first.member = name
        members.append(first)
        for at, layer in enumerate(run):
            stem = name if first.count is None else f"{name}.{at}"
            tensors |= {f"{stem}.{rest}": tensor for rest, tensor in layer.params.items()}
    if len(members) > MOST_MEMBERS:
        first, last = (layer.path or layer.member for layer in (members[0], members[-1]))
        raise Problem(
            f"--order: found {len(members)} layers, from {first} to {last}, wanted at most {MOST_MEMBERS} in a stack or "
            "residual connection"
        )
    if long := [name for name in tensors if len(name) > LONGEST_NAME]:
        raise Problem(f"{long[0]}: found a name of {len(long[0])} characters, wanted at most {LONGEST_NAME}")
    return members, tensors
