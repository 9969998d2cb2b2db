"""The speed suite: what it measures is there, adds up, and compares."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.profiler import record_function
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.cli.options import JobOptions, one_job
from benchmarks.data import Dataset, open_dataset
from benchmarks.errors import UserError
from benchmarks.measure.speed import fitting
from benchmarks.measure.speed import scale as scale_module
from benchmarks.measure.speed.document import Earlier
from benchmarks.measure.speed.harness import finished_results, measure_metrics
from benchmarks.measure.speed.sections import attribute, profile_sections
from benchmarks.measure.step import repeat
from benchmarks.metrics import COMPAT_METRICS, METRICS
from benchmarks.plan.job import Job
from reports.collect import collect

DATA = "synthetic-nuclei?size=96&train=2&val=1&test=1"
SPEED = ["speed", "--data", DATA, "--scale", "smoke", "--device", "cpu", "--repeats", "2", "--seconds", "0"]


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return open_dataset(DATA)


@pytest.fixture
def job(dataset: Dataset) -> Job:
    options = JobOptions(set_=["training.batch_size=4"])
    return one_job("pctrans", dataset, options, scale="smoke", device="cpu")


def event(name: str, start: float, end: float, sequence: int = -1) -> Any:
    """A profiler event, in microseconds."""
    return SimpleNamespace(name=name, sequence_nr=sequence, time_range=SimpleNamespace(start=start, end=end))


def test_time_belongs_to_the_innermost_section_and_the_backward_pass_to_its_operations() -> None:
    events = [
        event("step", 0, 1000),
        event("forward", 0, 400),
        event("body", 100, 200),
        event("aten::conv", 110, 150, sequence=1),
        event("aten::add", 300, 310, sequence=2),
        event("loss: mask", 400, 450),
        event("aten::mean", 410, 420, sequence=3),
        event("backward", 500, 900),
        event("autograd::engine::evaluate_function: MeanBackward0", 500, 510, sequence=3),
        event("autograd::engine::evaluate_function: AddBackward0", 510, 550, sequence=2),
        event("autograd::engine::evaluate_function: ConvBackward0", 550, 850, sequence=1),
        event("autograd::engine::evaluate_function: torch::autograd::AccumulateGrad", 850, 880),
    ]
    forward, backward = attribute(events, {"step", "forward", "body", "backward"})
    micro = pytest.approx
    assert forward == {
        "forward": micro(300e-6),
        "body": micro(100e-6),
        "loss: mask": micro(50e-6),
        "other": micro(150e-6),
    }
    assert backward == {
        "loss: mask": micro(10e-6), "forward": micro(40e-6), "body": micro(300e-6), "other": micro(50e-6),
    }  # fmt: skip
    assert sum(forward.values()) + sum(backward.values()) == micro(1000e-6)


class Slow(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        time.sleep(0.05)
        return gradient


class SlowThere(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        time.sleep(0.05)
        return x * 2


class SlowBack(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return Slow.apply(x)


class Both(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.slow_there, self.slow_back = SlowThere(), SlowBack()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.slow_back(self.slow_there(x))


def test_slow_forwards_and_backwards_are_found_where_they_are() -> None:
    model, x = Both(), torch.ones(3, requires_grad=True)

    def step() -> None:
        with record_function("forward"):
            loss = model(x).sum()
        with record_function("backward"):
            loss.backward()

    sections = {section.name: section for section in profile_sections(step, model, 2)}
    assert list(sections)[-1] == "other"
    there, back = sections["slow there"], sections["slow back"]
    assert min(there.forward) > max(there.backward) and min(back.backward) > max(back.forward)
    # The hooks are gone: nothing is recorded without the profiler.
    assert not model.slow_there._forward_pre_hooks and not model.slow_there._forward_hooks


def test_repeat_runs_as_often_as_asked_within_its_budget() -> None:
    calls: list[int] = []
    assert len(repeat("x", lambda: calls.append(1), most=5, budget=100).seconds) == 5
    assert len(calls) == 6  # the first one warms up
    assert len(repeat("x", lambda: calls.append(1), most=5, budget=0).seconds) == 2


def test_the_suite_from_the_command_line(tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    result = CliRunner().invoke(app, [*SPEED, "--json", str(first), "--only", "loading", "--only", "step"])
    assert result.exit_code == 0, (result.output, result.exception)
    for expected in ("training iteration", "matching", "loss: mask", "optimiser", "GiB at the peak", "backbone"):
        assert expected in result.output
    document = json.loads(first.read_text())
    [report] = document["scales"]
    assert document["schema"] == 1 and document["environment"]["cores"] and report["peak_memory_bytes"] > 0
    assert {len(series["seconds"]) for series in report["series"]} == {2}
    total = sum(sum(section["forward"]) + sum(section["backward"]) for section in report["sections"])
    losses = {section["name"] for section in report["sections"] if section["name"].startswith("loss: ")}
    assert losses == {
        "loss: mask", "loss: point", "loss: discriminative", "loss: semantic", "loss: query contrast",
        "loss: mask contrast",
    }  # fmt: skip
    other = next(section for section in report["sections"] if section["name"] == "other")
    assert sum(other["forward"]) + sum(other["backward"]) < total / 2

    again = [*SPEED, "--json", str(second), "--only", "inference", "--only", "step", "--against", str(first)]
    result = CliRunner().invoke(app, again)
    assert result.exit_code == 0 and "now / then" in result.output and "inference, 96×96 whole" in result.output


def test_json_on_standard_output_is_all_there_is() -> None:
    result = CliRunner().invoke(app, [*SPEED, "--only", "loading", "--json", "-"])
    assert json.loads(result.stdout)["scales"][0]["scale"] == "smoke"


def test_the_same_document_compares_as_one(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    CliRunner().invoke(app, [*SPEED, "--only", "loading", "--json", str(path)], catch_exceptions=False)
    earlier = Earlier.read(path)
    assert len(earlier.medians) == 2 and all(key[:2] == ("smoke", "pctrans") for key in earlier.medians)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "is not what"),
        ('{"schema": 1}', "is not what"),
        ('{"schema": 9, "scales": [], "harness": []}', "version 9"),
    ],
)
def test_files_that_are_no_measurement_are_refused(tmp_path: Path, content: str, expected: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(UserError, match=expected):
        Earlier.read(path)


@pytest.mark.parametrize("arguments", [["--scale", "huge"], ["--only", "everything"]])
def test_unknown_names_are_refused(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["speed", *arguments])
    assert isinstance(result.exception, UserError) and "there are" in str(result.exception)


def test_a_method_without_training_has_no_step() -> None:
    result = CliRunner().invoke(app, ["speed", "watershed", *SPEED[1:]])
    assert isinstance(result.exception, UserError) and "watershed is not trained" in str(result.exception)


@pytest.mark.parametrize(("free", "at_once"), [(1000, None), (375, 2), (200, 1), (1, 1)])
def test_a_batch_is_cut_until_it_fits(
    dataset: Dataset, job: Job, monkeypatch: pytest.MonkeyPatch, free: int, at_once: int | None
) -> None:
    monkeypatch.setattr(fitting, "bytes_of_one_crop", lambda *_: 100)
    monkeypatch.setattr(fitting, "free_memory_bytes", lambda _: free)
    fitted = fitting.fit(job, dataset, "cpu")
    assert fitted.job.training.micro_batch_size == at_once
    assert bool(fitted.note) == (at_once is not None)


def test_one_crop_and_free_memory_are_measured(dataset: Dataset, job: Job) -> None:
    assert 0 <= fitting.bytes_of_one_crop(job, dataset, "cpu") < fitting.free_memory_bytes("cpu")


def test_images_too_large_to_be_segmented_whole_are_left_out_and_it_is_said(
    dataset: Dataset, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scale_module, "LARGEST_WHOLE", 96 * 96 - 1)
    report = scale_module.measure_scale(job, dataset, "cpu", groups=("inference",), repeats=2, budget=0)
    assert [series.name for series in report.series] == ["inference, 96×96 in tiles of 64"]
    assert "whole images are left out" in report.note


def test_every_metric_is_timed() -> None:
    names = {series.name for series in measure_metrics(2, 0)}
    assert names >= {metric.title for metric in (METRICS | COMPAT_METRICS).values()}


def test_the_synthesised_results_are_ones_that_reports_read(tmp_path: Path) -> None:
    assert finished_results(tmp_path, "table4", seeds=2) == 16
    results = collect(tmp_path, "table4")
    assert len(results.results) == 16 and not results.gaps
