"""A study in PostgreSQL: two workers, one of them killed. PCTRANS_BENCH_POSTGRES names a server to use instead."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import postgres_server
import pytest
import yaml
from optuna.trial import TrialState
from sqlalchemy import create_engine, make_url, text
from study_commands import PATIENCE, count, start, trials, wait_for, workers_of
from tiny_study import DATA, TINY

SERVER = os.environ.get("PCTRANS_BENCH_POSTGRES")
REASON = None if SERVER else postgres_server.missing()

pytestmark = [pytest.mark.slow, pytest.mark.skipif(REASON is not None, reason=REASON or "")]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    if SERVER:
        yield SERVER
    else:
        with postgres_server.server() as found:
            yield found


def test_two_workers_one_killed_the_study_completes(tmp_path: Path, url: str) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY | {"trials": 6, "seed": 1}))
    out = tmp_path / "out"
    command = start(out, str(path), "--scale", "smoke", "--data", DATA, "--jobs", "2", "--storage", url)
    # A trial runs before the process that is to do its work is there.
    wait_for(lambda: count(trials(out, "tiny", url), TrialState.RUNNING) == 2 and bool(workers_of(command)), out)
    os.kill(workers_of(command)[0], signal.SIGKILL)
    assert command.wait(PATIENCE) == 0, (out / "log").read_text()[-3000:]
    found = trials(out, "tiny", url)
    assert [trial.state for trial in found] == [TrialState.COMPLETE] * 6
    assert sum(trial.user_attrs.get("deaths", 0) for trial in found) == 1
    assert not (out / "studies" / "tiny" / "journal.log").exists()


def test_another_machine_joins_with_a_folder_of_its_own(tmp_path: Path, url: str) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY | {"trials": 6, "seed": 2}))
    options = ("--scale", "smoke", "--data", DATA, "--storage", url)
    outs = [tmp_path / "here", tmp_path / "there"]
    commands = [start(out, str(path), *options) for out in outs]
    for command, out in zip(commands, outs, strict=True):
        assert command.wait(PATIENCE) == 0, (out / "log").read_text()[-3000:]
    found = trials(outs[0], "tiny", url)
    assert [trial.state for trial in found] == [TrialState.COMPLETE] * 6
    jobs = [{path.parent.name for path in out.glob("jobs/*/result.json")} for out in outs]
    assert jobs[0] and jobs[1] and not jobs[0] & jobs[1]
    assert jobs[0] | jobs[1] == {trial.user_attrs["key"] for trial in found}


def test_three_machines_start_on_a_new_database(tmp_path: Path, url: str) -> None:
    """All want to make Optuna's tables, and all to fill the slots."""
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY | {"trials": 3, "seed": 3}))
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("CREATE DATABASE new_studies"))
    new = make_url(url).set(database="new_studies").render_as_string(hide_password=False)
    outs = [tmp_path / name for name in ("a", "b", "c")]
    commands = [start(out, str(path), "--scale", "smoke", "--data", DATA, "--storage", new) for out in outs]
    for command, out in zip(commands, outs, strict=True):
        assert command.wait(PATIENCE) == 0, (out / "log").read_text()[-3000:]
    found = trials(outs[0], "tiny", new)
    assert count(found, TrialState.COMPLETE) == 3
    assert all(trial.user_attrs.get("double") for trial in found if trial.state != TrialState.COMPLETE)
