"""`pctrans-bench merge`: what two folders hold is in the third, bit for bit; what contradicts is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.data import open_dataset
from benchmarks.errors import UserError
from benchmarks.files import write_json
from benchmarks.merging import merge_folders
from benchmarks.plan.job import Job, JobContext
from benchmarks.plan.resolving import make_job
from benchmarks.run.execution import run_job
from benchmarks.run.verification import verify_folder
from benchmarks.store.documents import write_sealed
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.result import AddedMetrics

DATASET = open_dataset("synthetic-nuclei?size=96&train=1&val=1&test=2")


def make(seed: int) -> Job:
    return make_job("watershed", JobContext.on(DATASET, "smoke"), seed=seed)


JOBS = [make(seed) for seed in range(3)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three finished jobs."""
    out = tmp_path_factory.mktemp("finished")
    for job in JOBS:
        assert run_job(job, DATASET, out, "cpu").status == "done"
    return out


@pytest.fixture
def folders(finished: Path, tmp_path: Path) -> tuple[Path, Path, Path]:
    """A with jobs 0 and 1, B with 1 and 2, and a place for the third."""
    a, b = (Path(shutil.copytree(finished, tmp_path / name)) for name in "ab")
    shutil.rmtree(JobFolder.of(JOBS[2], a).path)
    shutil.rmtree(JobFolder.of(JOBS[0], b).path)
    return a, b, tmp_path / "c"


def contents(folder: Path) -> dict[str, str]:
    """The digest of every file and the target of every link below a folder, but of locks, which are empty."""
    return {
        str(path.relative_to(folder)): str(path.readlink())
        if path.is_symlink()
        else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if (path.is_symlink() or path.is_file()) and not path.name.endswith("lock")
    }


def edit(path: Path, change: Callable[[dict], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def other_numbers(job: JobFolder) -> None:
    """As another machine may have computed it: whole and sealed, but for one image's PQ."""
    result = job.read_result()
    assert result is not None
    images = [{**image, "pq": image["pq"] / 2} for image in result.images]
    metrics = {**result.metrics, "pq": sum(image["pq"] for image in images) / len(images)}
    job.scores.unlink()
    job.write_result(result.model_copy(update={"images": images, "metrics": metrics, "checksums": None}))


def write_plan(out: Path, keys: list[list[str]], **changes: object) -> None:
    rows = [{"row": n, "label": f"row {n}", "method": "watershed", "keys": of} for n, of in enumerate(keys, 1)]
    seeds = list(range(max(map(len, keys))))
    data = {"spec": "x", "name": "x", "fingerprint": "f" * 64, "decoding": "ids"}
    plan = {"table": "table4", "data": data, "scale": "smoke", "seeds": seeds, "overrides": {}, "rows": rows}
    write_json(out / "runs/table4.json", plan | {"jobs": [key for of in keys for key in of]} | changes)


def test_every_job_of_both_is_there_bit_for_bit_and_neither_changes(folders: tuple[Path, Path, Path]) -> None:
    a, b, c = folders
    before = contents(a), contents(b)
    merged = merge_folders([a, b], c)
    assert sorted(merged.written) == sorted(job.key for job in JOBS)
    for job, source in zip(JOBS, (a, a, b), strict=True):
        assert contents(JobFolder.of(job, c).path) == contents(JobFolder.of(job, source).path)
    assert {verdict.state for verdict in verify_folder(c)} == {"sound"}
    assert (contents(a), contents(b)) == before


def test_again_it_copies_what_is_new_and_touches_nothing_else(folders: tuple[Path, Path, Path]) -> None:
    a, b, c = folders
    merge_folders([a], c)
    first = contents(c)
    assert merge_folders([a, b], c).written == (JOBS[2].key,)
    second = contents(c)
    assert first.items() < second.items()
    assert merge_folders([a, b], c).written == ()
    assert contents(c) == second


@pytest.mark.parametrize("where", ["a source", "the target"])
def test_other_numbers_of_one_job_are_refused_before_anything_is_written(
    folders: tuple[Path, Path, Path], where: str
) -> None:
    a, b, c = folders
    if where == "the target":
        merge_folders([a], c)
    other_numbers(JobFolder.of(JOBS[1], b))
    before = contents(c) if c.exists() else None
    with pytest.raises(UserError, match=rf"contradict(.|\n)*{JOBS[1].key}.*pq of"):
        merge_folders([a, b], c)
    assert (contents(c) or None if c.exists() else None) == before


def test_a_result_that_was_edited_is_refused(folders: tuple[Path, Path, Path]) -> None:
    a, b, c = folders
    edit(JobFolder.of(JOBS[2], b).result, lambda result: result.update(label="better"))
    with pytest.raises(UserError, match=rf"damaged(.|\n)*{JOBS[2].key}.*seal"):
        merge_folders([a, b], c)
    assert not (c / "jobs").exists()


def test_a_changed_label_map_is_refused(folders: tuple[Path, Path, Path]) -> None:
    a, b, c = folders
    path = JobFolder.of(JOBS[2], b).prediction(DATASET.ids("test")[0])
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(UserError, match="not as it was written"):
        merge_folders([a, b], c)


def test_the_copy_with_label_maps_is_taken(folders: tuple[Path, Path, Path]) -> None:
    a, b, c = folders
    shutil.rmtree(JobFolder.of(JOBS[1], a).predictions)
    merge_folders([a], c)
    assert merge_folders([a, b], c).written == (JOBS[1].key, JOBS[2].key)
    assert JobFolder.of(JOBS[1], c).predictions.is_dir()


def test_what_was_added_to_the_other_copy_is_taken_too(folders: tuple[Path, Path, Path]) -> None:
    a, b, c = folders
    images = [{"id": id, "new": 0.5} for id in DATASET.ids("test")]
    added = JobFolder.of(JOBS[1], b).added_metrics
    write_sealed(added, AddedMetrics(key=JOBS[1].key, metrics={"new": 0.5}, images=images))
    merge_folders([a], c)
    merge_folders([a, b], c)
    result = JobFolder.of(JOBS[1], c).read_result()
    assert result is not None
    assert result.metrics["new"] == 0.5


def test_a_result_takes_the_place_of_a_failure_and_a_failure_that_of_nothing(folders: tuple[Path, Path, Path]) -> None:
    a, b, c = folders
    failed = JobFolder.of(JOBS[2], a)
    failed.path.mkdir()
    failed.write_failure("OSError", "no room", "")
    merge_folders([a], c)
    assert JobFolder.of(JOBS[2], c).state == "failed"
    merge_folders([a, b], c)
    assert JobFolder.of(JOBS[2], c).state == "done"
    shutil.rmtree(JobFolder.of(JOBS[2], c).path)
    JobFolder.of(JOBS[2], c).path.mkdir()
    JobFolder.of(JOBS[2], c).checkpoint.write_text("hours of work")
    merge_folders([a], c)
    assert JobFolder.of(JOBS[2], c).state == "unfinished"
    assert JobFolder.of(JOBS[2], c).checkpoint.exists()


def test_a_job_on_its_way_stays_where_it_is(folders: tuple[Path, Path, Path]) -> None:
    a, b, c = folders
    JobFolder.of(JOBS[2], a).path.mkdir()
    assert merge_folders([a], c).unfinished == (JOBS[2].key,)
    assert merge_folders([a, b], c).unfinished == ()


def test_links_are_not_followed(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    a, b, c = folders
    secret = tmp_path / "secret"
    secret.write_text("mine")
    (JobFolder.of(JOBS[2], b).path / "link").symlink_to(secret)
    with pytest.raises(UserError, match="is a link"):
        merge_folders([a, b], c)
    (JobFolder.of(JOBS[2], b).path / "link").unlink()
    (b / "jobs").rename(tmp_path / "elsewhere")
    (b / "jobs").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="is a link"):
        merge_folders([a, b], c)
    c.mkdir(exist_ok=True)
    (c / ".merging").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="leads out"):
        merge_folders([a], c)
    assert (tmp_path / "elsewhere" / JOBS[2].key).is_dir()


def test_a_kill_half_way_leaves_whole_jobs_and_the_same_call_goes_on(
    folders: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = folders
    copied = 0
    of_one_job = max(sum(path.is_file() for path in job.rglob("*")) for job in (a / "jobs").iterdir())

    def failing(source: str, target: str, **options: object) -> None:
        nonlocal copied
        copied += 1
        if copied == of_one_job + 2:
            raise OSError(28, "No space left on device")
        real(source, target, **options)

    real = shutil.copy2
    monkeypatch.setattr(shutil, "copy2", failing)
    with pytest.raises(UserError, match="cannot be written"):
        merge_folders([a, b], c)
    monkeypatch.undo()
    assert {verdict.state for verdict in verify_folder(c)} == {"sound"}
    merge_folders([a, b], c)
    assert len(verify_folder(c)) == 3
    assert not (c / ".merging").exists()


@pytest.mark.parametrize("place", [".", "below", ".."])
def test_a_target_that_would_change_a_source_is_refused(folders: tuple[Path, Path, Path], place: str) -> None:
    a, b, _ = folders
    with pytest.raises(UserError, match="leaves as it is"):
        merge_folders([a, b], a / place)


def test_plans_of_more_seeds_and_of_more_rows_are_joined(folders: tuple[Path, Path, Path]) -> None:
    a, b, c = folders
    write_plan(a, [["k1"], ["k2"]])
    write_plan(b, [["k1", "k3"], ["k2", "k4"], ["k5"]], leaks=["x is y"])
    merge_folders([a, b], c)
    plan = json.loads((c / "runs/table4.json").read_text())
    assert plan["leaks"] == ["x is y"]
    assert plan["seeds"] == [0, 1]
    assert [row["keys"] for row in plan["rows"]] == [["k1", "k3"], ["k2", "k4"], ["k5"]]
    assert plan["jobs"] == ["k1", "k3", "k2", "k4", "k5"]


def test_that_nobody_looked_for_copies_stays_unsaid(folders: tuple[Path, Path, Path]) -> None:
    a, b, c = folders
    for folder in (a, b):
        write_plan(folder, [["k1"]])
    merge_folders([a, b], c)
    assert json.loads((c / "runs/table4.json").read_text())["leaks"] is None


@pytest.mark.parametrize(
    ("keys", "changes", "why"),
    [
        ([["k9"]], {}, "other settings"),
        ([["k1"]], {"scale": "quick"}, "at scale"),
        (
            [["k1"]],
            {"data": {"spec": "x", "name": "y", "fingerprint": "0" * 64, "decoding": "ids"}},
            "run on x and on y",
        ),
        ([["k1"]], {"rows": [{"row": 1, "label": "mine", "method": "watershed", "keys": ["k1"]}]}, "'mine'"),
    ],
)
def test_plans_that_differ_are_refused(
    folders: tuple[Path, Path, Path], keys: list[list[str]], changes: dict, why: str
) -> None:
    a, b, c = folders
    write_plan(a, [["k1"]])
    write_plan(b, keys, **changes)
    with pytest.raises(UserError, match=why):
        merge_folders([a, b], c)
    assert not (c / "jobs").exists()


def test_command(folders: tuple[Path, Path, Path]) -> None:
    a, b, c = folders
    outcome = CliRunner().invoke(app, ["merge", str(a), str(b), "--out", str(c)])
    assert outcome.exit_code == 0, outcome.output
    assert "3 jobs copied, 0 there before" in outcome.output
