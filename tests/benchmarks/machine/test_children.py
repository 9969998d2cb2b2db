"""Processes started from a folder that holds a `benchmarks` package of the user's import the right one."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import training_members

import benchmarks
from benchmarks.machine import children
from benchmarks.machine.children import ROOT, child_environment, environment_for_children, python_for_shell
from benchmarks.measure.scaling.sweep import AXES, _measured
from benchmarks.measure.speed import harness
from benchmarks.run.executors.task import WorkerTask
from benchmarks.tracking import serve_ui
from benchmarks.training.processes import run_processes

DECOYS = ("benchmarks", "studies", "pctrans", "submitit", "mlflow", "multiprocessing")
ASK = "import sys; from importlib import import_module; print(*(import_module(name).__file__ for name in sys.argv[1:]))"
"""A program that says where modules come from."""


@pytest.fixture
def decoys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with packages of its own, none of which can be imported."""
    folder = tmp_path / "decoys"
    for name in DECOYS:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise RuntimeError('imported from the current folder')\n")
    monkeypatch.chdir(folder)
    return folder


def run(command: Sequence[str], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in names}


def test_a_worker_is_not_looked_for_in_the_current_folder(decoys: Path) -> None:
    module = "benchmarks.run.worker"
    command = [sys.executable, "-m", module, "--help"]
    assert "imported from the current folder" in run(command, without("PYTHONSAFEPATH")).stderr
    done = run(command, child_environment(os.environ))
    assert done.returncode == 0 and f"usage: python -m {module}" in done.stdout


def test_a_child_imports_what_its_parent_does_and_what_the_user_has_on_the_path(
    decoys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where another checkout is installed, and with the package that the user's PYTHONPATH leads to."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "users_own.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "own"))
    expected = [benchmarks.__file__, str(tmp_path / "own" / "users_own.py")]
    asked = ["-c", ASK, "benchmarks", "users_own"]
    assert run([sys.executable, *asked], child_environment(os.environ)).stdout.split() == expected
    shell = run(["sh", "-c", f"{python_for_shell()} {shlex.join(asked)}"], without("PYTHONPATH", "PYTHONSAFEPATH"))
    assert shell.stdout.split() == expected


def test_what_a_child_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout comes first, once; an empty entry would be the current folder. An installation adds nothing."""
    assert child_environment({"A": "b"}) == {"A": "b", "PYTHONSAFEPATH": "1", "PYTHONPATH": str(ROOT)}
    assert child_environment({"PYTHONPATH": "x:y"})["PYTHONPATH"] == f"{ROOT}:x:y"
    assert child_environment({"PYTHONPATH": f"x:{ROOT}"})["PYTHONPATH"] == f"{ROOT}:x:{ROOT}"
    assert child_environment(child_environment({})) == child_environment({})
    monkeypatch.setattr(children, "ROOT", tmp_path)
    assert child_environment({}) == {"PYTHONSAFEPATH": "1"}
    assert child_environment({"PYTHONPATH": "x:y"})["PYTHONPATH"] == "x:y"


def test_the_environment_is_as_before_once_a_library_has_started_its_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "x")
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    before = dict(os.environ)
    with environment_for_children():
        assert dict(os.environ) == child_environment(before)
    assert dict(os.environ) == before


def test_processes_that_train_together_start_beside_the_user_s_own_modules(decoys: Path) -> None:
    """multiprocessing itself would be taken from the current folder."""
    (result,) = run_processes(training_members.where, (), ["cpu"], told=lambda *_: None)
    assert result == (benchmarks.__file__, "1")


SAY = "import os; print('safe', os.environ.get('PYTHONSAFEPATH'))"


def test_every_start_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SLURM's tasks, studies, points of a scaling, the speed suite and MLflow's pages; for jobs here see executors."""
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    WorkerTask(str(tmp_path), "cpu", 1, 1, (sys.executable, "-c", SAY))()
    assert "safe 1" in (tmp_path / "output.log").read_text()

    started: list[dict[str, str]] = []

    def spy(command: list[str], *, env: dict[str, str], **_: object) -> SimpleNamespace:
        started.append(env)
        return SimpleNamespace(returncode=0, stdout='{"seconds": [1.0], "added_bytes": 1, "peak_bytes": 1}', stderr="")

    class Pages:
        """Stands for the server that shows them, which ends at once."""

        def __init__(self, command: list[str], *, env: dict[str, str]):
            started.append(env)
            assert "--app-dir" in command[command.index("--uvicorn-opts") + 1]

        def __enter__(self) -> SimpleNamespace:
            return SimpleNamespace(wait=lambda: 0)

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(subprocess, "run", spy)
    _measured(AXES["queries"], 2, "smoke", "cpu")
    harness._command(["--help"])
    (tmp_path / "mlflow.db").touch()
    monkeypatch.setattr(subprocess, "Popen", Pages)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert serve_ui(tmp_path, port=_free_port()) == 0
    assert [env["PYTHONSAFEPATH"] for env in started] == ["1", "1", "1"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
