"""Servers that answer late, byte by byte, or with a time to come back: a run waits so long and no longer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tracked import write_job

from benchmarks.tracking import Tracker
from benchmarks.tracking.deadline import Deadline

BEHAVIOURS = ["trickles", "says 429", "says 503", "is silent"]


def serve(listener: socket.socket, behaviour: str) -> None:
    """Answer until the socket is closed."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=answer, args=(connection, behaviour), daemon=True).start()


def answer(connection: socket.socket, behaviour: str) -> None:
    with connection:
        try:
            connection.recv(65536)
            if behaviour == "trickles":
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
                )
                while True:
                    connection.sendall(b" ")
                    time.sleep(0.1)
            if behaviour == "is silent":
                time.sleep(60)
            status = behaviour.removeprefix("says ")
            connection.sendall(f"HTTP/1.1 {status} Wait\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n".encode())
        except OSError:
            pass


@pytest.fixture(params=BEHAVIOURS)
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        threading.Thread(target=serve, args=(listener, request.param), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def test_a_run_waits_so_long_and_no_longer(tmp_path: Path, server: str, caplog: pytest.LogCaptureFixture) -> None:
    tracker, job = Tracker(tmp_path, server, patience=3.0), write_job(tmp_path, "aaa")
    before = time.monotonic()
    tracker.start_table("table4", {})
    assert not tracker.sync(job) and not tracker.finish_table()
    assert time.monotonic() - before < 6
    assert len(caplog.records) == 1 and "pctrans-bench track" in caplog.text


def test_an_action_that_ends_late_is_waited_for_before_the_next() -> None:
    deadline, end, done = Deadline(0.2), threading.Event(), []
    with pytest.raises(TimeoutError, match="no end after"):
        deadline.run(lambda: done.append(end.wait(30)))
    with pytest.raises(TimeoutError):
        deadline.run(lambda: done.append("second"))
    end.set()
    deadline.run(lambda: done.append("third"))
    assert done == [True, "third"]


@pytest.mark.parametrize("problem", [ValueError("x"), KeyboardInterrupt(), SystemExit(3)])
def test_what_an_action_raises_arrives(problem: BaseException) -> None:
    def act() -> None:
        raise problem

    with pytest.raises(type(problem)) as caught:
        Deadline(5).run(act)
    assert caught.value is problem
