"""Options, progress, shares of a machine, and processes that stand in for workers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.cli.display import JobsDisplay, forecast
from benchmarks.cli.executor_choice import ExecutorChoice, ExecutorName
from benchmarks.cli.job_runner import choose_job_device, jobs_at_a_time, make_executor, summarise
from benchmarks.data import open_dataset
from benchmarks.errors import UserError
from benchmarks.files import write_json
from benchmarks.machine.devices import THREADS, device_groups, jobs_that_fit, share_of_threads
from benchmarks.plan.expansion import PlannedJob, expand_table
from benchmarks.plan.job import JobContext
from benchmarks.plan.tables import load_table
from benchmarks.run.execution import Outcome
from benchmarks.run.executors.ending import Ending, describe_status
from benchmarks.run.executors.local import LocalExecutor, LocalJob
from benchmarks.run.executors.options import ExecutorOptions, SlurmOptions, parse_minutes, parse_settings
from benchmarks.run.planned import OpenDatasets
from benchmarks.run.recording import recorded
from benchmarks.run.scheduler import judge, unique_jobs
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.pace import Rate, Throttle, duration
from benchmarks.store.progress import JobProgress, read_progress
from benchmarks.store.request import read_request, write_request
from benchmarks.training.watcher import Watcher

SPEC = "synthetic-nuclei?size=64&train=1&val=1&test=1"


@pytest.fixture(scope="module")
def jobs() -> list[PlannedJob]:
    return expand_table(load_table("table4"), JobContext.on(open_dataset(SPEC), scale="smoke"), seeds=2).jobs[:6]


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("90", 90), ("90:30", 91), ("8:00:00", 480), ("0:0:1", 1), ("2-0", 2880), ("1-12:30", 2190), ("1-0:0:30", 1441)],
)
def test_times_as_sbatch_takes_them(text: str, minutes: int) -> None:
    assert parse_minutes(text) == minutes


@pytest.mark.parametrize("text", ["", "8h", "-1", "1:2:3:4", "1-", "0", "1.5", "1-2:3:4:5"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--slurm-time"):
        parse_minutes(text)


def test_settings_of_sbatch() -> None:
    assert parse_settings(["account=lab", "--mail_user=me@x", "exclusive"]) == {
        "account": "lab",
        "mail-user": "me@x",
        "exclusive": "",
    }
    for bad, message in [
        ("time=3", "--slurm-time"),
        ("cpus_per_task=3", "--slurm-cpus"),
        ("output=x", "cannot be changed"),
        ("qos=", "name=value"),
        ("a b=c", "name=value"),
        ("qos=long\n#SBATCH --uid=0", "name=value"),
    ]:
        with pytest.raises(UserError, match=message):
            parse_settings([bad])


def test_options_of_one_executor_are_not_given_to_the_other() -> None:
    assert ExecutorChoice(jobs=3, gpus_per_job=2).options() == ExecutorOptions(3, 2)
    slurm = ExecutorChoice(ExecutorName.slurm, slurm_time="60", max_parallel=4, slurm_memory=8).options().slurm
    assert slurm == SlurmOptions(minutes=60, memory_gib=8, max_parallel=4)
    with pytest.raises(UserError, match="--slurm-time is for --executor slurm"):
        ExecutorChoice(slurm_time="60").options()
    assert ExecutorChoice(jobs_per_gpu=4).options() == ExecutorOptions(jobs_per_gpu=4)
    with pytest.raises(UserError, match="--jobs-per-gpu is for this machine"):
        ExecutorChoice(ExecutorName.slurm, jobs_per_gpu=4).options()
    with pytest.raises(UserError, match="--max-parallel 2"):
        ExecutorChoice(ExecutorName.slurm, jobs=2).options()


def test_the_device_of_a_cluster_has_to_be_said() -> None:
    assert choose_job_device("cuda", ExecutorOptions(slurm=SlurmOptions())) == "cuda"
    with pytest.raises(UserError, match="--device cuda or --device cpu"):
        choose_job_device("auto", ExecutorOptions(slurm=SlurmOptions()))
    assert choose_job_device("cpu", ExecutorOptions()) == "cpu"


def test_the_precision_of_a_clusters_accelerator_has_to_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    dataset, table = open_dataset(SPEC), load_table("table4")
    with pytest.raises(UserError, match=r"training\.precision=bfloat16"):
        expand_table(table, JobContext.on(dataset, scale="smoke", device="cuda"), seeds=1)
    stated = {"training": {"precision": "bfloat16"}}
    plan = expand_table(table, JobContext.on(dataset, scale="smoke", device="cuda"), seeds=1, overrides=stated)
    assert plan.jobs[0].job.training.precision == "bfloat16"


def test_shares_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.machine.devices.cores", lambda: 12)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [share_of_threads(n) for n in (1, 4, 5, 100)] == [12, 3, 2, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert [share_of_threads(n) for n in (1, 4, 12)] == [2, 2, 1]


@pytest.mark.parametrize(
    ("gib", "threads", "jobs"),
    [(64, 2, 6), (64, 5, 2), (64, 16, 1), (10, 2, 3), (1, 2, 1), (None, 1, 12)],
)
def test_as_many_jobs_as_cores_and_memory_allow(
    monkeypatch: pytest.MonkeyPatch, gib: int | None, threads: int, jobs: int
) -> None:
    monkeypatch.setattr("benchmarks.machine.devices.cores", lambda: 12)
    free = gib * 2**30 if gib else None
    monkeypatch.setattr("benchmarks.machine.devices.free_memory_bytes", lambda: free)
    assert jobs_that_fit(threads) == jobs


def test_how_many_at_a_time_where_the_user_does_not_say(
    jobs: list[PlannedJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.machine.devices.cores", lambda: 4)
    monkeypatch.setattr("benchmarks.machine.devices.free_memory_bytes", lambda: 2**40)
    assert jobs_at_a_time(jobs, ExecutorOptions()) == 4
    assert jobs_at_a_time(jobs[:1], ExecutorOptions()) == 1  # in this process
    assert jobs_at_a_time(jobs, ExecutorOptions(gpus_per_job=2)) == 2  # processes of a job have its threads each
    assert jobs_at_a_time(jobs, ExecutorOptions(jobs=3)) == 3
    assert jobs_at_a_time([], ExecutorOptions()) == 1
    assert jobs_at_a_time([with_threads(one, None) for one in jobs], ExecutorOptions()) == 1  # of an accelerator
    assert jobs_at_a_time([with_threads(one, None) for one in jobs], ExecutorOptions(jobs_per_gpu=3)) == 3
    assert jobs_at_a_time([with_threads(jobs[0], 2), jobs[1]], ExecutorOptions()) == 2


def with_threads(planned: PlannedJob, threads: int | None) -> PlannedJob:
    training = planned.job.training.model_copy(update={"threads": threads})
    return replace(planned, job=planned.job.model_copy(update={"training": training}))


def test_one_accelerator_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,GPU-7f,9,2")
    assert device_groups("cuda", 1, 3) == [("4",), ("5",), ("GPU-7f",)]
    assert device_groups("cuda", 2, 3) == [("4", "5"), ("GPU-7f", "9")]
    assert device_groups("cpu", 2, 3) == [(), (), ()]
    assert device_groups("cuda", 2, 9, sharing=2) == [("4", "5"), ("GPU-7f", "9")] * 2
    assert device_groups("cuda", 1, 6, sharing=2) == [("4",), ("5",), ("GPU-7f",), ("9",), ("2",), ("4",)]
    with pytest.raises(UserError, match="5 are visible"):
        device_groups("cuda", 6, 1)
    with pytest.raises(UserError, match="one device for 2 jobs"):
        device_groups("cuda:1", 1, 2)


def test_rates_and_times() -> None:
    now = 0.0
    rate = Rate(lambda: now)
    rate.update(10)
    assert rate.value is None and rate.seconds(5) is None
    now = 2.0
    rate.update(20)
    assert rate.value == 5 and rate.seconds(50) == 10
    rate.restart()
    now = 100.0
    rate.update(21)
    assert rate.value == 5
    now = 101.0
    rate.update(22)
    assert rate.value == 1
    assert [duration(seconds) for seconds in (None, 3, 600, 9000)] == ["?", "3 s", "10 min", "2.5 h"]


def test_now_and_then() -> None:
    now, calls = 0.0, []
    call = Throttle(10, lambda: now)
    for now in (1.0, 9.0, 10.0, 15.0, 21.0):  # noqa: B007  # the clock reads it
        call(lambda: calls.append(1))
    assert len(calls) == 2


def test_progress_is_written_read_and_handed_on(tmp_path: Path) -> None:
    told: list[tuple[object, ...]] = []
    lines: list[str] = []
    inner = Watcher(training=lambda *a: told.append(a), prediction=lambda *a: told.append(a), stopping=lambda: True)
    watcher = recorded(JobFolder(tmp_path), 600, inner, lambda progress: lines.append(progress.describe()))
    assert read_progress(JobFolder(tmp_path)) is None
    watcher.training(20, {"loss": 3.0, "mask": 2.0, "point": 1.0}, 1e-3)
    first = read_progress(JobFolder(tmp_path))
    assert first == JobProgress(phase="training", done=20, total=600, losses={"loss": 3, "mask": 2, "point": 1})
    watcher.prediction(1, 4)
    assert read_progress(JobFolder(tmp_path)) == JobProgress(phase="testing", done=1, total=4)
    assert told == [(20, {"loss": 3.0, "mask": 2.0, "point": 1.0}, 1e-3), (1, 4)] and watcher.stopping()
    assert "20/600" in lines[0] and "mask 2.00" in lines[0] and "1/4" in lines[1]


@pytest.mark.parametrize("text", ["", "[]", '{"phase": "dancing"}', '{"phase": "testing", "done": -1, "total": 3}'])
def test_a_damaged_progress_is_none(tmp_path: Path, text: str) -> None:
    JobFolder(tmp_path).progress.write_text(text)
    assert read_progress(JobFolder(tmp_path)) is None


def test_seconds_left() -> None:
    assert JobProgress(phase="training", done=100, total=600, rate=2.5).seconds_left == 200
    assert JobProgress(phase="training", done=100, total=600).seconds_left is None


def test_a_request_is_the_job(jobs: list[PlannedJob], tmp_path: Path) -> None:
    folder = write_request(jobs[3], tmp_path)
    assert read_request(folder) == jobs[3]
    content = json.loads(folder.request.read_text())
    content["job"]["seed"] = 77
    write_json(folder.request, content)
    with pytest.raises(UserError, match="another version"):
        read_request(folder)
    folder.request.write_text("{}")
    with pytest.raises(UserError, match="expected the request"):
        read_request(folder)


def test_data_that_changed_are_refused(jobs: list[PlannedJob]) -> None:
    datasets = OpenDatasets()
    assert datasets.of(jobs[0].job) is datasets.of(jobs[1].job)
    changed = jobs[0].job.data.model_copy(update={"fingerprint": "0" * 64})
    with pytest.raises(UserError, match="have changed since"):
        datasets.of(jobs[0].job.model_copy(update={"data": changed}))


def test_a_job_of_two_tables_is_one(jobs: list[PlannedJob]) -> None:
    twin = PlannedJob(7, "elsewhere called so", jobs[1].job)
    assert unique_jobs([*jobs[:3], twin, jobs[4]]) == [*jobs[:3], jobs[4]]


def test_how_a_process_ended(tmp_path: Path) -> None:
    assert describe_status(-9) == "the process was killed by SIGKILL, often for want of memory"
    assert describe_status(-15) == "the process was killed by SIGTERM"
    assert describe_status(3) == "the process ended with exit status 3"
    folder = JobFolder(tmp_path)
    assert folder.last_output() == ""
    folder.log.write_bytes(b"x" * 100_000 + b"\nbad \xff\nlast\n")
    assert folder.last_output().splitlines()[1:] == ["bad \ufffd", "last"]


def test_forecast() -> None:
    assert forecast([(0.0, None)], 5, [], 2) is None
    assert forecast([(10.0, 50.0)], 0, [], 2) == 50  # the longest that runs
    assert forecast([(10.0, 50.0), (30.0, 30.0)], 4, [], 2) == (50 + 30 + 4 * 60) / 2
    assert forecast([(5.0, None)], 0, [20.0], 1) == 15
    assert forecast([(50.0, None)], 0, [20.0], 1) == 0


def test_the_table_shows_all_jobs_and_what_is_left(jobs: list[PlannedJob], tmp_path: Path) -> None:
    console = Console(width=120, height=40, force_terminal=False, record=True)
    table = JobsDisplay(console, jobs, tmp_path, lambda folder: None, 2)
    keys = [planned.job.key for planned in jobs]
    write_json_progress(tmp_path / "jobs" / keys[0], "training", 40, 600)
    write_json_progress(tmp_path / "jobs" / keys[1], "testing", 3, 15)
    table._look.seconds = 0
    table.look(dict(zip(keys, ["running", "running", "elsewhere", "failed", "waiting", "done"], strict=True)))
    console.print(table.render())
    text = console.export_text()
    for piece in ("40/600", "4.20", "2.00", "5 min", "testing 3/15", "runs elsewhere", "failed", "waiting", "done"):
        assert piece in text
    assert "6 jobs: 2 running, 1 runs elsewhere, 1 failed, 1 waiting, 1 done; about" in text


def test_a_table_higher_than_the_terminal_shows_what_runs(jobs: list[PlannedJob], tmp_path: Path) -> None:
    console = Console(width=120, height=8, force_terminal=False, record=True)
    table = JobsDisplay(console, jobs, tmp_path, lambda folder: None, 2)
    keys = [planned.job.key for planned in jobs]
    table.look(dict(zip(keys, ["done", "done", "done", "running", "failed", "waiting"], strict=True)))
    console.print(table.render())
    text = console.export_text()
    assert "4/6" in text and "5/6" in text and "1/6" not in text and "… and 1 waiting, 3 done" in text


def write_json_progress(folder: Path, phase: str, done: int, total: int) -> None:
    write_json(
        JobFolder(folder).progress, {"phase": phase, "done": done, "total": total, "rate": 2.0, "losses": {"loss": 4.2}}
    )


def test_the_summary_says_what_failed_and_where(jobs: list[PlannedJob], tmp_path: Path) -> None:
    console = Console(width=300, record=True)
    keys = [planned.job.key for planned in jobs]
    outcomes = {
        keys[0]: Outcome("done"),
        keys[1]: Outcome("cached"),
        keys[2]: Outcome("failed", "ProcessDied: killed\nmore"),
        keys[3]: Outcome("done"),
    }
    write_json(JobFolder.of(jobs[4].job, tmp_path).path / "job.json", {})
    (tmp_path / "jobs" / keys[2]).mkdir()
    JobFolder(tmp_path / "jobs" / keys[2]).log.touch()
    summarise(console, jobs, outcomes, tmp_path)
    text = console.export_text()
    assert "6 jobs: 2 done, 1 there before, 1 failed, 1 interrupted, 1 not begun." in text
    assert f"failed: {jobs[2].label}, seed {jobs[2].job.seed}: ProcessDied: killed\n" in text
    assert str(tmp_path / "jobs" / keys[2] / "output.log") in text


STAND_IN = """
import json, os, pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
print("arguments", *sys.argv[2:], flush=True)
(folder / "environment").write_text(json.dumps(dict(os.environ)))
act = (folder / "act").read_text()
if act == "die":
    os.kill(os.getpid(), signal.SIGKILL)
if act == "child":
    child = os.fork()
    if child == 0:
        time.sleep(600)
    (folder / "child").write_text(str(child))
    sys.exit(3)
if act == "wait":
    os.read(0, 1)
    print("asked", flush=True)
    sys.exit(130)
if act == "deaf":
    time.sleep(600)
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> list[str]:
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    return [sys.executable, str(tmp_path / "stand_in.py")]


def begin(executor: LocalExecutor, planned: PlannedJob, act: str) -> LocalJob:
    folder = JobFolder.of(planned.job, executor.out).path
    folder.mkdir(parents=True)
    (folder / "act").write_text(act)
    (job,) = executor.submit([planned], lambda: None)
    assert isinstance(job, LocalJob)
    return job


def end(job: LocalJob) -> tuple[int | None, str]:
    deadline = time.monotonic() + 60
    while (ending := job.poll()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return ending.status, ending.why


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody waited for has, too."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def test_a_process_has_its_share_and_its_log(
    jobs: list[PlannedJob], tmp_path: Path, stand_in: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.machine.devices.cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    jobs = [with_threads(planned, None) for planned in jobs]
    executor = LocalExecutor(tmp_path, "cuda", jobs=2, command=stand_in)
    running = [begin(executor, planned, "nothing") for planned in jobs[:2]]
    assert executor.room(2) == 0
    assert [end(job)[0] for job in running] == [0, 0]
    environments = [json.loads((JobFolder.of(one.job, tmp_path).path / "environment").read_text()) for one in jobs[:2]]
    assert [environment["CUDA_VISIBLE_DEVICES"] for environment in environments] == ["3", "5"]
    assert {environments[0][name] for name in THREADS} == {"4"}
    assert "arguments --device cuda --processes 1" in JobFolder.of(jobs[0].job, tmp_path).log.read_text()
    end(begin(executor, jobs[2], "nothing"))
    again = json.loads((JobFolder.of(jobs[2].job, tmp_path).path / "environment").read_text())
    assert again["CUDA_VISIBLE_DEVICES"] in ("3", "5")


def test_a_cpu_job_sees_no_accelerator_and_has_its_threads(
    jobs: list[PlannedJob], tmp_path: Path, stand_in: list[str]
) -> None:
    planned = with_threads(jobs[0], 3)
    end(begin(LocalExecutor(tmp_path, "cpu", jobs=1, command=stand_in), planned, "nothing"))
    environment = json.loads((JobFolder.of(planned.job, tmp_path).path / "environment").read_text())
    assert environment["CUDA_VISIBLE_DEVICES"] == ""
    assert environment["PYTHONSAFEPATH"] == "1"
    assert {environment[name] for name in THREADS} == {"3"}


def test_a_killed_process_is_told_by_its_signal(jobs: list[PlannedJob], tmp_path: Path, stand_in: list[str]) -> None:
    job = begin(LocalExecutor(tmp_path, "cpu", jobs=1, command=stand_in), jobs[0], "die")
    assert end(job) == (-9, "the process was killed by SIGKILL, often for want of memory")


def test_what_a_worker_started_ends_with_it(jobs: list[PlannedJob], tmp_path: Path, stand_in: list[str]) -> None:
    job = begin(LocalExecutor(tmp_path, "cpu", jobs=1, command=stand_in), jobs[0], "child")
    assert end(job)[0] == 3
    child = int((JobFolder.of(jobs[0].job, tmp_path).path / "child").read_text())
    wait_for(lambda: gone(child))


def test_stopping_asks_first_and_then_kills(
    jobs: list[PlannedJob], tmp_path: Path, stand_in: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.run.executors.local.STOP_SECONDS", 1.5)
    executor = LocalExecutor(tmp_path, "cpu", jobs=2, command=stand_in)
    polite, deaf = begin(executor, jobs[0], "wait"), begin(executor, jobs[1], "deaf")
    wait_for(lambda: all("arguments" in JobFolder.of(one.job, tmp_path).log.read_text() for one in jobs[:2]))
    executor.stop([polite, deaf])
    assert polite.process.returncode == 130 and deaf.process.returncode == -signal.SIGKILL
    assert "asked" in JobFolder.of(jobs[0].job, tmp_path).log.read_text()


@pytest.mark.parametrize(("act", "status"), [("wait", 130), ("deaf", -signal.SIGKILL)])
def test_a_job_that_takes_too_long_is_asked_and_then_killed(
    jobs: list[PlannedJob], tmp_path: Path, stand_in: list[str], monkeypatch: pytest.MonkeyPatch, act: str, status: int
) -> None:
    monkeypatch.setattr("benchmarks.run.executors.local.STOP_SECONDS", -4.0)
    executor = LocalExecutor(tmp_path, "cpu", jobs=1, minutes=0.03, command=stand_in)
    job = begin(executor, jobs[0], act)
    assert end(job) == (status, job._too_long())
    outcome = judge(jobs[0], tmp_path, Ending(status, job._too_long()))
    assert outcome.status == "failed" and "longer than --job-time allows, 0.03 min" in (outcome.error or "")


def test_a_job_within_its_time_ends_by_itself(jobs: list[PlannedJob], tmp_path: Path, stand_in: list[str]) -> None:
    job = begin(LocalExecutor(tmp_path, "cpu", jobs=1, minutes=5, command=stand_in), jobs[0], "die")
    assert end(job) == (-9, "the process was killed by SIGKILL, often for want of memory")


def test_a_time_limit_is_for_processes_of_this_machine(jobs: list[PlannedJob], tmp_path: Path) -> None:
    options = ExecutorChoice(job_time="1:30:00").options()
    assert options == ExecutorOptions(minutes=90)
    executor, _ = make_executor(Console(quiet=True), jobs[:1], tmp_path, "cpu", options)
    assert isinstance(executor, LocalExecutor), "only another process can be stopped whatever it does"
    with pytest.raises(UserError, match="--slurm-time"):
        ExecutorChoice(ExecutorName.slurm, job_time="60").options()
    with pytest.raises(UserError, match="--job-time 8h"):
        ExecutorChoice(job_time="8h").options()


def wait_for(condition, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)


PARENT = """
import pathlib, sys, time
from benchmarks.run.executors.local import LocalExecutor
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.request import read_request
out = pathlib.Path(sys.argv[1])
executor = LocalExecutor(out, "cpu", jobs=1, command=sys.argv[3:])
(job,) = executor.submit([read_request(JobFolder.named(sys.argv[2], out))], lambda: None)
print(job.process.pid, flush=True)
time.sleep(600)
"""


def test_a_process_ends_with_its_parent_however_that_ends(
    jobs: list[PlannedJob], tmp_path: Path, stand_in: list[str]
) -> None:
    folder = write_request(jobs[0], tmp_path).path
    (folder / "act").write_text("wait")
    command = [sys.executable, "-c", PARENT, str(tmp_path), jobs[0].job.key, *stand_in]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        wait_for(lambda: "arguments" in JobFolder(folder).log.read_text())
        assert not gone(pid)
        parent.kill()
        wait_for(lambda: gone(pid))
    assert "asked" in JobFolder(folder).log.read_text()
