from __future__ import annotations

import logging

import pytest
import torch
from torch import nn

from benchmarks.training.batches import Batch
from benchmarks.training.capacity import CapacityCheck


class Limited(nn.Module):
    def __init__(self, limit: int | None):
        super().__init__()
        self.max_instances = limit


def batch(**counts: int) -> Batch:
    """A crop for each image, with so many instances under ids with gaps."""
    labels = torch.zeros(len(counts), 8, 8, dtype=torch.long)
    for index, count in enumerate(counts.values()):
        labels[index].view(-1)[:count] = 7 + 3 * torch.arange(count)
    return Batch(tuple(counts), torch.zeros(len(counts), 3, 8, 8), labels)


def test_an_image_with_too_many_is_named_once_with_both_counts(caplog: pytest.LogCaptureFixture) -> None:
    check = CapacityCheck(Limited(4))
    with caplog.at_level(logging.WARNING, "pctrans_bench"):
        check(batch(few=4, many=5, none=0))
        check(batch(many=6, more=9))
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert "image many has 5 instances, but Limited finds at most 4" in messages[0]
    assert "image more has 9 instances" in messages[1]


@pytest.mark.parametrize("model", [Limited(None), nn.Module()])
def test_a_method_without_a_limit_is_never_warned_of(model: nn.Module, caplog: pytest.LogCaptureFixture) -> None:
    CapacityCheck(model)(batch(many=60))
    assert not caplog.records
