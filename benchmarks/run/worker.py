"""A process that runs one job: `python -m benchmarks.run.worker OUT/jobs/KEY`; the job is in request.json there.

Whoever started it holds the other end of its standard input. When that closes, because an end is wanted or because the
other has died, the worker saves a checkpoint at the next iteration, or stops after the next image, and ends.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.run.executors.ending import STOP_SECONDS, ExitStatus
from benchmarks.training.watcher import StopRequested, Watcher

if TYPE_CHECKING:
    from benchmarks.run.execution import Outcome
    from benchmarks.store.progress import JobProgress

LOG_SECONDS = 30.0
BUSY_SECONDS = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns an `ExitStatus`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run.worker")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--processes", type=int, default=1, help="that train together")
    parser.add_argument("--wait", action="store_true", help="while another process runs the job")
    options = parser.parse_args(arguments)
    stop = threading.Event()
    threading.Thread(target=_follow_input, args=(stop, options.processes > 1), daemon=True).start()
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    try:
        outcome = _run(options, stop)
    except (StopRequested, KeyboardInterrupt) as end:
        print(f"stopped {end}".strip(), flush=True)
        return ExitStatus.STOPPED
    print(f"{outcome.status}{f': {outcome.error}' if outcome.error else ''}", flush=True)
    return ExitStatus[outcome.status.upper()]


def _run(options: argparse.Namespace, stop: threading.Event) -> Outcome:
    import torch

    from benchmarks.run.planned import OpenDatasets, run_planned
    from benchmarks.store.job_folder import JobFolder
    from benchmarks.store.pace import Throttle
    from benchmarks.store.request import read_request

    folder = JobFolder(options.folder)
    planned = read_request(folder)
    threads = planned.job.training.threads or torch.get_num_threads()
    print(
        f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} {planned.label}, seed {planned.job.seed}: process {os.getpid()} on "
        f"{os.uname().nodename}, {options.device}, {threads} threads",
        flush=True,
    )
    say = Throttle(LOG_SECONDS)

    def told(progress: JobProgress) -> None:
        say(lambda: print(progress.describe(), flush=True))

    def after_image(done: int, images: int) -> None:
        if stop.is_set():
            raise StopRequested(f"after image {done}")

    watcher = Watcher(prediction=after_image, scoring=after_image, choosing=after_image, stopping=stop.is_set)
    datasets, out = OpenDatasets(), folder.out
    while not stop.is_set():
        outcome = run_planned(planned, datasets, out, options.device, watcher, processes=options.processes, say=told)
        if outcome.status != "busy" or not options.wait:
            return outcome
        stop.wait(BUSY_SECONDS)
    raise StopRequested


def _follow_input(stop: threading.Event, several: bool) -> None:
    """Wait for the end of standard input, ask for an end, and force it in time."""
    while os.read(0, 4096):  # sys.stdin has a lock, which this thread would hold when the interpreter ends
        pass
    stop.set()
    if several:  # the process that waits for those that train is at no safe point, and needs none
        os.kill(os.getpid(), signal.SIGINT)
    time.sleep(STOP_SECONDS)
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)  # with the processes that train together
    os._exit(ExitStatus.STOPPED)


if __name__ == "__main__":
    sys.exit(main())
