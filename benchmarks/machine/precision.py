"""The precision that a job computes in."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch


def computing_in(precision: str, device: torch.device | str) -> AbstractContextManager[None]:
    """Inside, "bfloat16" is autocast and "float32" is float32.

    PyTorch lets cuDNN round the operands of float32 convolutions to TF32's 10 bits. That would be a third precision
    that no result names, so it is switched off, for the backward pass too, which runs outside of this context.
    """
    torch.backends.cudnn.allow_tf32 = False
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bfloat16")
