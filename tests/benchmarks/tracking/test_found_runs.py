"""Runs are found again: nothing is there twice and nothing is lost, whatever happened in between."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from tracked import TABLE, artifacts, history, only_run, runs, write_job

from benchmarks.tracking import Note, Tracker, TrackReport, connection, send_all, sending

NOTE = Note({"optuna.trial": "4", "optuna.state": "pruned"}, {"study/pq": 0.5}, "KILLED")


class KilledError(BaseException):
    """The process ends here."""


class Requests:
    """Stands between a tracker and MLflow's client: counts requests, and ends the process after some of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        self.last: int | None = None
        real = connection.connect

        def connect(*arguments: Any) -> tuple[Any, str]:
            client, experiment = real(*arguments)
            return Watched(client, self), experiment

        monkeypatch.setattr(connection, "connect", connect)


class Watched:
    def __init__(self, client: MlflowClient, requests: Requests) -> None:
        self._client, self._requests = client, requests

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def request(*arguments: Any, **keywords: Any) -> Any:
            answer = getattr(self._client, name)(*arguments, **keywords)
            self._requests.names.append(name)
            if len(self._requests.names) == self._requests.last:
                raise KilledError
            return answer

        return request


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Requests:
    return Requests(monkeypatch)


def in_table(out: Path, uri: str | None = None) -> Tracker:
    """What a new process makes first."""
    tracker = Tracker(out, uri)
    tracker.enter_table("table4", TABLE)
    return tracker


def killed_after_each_request(requests: Requests, act: Callable[[int], object]) -> int:
    """Call `act` with 1, 2, ... and end it after so many requests, until it needs no more; return how many it made."""
    for last in count(1):
        requests.names, requests.last = [], last
        try:
            act(last)
        except KilledError:
            continue
        finally:
            requests.last = None
        return last - 1
    raise AssertionError


def test_a_job_cut_off_after_any_request_arrives_whole_and_once(
    out: Path, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No request that was answered is noted anywhere when the process ends."""
    monkeypatch.setattr(sending, "METRICS_PER_REQUEST", 5)  # which is no multiple of the points of an iteration
    cut = killed_after_each_request(requests, lambda last: in_table(out).sync(write_job(out, f"job{last}")))
    assert cut > 15 and requests.names.count("log_batch") > 5
    for number in range(1, cut + 1):
        assert in_table(out).sync(out / "jobs" / f"job{number}")
        assert in_table(out).deliver(out / "jobs" / f"job{number}") == "present"
    only_run(out, table=True)
    found = {run.data.tags["pctrans_bench.key"]: run for run in runs(out, table=False)}
    assert len(runs(out, table=False)) == len(found) == cut + 1
    for run in found.values():
        assert history(out, run, "train/loss") == [(k, 1 / (k + 1)) for k in range(5)]
        assert history(out, run, "validation/pq") == [(2, 0.4), (4, 0.6)]
        assert history(out, run, "test/pq") == [(0, 0.7)]
        assert run.data.params["training.option_149"] == "149" and run.info.status == "FINISHED"
        assert artifacts(out, run) == {"job.json", "environment.json", "metrics.csv", "result.json", "overlays"}


def test_what_is_no_job_is_told_once_whenever_it_was_cut_off(out: Path, requests: Requests) -> None:
    def tell(number: int) -> bool:
        note = Note(NOTE.tags | {"optuna.trial": str(number)}, NOTE.metrics, NOTE.status)
        return in_table(out).tell_child(f"trial {number}", {"rate": "1"}, note, identity="optuna.trial")

    cut = killed_after_each_request(requests, tell)
    assert cut >= 5
    for number in range(1, cut + 1):
        assert tell(number)
    children = runs(out, table=False)
    assert len(children) == cut + 1
    for child in children:
        assert child.info.status == "KILLED" and child.data.params == {"rate": "1"}
        assert history(out, child, "study/pq") == [(0, 0.5)]


def test_a_look_at_a_job_that_has_not_changed_asks_nothing(out: Path, requests: Requests) -> None:
    tracker, job = in_table(out), write_job(out, "aaa", ended=None)
    assert tracker.deliver(job) == "sent"
    for look in (tracker, in_table(out)):
        look.sync(job)
        requests.names.clear()
        assert look.deliver(job) == "present" and requests.names == []
    write_job(out, "aaa", iterations=7, ended=None)
    assert tracker.deliver(job) == "sent" and requests.names == ["log_batch"]


def test_two_processes_that_tell_of_one_job_tell_it_once(out: Path) -> None:
    """Each remembers what MLflow had when it looked: some points are sent by both."""
    first, second = in_table(out), in_table(out)
    for iterations in (3, 6):
        job = write_job(out, "aaa", iterations=iterations, ended=None)
        assert first.deliver(job) == "sent"
        second.deliver(job)
    job = write_job(out, "aaa", iterations=8)
    assert second.deliver(job) == first.deliver(job) == "sent"
    run = only_run(out)
    assert history(out, run, "train/loss") == [(k, 1 / (k + 1)) for k in range(8)]
    assert history(out, run, "test/pq") == [(0, 0.7)] and run.info.end_time == 1767323645000


def test_a_run_that_was_deleted_is_made_again(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = write_job(out, "aaa", ended=None)
    tracker = in_table(out)
    assert tracker.sync(job)
    client = MlflowClient(f"sqlite:///{out / 'mlflow.db'}")
    client.delete_run(only_run(out).info.run_id)
    assert in_table(out).deliver(job) == "sent"
    assert len(history(out, only_run(out), "train/loss")) == 5

    client.delete_run(only_run(out).info.run_id)
    client.delete_run(only_run(out, table=True).info.run_id)
    monkeypatch.setattr(connection, "RETRY_AFTER", 0.0)
    write_job(out, "aaa")
    assert tracker.deliver(job) == "failed", "the process still knows the runs"
    assert tracker.deliver(job) == "sent"
    assert only_run(out).data.tags["mlflow.parentRunId"] == only_run(out, table=True).info.run_id
    assert len(history(out, only_run(out), "train/loss")) == 5


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_folder_that_was_moved_keeps_its_runs(tmp_path: Path, empty_database: Path, elsewhere: bool) -> None:
    """With the database in it, and with a store of several folders."""
    out, moved = tmp_path / "before", tmp_path / "after"
    store = tmp_path if elsewhere else out
    out.mkdir()
    shutil.copy(empty_database, store / "mlflow.db")
    done, half = write_job(out, "aaa"), write_job(out, "bbb", ended=None)
    tracker = in_table(out, f"sqlite:///{store / 'mlflow.db'}")
    assert tracker.sync(done) and tracker.sync(half)
    out.rename(moved)
    store = tmp_path if elsewhere else moved
    again = in_table(moved, f"sqlite:///{store / 'mlflow.db'}")
    assert again.deliver(moved / "jobs" / "aaa") == "present"
    assert again.deliver(moved / "jobs" / "bbb") == "present"
    assert again.deliver(write_job(moved, "bbb", iterations=7)) == "sent"
    assert len(runs(store, table=True)) == 1 and len(runs(store, table=False)) == 2
    assert {len(history(store, run, "train/loss")) for run in runs(store, table=False)} == {5, 7}


def test_two_folders_that_send_to_one_store_share_no_runs(out: Path) -> None:
    uri = f"sqlite:///{out / 'mlflow.db'}"
    for name in ("one", "two"):
        assert in_table(out / name, uri).deliver(write_job(out / name, "aaa")) == "sent"
        assert Tracker(out / name, uri).deliver(write_job(out / name, "bbb")) == "sent"
    assert len(runs(out, table=True)) == 2 and len(runs(out, table=False)) == 4
    # One of them may hold the database. It adopts runs that name no folder, but not those of others.
    assert in_table(out).deliver(write_job(out, "aaa")) == "sent"
    assert len(runs(out, table=True)) == 3 and len(runs(out, table=False)) == 5


@pytest.mark.parametrize(
    "tracking", ["nonsense", "[]", '{"id": 5}', '{"table4": {"parameters": {}, "runs": {"x": "y"}}}']
)
def test_a_folder_of_before_keeps_its_runs(out: Path, tracking: str) -> None:
    """Its runs name no folder; lists of what was sent lie in it and in its jobs."""
    jobs = [write_job(out, "aaa"), write_job(out, "bbb", ended=None), write_job(out, "ccc", ended="error")]
    tracker = in_table(out)
    assert all(tracker.sync(job) for job in jobs)
    tracker.tell_child("trial 4", {}, NOTE, identity="optuna.trial")
    assert tracker.annotate(jobs[1], NOTE)
    client = MlflowClient(f"sqlite:///{out / 'mlflow.db'}")
    for run in [*runs(out, table=True), *runs(out, table=False)]:
        for tag in ("pctrans_bench.results", "pctrans_bench.status"):
            if tag in run.data.tags:
                client.delete_tag(run.info.run_id, tag)
    for folder in (out, *jobs):
        (folder / "tracking.json").write_text(tracking)

    later = in_table(out)
    assert [later.deliver(job) for job in jobs] == ["present"] * 3
    later.tell_child("trial 4", {}, NOTE, identity="optuna.trial")
    assert later.deliver(write_job(out, "bbb", iterations=7)) == "sent"
    only_run(out, table=True)
    assert len(runs(out, table=False)) == 4
    assert in_table(out).deliver(jobs[1]) == "present"
    assert list(json.loads((out / "tracking.json").read_text())) == ["id"]


def test_what_a_study_ended_stays_so_until_its_job_ends(out: Path) -> None:
    job = write_job(out, "aaa", ended=None)
    tracker = in_table(out)
    assert tracker.annotate(job, NOTE)
    for status in ("KILLED", "FAILED", "FINISHED"):
        assert in_table(out).annotate(job, Note(NOTE.tags, {}, status))  # type: ignore[arg-type]
        assert in_table(out).deliver(job) == "present" and only_run(out).info.status == status
    assert in_table(out).deliver(write_job(out, "aaa", ended="error")) == "sent"
    assert only_run(out).info.status == "FAILED" and "error.json" in artifacts(out, only_run(out))
    (job / "error.json").unlink()
    assert in_table(out).deliver(job) == "sent" and only_run(out).info.status == "RUNNING"
    assert in_table(out).deliver(write_job(out, "aaa")) == "sent"
    assert only_run(out).data.metrics["test/pq"] == 0.7


def test_a_job_below_a_study_is_not_sent_again_by_itself(out: Path) -> None:
    tracker = Tracker(out)
    tracker.start_table("study tiny", {"trials": 3})
    assert tracker.sync(write_job(out, "aaa", ended=None))
    assert send_all(out) == TrackReport(sent=0, present=1, failed=0)
    write_job(out, "aaa")
    assert send_all(out) == TrackReport(sent=1, present=0, failed=0)
    assert only_run(out).info.status == "FINISHED"
    assert in_table(out).deliver(out / "jobs" / "aaa") == "sent", "below a table it has a run of its own"
    assert len(runs(out, table=False)) == 2
