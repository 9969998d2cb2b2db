"""A batch that several processes share: the mean of their losses is the loss of one process with all images."""

from __future__ import annotations

import pytest
import torch
from scenes import squares
from together import together
from torch import Tensor

from pctrans import PCTransConfig
from pctrans.config import LossWeights
from pctrans.criterion import weighted_losses
from pctrans.decoder import Prediction
from pctrans.distributed import (
    count_per_process,
    counts_of_processes,
    gathered,
    mean_over_processes,
    rand_for_slice,
    rank,
    world_size,
)
from pctrans.targets import build_targets

CPU = torch.device("cpu")


def test_alone_the_slice_is_the_batch() -> None:
    assert (world_size(), rank()) == (1, 0)
    assert count_per_process(torch.tensor(3)) == 3 and count_per_process(torch.tensor(0)) == 1
    value = torch.tensor([2, 5])
    for dtype in (torch.int64, torch.float64, torch.bfloat16):
        mean = mean_over_processes(value.to(dtype))
        assert mean.tolist() == [2.0, 5.0] and mean.dtype == torch.float32
    assert counts_of_processes(7, CPU) == [7]
    assert gathered("one") == ["one"]
    torch.manual_seed(3)
    numbers = rand_for_slice(4, 2, device=CPU)
    torch.manual_seed(3)
    assert torch.equal(numbers, torch.rand(4, 2))


@pytest.mark.parametrize("size", [2, 3])
def test_everybody_hears_of_everybody_in_order(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(number: int) -> tuple:
        own = torch.tensor([1.0 * number, 10.0 * number], requires_grad=True)
        mean = mean_over_processes(own)
        assert not mean.requires_grad and own.tolist() == [1.0 * number, 10.0 * number]
        return world_size(), rank(), counts_of_processes(5 + number, CPU), gathered(f"process {number}"), mean.tolist()

    middle = (size - 1) / 2
    counts, names = [5, 6, 7][:size], ["process 0", "process 1", "process 2"][:size]
    expected = [(size, number, counts, names, [middle, 10 * middle]) for number in range(size)]
    assert together(monkeypatch, size, work) == expected


@pytest.mark.parametrize("counts", [(4, 0), (1, 2, 6), (1, 0, 0)])
def test_sums_over_counts_have_the_mean_of_the_whole_batch(
    counts: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Σ over the batch / count of the batch, for any sums: here 3 for each counted."""
    shares = together(monkeypatch, len(counts), lambda number: count_per_process(torch.tensor(counts[number])).item())
    assert sum(3 * count / share for count, share in zip(counts, shares, strict=True)) / len(counts) == pytest.approx(3)


def test_a_batch_of_nothing_counts_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert together(monkeypatch, 4, lambda _: count_per_process(torch.tensor(0)).item()) == [0.25] * 4


def test_random_numbers_are_slices_of_the_whole_batch_s(monkeypatch: pytest.MonkeyPatch) -> None:
    slices = together(
        monkeypatch, 3, lambda _: (rand_for_slice(2, 5, device=CPU), gathered(0), rand_for_slice(2, 5, device=CPU))
    )
    torch.manual_seed(0)
    for part in (0, 2):
        assert torch.equal(torch.cat([share[part] for share in slices]), torch.rand(6, 5))


def prediction(images: int, config: PCTransConfig) -> Prediction:
    return Prediction(
        queries=torch.randn(images, config.num_queries, 6),
        centres=torch.rand(images, config.num_queries, 2),
        mask_logits=2 * torch.randn(images, config.num_queries, 8, 8),
    )


@pytest.mark.parametrize(("form", "size"), [("cosine", 3), ("cosine", 2), ("released", 3)])
def test_the_objective_of_slices_is_that_of_the_whole_batch(
    form: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three slices have three instances, one, and none; two have three and one."""
    config = PCTransConfig(num_queries=9, num_points=40, query_contrast_form=form, loss_weights=LossWeights(point=3.0))
    corners = [[(2, 2), (30, 30)], [(4, 40)], [], [(20, 20)], [], []]
    labels = torch.stack([squares(64, places, 20) for places in corners])
    torch.manual_seed(1)
    predictions = [prediction(6, config) for _ in range(2)]
    embedding, semantic = torch.randn(6, 5, 8, 8), torch.randn(6, 8, 8)

    def losses(images: slice) -> dict[str, Tensor]:
        part = [Prediction(p.queries[images], p.centres[images], p.mask_logits[images]) for p in predictions]
        return weighted_losses(part, embedding[images], semantic[images], build_targets(labels[images]), config)

    torch.manual_seed(0)
    whole = losses(slice(None))
    share = 6 // size
    shares = together(monkeypatch, size, lambda number: losses(slice(share * number, share * (number + 1))))
    for name, value in whole.items():
        mean = torch.stack([found[name] for found in shares]).mean()
        assert mean.item() == pytest.approx(value.item(), rel=1e-5), name
