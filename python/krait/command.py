"""The command krait, and the options of its subcommands, which are also arguments of krait.pack and krait.load."""

import argparse
import numbers
import os
import pathlib
import re
import shlex
import shutil
import sys

from . import packing
from .check import TOLERANCES
from .checkpoint import Choice
from .compiler import default_compiler, include_folder, version
from .order import FORMS
from .packing import STORAGES
from .safetensors_file import Problem, closest, printable

DESCRIPTION = """Packs trained Mamba models for firmware, and checks them. krait COMMAND --help lists the options of a command.

  krait pack model.safetensors --type int8 --header weights.hpp --check expected.safetensors
  krait pack classifier.pt --order 'proj,layers,layer_norm(norm_f),mean,head' --type int8 --header weights.hpp
  krait check model.safetensors expected.safetensors --type int8
  krait report model.safetensors
  krait run model.safetensors inputs.npy --output outputs.npy

CHECKPOINT is a safetensors file, a folder of Hugging Face (config.json, shards with an index), or a file of torch.save. A
language model or a single layer is found from names and shapes. For a stack of layers, --order gives what the tensors do not
contain: the order of layers, activations, residuals, pooling.
docs/from-pytorch.md explains --order and --check.
"""
PACK = """Packs a checkpoint for firmware: as a C++ header, or as an image that is viewed in place. Prints the assumptions made,
and the model's memory for every storage type. Compiles a program for the model, so it needs a C++20 compiler and the library's
dependencies. On any error, nothing is written."""
CHECK = """Compares the outputs of a checkpoint's model with PyTorch's, and writes no file. Exit code 1: they differ."""
REPORT = """Prints a model's flash, RAM and multiply-adds for every storage type."""
MODEL_OPTIONS = """The options of krait pack that determine the model of a checkpoint, such as --order and --norm-eps, are also
options of this command: krait pack --help lists them."""
RUN = """Runs the model of a checkpoint on sequences [tokens] of ids, or [tokens, d_in] of floats, which may have an axis for
the batch before these, and prints the last output."""


def one_of(words, found):
    """Returns the text that a message about the word `found` wants: one of `words`, with the most similar one."""
    return f"one of {', '.join(words)}{closest(str(found), words)}"


class Parser(argparse.ArgumentParser):
    """A parser whose messages are one line that names what was found and what was wanted."""

    def error(self, message):
        self.exit(2, printable(f"{self.prog}: {message.removeprefix('argument ')}") + "\n")

    def _get_value(self, action, text):
        try:
            return super()._get_value(action, text)
        except argparse.ArgumentError:
            raise argparse.ArgumentError(action, f"found {text!r}, wanted {TYPES[action.type][1]}") from None

    def _check_value(self, action, value):
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, f"found {value!r}, wanted {one_of(action.choices, value)}")

    def refuse_unknown(self, unknown, others):
        """Reports arguments that the parser does not have. `others` are the parsers of all commands."""
        found = next((text for text in unknown if text.startswith("-")), None)
        if found is None:
            self.error(f"found {unknown[0]!r} after the last argument, wanted nothing: quote a value that contains spaces")
        name = found.partition("=")[0]
        if owners := [other.prog for other in others if name in other._option_string_actions]:
            self.error(f"{name}: found an option of {', '.join(owners)}, wanted one that {self.prog} --help lists")
        wanted = f"an option that {self.prog} --help lists{closest(name, self._option_string_actions)}"
        self.error(f"{name}: found no such option, wanted {wanted}")


def two_numbers(text):
    """Returns the two numbers of a text such as 0,0.1 or 0.001,inf."""
    least, most = map(float, text.split(","))
    return least, most


def add_model_options(parser, is_listed=True):
    """Adds the options that determine the model of a checkpoint and how it is compiled. The help lists them if `is_listed` is
    true, as in krait pack; the help of other commands refers to it."""
    parser.add_argument(
        "checkpoint", type=pathlib.Path, metavar="CHECKPOINT", help="a safetensors file, a folder, or a file of torch.save"
    )
    model = blocks = parser
    if is_listed:
        model = parser.add_argument_group("the model of the checkpoint")
        defaults = "default: config.json's or the metadata's, or mamba-ssm's default"
        blocks = parser.add_argument_group("dims of blocks of Mamba-2 and Mamba-3", defaults)
    else:
        parser.epilog = MODEL_OPTIONS

    def add(group, name, help, **how):
        group.add_argument(name, help=help if is_listed else argparse.SUPPRESS, **how)

    add(model, "--ignore", "a tensor to skip; * and ? match several", action="append", default=[], metavar="NAME")
    add(
        model,
        "--order",
        f"a stack's layers as forward() applies them: names of layers, and {', '.join(FORMS)}; mean, last and max pool; "
        "plain(...) has no residual; conv1d has options stride=S, padding=P; * stands for a layer's number",
        metavar="LAYER,LAYER,...",
    )
    norms = ["rms_norm", "layer_norm"]
    add(model, "--norm", "the kind of all norms that have a bias, and of a language model's norms", choices=norms)
    add(model, "--norm-eps", "the norms' eps; default: config.json's or the metadata's, or 1e-5", type=float)
    add(blocks, "--ngroups", "Mamba-2: groups of heads that share B and C", type=int, metavar="N")
    add(blocks, "--dt-limit", "Mamba-2: limits of delta", type=two_numbers, metavar="MIN,MAX")
    before_gate = "Mamba-2: the norm of a block is applied before the gate"
    add(blocks, "--norm-before-gate", before_gate, action="store_true", default=None)
    add(blocks, "--mixer-norm-eps", "the eps of the norms within blocks", type=float)
    add(blocks, "--A-floor", "Mamba-3: the lower bound of -A", type=float)
    add(
        blocks,
        "--A-formula",
        "Mamba-3: -A is max(heavy_tail(a), A_floor), as in mamba-ssm since June 2026, or max(softplus(a), A_floor), as "
        "before, which is rejected; no file contains which",
        choices=["heavy_tail", "softplus"],
    )
    heads = "for a language model without lm_head: logits through the embedding's weight, or hidden states"
    add(model, "--head", heads, choices=["tied", "none"])
    add(model, "--prefix", "pack only the tensors whose names have this prefix")
    add(model, "--key", "the state dict's key in a file of torch.save that has several")
    add(model, "--config", "default: config.json beside the checkpoint", type=pathlib.Path, metavar="FILE")
    add(model, "--compiler", "this machine's C++ compiler; default: $CXX, or c++", default=default_compiler())
    include = "the folder that contains krait.hpp; default: this package's"
    add(model, "--include", include, type=pathlib.Path, metavar="FOLDER", default=include_folder())


def add_type(parser):
    text = "the storage type of linear layers and embeddings; default: f32"
    parser.add_argument("--type", "--storage", dest="type", choices=STORAGES, help=text)


def add_tolerance(parser):
    parser.add_argument(
        "--tolerance",
        type=float,
        help="the largest accepted error, relative to the largest |y|; default: "
        + ", ".join(f"{name} {value:g}" for name, value in TOLERANCES.items()),
    )


def add_pack_options(parser):
    add_type(parser)
    text = "write a C++ header with dims, type and weights"
    parser.add_argument("--header", type=pathlib.Path, metavar="FILE.hpp", help=text)
    parser.add_argument("--name", help="the header's namespace; default: its file's name")
    parser.add_argument("--section", metavar="NAME", help="the linker section of the header's weights, for example .extflash")
    parser.add_argument("--image", type=pathlib.Path, metavar="FILE", help="write an image file for krait::view_image")
    parser.add_argument("--report", type=pathlib.Path, metavar="FILE.svg", help="draw the memory report")
    parser.add_argument(
        "--check",
        type=pathlib.Path,
        metavar="FILE",
        help="a safetensors file with x, inputs, and y, PyTorch's outputs: rejects a model with other outputs",
    )
    add_tolerance(parser)
    add_model_options(parser)


def add_pack(commands):
    parser = commands.add_parser("pack", help="write a C++ header or an image", description=PACK)
    add_pack_options(parser)
    parser.set_defaults(run=packing.run)


def add_check(commands):
    parser = commands.add_parser("check", help="compare a model's outputs with PyTorch's", description=CHECK)
    add_model_options(parser, is_listed=False)
    parser.add_argument(
        "check", type=pathlib.Path, metavar="EXPECTED", help="a safetensors file with x, inputs, and y, PyTorch's outputs"
    )
    add_type(parser)
    add_tolerance(parser)
    parser.set_defaults(run=packing.run, header=None, image=None, report=None, section=None)


def add_report(commands):
    parser = commands.add_parser("report", help="print a model's memory", description=REPORT)
    add_model_options(parser, is_listed=False)
    parser.add_argument("--svg", dest="report", type=pathlib.Path, metavar="FILE.svg", help="draw the memory report")
    parser.set_defaults(run=packing.run, header=None, image=None, section=None, check=None, tolerance=None, type=None)


def run_model(options, say):
    try:
        from .runtime import run
    except ImportError as error:
        raise Problem(f"krait run needs NumPy: {error}") from None
    run(options, say)


def add_run(commands):
    parser = commands.add_parser("run", help="run a model on the inputs of a file", description=RUN)
    add_model_options(parser, is_listed=False)
    parser.add_argument("inputs", type=pathlib.Path, metavar="INPUTS", help="a .npy file, or a safetensors file with x")
    parser.add_argument("--output", type=pathlib.Path, metavar="FILE", help="write the outputs: .npy, or y in .safetensors")
    add_type(parser)
    parser.set_defaults(run=run_model, header=None, section=None, tolerance=None)


def make_parser():
    parser = Parser(prog="krait", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"krait {version()}", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    add_pack(commands)
    add_check(commands)
    add_report(commands)
    add_run(commands)
    return parser, commands.choices


def check_options(options):
    """Rejects options of a command that have impossible values or no effect, and sets the defaults of --name and --type."""
    given = vars(options)
    if given.get("name") is not None and not options.header:
        raise Problem(f"--name {options.name}: has no effect: found no --header, wanted one: its namespace has this name")
    if given.get("command", "pack") == "pack" and options.type is not None and not (
        options.header or options.image or options.check
    ):
        raise Problem(
            f"--type {options.type}: has no effect: found no --header, --image or --check, wanted one of them: the report "
            "always covers all storage types"
        )
    options.type = options.type or "f32"
    if options.header:
        options.name = options.name or re.sub(r"\W", "_", options.header.stem)
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", options.name) or options.name in ("krait", "detail", "std"):
            raise Problem(f"--name: found {options.name!r}, wanted a C++ name for a namespace")
    if options.section and not options.header:
        raise Problem("--section: found no --header, wanted one: it places the header's weights")
    if options.section is not None and not re.fullmatch(r"[A-Za-z0-9_.$,]+", options.section):
        raise Problem(f"--section: found {options.section!r}, wanted letters, digits and _ . $ ,")
    if options.tolerance is not None and not options.check:
        raise Problem("--tolerance: has no effect: found no --check, wanted one")
    if options.tolerance is not None and not 0 < options.tolerance < 1:
        raise Problem(f"--tolerance: found {options.tolerance}, wanted a number between 0 and 1")
    check_model_options(options)


def check_model_options(options):
    if options.norm_eps is not None and not 0 < options.norm_eps < 1:
        raise Problem(f"--norm-eps: found {options.norm_eps}, wanted a number between 0 and 1")
    if not shutil.which((shlex.split(options.compiler) or [""])[0]):
        raise Problem(f"--compiler: found no {options.compiler!r} on this machine, wanted a C++ compiler")


def is_number(one, kind=numbers.Real):
    return isinstance(one, kind) and not isinstance(one, bool)


def is_list(one, is_element):
    return isinstance(one, (list, tuple)) and all(map(is_element, one))


# The types of options: the test of an argument in Python, and what a message wants.
TYPES = {
    float: (is_number, "a number"),
    int: (lambda one: is_number(one, numbers.Integral), "an integer"),
    two_numbers: (lambda one: is_list(one, is_number) and len(one) == 2, "two numbers"),
    pathlib.Path: (lambda one: isinstance(one, (str, pathlib.PurePath)), "a path"),
}


def check_type(action, value):
    """Raises TypeError if a value, which may be None, does not have the type of the option that an action of a parser reads."""
    is_right, wanted = TYPES.get(action.type, (lambda one: isinstance(one, str), "a text"))
    if action.default == []:
        is_right, wanted = (lambda one: is_list(one, lambda text: isinstance(text, str))), "a list of texts"
    elif action.nargs == 0:
        is_right, wanted = (lambda one: isinstance(one, bool)), "True or False"
    if value is not None and not is_right(value):
        raise TypeError(f"{action.dest}: found {value!r}, wanted {wanted}")


def options_of(add_options, checkpoint, given):
    """Returns the options of a command as its parser would: those in `given` have the given values, and all others have their
    defaults. add_options(parser) defines the options."""
    parser = Parser()
    add_options(parser)
    options = parser.parse_args([""])
    options.checkpoint = checkpoint
    actions = {text[2:].replace("-", "_"): one for one in parser._actions for text in one.option_strings if one.dest in options}
    for name, value in given.items():
        if name not in actions:
            raise TypeError(f"found the argument {name!r}, wanted {one_of(sorted(actions), name)}")
        action = actions[name]
        if action.choices is not None and value not in (*action.choices, None):
            raise Problem(f"{name}: found {value!r}, wanted {one_of(action.choices, value)}")
        if action.default == [] and isinstance(value, str):
            value = [value]  # one name for an option that is a list
        check_type(action, value)
        setattr(options, action.dest, pathlib.Path(value) if action.type is pathlib.Path and value is not None else value)
    return options


def main():
    parser, commands = make_parser()
    options, unknown = parser.parse_known_args()
    if options.command is None:
        parser.error(f"found no command, wanted one of {', '.join(commands)}: krait --help describes them")
    if unknown:
        commands[options.command].refuse_unknown(unknown, commands.values())
    try:
        check_options(options)
    except Problem as problem:
        commands[options.command].error(str(problem))
    where = f"krait {options.command}: {printable(options.checkpoint)}"
    try:
        options.run(options, print)
        sys.stdout.flush()
    except Choice as choice:
        print(f"{where}: {printable(choice.question)}", file=sys.stderr)
        for answer in choice.answers:
            print("    " + printable(shlex.join([*sys.argv, *answer])), file=sys.stderr)
        return 1
    except Problem as problem:
        print(f"{where}: {problem}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the program that reads the output, such as head, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes the rest when it ends
        return 1
    return 0
