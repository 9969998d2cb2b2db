"""A job's progress as a small file in its folder, written alike by local processes and nodes of a cluster."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from benchmarks.store.documents import Document, UnreadableError, read_document
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.pace import duration

Phase = Literal["training", "choosing thresholds", "testing", "validating"]


class JobProgress(Document):
    """What progress.json holds.

    Attributes:
        done, total: iterations while training, images in the other phases.
        rate: of them a second; None while it is not known.
        losses: by name, `loss` being the sum; empty but while training.
        validation_pq: of the last validation; None before the first.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    phase: Phase
    done: int = Field(ge=0)
    total: int = Field(ge=0)
    rate: float | None = Field(None, ge=0)
    losses: dict[str, float] = Field(default_factory=dict)
    validation_pq: float | None = None

    @property
    def seconds_left(self) -> float | None:
        """The time that this phase still takes; None while the rate is not known."""
        return (self.total - self.done) / self.rate if self.rate else None

    def describe(self) -> str:
        """A line for a log."""
        if self.phase != "training":
            return f"{self.phase}, {self.done}/{self.total} images"
        terms = ", ".join(f"{name} {value:.2f}" for name, value in self.losses.items() if name != "loss")
        rate = f"{self.rate:.2f} it/s" if self.rate else "? it/s"
        return (
            f"iteration {self.done}/{self.total}, loss {self.losses.get('loss', 0):.2f}, {rate} ({terms}), "
            + (f"validation PQ {self.validation_pq:.3f}, " if self.validation_pq is not None else "")
            + f"{duration(self.seconds_left)} of training left"
        )


def read_progress(folder: JobFolder) -> JobProgress | None:
    """None where the job has not got that far, or the file is damaged."""
    try:
        return read_document(folder.progress, JobProgress)
    except (FileNotFoundError, UnreadableError):
        return None
