"""Trials as jobs of a cluster: how many at a time, and one after the other with submitit's executor in this process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from optuna.trial import TrialState
from rich.console import Console
from study_commands import trials
from tiny_study import DATA, TINY

from benchmarks.cli.commands.study import LEARNING, _trials_at_a_time
from benchmarks.cli.job_runner import make_executor
from benchmarks.plan.expansion import PlannedJob
from benchmarks.run.executors.options import ExecutorOptions, SlurmOptions
from benchmarks.run.executors.slurm import SlurmExecutor
from studies.job_trials import JobTrials
from studies.plan import TrainingPlan
from studies.records import TrialRecord
from studies.running import StudyRun
from studies.slots import create_or_join
from studies.storage import open_storage

pytest.importorskip("submitit")

Make = Callable[..., TrainingPlan]


def test_a_sampler_that_learns_begins_few_and_a_grid_all(make_plan: Make) -> None:
    anywhere, few = ExecutorOptions(slurm=SlurmOptions()), ExecutorOptions(slurm=SlurmOptions(max_parallel=2))
    assert _trials_at_a_time(make_plan(trials=30), anywhere) == LEARNING
    assert _trials_at_a_time(make_plan("temperatures"), anywhere) == 9
    assert _trials_at_a_time(make_plan("temperatures"), few) == _trials_at_a_time(make_plan(), few) == 2
    assert _trials_at_a_time(make_plan(), ExecutorOptions(3)) == 3


def test_there_is_room_as_soon_as_one_has_ended(
    make_plan: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table's jobs are one array; a study's next trial does not wait for the slowest of those before."""
    monkeypatch.setattr("benchmarks.run.executors.slurm.check_slurm", lambda: None)
    plan, options = make_plan(), ExecutorOptions(slurm=SlurmOptions())
    like = [PlannedJob(1, "x", plan.base)] * 3

    def room(running: int, **how: bool) -> int:
        return make_executor(Console(), like, tmp_path, "cpu", options, **how)[0].room(running)

    assert [room(running, one_by_one=True) for running in range(5)] == [3, 2, 1, 0, 0]
    assert room(0) > 3 and room(1) == 0


class InThisProcess:
    """The queue of submitit's debug executor, which runs a job when it is asked for it."""

    executor: SlurmExecutor

    def state(self, job_id: str) -> str:
        for job in self.executor.submitted:
            if job.job_id == job_id:
                job.results()
        return "COMPLETED"


@pytest.mark.slow
def test_a_study_whose_trials_are_jobs_of_slurm(make_plan: Make, tmp_path: Path) -> None:
    plan, queue, notes = make_plan(trials=3), InThisProcess(), list[str]()
    executor = SlurmExecutor(tmp_path, "cpu", SlurmOptions(), slots=2, note=notes.append, cluster="debug", queue=queue)
    queue.executor = executor
    study = create_or_join(plan, open_storage(None, tmp_path / "study"))
    runner = JobTrials(plan, tmp_path, executor, 2)
    seen: list[Mapping[int, str]] = []

    def look(trials: list[TrialRecord]) -> Any:
        seen.append({trial.number: trial.state for trial in trials})

    found = StudyRun(study, plan, tmp_path / "study", runner, look).run()
    assert [trial.state for trial in found] == ["complete"] * 3
    assert len({trial.key for trial in found}) == 3
    assert all((tmp_path / "jobs" / str(trial.key) / "slurm.json").exists() for trial in found)
    assert "submitted 2 jobs to SLURM" in notes[0] and len(notes) >= 2
    assert max(sum(state == "running" for state in look.values()) for look in seen) <= 2


SBATCH = """
id=$(( $(cat {bin}/count 2>/dev/null || echo 100) + 1 )); echo $id > {bin}/count; cp $1 {bin}/script.$id
run() {{
  echo "$1|RUNNING" > {bin}/state.$1; env $2 SLURM_NTASKS=1 SLURM_JOB_NUM_NODES=1 SLURM_NODEID=0 SLURM_PROCID=0 \\
    SLURM_LOCALID=0 SLURM_JOB_NODELIST=localhost bash {bin}/script.$3 > {bin}/log.$1 2>&1
  echo "$1|COMPLETED" > {bin}/state.$1
}}
last=$(sed -n 's/.*--array=0-\\([0-9]*\\).*/\\1/p' $1)
if [ -z "$last" ]; then run $id SLURM_JOB_ID=$id $id > /dev/null 2>&1 &
else for k in $(seq 0 $last); do
  run ${{id}}_$k "SLURM_JOB_ID=$id SLURM_ARRAY_JOB_ID=$id SLURM_ARRAY_TASK_ID=$k" $id > /dev/null 2>&1 &
done; fi
echo Submitted batch job $id
"""


@pytest.mark.slow
def test_the_command_submits_trial_after_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that stand in for SLURM's run each job on this machine."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {
        "sbatch": SBATCH.format(bin=programs),
        "squeue": f"cat {programs}/state.*",
        "scancel": "exit 0",
        "srun": 'while [ "$1" != env ]; do shift; done; exec "$@"',
    }.items():
        (programs / name).write_text(f"#!/bin/bash\n{text}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    study, out = tmp_path / "tiny.yaml", tmp_path / "out"
    study.write_text(yaml.safe_dump(TINY | {"trials": 3}))
    said = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.cli", "study", str(study), "--data", DATA, "--scale", "smoke"),
            *("--out", str(out), "--device", "cpu", "--executor", "slurm", "--max-parallel", "2"),
            *("--slurm-set", "account=lab"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert [trial.state for trial in trials(out, "tiny")] == [TrialState.COMPLETE] * 3
    scripts = [path.read_text() for path in sorted(programs.glob("script.*"))]
    assert len(scripts) == 2 and "--array=0-1%2" in scripts[0] and "--array" not in scripts[1]
    assert all("#SBATCH --account=lab" in script for script in scripts)
