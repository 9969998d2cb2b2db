"""`pctrans-bench verify` notices each kind of damage, and says nothing else of what is sound, incomplete or old."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import tifffile
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.data import open_dataset
from benchmarks.errors import UserError
from benchmarks.plan.job import JobContext
from benchmarks.plan.resolving import make_job
from benchmarks.run.execution import run_job
from benchmarks.run.validation import validation_scores
from benchmarks.run.verification import Verdict, verify_folder
from benchmarks.store.job_folder import JobFolder

GOLDEN = Path(__file__).parents[2] / "golden" / "results"
DATASET = open_dataset("synthetic-nuclei?size=96&train=2&val=1&test=2")
JOB = make_job("pctrans", JobContext.on(DATASET, "smoke"), seed=0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished")
    assert run_job(JOB, DATASET, out, "cpu").status == "done"
    validation_scores(JOB, DATASET, JobFolder.of(JOB, out), "cpu")
    return out


@pytest.fixture
def job(finished: Path, tmp_path: Path) -> JobFolder:
    return JobFolder.of(JOB, Path(shutil.copytree(finished, tmp_path / "out")))


def verdict(job: JobFolder) -> Verdict:
    (found,) = verify_folder(job.out)
    return found


def edit(path: Path, change: Callable[[dict], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def without_checksums(job: JobFolder) -> None:
    """As a version left it that had none."""
    edit(job.result, lambda content: [content.pop(name) for name in ("checksums", "seal")])
    edit(job.model / "harness.json", lambda content: content.pop("sha256"))
    edit(job.validation_scores, lambda content: content.pop("seal"))


def one_object_more(job: JobFolder) -> None:
    path = job.prediction(DATASET.ids("test")[0])
    labels = tifffile.imread(path)
    labels[:4, :4] = labels.max() + 1
    tifffile.imwrite(path, labels, compression="zlib")


def another_score(job: JobFolder) -> None:
    text = job.scores.read_text()
    job.scores.write_text(text.replace(",0.0,", ",0.25,", 1))


DAMAGES: dict[str, tuple[Callable[[JobFolder], object], str]] = {
    "weights": (lambda job: flip(job.model / "model.safetensors"), "model.safetensors is not as it was written"),
    "thresholds of the model": (
        lambda job: edit(job.model / "config.json", lambda content: content["inference"].update(mask_threshold=0.123)),
        "mask_threshold",
    ),
    "a label map": (one_object_more, "objects, but result.json says"),
    "a lost label map": (lambda job: job.prediction(DATASET.ids("test")[1]).unlink(), "cannot be read"),
    "scores": (another_score, "metrics.csv has"),
    "a mean": (lambda job: edit(job.result, lambda content: content["metrics"].update(pq=0.9)), "result.json"),
    "validation": (
        lambda job: edit(job.validation_scores, lambda content: content["metrics"].update(pq=0.9)),
        "validation_scores.json is damaged",
    ),
    "configuration": (
        lambda job: edit(job.description, lambda content: content["training"].update(iterations=99)),
        "job.json has another configuration",
    ),
    "choice": (lambda job: edit(job.thresholds, lambda content: content.update(images=77)), "another choice"),
}


def test_a_whole_job_is_sound(job: JobFolder) -> None:
    assert verdict(job) == Verdict(JOB.key, "pctrans, seed 0", "sound")


@pytest.mark.parametrize("of_before", [False, True], ids=["with checksums", "without"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_noticed(job: JobFolder, damage: str, of_before: bool) -> None:
    change, message = DAMAGES[damage]
    if of_before:
        without_checksums(job)
    if of_before and damage == "weights":
        pytest.skip("one flipped bit of a finite number is what checksums are for")
    change(job)
    found = verdict(job)
    assert found.state == "damaged" and message in "\n".join(found.problems)


def test_a_curve_has_only_its_checksum(job: JobFolder) -> None:
    flip(job.losses)
    assert verdict(job).problems[0].startswith("losses.csv is not as it was written")


def test_results_of_before_are_not_checkable(job: JobFolder) -> None:
    without_checksums(job)
    assert verdict(job).state == "not checkable"
    assert {one.state for one in verify_folder(GOLDEN)} == {"not checkable"}


def test_a_copy_without_label_maps_is_incomplete(job: JobFolder) -> None:
    shutil.rmtree(job.predictions)
    shutil.rmtree(job.model)
    assert verdict(job) == Verdict(JOB.key, "pctrans, seed 0", "incomplete", missing=("model", "predictions"))


def test_jobs_without_a_result_have_nothing_to_compare(job: JobFolder) -> None:
    job.result.unlink()
    assert verdict(job).state == "not finished"
    job.write_failure("RuntimeError", "x", "")
    assert verdict(job).state == "failed"


def test_the_command_says_what_and_ends_accordingly(job: JobFolder) -> None:
    (job.out / "runs").mkdir()
    verify = ["verify", str(job.out)]
    done = CliRunner().invoke(app, verify)
    assert done.exit_code == 0 and f"{JOB.key}  sound" in done.output and "1 sound." in done.output
    before = {path: path.stat().st_mtime_ns for path in job.out.rglob("*")}
    (job.out / "runs" / "table4.json").write_text("{")
    one_object_more(job)
    damaged = CliRunner().invoke(app, verify)
    assert damaged.exit_code == 1 and "2 damaged." in damaged.output and "runs/table4.json  damaged" in damaged.output
    after = {path: path.stat().st_mtime_ns for path in job.out.rglob("*")}
    assert set(after) - set(before) == {job.out / "runs" / "table4.json"}, "it writes nothing"


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no results"):
        verify_folder(tmp_path)
