"""An accelerator computes what the CPU does: golden numbers, and whole jobs; skipped where there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from golden.make_numbers import CASES, GOLDEN, differences, numbers, scene
from runnable import AT_ALL_SCALES, runnable

from benchmarks.data import open_dataset
from benchmarks.plan.job import JobContext
from benchmarks.plan.methods import METHODS
from benchmarks.plan.resolving import make_job
from benchmarks.run.execution import run_job
from benchmarks.store.job_folder import JobFolder
from benchmarks.training.watcher import StopRequested, Watcher

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator here")
EXPECTED = json.loads(GOLDEN.read_text())
SPEC = "synthetic-nuclei?size=96&train=3&val=1&test=2"


@pytest.mark.parametrize("case", runnable(CASES))
def test_golden_numbers(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the random numbers of the CPU, in float32; the CPU's own are of this machine, as other versions of the
    libraries draw other first weights than the stored numbers have."""
    draw = torch.rand

    def drawn_on_the_cpu(*shape: Any, device: Any = None, **options: Any) -> torch.Tensor:
        return draw(*shape, **options).to(device)

    monkeypatch.setattr(torch, "rand", drawn_on_the_cpu)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    seed = EXPECTED["cases"][case]["seed"]
    images, labels = scene()
    expected = numbers(case, seed, images, labels)
    assert not differences(numbers(case, seed, images.cuda(), labels.cuda()), expected, strictness=0.1)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("method", runnable(AT_ALL_SCALES))
def test_a_job_is_stopped_and_goes_on(method: str, precision: str, tmp_path: Path) -> None:
    dataset = open_dataset(SPEC)
    overrides = {"training": {"precision": precision}}
    job = make_job(method, JobContext.on(dataset, "smoke", device="cuda"), seed=0, overrides=overrides)
    if METHODS[method].trained:
        calls = iter([False, False, False, True])
        with pytest.raises(StopRequested):
            run_job(job, dataset, tmp_path, "cuda", Watcher(stopping=lambda: next(calls, True)))
        assert not JobFolder.of(job, tmp_path).done
    outcome = run_job(job, dataset, tmp_path, "cuda")
    assert outcome.status == "done", outcome.error
    cost = json.loads((JobFolder.of(job, tmp_path).path / "result.json").read_text())["cost"]
    assert cost["peak_memory_bytes"] > 0
