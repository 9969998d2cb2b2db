"""What an accelerator waits for, reading from the device inside the network, and what is kept for the backward pass."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.profiler import ProfilerActivity, profile

from pctrans import PCTrans, PCTransConfig

WAITS = {
    "aten::item",
    "aten::_local_scalar_dense",
    "aten::is_nonzero",
    "aten::nonzero",
    "aten::unique_dim",
    "aten::_unique2",
}


def called(function) -> set[str]:
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        function()
    return {event.key for event in profiler.key_averages()}


@pytest.mark.parametrize("attention_type", [1, 2, 3])
@pytest.mark.parametrize("mask_head", ["dynamic", "inner_product"])
def test_the_forward_pass_reads_nothing_from_the_device(
    tiny: PCTransConfig, attention_type: int, mask_head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"attention_type": attention_type, "mask_head": mask_head, "relative_coordinates": mask_head == "dynamic"}
    model = PCTrans(tiny.model_copy(update=changes))
    images = torch.rand(2, 3, 64, 64)
    assert not called(lambda: model(images)) & WAITS
    # Tensors without values: .item(), .cpu(), .numpy() and nonzero raise on them. There is no autocast for them.
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    output = model.to("meta")(images.to("meta"))
    assert output.predictions[-1].mask_logits.shape[:2] == (2, tiny.num_queries)


def test_the_check_sees_a_wait() -> None:
    assert called(lambda: torch.ones(2)[torch.tensor([True, False])].sum().item()) & WAITS == {
        "aten::item", "aten::_local_scalar_dense", "aten::nonzero",
    }  # fmt: skip


def kept_bytes(model: PCTrans, batch: tuple[torch.Tensor, torch.Tensor]) -> tuple[int, dict[str, torch.Tensor]]:
    """Bytes saved for the backward pass, and the gradients."""
    storages: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    torch.manual_seed(0)
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = torch.stack(list(model.losses(*batch).values())).sum()
    kept = sum(storages.values())
    loss.backward()
    return kept, {name: parameter.grad for name, parameter in model.named_parameters()}


def test_activation_checkpointing_keeps_less_and_changes_no_gradient(tiny: PCTransConfig, batch) -> None:
    results = []
    for recompute in (False, True):
        torch.manual_seed(0)
        model = PCTrans(tiny.model_copy(update={"activation_checkpointing": recompute, "encoder_layers": 3}))
        runs: Counter[str] = Counter()
        for part in ("pixel_decoder", "query_decoder"):
            for layer in getattr(model, part).layers:
                layer.register_forward_pre_hook(lambda *_, part=part, runs=runs: runs.update([part]))
        results.append(kept_bytes(model, batch))
        assert runs == {"pixel_decoder": 6, "query_decoder": 6} if recompute else runs.total() == 6
    (kept, gradients), (kept_less, same_gradients) = results
    assert kept_less < kept
    for name, gradient in gradients.items():
        torch.testing.assert_close(same_gradients[name], gradient)
