"""What a job says of its precision is what it computes in."""

from __future__ import annotations

import pytest
import torch

from benchmarks.machine.precision import computing_in


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_products_are_of_the_precision(precision: str, dtype: torch.dtype) -> None:
    with computing_in(precision, "cpu"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_float32_is_not_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    with computing_in("float32", "cpu"):
        pass
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
