"""Processes that train one model together: started, listened to and ended by the one that wants the result."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.distributed as dist

from benchmarks.machine.children import environment_for_children

GRACE_SECONDS = 5.0
"""For a process to end by itself, before it is killed."""
TIMEOUT = timedelta(days=7)
"""The time that one process waits for another, which may be validating. A death is noticed at once, by its pipe."""

Tell = Callable[..., None]
"""Sends a name and picklable arguments to the process that started this one."""


class _RemoteTraceback(Exception):  # noqa: N818  # no error of its own, but where the cause of one was raised
    pass


@dataclass(frozen=True)
class _Failure:
    """Why a process gave no result.

    Attributes:
        when: in seconds of the machine's monotonic clock.
        traceback: of the error; None where the process died without a word.
    """

    error: Exception
    when: float
    traceback: str | None


@dataclass(frozen=True)
class _Member:
    rank: int
    process: SpawnProcess
    pipe: Connection


@dataclass(frozen=True)
class _Place:
    """A process' place in the group: what it needs to join the others."""

    rank: int
    world_size: int
    device: str
    threads: int
    meeting: Path


def run_processes(
    work: Callable[..., Any],
    arguments: Sequence[Any],
    devices: Sequence[str],
    told: Callable[..., None],
    threads: int | None = None,
) -> list[Any]:
    """Call `work(device, tell, *arguments)` in a process for each device; together they are a process group.

    The processes end with this one, however it ends. Their log records are handled here.

    Args:
        work: a function of a module, for a fresh interpreter to import it.
        arguments: picklable.
        devices: names of torch devices, "cpu" as often as wanted; NCCL connects GPUs, Gloo the rest.
        told: is called here with what `tell` was called with there.
        threads: that each computes with on the CPU; None divides those of this process.

    Returns:
        The results, in the order of the devices.

    Raises:
        RuntimeError: a process was killed.
        Exception: what the first process to fail raised.
    """
    threads = threads or max(1, torch.get_num_threads() // len(devices))
    members: list[_Member] = []
    with TemporaryDirectory(prefix="pctrans-bench-") as folder:
        try:
            for rank, device in enumerate(devices):
                place = _Place(rank, len(devices), device, threads, Path(folder) / "meeting")
                members.append(_start(place, work, arguments))
            results = _results(members, told)
            for member in members:
                member.process.join(GRACE_SECONDS)
            return results
        finally:
            _end(members)


def _start(place: _Place, work: Callable[..., Any], arguments: Sequence[Any]) -> _Member:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=_run_member, args=(place, theirs, work, arguments), name=f"training process {place.rank}", daemon=True
    )
    with _interrupts_blocked(), environment_for_children():
        process.start()
    theirs.close()  # so that the pipe ends with the process
    return _Member(place.rank, process, ours)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """A process started meanwhile never sees Ctrl-C, which a terminal sends to all: its parent ends it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _results(members: Sequence[_Member], told: Callable[..., None]) -> list[Any]:
    """Listen until every process has a result, or one failed and the others have had time to say why they did."""
    results: dict[int, Any] = {}
    failures: list[_Failure] = []
    pipes = {member.pipe: member for member in members}
    deadline: float | None = None
    while pipes and (deadline is None or time.monotonic() < deadline):
        for ready in wait(list(pipes), timeout=None if deadline is None else deadline - time.monotonic()):
            member = pipes[ready]  # type: ignore[index]
            kind, *content = _received(member)
            if kind == "told":
                told(*content)
                continue
            if kind == "log":
                logging.getLogger(content[0].name).handle(content[0])
                continue
            del pipes[member.pipe]
            if kind == "result":
                results[member.rank] = content[0]
            else:
                failures.append(content[0])
                deadline = deadline or time.monotonic() + GRACE_SECONDS
    if failures:
        _raise(failures)
    return [results[member.rank] for member in members]


def _received(member: _Member) -> tuple[Any, ...]:
    try:
        return member.pipe.recv()
    except (EOFError, OSError):  # between two messages, or inside one
        member.process.join(GRACE_SECONDS)
        error = RuntimeError(
            f"the {member.process.name}, of those that train this job together, ended with exit status "
            f"{member.process.exitcode}; a negative one is the signal that killed it, -9 often for want of memory."
        )
        return "failure", _Failure(error, time.monotonic(), None)


def _raise(failures: Sequence[_Failure]) -> None:
    """The first failure is the cause; but where a process was killed, the others only say that they lost it."""
    cause = min(failures, key=lambda failure: (failure.traceback is not None, failure.when))
    raise cause.error from (_RemoteTraceback(f"\n{cause.traceback}") if cause.traceback else None)


def _end(members: Sequence[_Member]) -> None:
    for member in members:
        member.process.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    for member in members:
        member.process.join(max(0.0, deadline - time.monotonic()))
        member.process.kill()  # one that waits for another cannot be asked
        member.process.join()
        member.pipe.close()


def _run_member(place: _Place, pipe: Connection, work: Callable[..., Any], arguments: Sequence[Any]) -> None:
    """Run one process from its start to its end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # half-written files are tidied up
    threading.Thread(target=_follow_parent, daemon=True).start()
    lock = threading.Lock()

    def send(*message: Any) -> None:
        with lock:
            pipe.send(message)

    logging.getLogger().addHandler(_Relay(send))
    try:
        torch.set_num_threads(place.threads)
        with _process_group(place):
            result = work(place.device, lambda *message: send("told", *message), *arguments)
        send("result", result)
    except Exception as error:
        send("failure", _Failure(_picklable(error), time.monotonic(), traceback.format_exc()))
        sys.exit(1)


def _follow_parent() -> None:
    """End with the parent, even if it was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)  # a process that waits for another does not see signals


class _Relay(QueueHandler):
    """Log records go to the parent, which knows where they belong."""

    def __init__(self, send: Callable[..., None]):
        super().__init__(queue=None)  # type: ignore[arg-type]
        self.send = send

    def enqueue(self, record: logging.LogRecord) -> None:
        self.send("log", record)


@contextmanager
def _process_group(place: _Place) -> Iterator[None]:
    backend = "gloo"
    if place.device.startswith("cuda"):
        torch.cuda.set_device(place.device)
        backend = "cpu:gloo,cuda:nccl"
    elif sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # the host's own name may not lead anywhere
    store = dist.FileStore(str(place.meeting), place.world_size)
    dist.init_process_group(backend, store=store, rank=place.rank, world_size=place.world_size, timeout=TIMEOUT)
    yield
    # Who is done first waits: a connection that ends early is an error to the others. After an error nobody waits.
    dist.all_reduce(torch.zeros(1))
    dist.destroy_process_group()


def _picklable(error: Exception) -> Exception:
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:  # whatever a foreign class does
        return RuntimeError(f"{type(error).__name__}: {error}")
