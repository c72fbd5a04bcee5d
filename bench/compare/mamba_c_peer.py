"""Worker for mamba.c (kroggen/mamba.c), built as a shared object. mamba.c processes a prompt token by token, and
computes the logits of every token."""
import ctypes
import struct

from protocol import serve


class MambaC:
    def __init__(self, model, file, library):
        if not library:
            raise ImportError("no library is given")
        self.library = ctypes.CDLL(library)
        self.library.forward.restype = ctypes.POINTER(ctypes.c_float * model.vocab_size)
        self.mamba = ctypes.create_string_buffer(4096)  # memory for mamba.c's struct Mamba, which is smaller
        self.library.load_model(self.mamba, self.convert(model, file).encode())
        self.version = "mamba.c"

    @staticmethod
    def convert(model, file):
        """Writes the weights of the safetensors file `file` in mamba.c's format: a header, then each parameter of all layers.
        Returns the path of the written file."""
        import numpy
        from safetensors.numpy import load_file

        weights = load_file(file)
        for i in range(model.n_layers):
            prefix = f"backbone.layers.{i}.mixer."
            weights[prefix + "A"] = -numpy.exp(weights[prefix + "A_log"])
        header = struct.pack("10i", 0x4D616D62, 1, model.n_layers, model.vocab_size, model.d_model, model.d_inner,
                             model.dt_rank, model.d_state, model.d_conv, 1)
        with open(file + ".mamba_c", "wb") as out:
            out.write(header.ljust(256, b"\0"))
            weights["backbone.embeddings.weight"].tofile(out)
            for part in ("mixer.in_proj.weight", "mixer.conv1d.weight", "mixer.conv1d.bias", "mixer.x_proj.weight",
                         "mixer.dt_proj.weight", "mixer.dt_proj.bias", "mixer.A", "mixer.D", "mixer.out_proj.weight",
                         "norm.weight"):
                for i in range(model.n_layers):
                    weights[f"backbone.layers.{i}.{part}"].tofile(out)
            weights["backbone.norm_f.weight"].tofile(out)
        return out.name

    def reset(self):
        self.library.reset_internal_state(self.mamba)

    def step(self, token):
        return self.library.forward(self.mamba, token).contents

    def prefill(self, tokens, every):
        self.reset()
        rows = []
        for token in tokens:
            logits = self.step(token)
            if every:
                rows.append(bytes(logits))  # copied, because the next step overwrites the logits
        return rows or logits

    def array(self, logits):
        import numpy

        if isinstance(logits, list):
            return numpy.frombuffer(b"".join(logits), numpy.float32)
        return numpy.frombuffer(logits, numpy.float32)


serve(MambaC)
