"""The options of a layer in --order. Their names and values are those of PyTorch's arguments:
conv1d(conv, stride=4, padding=3, dilation=1)."""

from .safetensors_file import Problem

# Kinds of options: a whole number, a norm's eps, and an argument without effect on the outputs of an evaluated model.
COUNT, EPS, NO_EFFECT = "a whole number", "a number between 0 and 1", None


class Has:
    """The kind of an option that must be True if the layer has the tensor `tensor`, and otherwise False."""

    def __init__(self, tensor):
        self.tensor = tensor


class Only:
    """The kind of an option of which Krait supports one value. For other values, the message ends with the advice `remedy`."""

    def __init__(self, value, remedy):
        self.value, self.remedy = value, remedy


OPTIONS = {
    "linear": {"bias": Has("bias")},
    "embedding": {
        "padding_idx": NO_EFFECT,
        "scale_grad_by_freq": NO_EFFECT,
        "sparse": NO_EFFECT,
        "max_norm": Only("None", "Krait does not scale the rows. Save the weight with rows of at most this norm"),
    },
    "conv1d": {
        "stride": COUNT,
        "padding": COUNT,
        "right_padding": COUNT,
        "channels": COUNT,
        "groups": COUNT,
        "kernel_size": COUNT,
        "bias": Has("bias"),
        "padding_mode": Only("zeros", "Krait pads with zeros"),
        "dilation": Only(
            "1",
            "Krait has no dilation. Save the weight with dilation - 1 zeros between neighbouring taps, which gives the same "
            "outputs without dilation",
        ),
    },
    "layer_norm": {"eps": EPS, "elementwise_affine": Has("weight"), "bias": Has("bias")},
    "rms_norm": {"eps": EPS, "elementwise_affine": Has("weight")},
    "batch_norm": {"eps": EPS, "affine": Has("weight"), "momentum": NO_EFFECT, "track_running_stats": Has("running_mean")},
    "relu": {"inplace": NO_EFFECT},
    "silu": {"inplace": NO_EFFECT},
    "gelu": {"approximate": Only("none", "write gelu_tanh for tanh")},
    "gelu_tanh": {"approximate": Only("tanh", "write gelu for none")},
}


def is_option(node):
    return node.inner is None and "=" in node.word


def read_options(word, name, nodes, tensors):
    """Reads the options `nodes` of word(name, ...), and returns {option: number} of those whose value is a number. Raises
    Problem for options that contradict the layer's tensors, and for values that Krait lacks."""
    numbers, given, known = {}, set(), OPTIONS.get(word, {})
    for node in nodes:
        option, _, value = node.word.partition("=")
        value = value.strip("'\"")
        found = f"--order: found {node.word} in {word}({name})"
        if option not in known:
            wanted = "one of the options " + ", ".join(f"{one}=..." for one in known) if known else "no options"
            raise Problem(f"{found}, wanted {wanted}")
        if option in given:
            raise Problem(f"{found} after another {option}=..., wanted one")
        given.add(option)
        kind = known[option]
        if kind == COUNT:
            is_padding = "padding" in option
            digits = value.removeprefix("-") if option == "right_padding" else value
            if not digits.isdecimal() or (int(value) == 0 and not is_padding):
                raise Problem(f"{found}, wanted {option}=N, {COUNT}{'' if is_padding else ' of at least 1'}")
            numbers[option] = int(value)
        elif kind == EPS:
            numbers[option] = to_number(value)
            if not 0 < numbers[option] < 1:
                raise Problem(f"{found}, wanted eps=E, {EPS}")
        elif isinstance(kind, Has):
            wanted = kind.tensor in tensors
            if value.lower() != str(wanted).lower():
                raise Problem(f"{found}, wanted {option}={wanted}: the layer has {'a' if wanted else 'no'} {kind.tensor}")
        elif isinstance(kind, Only) and value.lower() != kind.value.lower():
            raise Problem(f"{found}, wanted {option}={kind.value}: {kind.remedy}")
    return numbers


def to_number(text):
    """Returns the number that a text is, or 0 if the text is not a number."""
    try:
        return float(text)
    except ValueError:
        return 0.0
