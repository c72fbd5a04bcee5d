"""Records what a PyTorch module computes for an example: calls of layers and functions, with the tensors that they read."""

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from .safetensors_file import Problem

# Functions whose results are no tensors and depend on the numbers of a tensor: a branch on them depends on data.
READS_NUMBERS = {"item", "tolist", "numpy", "bool", "int", "float", "index", "equal", "allclose", "is_nonzero"}
SAME_AS = {
    "iadd": "add",
    "radd": "add",
    "isub": "sub",
    "imul": "mul",
    "rmul": "mul",
    "multiply": "mul",
    "true_divide": "div",
    "divide": "div",
    "truediv": "div",
    "itruediv": "div",
    "rtruediv": "rdiv",
    "subtract": "sub",
    "negative": "neg",
    "swapaxes": "transpose",
    "swapdims": "transpose",
    "rmatmul": "rmatmul",
}


class Node:
    """A tensor that depends on the input: the layer or function that computed it, the arguments, and its numbers for the
    example. In the arguments, nodes take the place of tensors that depend on the input."""

    def __init__(self, op, path, args, kwargs, value, module=None):
        self.op, self.path, self.args, self.kwargs, self.module = op, path, args, kwargs, module
        self.value = value.detach().clone() if isinstance(value, torch.Tensor) else value

    def parents(self):
        return [one for one in nodes_in((self.args, self.kwargs))]

    def name(self):
        """Returns the text by which messages name the node: the path and type of its layer, or its function."""
        if self.module is not None:
            return f"{self.path or 'the module'} ({type(self.module).__name__})"
        return f"{self.op} in {self.path or 'forward()'}"


def nodes_in(value):
    """Yields the nodes in nested tuples, lists and dicts."""
    if isinstance(value, Node):
        yield value
    elif isinstance(value, (tuple, list)):
        for one in value:
            yield from nodes_in(one)
    elif isinstance(value, dict):
        yield from nodes_in(tuple(value.values()))


def function_name(func):
    """Returns a function's name without what distinguishes methods, operators and in-place variants."""
    name = getattr(func, "__name__", str(func))
    if name == "__get__":
        name = func.__self__.__name__
    if name.startswith("__") and name.endswith("__"):
        name = name[2:-2]
    elif name.endswith("_") and not name.startswith("_"):
        name = name[:-1]
    return SAME_AS.get(name, name)


def output_tensor(result):
    """Returns the tensor in what a module returns: a tensor, a tuple with one tensor, or an object with logits or
    last_hidden_state."""
    for name in ("logits", "last_hidden_state"):
        if isinstance(getattr(result, name, None), torch.Tensor):
            return getattr(result, name)
    if isinstance(result, (tuple, list, dict)):
        parts = result.values() if isinstance(result, dict) else result
        tensors = [one for one in parts if isinstance(one, torch.Tensor)]
        if len(tensors) > 1:
            raise Problem(f"the module returns {len(tensors)} tensors, wanted one: return the output that Krait should compute")
        return tensors[0] if tensors else result
    return result


class Trace(TorchFunctionMode):
    """Runs a module on an example. `nodes` are in the order in which they were computed; `input` and `output` are nodes.
    `sources` has, for a constant tensor, the function and the arguments that it was computed by."""

    def __init__(self, module, example, is_leaf):
        super().__init__()
        self.is_leaf, self.nodes, self.kept, self.by_id, self.sources = is_leaf, [], [], {}, {}
        self.paths = {}
        for path, one in module.named_modules(remove_duplicate=False):
            self.paths.setdefault(id(one), path)
        self.stack, self.in_leaf = [""], False
        self.input = self.record(Node("input", "", (), {}, example), example)
        original = nn.Module.__call__

        def call(one, *args, **kwargs):
            return self.call(original, one, args, kwargs)

        nn.Module.__call__ = call
        try:
            with self, torch.no_grad():
                result = module(example)
        finally:
            nn.Module.__call__ = original
        self.output = self.output_of(result)

    def output_of(self, result):
        result = output_tensor(result)
        if not isinstance(result, torch.Tensor):
            raise Problem(f"the module returns {type(result).__name__}, wanted a tensor, or an object with logits")
        if id(result) not in self.by_id:
            raise Problem("the module's output does not depend on its input")
        return self.by_id[id(result)]

    def record(self, node, tensor):
        self.nodes.append(node)
        self.kept.append(tensor)  # an id is unique only as long as the tensor exists
        self.by_id[id(tensor)] = node
        return node

    def to_nodes(self, value):
        """Returns `value`, an argument of a function, with nodes in the place of tensors that depend on the input."""
        if isinstance(value, torch.Tensor):
            return self.by_id.get(id(value), value)
        if isinstance(value, (tuple, list)) and not isinstance(value, torch.Size):
            return tuple(self.to_nodes(one) for one in value)
        if isinstance(value, dict):
            return {key: self.to_nodes(one) for key, one in value.items()}
        return value

    def record_result(self, op, path, args, kwargs, result, module=None):
        if isinstance(result, torch.Tensor):
            self.record(Node(op, path, args, kwargs, result, module), result)
        elif isinstance(result, (tuple, list)) and any(isinstance(one, torch.Tensor) for one in result):
            whole = Node(op, path, args, kwargs, None, module)
            self.nodes.append(whole)
            for at, one in enumerate(result):
                if isinstance(one, torch.Tensor):
                    self.record(Node("element", path, (whole, at), {}, one), one)

    def call(self, original, module, args, kwargs):
        path = self.paths.get(id(module), self.stack[-1])
        if self.in_leaf or not self.is_leaf(module):
            self.stack.append(path)
            try:
                return original(module, *args, **kwargs)
            finally:
                self.stack.pop()
        self.in_leaf = True
        before = self.to_nodes((args, kwargs))
        try:
            result = original(module, *args, **kwargs)
            if any(nodes_in(before)):
                self.record_result("module", path, *before, result, module)
            elif isinstance(result, torch.Tensor):
                self.kept.append(result)
                self.sources[id(result)] = (module, args)
        finally:
            self.in_leaf = False
        return result

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self.in_leaf:
            return func(*args, **kwargs)
        before = self.to_nodes((tuple(args), kwargs))
        result = func(*args, **kwargs)
        name, path = function_name(func), self.stack[-1]
        if any(nodes_in(before)):
            if name in READS_NUMBERS and not isinstance(result, torch.Tensor):
                raise Problem(
                    f"{path or 'forward()'}: found {name}() of a tensor that depends on the input: what the module computes "
                    "may depend on the numbers, wanted the same layers for every input"
                )
            if name == "setitem":
                result = args[0]
                self.record_result(name, path, *before, result)
                return None
            self.record_result(name, path, *before, result)
        elif isinstance(result, torch.Tensor):
            self.kept.append(result)
            self.sources[id(result)] = (name, args)
        return result
