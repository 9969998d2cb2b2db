"""Files of a job that were damaged or edited are noticed, whoever reads them, and what can be made again is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.data import open_dataset
from benchmarks.errors import UserError
from benchmarks.plan.job import JobContext
from benchmarks.plan.resolving import make_job
from benchmarks.run.execution import Outcome, run_job
from benchmarks.store.documents import UnreadableError
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.models.saved_model import load_model

DATASET = open_dataset("synthetic-nuclei?size=64&train=2&val=1&test=2")
JOB = make_job("pctrans", JobContext.on(DATASET, "smoke"), seed=0)


def run(out: Path) -> Outcome:
    return run_job(JOB, DATASET, out, "cpu")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    out = tmp_path_factory.mktemp("finished")
    assert run(out).status == "done"
    return JobFolder.of(JOB, out)


@pytest.fixture
def job(finished: JobFolder, tmp_path: Path) -> JobFolder:
    """A copy to damage."""
    shutil.copytree(finished.out, tmp_path / "out")
    return JobFolder.of(JOB, tmp_path / "out")


def edited(path: Path, change: Callable[[dict], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def flip(path: Path, place: float = 0.5) -> None:
    """Turn one bit around."""
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 0x40
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:200]),
    "empty": lambda path: path.write_bytes(b""),
    "another document": lambda path: path.write_text('{"schema": 1}'),
    "a mean": lambda path: edited(path, lambda content: content["metrics"].update(pq=0.99)),
    "a mean without a seal": lambda path: edited(
        path, lambda content: (content.pop("seal"), content["metrics"].update(pq=0.99))
    ),
    "an image": lambda path: edited(path, lambda content: content["images"][0].update(truth=99)),
    "costs": lambda path: edited(path, lambda content: content["cost"].update(train_seconds=1.0)),
    "no metrics": lambda path: edited(path, lambda content: content.update(metrics={})),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_result_is_made_again(job: JobFolder, finished: JobFolder, damage: str) -> None:
    DAMAGES[damage](job.result)
    assert not job.done and job.state == "damaged"
    with pytest.raises(UnreadableError, match=r"result\.json cannot be read"):
        job.read_result()
    listed = CliRunner().invoke(app, ["list", "runs", "--out", str(job.out)])
    assert listed.exit_code == 0 and "damaged" in listed.output
    assert run(job.out).status == "done"
    assert job.set_aside.exists()
    before, after = finished.read_result(), job.read_result()
    assert before and after and after.images == before.images and after.metrics == before.metrics
    assert after.checksums == before.checksums, "nothing else was made anew, and nothing is different"


def test_a_result_of_a_later_version_is_neither_read_nor_replaced(job: JobFolder) -> None:
    edited(job.result, lambda content: content.update(schema=2, seal=None))
    content = job.result.read_bytes()
    outcome = run(job.out)
    assert outcome.status == "failed" and "has schema 2; this version reads 1" in (outcome.error or "")
    assert job.result.read_bytes() == content and not job.set_aside.exists()


def test_a_prediction_cut_short_is_made_again(job: JobFolder, finished: JobFolder) -> None:
    job.result.unlink()
    path = job.prediction(DATASET.ids("test")[0])
    path.write_bytes(path.read_bytes()[:-20])
    assert run(job.out).status == "done"
    assert path.read_bytes() == finished.prediction(path.stem).read_bytes()


@pytest.mark.parametrize("file", ["model.safetensors", "harness.json", "config.json"])
@pytest.mark.parametrize("damage", ["gone", "cut short", "flipped"])
def test_a_broken_model_beside_a_good_checkpoint_is_saved_again(
    job: JobFolder, finished: JobFolder, file: str, damage: str
) -> None:
    job.result.unlink()
    path = job.model / file
    if damage == "gone":
        path.unlink()
    elif damage == "flipped":
        flip(path)
    else:
        path.write_bytes(path.read_bytes()[:100])
    assert run(job.out).status == "done"
    assert path.read_bytes() == (finished.model / file).read_bytes()
    before, after = finished.read_result(), job.read_result()
    assert before and after and after.images == before.images


def test_training_from_the_start_leaves_nothing_of_an_earlier_model(job: JobFolder) -> None:
    job.result.unlink()
    job.checkpoint.unlink()
    stale = job.prediction("of-before")
    shutil.copy(job.prediction(DATASET.ids("test")[0]), stale)
    assert run(job.out).status == "done"
    assert not stale.exists()


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_a_flipped_bit_of_a_checkpoint_is_noticed(job: JobFolder, place: float) -> None:
    job.result.unlink()
    flip(job.checkpoint, place)
    outcome = run(job.out)
    assert outcome.status == "failed"
    assert "cannot be read as a checkpoint" in (outcome.error or "") and str(job.checkpoint) in (outcome.error or "")


@pytest.mark.parametrize("length", [0, 1, 100, 0.5, 0.999])
def test_a_checkpoint_cut_short_is_refused_with_advice(job: JobFolder, length: float) -> None:
    job.result.unlink()
    content = job.checkpoint.read_bytes()
    job.checkpoint.write_bytes(content[: int(length if length >= 1 else len(content) * length)])
    outcome = run(job.out)
    assert outcome.status == "failed" and "Delete it to train from the start" in (outcome.error or "")
    job.checkpoint.unlink()
    assert run(job.out).status == "done"


def test_a_checkpoint_with_weights_that_are_no_numbers_is_refused(job: JobFolder) -> None:
    job.result.unlink()
    state = torch.load(job.checkpoint, weights_only=True)
    name = next(name for name, tensor in state["model"].items() if tensor.is_floating_point())
    state["model"][name][...] = torch.nan
    torch.save(state, job.checkpoint)
    outcome = run(job.out)
    assert outcome.status == "failed" and f"the weights {name} hold values" in (outcome.error or "")


def rewrite_weights(model: Path, change: Callable[[dict[str, torch.Tensor]], object], *, of_before: bool) -> None:
    """Save other weights; models of versions before there were checksums have none."""
    weights = load_file(model / "model.safetensors")
    change(weights)
    save_file(weights, model / "model.safetensors")
    if of_before:
        edited(model / "harness.json", lambda content: content.pop("sha256"))


def lose_five(weights: dict[str, torch.Tensor]) -> None:
    for name in [name for name, tensor in weights.items() if tensor.is_floating_point()][10:15]:
        del weights[name]


def no_numbers(weights: dict[str, torch.Tensor]) -> None:
    for tensor in weights.values():
        if tensor.is_floating_point():
            tensor.fill_(torch.nan)


def one_more(weights: dict[str, torch.Tensor]) -> None:
    weights["of.something.else"] = torch.zeros(3)


@pytest.mark.parametrize(
    ("change", "message"),
    [(lose_five, "lacks 5 "), (no_numbers, "no finite numbers"), (one_more, "that the model has not")],
)
def test_weights_that_are_not_the_model_s_are_refused(
    job: JobFolder, change: Callable[[dict[str, torch.Tensor]], object], message: str
) -> None:
    rewrite_weights(job.model, change, of_before=True)
    with pytest.raises(UserError, match=message):
        load_model(job.model, "cpu")


def test_weights_that_were_changed_are_refused(job: JobFolder) -> None:
    flip(job.model / "model.safetensors", 0.9)
    with pytest.raises(UserError, match=r"model\.safetensors is not as it was written: its SHA-256"):
        load_model(job.model, "cpu")


def test_models_of_versions_without_checksums_are_loaded(job: JobFolder) -> None:
    edited(job.model / "harness.json", lambda content: content.pop("sha256"))
    assert load_model(job.model, "cpu").method == "pctrans"


def test_a_model_names_no_file_outside_of_its_folder(job: JobFolder) -> None:
    edited(job.model / "harness.json", lambda content: content["sha256"].update({"../result.json": "0" * 64}))
    with pytest.raises(UserError, match="lies outside"):
        load_model(job.model, "cpu")


def test_an_unknown_precision_is_refused(job: JobFolder) -> None:
    edited(job.model / "harness.json", lambda content: content.update(precision="float8"))
    with pytest.raises(UserError, match="expected float32 or bfloat16"):
        load_model(job.model, "cpu")
