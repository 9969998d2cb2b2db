"""Jobs for SLURM without a cluster: submitit's executor in this process, and programs that stand in for SLURM's."""

from __future__ import annotations

import json
import os
import pickle
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from results import write_empty_result

from benchmarks.data import open_dataset
from benchmarks.errors import UserError
from benchmarks.files import write_json
from benchmarks.plan.expansion import PlannedJob, expand_table
from benchmarks.plan.job import JobContext
from benchmarks.plan.resolving import make_job
from benchmarks.plan.tables import load_table
from benchmarks.run.execution import Outcome
from benchmarks.run.executors.base import State
from benchmarks.run.executors.ending import ExitStatus
from benchmarks.run.executors.options import SlurmOptions
from benchmarks.run.executors.queue import ASK_SECONDS, FORGOTTEN, SlurmQueue, parse_states
from benchmarks.run.executors.slurm import SETTLE_SECONDS, SlurmExecutor, SlurmJob, check_slurm
from benchmarks.run.executors.task import WorkerTask
from benchmarks.run.scheduler import Scheduler
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.request import write_request

submitit = pytest.importorskip("submitit")


def ignore() -> None:
    pass


DATASET = open_dataset("synthetic-nuclei?size=64&train=1&val=1&test=1")


@dataclass
class Seen:
    ends: dict[str, Outcome] = field(default_factory=dict)

    def look(self, states: Mapping[str, State]) -> None: ...

    def ended(self, planned: PlannedJob, outcome: Outcome) -> None:
        self.ends[planned.job.key] = outcome


@dataclass
class InThisProcess:
    """The queue of submitit's debug executor, which runs a job when it is asked for it."""

    executor: SlurmExecutor | None = None

    def state(self, job_id: str) -> str:
        assert self.executor is not None
        for job in self.executor.submitted:
            if job.job_id == job_id:
                job.results()
        return "COMPLETED"


def test_submitit_runs_a_worker_to_its_result(tmp_path: Path) -> None:
    planned = PlannedJob(1, "floor", make_job("watershed", JobContext.on(DATASET, "smoke"), seed=0))
    queue = InThisProcess()
    notes: list[str] = []
    executor = SlurmExecutor(tmp_path, "cpu", SlurmOptions(), note=notes.append, cluster="debug", queue=queue)
    queue.executor = executor
    seen = Seen()
    moments = iter(range(10**6))
    scheduler = Scheduler(tmp_path, executor, seen, sleep=lambda s: None, clock=lambda: float(next(moments)))
    scheduler.run([planned])
    folder = JobFolder.of(planned.job, tmp_path).path
    assert seen.ends[planned.job.key].status == "done"
    assert json.loads((folder / "result.json").read_text())["label"] == "floor"
    assert JobFolder(folder).log.read_text().endswith("done\n")
    assert "submitted 1 job to SLURM" in notes[0]
    assert json.loads((folder / "slurm.json").read_text())["id"].startswith("DEBUG")


STAND_IN = """
import os, pathlib, signal, sys
print("threads", os.environ["OMP_NUM_THREADS"], *sys.argv[2:], flush=True)
os.kill(os.getpid(), signal.SIGUSR2)  # as a cluster that signals every process of a job
act = (pathlib.Path(sys.argv[1]) / "act").read_text()
if act == "die":
    os.kill(os.getpid(), signal.SIGKILL)
pathlib.Path(sys.argv[1], "ready").touch()
os.read(0, 1)
print("saved", flush=True)
sys.exit(130)
"""


def task(folder: Path, act: str, processes: int = 1, threads: int | None = None) -> WorkerTask:
    (folder / "act").write_text(act)
    return WorkerTask(str(folder), "cpu", processes, threads, (sys.executable, "-c", STAND_IN))


def test_a_task_holds_words_only(tmp_path: Path) -> None:
    one = task(tmp_path, "wait")
    words = {"folder", "device", "processes", "threads", "command", "_worker"}
    assert set(vars(pickle.loads(pickle.dumps(one)))) == words
    assert all(value is None or isinstance(value, str | int | tuple) for value in vars(one).values())


def test_a_task_has_its_job_s_threads_or_the_cores_that_slurm_gave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "6")
    assert task(tmp_path, "die", processes=2, threads=4)() == -signal.SIGKILL
    assert "threads 4 --device cpu --processes 2 --wait" in JobFolder(tmp_path).log.read_text()
    assert task(tmp_path, "die")() == -signal.SIGKILL
    log = JobFolder(tmp_path).log.read_text()
    assert "threads 6 --device cpu --processes 1 --wait" in log
    assert "killed by SIGKILL, often for want of memory" in log


class Requeued(Exception):  # noqa: N818  # what submitit ends its process by is no error
    pass


def test_a_signal_lets_the_worker_save_and_gives_what_goes_on(tmp_path: Path) -> None:
    """As submitit does: the handler asks for the checkpoint and leaves the task."""
    one = task(tmp_path, "wait")

    def handler(number: int, frame: object) -> None:
        if not (tmp_path / "ready").exists():
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            return
        raise Requeued(one.checkpoint())

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Requeued) as caught:
            one()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert JobFolder(tmp_path).log.read_text().splitlines()[-1] == "saved"
    again = pickle.loads(pickle.dumps(caught.value.args[0])).function
    assert vars(again) == {**vars(one), "_worker": None}
    assert one._worker is not None and one._worker.wait() == ExitStatus.STOPPED


class Programs:
    """sbatch, squeue and the like, in a folder on the PATH."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self.folder = folder / "bin"
        self.folder.mkdir()
        monkeypatch.setenv("PATH", f"{self.folder}{os.pathsep}{os.environ['PATH']}")
        self.write("srun", "exit 0")
        self.write("squeue", f"cat {self.folder}/queue")
        self.write("scancel", f"echo $@ > {self.folder}/cancelled; : > {self.folder}/queue")
        self.write("sbatch", f"cat $1 > {self.folder}/script; echo Submitted batch job 42")
        self.queue("")

    def write(self, name: str, command: str) -> None:
        (self.folder / name).write_text(f"#!/bin/sh\n{command}\n")
        (self.folder / name).chmod(0o755)

    def queue(self, text: str) -> None:
        (self.folder / "queue").write_text(text)

    @property
    def script(self) -> list[str]:
        return (self.folder / "script").read_text().splitlines()


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    return Programs(tmp_path, monkeypatch)


@pytest.fixture
def jobs(tmp_path: Path) -> list[PlannedJob]:
    jobs = expand_table(load_table("table4"), JobContext.on(DATASET, "smoke"), seeds=1).jobs[:3]
    for planned in jobs:
        write_request(planned, tmp_path)
    return jobs


def test_what_sbatch_is_told(programs: Programs, jobs: list[PlannedJob], tmp_path: Path) -> None:
    options = SlurmOptions(90, 16, 4, "long", 2, {"account": "lab", "exclusive": ""})
    running = SlurmExecutor(tmp_path, "cuda", options, gpus_per_job=2).submit(jobs, ignore)
    assert [job.id for job in running if isinstance(job, SlurmJob)] == ["42_0", "42_1", "42_2"]
    for line in (
        "--array=0-2%2", "--time=90", "--mem=16GB", "--cpus-per-task=4", "--partition=long", "--gpus-per-node=2",
        "--account=lab", "--exclusive", "--requeue", "--signal=USR2@120", "--open-mode=append",
        "--job-name=pctrans-bench",
    ):  # fmt: skip
        assert f"#SBATCH {line}" in programs.script
    assert "srun" in programs.script[-1] and "--cpus-per-task=4" in programs.script[-1]


def test_little_is_asked_for_where_the_user_asks_for_nothing(
    programs: Programs, jobs: list[PlannedJob], tmp_path: Path
) -> None:
    SlurmExecutor(tmp_path, "cpu", SlurmOptions()).submit(jobs[:1], ignore)
    assert not [line for line in programs.script if "gpu" in line or "mem" in line or "partition" in line]
    assert "#SBATCH --cpus-per-task=1" in programs.script  # a job of this scale has one thread
    assert "#SBATCH --time=240" in programs.script
    SlurmExecutor(tmp_path, "cuda", SlurmOptions(settings={"gres": "gpu:a100:1"})).submit(jobs[:1], ignore)
    assert "#SBATCH --gres=gpu:a100:1" in programs.script
    assert not [line for line in programs.script if "gpus-per-node" in line]


def test_a_node_does_not_look_for_the_worker_in_the_current_folder(
    programs: Programs, jobs: list[PlannedJob], tmp_path: Path
) -> None:
    """Neither does submitit, which imports the task: its Python is asked where a package of the user's has the name."""
    SlurmExecutor(tmp_path, "cpu", SlurmOptions()).submit(jobs, ignore)
    words = shlex.split(programs.script[-1])
    python = words[words.index("env") : words.index("-u")]
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").write_text("raise RuntimeError('imported from the current folder')")
    code = "import benchmarks.run.executors.task as task; print(task.__file__)"
    found = subprocess.run([*python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == sys.modules[WorkerTask.__module__].__file__


def test_what_sbatch_refuses_is_told(programs: Programs, jobs: list[PlannedJob], tmp_path: Path) -> None:
    programs.write("sbatch", "echo sbatch: error: invalid partition specified: lnog >&2; exit 1")
    with pytest.raises(UserError, match="invalid partition specified: lnog"):
        SlurmExecutor(tmp_path, "cpu", SlurmOptions(partition="lnog")).submit(jobs, ignore)


def test_what_is_in_the_queue_is_not_submitted_again(
    programs: Programs, jobs: list[PlannedJob], tmp_path: Path
) -> None:
    for planned, id in zip(jobs, ["7_0", "7_1"], strict=False):
        write_json(JobFolder.of(planned.job, tmp_path).path / "slurm.json", {"id": id})
    programs.queue("7_0|RUNNING\n7_1|FAILED\n")
    notes: list[str] = []
    running = SlurmExecutor(tmp_path, "cpu", SlurmOptions(), note=notes.append).submit(jobs, ignore)
    found = [(job.id, job.ours) for job in running if isinstance(job, SlurmJob)]
    assert found == [("7_0", False), ("42_0", True), ("42_1", True)]
    assert "by an earlier command: 1 job" in notes[0]


def test_stopping_cancels_what_is_ours(
    programs: Programs, jobs: list[PlannedJob], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.run.executors.queue.ASK_SECONDS", 0)
    executor = SlurmExecutor(tmp_path, "cpu", SlurmOptions())
    running = executor.submit(jobs[:2], ignore)
    programs.queue("42_0|RUNNING\n42_1|PENDING\n7_0|RUNNING\n")
    executor.stop([*running, SlurmJob("7_0", JobFolder(tmp_path), SlurmQueue(), ours=False)])
    assert (programs.folder / "cancelled").read_text().split() == ["--quiet", "42_0", "42_1"]


def test_what_slurm_says() -> None:
    assert parse_states("12_3|RUNNING\n 13|PENDING \n\nslurm_load_jobs error\n|X\n") == {
        "12_3": "RUNNING",
        "13": "PENDING",
    }


def test_slurm_is_not_asked_too_often(programs: Programs) -> None:
    now = 0.0
    queue = SlurmQueue(lambda: now)
    programs.queue("5|PENDING\n")
    assert queue.state("5") == "PENDING" and queue.state("6") == FORGOTTEN
    programs.queue("5|RUNNING\n")
    assert queue.state("5") == "PENDING"
    now = ASK_SECONDS
    assert queue.state("5") == "RUNNING"
    programs.write("squeue", "echo controller is away >&2; exit 1")
    now = 2 * ASK_SECONDS
    assert queue.state("5") is None


@dataclass
class Script:
    """A queue that says one thing after the other."""

    says: list[str | None]

    def state(self, job_id: str) -> str | None:
        return self.says.pop(0)


def test_a_job_has_ended_when_slurm_keeps_saying_so(tmp_path: Path) -> None:
    now = 0.0
    queue = Script(["PENDING", "RUNNING", None, "FAILED", "PENDING", "RUNNING", "OUT_OF_MEMORY", "OUT_OF_MEMORY"])
    job = SlurmJob("5", JobFolder(tmp_path), queue, ours=True, clock=lambda: now)
    states: list[State] = []
    for _ in range(6):  # also over a requeue, and a controller that is away
        assert job.poll() is None
        states.append(job.state)
        now += 2
    assert states == ["queued", "running", "running", "running", "queued", "running"]
    assert job.poll() is None
    now += SETTLE_SECONDS
    ending = job.poll()
    assert ending is not None and ending.status is None and "OUT_OF_MEMORY" in ending.why


def test_a_result_needs_no_waiting(tmp_path: Path) -> None:
    write_empty_result(JobFolder(tmp_path))
    assert SlurmJob("5", JobFolder(tmp_path), Script(["COMPLETED"]), ours=True).poll() is not None


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="no sbatch on the PATH"):
        check_slurm()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'pctrans-bench\[slurm\]'"):
        check_slurm()
