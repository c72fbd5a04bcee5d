"""Reverse-mode differentiation of numpy float64 functions: computes the expected gradients of the reference vectors.

The functions of mamba_reference.py take a Value in the place of an array: numpy passes the operations on it to this file
(NEP 13 and NEP 18), which computes them and keeps how to differentiate them.
"""
import numpy as np


def summed_to(gradient, shape):
    """Returns the gradient of an array of shape `shape`, given the `gradient` of its broadcast copy: sums over the broadcast
    axes."""
    extra = gradient.ndim - len(shape)
    gradient = gradient.sum(axis=tuple(range(extra)))
    return gradient.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1 and gradient.shape[i] != 1), keepdims=True)


class Value(np.lib.mixins.NDArrayOperatorsMixin):
    """An array, with the Values from which it was computed. Each of these is paired with a function that returns the gradient
    with respect to it, given the gradient with respect to this array."""

    def __init__(self, data, parents=()):
        self.data = np.asarray(data, np.float64)
        self.parents = parents

    shape = property(lambda self: self.data.shape)
    ndim = property(lambda self: self.data.ndim)

    def __len__(self):
        return len(self.data)

    def __array_ufunc__(self, ufunc, method, *inputs):
        if method != "__call__" or ufunc not in UFUNCS:
            raise NotImplementedError(f"{ufunc.__name__} has no derivative here")
        arrays = [getattr(x, "data", x) if isinstance(x, Value) else np.asarray(x, np.float64) for x in inputs]
        result = ufunc(*arrays)
        slopes = UFUNCS[ufunc](result, *arrays)
        return Value(result, [(x, (lambda slope, x: lambda g: summed_to(slope(g), x.shape))(slope, x))
                              for x, slope in zip(inputs, slopes) if isinstance(x, Value)])

    def __array_function__(self, function, types, args, kwargs):
        return FUNCTIONS[function](*args, **kwargs)

    def __getitem__(self, key):
        def slope(g):
            whole = np.zeros_like(self.data)
            np.add.at(whole, key, g)
            return whole

        return Value(self.data[key], [(self, slope)])

    def reshape(self, *shape):
        return Value(self.data.reshape(*shape), [(self, lambda g: g.reshape(self.shape))])

    @property
    def T(self):
        return Value(self.data.T, [(self, lambda g: g.T)])

    def sum(self, axis=None, keepdims=False):
        def slope(g):
            return np.broadcast_to(g if keepdims or axis is None else np.expand_dims(g, axis), self.shape)

        return Value(self.data.sum(axis=axis, keepdims=keepdims), [(self, slope)])

    def gradients(self, *wanted):
        """Returns the gradients of this number with respect to the Values `wanted`."""
        order, seen, todo = [], set(), [(self, False)]
        while todo:
            value, done = todo.pop()
            if done:
                order.append(value)
            elif id(value) not in seen:
                seen.add(id(value))
                todo.append((value, True))
                todo += [(parent, False) for parent, _ in value.parents]
        found = {id(self): np.ones(())}
        for value in reversed(order):
            for parent, slope in value.parents:
                gradient = slope(found[id(value)])
                found[id(parent)] = found[id(parent)] + gradient if id(parent) in found else gradient
        return [found.get(id(value), np.zeros(value.shape)) for value in wanted]


def concatenate(values, axis=0):
    arrays = [x.data if isinstance(x, Value) else x for x in values]
    ends = np.cumsum([a.shape[axis] for a in arrays])
    return Value(np.concatenate(arrays, axis), [
        (x, (lambda begin, end: lambda g: np.take(g, range(begin, end), axis))(end - a.shape[axis], end))
        for x, a, end in zip(values, arrays, ends) if isinstance(x, Value)])


def split(x, places, axis=-1):
    n = x.shape[axis]
    ends = [n // places * (i + 1) for i in range(places)] if isinstance(places, int) else [*places, n]
    return [x[..., begin:end] for begin, end in zip([0, *ends], ends)]


# For each ufunc, a function that takes the result and the arguments, and returns one function for each argument. The returned
# function maps the gradient with respect to the result to the gradient with respect to the argument.
UFUNCS = {
    np.add: lambda y, a, b: (lambda g: g, lambda g: g),
    np.subtract: lambda y, a, b: (lambda g: g, lambda g: -g),
    np.multiply: lambda y, a, b: (lambda g: g * b, lambda g: g * a),
    np.divide: lambda y, a, b: (lambda g: g / b, lambda g: -g * a / (b * b)),
    np.matmul: lambda y, a, b: (lambda g: g @ b.T, lambda g: a.T @ g),
    np.negative: lambda y, a: (lambda g: -g,),
    np.exp: lambda y, a: (lambda g: g * y,),
    np.log: lambda y, a: (lambda g: g / a,),
    np.sqrt: lambda y, a: (lambda g: g / (2 * y),),
    np.logaddexp: lambda y, a, b: (lambda g: g * np.exp(a - y), lambda g: g * np.exp(b - y)),
}
FUNCTIONS = {
    np.mean: lambda x, axis, keepdims: x.sum(axis, keepdims) / x.shape[axis],
    np.concatenate: concatenate,
    np.stack: lambda values: concatenate([x[None] for x in values]),
    np.split: split,
    np.broadcast_to: lambda x, shape: x + np.zeros(shape),
}


def cross_entropy(logits, targets):
    """Returns the mean over the tokens of -log softmax(logits)[target], in nats."""
    below = logits - np.asarray(logits.data.max(axis=-1, keepdims=True))
    rows = np.arange(len(targets))
    return ((np.log(np.exp(below).sum(-1)) - below[rows, np.asarray(targets)]).sum()) / len(targets)


def gradients(forward, weights, x, cotangent):
    """Returns {"loss", "grad.NAME"..., "grad_input"} of forward(x, weights). The loss is sum(output * cotangent). If x are
    token ids, `cotangent` are the targets, the loss is the cross-entropy, and there is no grad_input."""
    values = {name: Value(weight) for name, weight in weights.items()}
    is_model = np.asarray(x).dtype.kind == "i"
    inputs = x if is_model else Value(x)
    output = forward(inputs, values)
    loss = cross_entropy(output, cotangent) if is_model else (output * np.asarray(cotangent, np.float64)).sum()
    wanted = [*values.values(), *([] if is_model else [inputs])]
    found = dict(zip([*(f"grad.{name}" for name in values), "grad_input"], loss.gradients(*wanted)))
    return {"loss": loss.data.reshape(1), **found}
