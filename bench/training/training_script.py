"""Worker for examples/generate/training/train.py, its kernels in float32 and PyTorch.

  training_script.py WEIGHTS
"""
import pathlib
import sys

import training_protocol as protocol


class Script:
    def __init__(self, file):
        import torch

        sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "examples" / "generate" / "training"))
        import train

        torch.set_num_threads(1)
        train.keep_freed_memory()
        train.kernels = train.build_kernels()
        self.torch, self.train, self.at = torch, train, 0
        self.version = f"PyTorch {torch.__version__}"
        self.p = {name: torch.from_numpy(weight.copy()).requires_grad_() for name, weight in protocol.weights(file).items()}
        self.state = train.zero_state(protocol.STREAMS, False)
        decayed = [w for name, w in self.p.items() if name.endswith(protocol.DECAYED)]
        others = [w for name, w in self.p.items() if not name.endswith(protocol.DECAYED)]
        self.adamw = torch.optim.AdamW([{"params": decayed, "weight_decay": protocol.WEIGHT_DECAY},
                                        {"params": others, "weight_decay": 0.0}],
                                       lr=protocol.RATE, betas=protocol.BETAS, eps=protocol.EPS, fused=True)

    def backward(self):
        tokens = self.torch.from_numpy(protocol.windows(self.at))
        self.at += protocol.WINDOW
        loss = self.train.loss_of(self.p, tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous(), self.state,
                                  self.torch.float32)
        for w in self.p.values():
            w.grad = None
        loss.backward()
        return loss

    def gradients(self):
        loss = self.backward()
        return loss.detach().numpy(), {name: w.grad.numpy() for name, w in self.p.items()}

    def step(self):
        self.backward()
        self.torch.nn.utils.clip_grad_norm_(self.p.values(), protocol.MOST_NORM)
        self.adamw.step()


protocol.serve(Script)
