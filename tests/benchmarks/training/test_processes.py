"""Processes that train together: what they exchange, and how they end."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import training_members

from benchmarks.errors import UserError
from benchmarks.training.processes import run_processes

TWO = ["cpu", "cpu"]


@pytest.fixture(scope="module")
def met() -> tuple[list[dict], list[tuple], list[str]]:
    """Results of two processes, what they told, and what they logged."""
    told: list[tuple] = []
    logged: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append(record.getMessage())

    listener = Listener()
    logging.getLogger("pctrans_bench").addHandler(listener)
    try:
        results = run_processes(training_members.meet, ("hello",), TWO, lambda *what: told.append(what), threads=3)
    finally:
        logging.getLogger("pctrans_bench").removeHandler(listener)
    return results, told, logged


def test_each_process_gives_its_result_and_is_heard(met: tuple[list[dict], list[tuple], list[str]]) -> None:
    results, told, logged = met
    assert [result["names"] for result in results] == [["process 0", "process 1"]] * 2
    assert {result["device"] for result in results} == {"cpu"}
    assert {result["threads"] for result in results} == {3}
    assert told == [("greeting", "hello")]
    assert sorted(logged) == ["process 0 says hello", "process 1 says hello"]


def test_counts_and_means_are_those_of_the_whole_batch(met: tuple[list[dict], list[tuple], list[str]]) -> None:
    for result in met[0]:
        assert result["count"] == 1.5  # (0 + 3) / 2: the mean of both sums over it is the whole sum over 3
        assert result["no count"] == 0.5  # at least 1 in the whole batch
        assert result["mean"] == 1.5
        assert result["losses"] == {"loss": 2.5}


def test_random_numbers_are_slices_of_the_whole_batch_s(met: tuple[list[dict], list[tuple], list[str]]) -> None:
    torch.manual_seed(7)
    whole, following = torch.rand(4, 3).numpy(), torch.rand(1).item()
    assert np.array_equal(np.concatenate([result["random"] for result in met[0]]), whole)
    assert {result["next random"] for result in met[0]} == {following}


def test_a_gradient_of_one_process_is_one_of_all_and_none_stays_none(
    met: tuple[list[dict], list[tuple], list[str]],
) -> None:
    for result in met[0]:
        assert result["used"] == [0.5, 0.5]
        assert result["unused"] == [None, None]


@pytest.mark.parametrize("name", training_members.LAYERS)
def test_layers_see_the_whole_batch(name: str, met: tuple[list[dict], list[tuple], list[str]]) -> None:
    whole = training_members.through_layers()[name]
    halves = [result["layers"][name] for result in met[0]]
    for key, expected in whole.items():
        if key in ("output", "gradient", "evaluated"):
            actual = np.concatenate([half[key] for half in halves])
            if name == "batch norm without running statistics" and key == "evaluated":
                continue  # of the slice, as only process 0 evaluates
            np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max(), err_msg=key)
        else:
            for half in halves:
                np.testing.assert_allclose(half[key], expected, rtol=1e-4, atol=1e-6, err_msg=key)


def test_the_first_error_is_raised_here() -> None:
    with pytest.raises(UserError, match="has had enough") as caught:
        run_processes(training_members.fail, ("raises",), TWO, told=lambda *_: None)
    assert "training_members.py" in str(caught.value.__cause__)


def test_a_killed_process_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"training process 1.* exit status -9"):
        run_processes(training_members.fail, ("killed",), TWO, told=lambda *_: None)


class Stop(BaseException):
    """Stands for Ctrl-C."""


@pytest.mark.slow
def test_an_interrupt_ends_the_processes() -> None:
    pids: list[int] = []

    def told(name: str, pid: int) -> None:
        pids.append(pid)
        if len(pids) == 2:
            raise Stop

    with pytest.raises(Stop):
        run_processes(training_members.fail, ("waits",), TWO, told)
    assert not any(map(_alive, pids))


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_processes_end_with_their_parent(tmp_path: Path, sent: signal.Signals) -> None:
    listed = tmp_path / "pids"
    command = [sys.executable, training_members.__file__, str(listed)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as parent:  # fmt: skip
        _wait_until(lambda: listed.exists() and len(listed.read_text().split()) == 2)
        pids = [int(pid) for pid in listed.read_text().split()]
        parent.send_signal(sent)
        error = parent.communicate()[1]
    _wait_until(lambda: not any(map(_alive, pids)))
    assert "training process" not in error
    assert error.count("Traceback") == (sent == signal.SIGINT)


def _alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _wait_until(reached: object, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not reached():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.1)
