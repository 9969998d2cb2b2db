"""OUT/jobs/KEY, where a job lives. The names of its files are spelt here and nowhere else."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from benchmarks.errors import UserError
from benchmarks.files import remove_leftovers, write_atomic, write_json
from benchmarks.links import open_without_links, refuse_links_in, refuse_outside
from benchmarks.plan.job import Job, parse_job
from benchmarks.store.anatomy import JobErrors
from benchmarks.store.checksums import checksums_of
from benchmarks.store.documents import UnreadableError, read_document, write_document, write_sealed
from benchmarks.store.result import SCHEMA, AddedMetrics, Failure, Result, check_means

State = Literal["done", "damaged", "failed", "unfinished", "not run"]
CARD_FILE = "README.md"
"""Of a model folder, as the hub wants it."""
LINES = 20
BYTES = 16384
"""The length of the tail of an output in which its last lines are looked for."""


class ForeignResultError(UnreadableError):
    """A result that is whole, but not one of this job that this version reads."""


@dataclass(frozen=True)
class JobFolder:
    """The folder of one job, whether it is there or not.

    The job is done once `result.json` is there, which is written last and in one step; one that is damaged does not
    count. A failure leaves `error.json`.
    """

    path: Path

    @classmethod
    def of(cls, job: Job, out: Path) -> JobFolder:
        return cls.named(job.key, out)

    @classmethod
    def named(cls, key: str, out: Path) -> JobFolder:
        return cls(jobs_folder(out) / key)

    @property
    def key(self) -> str:
        return self.path.name

    @property
    def out(self) -> Path:
        """The results folder that it lies in."""
        return self.path.parents[1]

    # What is asked for, and by whom

    @property
    def request(self) -> Path:
        """The job, for the process that is to run it."""
        return self.path / "request.json"

    @property
    def description(self) -> Path:
        """The resolved job and its label, written when it begins."""
        return self.path / "job.json"

    @property
    def environment(self) -> Path:
        """Versions and hardware."""
        return self.path / "environment.json"

    @property
    def submission(self) -> Path:
        """Its id in SLURM's queue."""
        return self.path / "slurm.json"

    @property
    def lock_file(self) -> Path:
        """Locked by the process that has the folder to itself."""
        return self.path / "lock"

    # On the way

    @property
    def progress(self) -> Path:
        """The job's progress while it runs."""
        return self.path / "progress.json"

    @property
    def log(self) -> Path:
        """The output of its process, where it has one of its own."""
        return self.path / "output.log"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.pt"

    @property
    def losses(self) -> Path:
        """Loss terms and learning rate by iteration."""
        return self.path / "losses.csv"

    @property
    def validation(self) -> Path:
        """Metrics on the validation split by iteration."""
        return self.path / "validation.csv"

    @property
    def model(self) -> Path:
        """Folder of the trained model."""
        return self.path / "model"

    @property
    def model_card(self) -> Path:
        """What people have to know of the model. It may be edited, so no checksum covers it."""
        return self.model / CARD_FILE

    @property
    def thresholds(self) -> Path:
        """Every trial of the choice of thresholds."""
        return self.path / "thresholds.json"

    @property
    def prediction_times(self) -> Path:
        """Seconds of each image."""
        return self.path / "prediction_seconds.csv"

    @property
    def predictions(self) -> Path:
        """Folder of label maps."""
        return self.path / "predictions"

    def prediction(self, image: str) -> Path:
        """The label map of an image."""
        return self.predictions / f"{image}.tif"

    def prediction_scores(self, image: str) -> Path:
        """The scores of its objects, where the method has any."""
        return self.predictions / f"{image}.csv"

    @property
    def overlays(self) -> Path:
        """Folder of pictures of the first images' objects."""
        return self.path / "overlays"

    # The end

    @property
    def scores(self) -> Path:
        """Metrics of each image."""
        return self.path / "metrics.csv"

    @property
    def result(self) -> Path:
        return self.path / "result.json"

    @property
    def failure(self) -> Path:
        return self.path / "error.json"

    @property
    def added_metrics(self) -> Path:
        """Metrics that were defined after the job had finished."""
        return self.path / "added_metrics.json"

    @property
    def errors(self) -> Path:
        """What kinds of error each image has, where `errors` has looked."""
        return self.path / "errors.json"

    @property
    def validation_scores(self) -> Path:
        """Metrics of the finished model on the whole validation split, where a study asked for them."""
        return self.path / "validation_scores.json"

    @property
    def robustness(self) -> Path:
        """Scores of the finished model on test images that were made worse, where `robustness` has looked."""
        return self.path / "robustness.json"

    @property
    def calibration(self) -> Path:
        """The score of each object and what it matched, where `calibration` has looked."""
        return self.path / "calibration.json"

    @property
    def set_aside(self) -> Path:
        """A damaged result.json in whose place there is, or will be, another."""
        return self.path / "result.damaged.json"

    @property
    def done(self) -> bool:
        """Whether there is a result, and one that can be believed."""
        try:
            return self._own_result() is not None
        except UnreadableError:
            return False

    @property
    def begun(self) -> bool:
        """Whether a process has worked at it."""
        return self.description.exists()

    @property
    def state(self) -> State:
        """A result counts, whatever went wrong before it."""
        if self.result.exists():
            return "done" if self.done else "damaged"
        if self.failure.exists():
            return "failed"
        return "unfinished" if self.path.is_dir() else "not run"

    @contextmanager
    def lock(self) -> Iterator[bool]:
        """Whether this process has the folder to itself; the lock goes with the process, however it ends.

        Raises:
            UserError: the folder is, or holds, a link: what is written to it would change other files.
        """
        refuse_outside(self.path, self.out)
        self.path.mkdir(parents=True, exist_ok=True)
        refuse_links_in(self.path)
        with open_without_links(self.lock_file) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def read_job(self) -> Job:
        """The job whose folder this is.

        Raises:
            UserError: the folder holds no job, or one of another version.
        """
        try:
            return parse_job(json.loads(self.description.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise UserError(f"{self.path} holds no readable job.json: {error}") from error

    def read_result(self) -> Result | None:
        """None where there is none yet.

        Raises:
            UnreadableError: it is damaged, of another version or of another job.
        """
        result = self._own_result()
        return None if result is None else self._with_added_metrics(result)

    def _own_result(self) -> Result | None:
        """What result.json says, if it is of this job, whole, unchanged, and its means are those of its images."""
        try:
            result = read_document(self.result, Result)
            if result.version == SCHEMA:
                check_means(result.metrics, result.images)
        except FileNotFoundError:
            return None
        except UnreadableError as error:
            raise UnreadableError(f"result.json cannot be read: {error}") from error
        if result.version != SCHEMA:
            raise ForeignResultError(f"result.json has schema {result.version}; this version reads {SCHEMA}")
        if result.key != self.key:
            raise ForeignResultError(f"result.json belongs to job {result.key}")
        return result

    def set_damaged_result_aside(self) -> None:
        """Make room for a result; for a process that has the folder to itself.

        Raises:
            UserError: what is there is whole, but of another version or of another job.
        """
        try:
            self._own_result()
        except ForeignResultError as error:
            raise UserError(f"{self.path}: {error}. Take that version, give another --out, or move it away.") from error
        except UnreadableError:
            self.result.replace(self.set_aside)

    def remove_leftovers(self) -> None:
        """Remove temporary files of processes that were killed."""
        for folder in (self.path, self.model, self.predictions, self.overlays):
            remove_leftovers(folder)

    def forget_what_a_model_made(self) -> None:
        """Remove what came after a training that begins anew: it is of weights that are no more."""
        for folder in (self.predictions, self.overlays):
            shutil.rmtree(folder, ignore_errors=True)
        looked_at = (self.validation_scores, self.robustness, self.calibration)
        for file in (self.thresholds, self.prediction_times, self.added_metrics, *looked_at):
            file.unlink(missing_ok=True)

    def _with_added_metrics(self, result: Result) -> Result:
        try:
            return read_document(self.added_metrics, AddedMetrics).joined(result)
        except FileNotFoundError:
            return result
        except ValueError as error:
            raise UnreadableError(f"added_metrics.json cannot be used: {error}; delete it and rescore") from error

    def read_errors(self, result: Result) -> JobErrors | None:
        """None where there are none of this result, or they were defined otherwise: they have to be measured.

        Raises:
            UnreadableError: the file is damaged.
        """
        try:
            errors = read_document(self.errors, JobErrors)
        except FileNotFoundError:
            return None
        except UnreadableError as error:
            raise UnreadableError(f"errors.json cannot be read: {error}; delete it and measure again") from error
        return errors if errors.is_of(result) else None

    def read_failure(self) -> Failure | None:
        """None where there is none.

        Raises:
            UnreadableError: it is damaged.
        """
        try:
            return read_document(self.failure, Failure)
        except FileNotFoundError:
            return None
        except UnreadableError as error:
            raise UnreadableError(f"error.json cannot be read: {error}") from error

    def describe(self, job: Job, label: str) -> None:
        """Say what the job is."""
        write_json(self.description, {"label": label, **job.resolved()})

    def write_environment(self, environment: dict[str, Any]) -> None:
        write_json(self.environment, environment)

    def write_result(self, result: Result) -> None:
        """Last of all, with the checksums of what it rests on: with it the job is done."""
        checksums = checksums_of(self.path, self._outcome())
        write_sealed(self.result, result.model_copy(update={"checksums": checksums}))

    def _outcome(self) -> list[Path]:
        """The files that a result rests on and that stay as they are."""
        files = [self.description, self.environment, self.losses, self.validation, self.thresholds, self.scores]
        for folder in (self.model, self.predictions):
            files += sorted(path for path in folder.rglob("*") if not path.name.startswith("."))
        return [path for path in files if path.is_file() and path != self.model_card]

    @property
    def later_files(self) -> tuple[Path, ...]:
        """What other commands may add to a finished job; none of it need be there."""
        return (self.added_metrics, self.errors, self.validation_scores, self.robustness, self.calibration)

    def lasting_files(self) -> list[Path]:
        """Every file but those that are of processes and of the machine that they run on, sorted."""
        passing = {self.lock_file, self.request, self.submission, self.progress}
        return sorted(
            path
            for path in self.path.rglob("*")
            if path.is_file() and not path.name.startswith(".") and path not in passing
        )

    def write_added_metrics(self, metrics: AddedMetrics) -> None:
        write_sealed(self.added_metrics, metrics)

    def write_errors(self, errors: JobErrors) -> None:
        """On one line: it is large for people and small for a repository."""
        write_atomic(self.errors, errors.model_dump_json() + "\n")

    def write_failure(self, kind: str, message: str, details: str) -> Failure:
        """For a process that has the folder to itself.

        Args:
            kind: type of the error.
            details: traceback, or the end of the output of a process that had no time for one.
        """
        failure = Failure(type=kind, message=message, traceback=details, when=now())
        write_document(self.failure, failure)
        return failure

    def last_output(self) -> str:
        """The end of its process' output; empty where there is none."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - BYTES))
                return "\n".join(file.read().decode(errors="replace").splitlines()[-LINES:])
        except OSError:
            return ""


def jobs_folder(out: Path) -> Path:
    """Where the folders of all jobs lie."""
    return out / "jobs"


def all_job_folders(out: Path) -> list[JobFolder]:
    """The folders of all jobs that were asked for or begun, by key."""
    return [JobFolder(path) for path in sorted(jobs_folder(out).glob("*")) if path.is_dir()]


def now() -> str:
    """The time as documents state it: UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
