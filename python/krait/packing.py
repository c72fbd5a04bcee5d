"""Packs a checkpoint: determines its model, compiles and runs the program that writes the image, and checks its outputs."""

import fnmatch
import os
import pathlib
import subprocess
import tempfile

from . import report, safetensors_file
from .check import Expected
from .checkpoint import open_checkpoint, refuse_backward, round_doubles, strip_names
from .compiler import compile_program, machine_flags
from .header import header_text
from .safetensors_file import Problem, printable
from .structure import Model, states_structure

STORAGES = ["f32", "bf16", "f16", "int8"]


def packed_template(model):
    """Returns the C++ code of the template Packed, whose member Model is the model with weights of a given storage type."""
    lines = "\n".join(model.declarations("static constexpr", "storage")).replace("\n", "\n  ")
    return f"""template <krait::Storage storage>
struct Packed {{
  {lines}
}};
"""


def program(model, storage, checks):
    stored = f"krait::Storage::{storage}"
    check = f"\n         && pack::check<Packed, {stored}>(checkpoint, image->model, argv + 3)" if checks else ""
    return f"""#include "{'pack_check' if checks else 'pack'}.hpp"

{packed_template(model)}
int main(int, char** argv) {{
  pack::Checkpoint checkpoint;
  const auto image = std::make_unique<krait::Image<Packed<{stored}>::Model>>();
  return checkpoint.read(argv[1]) && pack::write<Packed>(checkpoint, *image, argv[2]){check} ? 0 : 1;
}}
"""


def build_image(model, expected, image, folder, options):
    """Compiles and runs the C++ program that packs the model: it writes the image and, if `expected` is given (--check), the
    outputs to compare. Returns the sizes that the program prints, as sizes_in() parses them."""
    source, binary, tensors = folder / "pack.cpp", folder / "pack", folder / "model.safetensors"
    source.write_text(program(model, options.type, expected is not None))
    safetensors_file.write(tensors, model.tensors)
    native = machine_flags() if expected else []
    compile_program(options.compiler, options.include, ["-O1", *native], source, binary)
    more = expected.write_inputs(folder / "inputs", folder / "outputs") if expected else []
    done = subprocess.run(
        [binary, tensors, image, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    if done.returncode != 0:
        raise Problem(done.stderr.strip() or f"the program for this model ended with exit code {done.returncode}")
    return sizes_in(done.stdout)


def sizes_in(text):
    """Parses the text that the packing program prints. Returns {"fingerprint": number, storage type: sizes, ...}, in which the
    sizes of a storage type are {"flash": bytes, ..., "params": [...]}."""
    sizes = {}
    for kind, *words in map(str.split, text.splitlines()):
        if kind == "param":
            name, offset, *shape = words
            size["params"].append({"name": name, "offset": int(offset), "shape": [int(extent) for extent in shape]})
            continue
        size = dict(zip(words[::2], map(int, words[1::2])))
        if kind == "image":
            sizes |= size
        else:
            size["params"] = []
            sizes[kind] = size
    return sizes


def check_folders(paths):
    """Raises Problem for a path in a folder that does not exist. Called before a program is compiled, which takes seconds."""
    for path in paths:
        if not path.parent.is_dir():
            raise Problem(f"cannot write {path}: there is no folder {path.parent}")


def check_outputs(options):
    """Raises Problem for an output that cannot be written, or that would replace an input or another output."""
    outputs = [path for path in (options.header, options.image, options.report) if path]
    check_folders(outputs)
    used = {path.resolve(): "an input" for path in (options.checkpoint, options.config, options.check) if path}
    for path in outputs:
        if path.resolve() in used:
            raise Problem(f"cannot write {path}: found the path of {used[path.resolve()]}, wanted another one")
        used[path.resolve()] = "another output"


def write_all(files):
    """Writes each file of {path: content}: first under a temporary name beside the path, and renames the files when all are
    complete. If writing fails, removes the temporary files and raises Problem."""
    written = []
    try:
        for path, content in files.items():
            beside = path.with_name(f"{path.name}.{os.getpid()}.partial")
            written.append((beside, path))
            beside.write_bytes(content)
        for beside, path in written:
            beside.replace(path)
    except OSError as error:
        for beside, _ in written:
            beside.unlink(missing_ok=True)
        raise Problem(f"cannot write {path}: {error.strerror}") from None


def ignore(checkpoint, patterns):
    """Removes the tensors that match patterns of --ignore, and returns the set of the patterns that match. Called for the names
    in the file, and for the names without their common prefix, which messages contain."""
    matched = {pattern for pattern in patterns if fnmatch.filter(checkpoint.tensors, pattern)}
    checkpoint.tensors = {
        name: tensor
        for name, tensor in checkpoint.tensors.items()
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    }
    return matched


def open_model(options):
    """Reads options.checkpoint, and returns the Model that its tensors and the options determine."""
    checkpoint = open_checkpoint(options.checkpoint, options)
    names = list(checkpoint.tensors)
    matched = ignore(checkpoint, options.ignore)
    if options.prefix is not None and states_structure(checkpoint, options):
        raise Problem(
            f"--prefix {options.prefix}: has no effect: found the order of the layers in the file's metadata, which contains "
            "the whole names, wanted a file without it, or --order"
        )
    if not states_structure(checkpoint, options):
        refuse_backward(checkpoint)
        tensors, notes = checkpoint.tensors, list(checkpoint.notes)
        strip_names(checkpoint, options.prefix)
        short = set(map(id, checkpoint.tensors.values()))
        if more := ignore(checkpoint, options.ignore):  # the prefix of the other names may be another one
            ignored = short - set(map(id, checkpoint.tensors.values()))
            checkpoint.tensors = {name: tensor for name, tensor in tensors.items() if id(tensor) not in ignored}
            checkpoint.notes, matched = notes, matched | more
            strip_names(checkpoint, options.prefix)
    for pattern in options.ignore:
        if pattern not in matched:
            top = dict.fromkeys(name.split(".")[0] + (".*" if "." in name else "") for name in names)
            raise Problem(f"--ignore {pattern}: found no such tensor, wanted one of {', '.join(top)}")
    round_doubles(checkpoint)
    return Model(checkpoint, options)


def unchecked(model):
    """Returns the line for a model whose outputs this call has not compared."""
    compares = "--check FILE compares the packed model with PyTorch's outputs"
    if model.proved is None:
        return f"not checked: {compares}"
    return f"krait.export proved that the outputs with f32 weights are the module's within {model.proved}; {compares}"


def run(options, say):
    """Packs options.checkpoint, and writes the header, the image and the picture of the report that the options name. Calls
    `say` with each line of text. Returns the sizes of the model by storage type."""
    check_outputs(options)
    model = open_model(options)
    expected = Expected(options.check, model) if options.check else None
    with tempfile.TemporaryDirectory(prefix="krait_pack_") as folder:
        image = pathlib.Path(folder) / "image"
        sizes = build_image(model, expected, image, pathlib.Path(folder), options)
        for note in dict.fromkeys(model.notes):
            say(printable(note))
        if expected:
            expected.compare(pathlib.Path(folder) / "outputs", options.type, options.tolerance, say)
        elif options.header or options.image:
            say(unchecked(model))
        content = image.read_bytes()
    files = {}
    if options.image:
        files[options.image] = content
    if options.header:
        files[options.header] = header_text(model, sizes, content[sizes["model_at"] :], options).encode()
    by_storage = {storage: sizes[storage] for storage in STORAGES}
    title = printable(f"{options.checkpoint.name}: {model.describe()}")
    if options.report:
        files[options.report] = report.picture(printable(options.checkpoint.name), by_storage)
    write_all(files)
    say(report.table(title, by_storage))
    for path, content in files.items():
        say(printable(f"{path}: {len(content):,} bytes"))
    return by_storage
