"""Opens a checkpoint, which may be a safetensors file, shards with an index, a folder of Hugging Face, or a file of torch.save.
Returns the tensors, under names without the prefixes of wrappers, and the content of config.json."""

import ctypes
import json
import os
import pathlib
import re

from . import safetensors_file
from .safetensors_file import Problem, Tensor

TORCH_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt")
INDEX_SUFFIX = ".index.json"
SHARD = re.compile(r"(.+)-\d{5}-of-(\d{5})(\.\w+)")
WRAPPERS = {
    "module": "DistributedDataParallel",
    "_orig_mod": "torch.compile",
    "_fsdp_wrapped_module": "FSDP",
    "_checkpoint_wrapped_module": "activation checkpointing",
}
# Matches names of layers and parameters that process a sequence from its end to its start, as bidirectional models do.
BACKWARD = re.compile(
    r"(?:^|[._])(?:bwd|backward|reverse|reversed|rev|bidirectional|bimamba)(?=[._\d]|$)"
    r"|(?:^|\.)(?:A_b_log|D_b|conv1d_b|x_proj_b|dt_proj_b)(?=\.|$)"
)
# The names of a language model's tensors after any prefix, in mamba-ssm, Hugging Face, mamba.py and mamba-minimal.
LANGUAGE_MODEL = {
    "embedding": r"embeddings?\.(?P<rest>weight)",
    "layers": r"layers\.(?P<rest>\d+\.(?:norm|mixer)\..+)",
    "norm_f": r"norm_f\.(?P<rest>weight|bias)",
    "lm_head": r"lm_head\.(?P<rest>weight|bias)",
}


class Choice(Problem):
    """Raised if a checkpoint allows several models. Contains the question for the user, and the options of krait pack that
    answer the question, each as a list of words. The text of the exception contains the answers as arguments of krait.load."""

    def __init__(self, question, answers):
        super().__init__(question, *(f"{name[2:].replace('-', '_')}={value!r}" for name, value in answers))
        self.question, self.answers = question, answers


class Checkpoint:
    """A checkpoint: its tensors by name, its metadata, its config.json if it has one, and the notes to print."""

    def __init__(self, tensors, metadata, config=None, config_name=None):
        self.tensors, self.metadata, self.config, self.config_name, self.notes = tensors, metadata, config, config_name, []


def read_json(path):
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise Problem(f"{path.name} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise Problem(f"{path.name} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise Problem(f"{path.name}: found no object, wanted one")
    return content


def open_checkpoint(path, options):
    """Reads the file or folder `path`, and the config.json beside the tensors if there is one. Returns a Checkpoint."""
    notes = []
    if path.is_dir():
        path = file_in(path, notes)
    tensors, metadata = read_shards(path, notes, options) if path.name.endswith(INDEX_SUFFIX) else read_file(path, options)
    shard = SHARD.fullmatch(path.name)
    if shard and int(shard[2]) > 1:
        raise Problem(
            f"found one shard of {int(shard[2])}, wanted the folder that has all of them and "
            f"{shard[1]}{shard[3]}{INDEX_SUFFIX}"
        )
    config_path = options.config or path.parent / "config.json"
    config = read_json(config_path) if options.config or config_path.is_file() else None
    checkpoint = Checkpoint(tensors, metadata, config, config_path.name)
    checkpoint.notes += notes
    return checkpoint


def file_in(folder, notes):
    """Returns the path of the file in a folder that is the checkpoint: model.safetensors, an index, or the only file of its
    kind."""
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
    indices = [name for name in names if name.endswith(INDEX_SUFFIX)]
    for kind, suffixes in (("safetensors", (".safetensors",)), ("torch.save", TORCH_SUFFIXES)):
        found = [name for name in indices if name.endswith(tuple(suffix + INDEX_SUFFIX for suffix in suffixes))]
        found += [
            name
            for name in names
            if name.endswith(suffixes)
            and not SHARD.fullmatch(name)
            and name not in ("training_args.bin", "optimizer.bin", "optimizer.pt", "scheduler.pt", "scaler.pt")
        ]
        shards = [name for name in names if name.endswith(suffixes) and SHARD.fullmatch(name)]
        if len(found) == 1:
            notes.append(f"reads {found[0]}")
            return folder / found[0]
        if len(found) > 1:
            raise Problem(f"found {', '.join(found)}, wanted one of them as the argument")
        if shards:
            raise Problem(
                f"found {', '.join(shards)}, but no {SHARD.fullmatch(shards[0])[1]}.{kind}{INDEX_SUFFIX}, "
                "which lists the shards"
            )
    raise Problem(
        f"found {', '.join(names) or 'an empty folder'}, wanted model.safetensors, "
        "model.safetensors.index.json or pytorch_model.bin"
    )


def read_shards(index, notes, options):
    """Reads the shards that an index file lists, and returns (their tensors, their metadata). Raises Problem if the index and
    the shards do not agree on every tensor. Notes name the files of the folder that the index does not list."""
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map or not all(isinstance(name, str) for name in weight_map.values()):
        raise Problem(f"{index.name}: found no weight_map of file names, wanted one")
    files = sorted(set(weight_map.values()))
    if strange := [name for name in files if pathlib.PurePath(name).name != name]:
        raise Problem(f"{index.name}: found the file name {strange[0]}, wanted a file in the same folder")
    if missing := [name for name in files if not (index.parent / name).is_file()]:
        raise Problem(
            f"{', '.join(missing)}: missing: {index.name} lists " f"{'this file' if len(missing) == 1 else 'these files'}"
        )
    tensors, metadata = {}, {}
    for file in files:
        found, more = read_file(index.parent / file, options)
        listed = {name for name, place in weight_map.items() if place == file}
        if lacking := sorted(listed - found.keys()):
            raise Problem(f"{lacking[0]}: missing: {index.name} lists it in {file}")
        if stray := sorted(found.keys() - listed):
            raise Problem(f"{stray[0]}: found in {file}, but {index.name} does not list it there")
        tensors.update(found)
        metadata.update(more)
    suffix = pathlib.PurePath(files[0]).suffix
    stray = [entry.name for entry in sorted(index.parent.iterdir()) if entry.suffix == suffix and entry.name not in files]
    if stray:
        notes.append(f"not read, because {index.name} does not list {'it' if len(stray) == 1 else 'them'}: {', '.join(stray)}")
    return tensors, metadata


def read_file(path, options):
    if path.suffix in TORCH_SUFFIXES:
        return read_torch(path, options), {}
    if options.key is not None:
        raise Problem(f"--key {options.key}: has no effect: found {path.name}, wanted a file of torch.save")
    return safetensors_file.read(path)


def read_torch(path, options):
    """Returns the tensors {name: Tensor} of a file of torch.save. Reads the file with weights_only=True, so that no code in it
    is executed."""
    if not os.access(path, os.R_OK):
        raise Problem("cannot be read: no such file, or no permission")
    try:
        import torch
    except ImportError:
        raise Problem(
            f"found a file of torch.save ({path.name}), which needs PyTorch, but this Python has no torch: run "
            "'pip install torch' in a virtual environment and krait pack with its python3, or save with",
            'safetensors.torch.save_model(model, "model.safetensors")',
        ) from None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises errors of many types for damaged files
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise Problem(
            "torch.load(weights_only=True) rejects the file: wanted tensors alone, as "
            "torch.save(model.state_dict(), FILE) writes them:",
            reason,
        ) from None
    found = state_dict(content, torch, options.key)
    return {name: tensor_of(name, tensor, torch) for name, tensor in found.items()}


def state_dict(content, torch, key):
    """Returns the state dict {name: torch.Tensor} in `content`, the object in a file of torch.save. The state dict is `content`
    itself or, as training programs save it, the value of a key of `content`; `key` (--key) selects one of several."""
    found = dict(states_in(content, torch))
    if key is None and len(found) > 1:
        raise Choice("several state dicts are in the file", [["--key", name] for name in found])
    chosen = next(iter(found), None) if key is None else key
    if chosen not in found:
        keys = [f"{name} ({type(value).__name__})" for name, value in content.items()] if isinstance(content, dict) else []
        within = f"a dict with the keys {shorten(keys)}" if keys else f"a {type(content).__name__}"
        raise Problem(
            f"found {f'no state dict {key}' if key else 'no state dict'} in {within}, wanted "
            f"{'one of ' + ', '.join(found) if found else 'a dict of tensors, as model.state_dict() returns it'}"
        )
    return {name: tensor for name, tensor in found[chosen].items() if isinstance(tensor, torch.Tensor)}


def states_in(content, torch, path=""):
    """Yields (key, state dict) for each state dict in nested dicts with names as keys. A key within another key is joined to it
    by a dot. A state dict contains a matrix, and more tensors than any dict in it: training programs also save losses, the
    states of random generators and the weights of classes."""
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        return
    within = [one for name, value in content.items() for one in states_in(value, torch, f"{path}.{name}".strip("."))]
    tensors = [value for value in content.values() if isinstance(value, torch.Tensor)]
    if any(one.dim() > 1 for one in tensors) and all(len(tensors) > len(state) for _, state in within):
        within = [(path, content)]
    yield from within


def tensor_of(name, tensor, torch):
    dtypes = {
        torch.float32: "F32",
        torch.float64: "F64",
        torch.float16: "F16",
        torch.bfloat16: "BF16",
        torch.int64: "I64",
        torch.int32: "I32",
        torch.int16: "I16",
        torch.int8: "I8",
        torch.uint8: "U8",
        torch.bool: "BOOL",
    }
    if tensor.layout != torch.strided or tensor.dtype not in dtypes or tensor.is_meta:
        found = f"{tensor.dtype}, {tensor.layout}{', on the device meta, which has no numbers' if tensor.is_meta else ''}"
        raise Problem(f"{name}: found a tensor {found}, wanted a dense one of float32, float64, float16 or bfloat16")
    tensor = tensor.detach().contiguous()
    return Tensor(
        dtypes[tensor.dtype], tensor.shape, ctypes.string_at(tensor.data_ptr(), tensor.numel() * tensor.element_size())
    )


def round_doubles(checkpoint):
    """Rounds the F64 tensors of a checkpoint to F32, because Krait computes in float32."""
    doubles = [name for name, tensor in checkpoint.tensors.items() if tensor.dtype == "F64"]
    for name in doubles:
        tensor = checkpoint.tensors[name]
        checkpoint.tensors[name] = Tensor.of_floats(tensor.shape, tensor.numbers(name))
    if doubles:
        checkpoint.notes.append(f"{len(doubles)} F64 tensors are rounded to F32")


def strip_names(checkpoint, prefix):
    """Shortens the names of a checkpoint's tensors: removes the prefix of --prefix, the segments that wrappers such as FSDP
    add, and the prefix that all names have in common. Tensors without the prefix of --prefix are ignored."""
    names = list(checkpoint.tensors)
    if prefix is not None:
        prefix = prefix.rstrip(".") + "."
        names = [name for name in names if name.startswith(prefix)]
        if not names:
            raise Problem(
                f"--prefix {prefix}: found no tensor with this prefix, wanted the prefix of "
                f"{', '.join(list(checkpoint.tensors)[:3])}"
            )
        others = [name for name in checkpoint.tensors if name not in set(names)]
        if others:
            checkpoint.notes.append(f"{len(others)} tensors without the prefix {prefix} are ignored: {shorten(others)}")
    short = {name: name[len(prefix or "") :] for name in names}
    for wrapper, source in WRAPPERS.items():
        if any(wrapper in name.split(".")[:-1] for name in short.values()):
            checkpoint.notes.append(f"'{wrapper}.', which {source} adds, is removed from the names")
            short = {name: ".".join(word for word in now.split(".") if word != wrapper) for name, now in short.items()}
    while True:
        split = [name.split(".", 1) for name in short.values()]
        first = {words[0] for words in split}
        rests = {words[-1] for words in split}
        if (
            len(first) != 1
            or any(len(words) == 1 for words in split)
            or first == {"backbone"}
            and is_language_model(short.values())
            or all(rest.split(".")[0].isdigit() for rest in rests)
            or rests & {"weight", "bias"}
        ):
            break
        checkpoint.notes.append(f"the prefix '{first.pop()}.' is removed from all names")
        short = {name: now.split(".", 1)[1] for name, now in short.items()}
    if len(set(short.values())) != len(short):
        twice = [name for name, now in short.items() if list(short.values()).count(now) > 1]
        raise Problem(f"{' and '.join(twice[:2])}: the same name without their prefixes: choose one with --prefix")
    checkpoint.tensors = {now: checkpoint.tensors[name] for name, now in short.items()}


def shorten(names):
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def language_model_parts(names):
    """Returns {part: {prefix: {name: rest}}}, with the parts of LANGUAGE_MODEL, if every name is the name of a language model's
    tensor. Otherwise returns None."""
    parts = {}
    for name in names:
        for part, pattern in LANGUAGE_MODEL.items():
            match = re.fullmatch(rf"(?P<root>(?:[A-Za-z_]\w*\.)*){pattern}", name)
            if match:
                parts.setdefault(part, {}).setdefault(match["root"], {})[name] = match["rest"]
                break
        else:
            return None
    return parts


def is_language_model(names):
    parts = language_model_parts(names)
    return (
        parts is not None
        and {"embedding", "layers", "norm_f"} <= parts.keys()
        and all(len(roots) == 1 for roots in parts.values())
    )


def refuse_backward(checkpoint):
    for name in checkpoint.tensors:
        if BACKWARD.search(name):
            raise Problem(
                f"{name}: a bidirectional model is not supported: it reads the sequence from its end, too, so it has "
                "no output until the sequence has ended, and cannot run on a stream"
            )
