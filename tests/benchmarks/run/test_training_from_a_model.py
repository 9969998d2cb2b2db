"""`train --from`: a job that starts from the weights of a saved model."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from runnable import AT_ALL_SCALES, TRAINED, runnable
from safetensors.torch import load_file, save_file

from benchmarks.data import Dataset, open_dataset
from benchmarks.errors import UserError
from benchmarks.plan.expansion import PlannedJob
from benchmarks.plan.job import NUMERICS_OF_METHOD, Job, JobContext, parse_job
from benchmarks.plan.methods import get_method
from benchmarks.plan.resolving import make_job
from benchmarks.plan.starting import StartingModel
from benchmarks.run.execution import run_job
from benchmarks.store.checksums import checksums_of
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.models.hub import prepare_upload
from benchmarks.store.models.model_card import model_card
from benchmarks.store.models.packing import pack_model
from benchmarks.store.models.saved_model import HARNESS_FILE, load_model, save_model
from benchmarks.store.models.starting_model import read_starting_model, starting_state, weights_digest
from benchmarks.store.request import read_request, write_request
from benchmarks.training.batches import BatchSource, derived_seed
from benchmarks.training.watcher import StopRequested, Watcher

BRIEF = {"training": {"iterations": 3, "checkpoint_every": 1, "validate_every": 3, "log_every": 1}}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return open_dataset("synthetic-nuclei?size=64&train=3&val=1&test=1&seed=5")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A model of weights that no seed of a job draws, of another architecture than the scale's."""
    elsewhere = open_dataset("synthetic-nuclei?size=64&train=2&val=1&test=1")
    job = make_job("pctrans", JobContext.on(elsewhere, "smoke"), seed=3, overrides={"model": {"num_queries": 7}})
    torch.manual_seed(12345)
    save_model(get_method("pctrans").build(job.model), job, tmp_path / "start" / "model", diameter=11.0)
    return tmp_path / "start" / "model"


def planned(dataset: Dataset, start: StartingModel | None, **changes: Any) -> Job:
    method = changes.pop("method", "pctrans")
    return make_job(method, JobContext.on(dataset, "smoke"), seed=0, overrides={**BRIEF, **changes}, start=start)


def change_weights(folder: Path) -> None:
    """Rewrite a saved model with other weights, as another training would leave it."""
    weights = load_file(folder / "model.safetensors")
    name = next(name for name, tensor in weights.items() if tensor.is_floating_point() and tensor.ndim > 1)
    save_file(weights | {name: weights[name] + 1}, folder / "model.safetensors")
    harness = json.loads((folder / HARNESS_FILE).read_text())
    harness["sha256"] = checksums_of(folder, [folder / "model.safetensors"])
    (folder / HARNESS_FILE).write_text(json.dumps(harness))


def test_the_first_loss_is_that_of_the_saved_model(saved: Path, dataset: Dataset, tmp_path: Path) -> None:
    job = planned(dataset, read_starting_model(saved))
    assert job.model["num_queries"] == 7, "the architecture is the model's"
    assert run_job(job, dataset, tmp_path / "out", "cpu").status == "done"
    row = next(csv.DictReader(JobFolder.of(job, tmp_path / "out").losses.open()))
    assert row["iteration"] == "1"

    model: Any = load_model(saved, "cpu").segmenter.train()  # type: ignore[attr-defined]
    batch = BatchSource.of_job(job, dataset).batch(0)
    torch.manual_seed(derived_seed(job.seed, "step", 0))
    with torch.no_grad():
        expected = model.losses(batch.images, batch.labels)
    assert {name: float(row[name]) for name in expected} == pytest.approx(
        {name: value.item() for name, value in expected.items()}, rel=1e-4
    )
    assert load_model(JobFolder.of(job, tmp_path / "out").model, "cpu").segmenter.config.num_queries == 7  # type: ignore[attr-defined]


def test_the_key_follows_the_weights_and_not_their_place(saved: Path, dataset: Dataset, tmp_path: Path) -> None:
    first = planned(dataset, read_starting_model(saved))
    shutil.copytree(saved, tmp_path / "copy")
    copied = planned(dataset, read_starting_model(tmp_path / "copy"))
    assert copied.started_from != first.started_from and copied.key == first.key
    change_weights(tmp_path / "copy")
    assert planned(dataset, read_starting_model(tmp_path / "copy")).key != first.key
    assert planned(dataset, None, model={"num_queries": 7}).key != first.key
    assert parse_job(json.loads(json.dumps(first.resolved()))) == first


def test_jobs_without_a_start_keep_their_keys(dataset: Dataset) -> None:
    """Of a result that was made before jobs could start from a model."""
    results = Path(__file__).parents[3] / "reports/measured/bbbc039/jobs"
    jobs = [json.loads(path.read_text())["job"] for path in sorted(results.glob("*/result.json"))]
    assert jobs and all("started_from" not in job for job in jobs)
    jobs = [job for job in jobs if job["method"] not in NUMERICS_OF_METHOD]  # theirs were renewed since
    assert [parse_job(job).key for job in jobs] == [job["key"] for job in jobs]


def test_the_digest_follows_every_value_and_name() -> None:
    state = {"a": torch.zeros(2, 3), "n": torch.tensor(1)}
    others = [
        {"a": torch.zeros(3, 2), "n": torch.tensor(1)},
        {"a": torch.zeros(2, 3, dtype=torch.float16), "n": torch.tensor(1)},
        {"a": torch.zeros(2, 3), "n": torch.tensor(2)},
        {"b": torch.zeros(2, 3), "n": torch.tensor(1)},
        {"a": torch.zeros(2, 3)},
    ]
    assert weights_digest(dict(reversed(state.items()))) == weights_digest(state)
    assert len({weights_digest(one) for one in [state, *others]}) == 1 + len(others)


def test_a_packed_model_is_another_start_and_tells_no_place(saved: Path, dataset: Dataset, tmp_path: Path) -> None:
    job = planned(dataset, read_starting_model(saved))
    torch.manual_seed(0)
    save_model(get_method("pctrans").build(job.model), job, tmp_path / "tuned")
    pack_model(tmp_path / "tuned", tmp_path / "small")
    for file in (tmp_path / "small").iterdir():
        assert str(tmp_path).encode() not in file.read_bytes(), file
    assert str(saved.resolve()) in prepare_upload(tmp_path / "tuned", "me/tuned").places
    assert prepare_upload(tmp_path / "small", "me/tuned").places == (job.data.spec,)
    whole, packed = (read_starting_model(tmp_path / name) for name in ("tuned", "small"))
    assert whole.weights.digest != packed.weights.digest and whole.weights.key == packed.weights.key == job.key


@pytest.mark.parametrize(
    ("model", "weight"),
    [
        ({"num_queries": 9}, r"the weight \S+ has the shape 9 × \S+.* in that model it has the shape 7 × "),
        (
            {"mask_head": "inner_product", "relative_coordinates": False},
            r"the weight \S+ is not there, and in that model it has the shape",
        ),
        ({"backbone": {"width": 24}}, r"the weight backbone\.\S+ has the shape"),
    ],
)
def test_a_setting_that_changes_the_architecture_names_the_weight(
    saved: Path, dataset: Dataset, model: dict[str, Any], weight: str
) -> None:
    with pytest.raises(UserError, match=weight):
        planned(dataset, read_starting_model(saved), model=model)


def test_a_setting_that_changes_no_weight_is_taken(saved: Path, dataset: Dataset) -> None:
    job = planned(dataset, read_starting_model(saved), model={"loss_weights": {"semantic": 0.5}})
    assert job.model["loss_weights"]["semantic"] == 0.5 and job.model["num_queries"] == 7


def test_other_methods_and_other_weights_are_refused(saved: Path, dataset: Dataset, tmp_path: Path) -> None:
    start = read_starting_model(saved)
    with pytest.raises(UserError, match="is a model of pctrans, not of discriminative"):
        planned(dataset, start, method="discriminative")
    with pytest.raises(UserError, match=r"model\.backbone\.pretrained=some/weights: all weights are those of --from"):
        planned(dataset, start, model={"backbone": {"pretrained": "some/weights"}})
    untrained = planned(dataset, None, method="watershed")
    save_model(get_method("watershed").build(untrained.model), untrained, tmp_path / "otsu")
    with pytest.raises(UserError, match="watershed is not trained"):
        read_starting_model(tmp_path / "otsu")
    with pytest.raises(UserError, match="holds no model"):
        read_starting_model(tmp_path)


@pytest.mark.parametrize("method", runnable(name for name in TRAINED if name in AT_ALL_SCALES))
def test_a_model_of_every_method_can_be_the_start(method: str, dataset: Dataset, tmp_path: Path) -> None:
    job = planned(dataset, None, method=method)
    torch.manual_seed(99)
    model: Any = get_method(method).build(job.model)
    save_model(model, job, tmp_path)
    tuned = planned(dataset, read_starting_model(tmp_path), method=method)
    assert tuned.started_from is not None and tuned.model == job.model
    state = starting_state(tuned.started_from)
    get_method(method).build(tuned.model).load_state_dict(state)  # type: ignore[attr-defined]
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("what", ["changed", "moved"])
def test_a_start_that_is_not_what_was_planned_fails_the_job(
    saved: Path, dataset: Dataset, tmp_path: Path, what: str
) -> None:
    job = planned(dataset, read_starting_model(saved))
    change_weights(saved) if what == "changed" else saved.rename(tmp_path / "moved")
    outcome = run_job(job, dataset, tmp_path / "out", "cpu")
    assert outcome.status == "failed" and "The model that this job starts from" in str(outcome.error)
    assert ("has changed" in str(outcome.error)) == (what == "changed")
    assert not JobFolder.of(job, tmp_path / "out").checkpoint.exists()


def test_a_checkpoint_wins_over_the_start(saved: Path, dataset: Dataset, tmp_path: Path) -> None:
    job = planned(dataset, read_starting_model(saved))
    assert run_job(job, dataset, tmp_path / "whole", "cpu").status == "done"
    steps: list[int] = []
    watcher = Watcher(training=lambda iteration, *_: steps.append(iteration), stopping=lambda: bool(steps))
    with pytest.raises(StopRequested):
        run_job(job, dataset, tmp_path / "cut", "cpu", watcher)
    assert JobFolder.of(job, tmp_path / "cut").checkpoint.exists()
    shutil.rmtree(saved)
    assert run_job(job, dataset, tmp_path / "cut", "cpu").status == "done"
    whole, cut = (
        load_model(JobFolder.of(job, tmp_path / name).model, "cpu").segmenter.state_dict()  # type: ignore[attr-defined]
        for name in ("whole", "cut")
    )
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


@pytest.mark.slow
def test_processes_that_train_together_all_start_from_it(saved: Path, dataset: Dataset, tmp_path: Path) -> None:
    job = planned(dataset, read_starting_model(saved))
    first = []
    for processes in (1, 2):
        out = tmp_path / f"by{processes}"
        assert run_job(job, dataset, out, "cpu", processes=processes).status == "done"
        row = next(csv.DictReader(JobFolder.of(job, out).losses.open()))
        first.append({name: float(value) for name, value in row.items() if name != "seconds"})
    assert first[1] == pytest.approx(first[0], rel=1e-4)


def test_a_worker_reads_from_its_request_what_it_starts_from(saved: Path, dataset: Dataset, tmp_path: Path) -> None:
    job = planned(dataset, read_starting_model(saved.parent))
    folder = write_request(PlannedJob(1, "pctrans", job), tmp_path / "out")
    read = read_request(folder).job
    assert read == job and read.started_from is not None
    assert Path(read.started_from.place) == saved.resolve(), "wherever the worker runs"


def test_the_card_says_what_it_started_from_and_not_where_that_lay(saved: Path, dataset: Dataset) -> None:
    start = read_starting_model(saved)
    card = model_card(planned(dataset, start).resolved(), None)
    assert f"Started from: the weights of job {start.weights.key}, trained last on" in card
    assert start.weights.digest in card and start.weights.fingerprint in card
    assert str(saved) not in card
    assert "Started from" not in model_card(planned(dataset, None).resolved(), None)
