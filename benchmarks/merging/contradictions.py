"""Whether two folders say different things of the same job, or of the same table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.merging.sources import Ended
from benchmarks.run.validation import read_validation_scores
from benchmarks.store.calibration import read_calibration
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.result import Result
from benchmarks.store.robustness import read_robustness
from benchmarks.store.run_file import RunFile, RunRow


def contradiction(first: Ended, second: Ended) -> str | None:
    """What two folders say differently of one job, in one line; None where they agree.

    Numbers have to be equal: the same job on another kind of machine may differ by rounding, and a mean over such
    results would depend on which of them was taken. A failure contradicts nothing.
    """
    if first.result is None or second.result is None:
        return None
    found = (
        _in_images(first.result, second.result)
        or _in_choice(first.result, second.result)
        or _in_validation(first.folder, second.folder)
        or _in_robustness(first, second)
        or _in_calibration(first, second)
    )
    return found and f"{first.folder.path} and {second.folder.path}: {found}"


def _in_images(first: Result, second: Result) -> str | None:
    ids = [[image.get("id") for image in result.images] for result in (first, second)]
    if ids[0] != ids[1]:
        return "they were scored on different images"
    for one, other in zip(first.images, second.images, strict=True):
        for name in one.keys() & other.keys():
            if one[name] != other[name]:
                return f"{name} of {one.get('id')} is {one[name]} and {other[name]}"
    for name in first.metrics.keys() & second.metrics.keys():
        if first.metrics[name] != second.metrics[name]:
            return f"the mean of {name} is {first.metrics[name]} and {second.metrics[name]}"
    return None


def _in_choice(first: Result, second: Result) -> str | None:
    choices = (result.thresholds for result in (first, second))
    chosen = [choice.model_dump(exclude={"seconds"}) if choice else None for choice in choices]
    return None if chosen[0] == chosen[1] else "other thresholds were chosen"


def _in_validation(first: JobFolder, second: JobFolder) -> str | None:
    scores = [read_validation_scores(folder) for folder in (first, second)]
    return f"{first.validation_scores.name} differs" if None not in scores and scores[0] != scores[1] else None


def _in_robustness(first: Ended, second: Ended) -> str | None:
    measured = [read_robustness(job.folder, job.result) if job.result else None for job in (first, second)]
    for condition in measured[0].conditions if measured[0] else ():
        other = measured[1].find(*condition.place) if measured[1] else None
        if other is not None and other != condition:
            return f"{first.folder.robustness.name} differs under {condition.kind} of strength {condition.strength}"
    return None


def _in_calibration(first: Ended, second: Ended) -> str | None:
    found = [read_calibration(job.folder, job.result) if job.result else None for job in (first, second)]
    if found[0] is None or found[1] is None or found[0].images == found[1].images:
        return None
    return f"{first.folder.calibration.name} differs"


def joined_runs(first: RunFile, second: RunFile) -> RunFile | str:
    """The plan that covers those of two folders for one table; a line that says why there is none.

    Keys decide whether settings are the same. Of a row, the seeds of the one have to be the first seeds of the other.
    """
    if first.data.fingerprint != second.data.fingerprint:
        return f"it was run on {first.data.name} and on {second.data.name}, or on other files of it"
    if first.scale != second.scale:
        return f"it was run at scale {first.scale} and at scale {second.scale}"
    rows = {row.row: row for row in first.rows}
    for row in second.rows:
        joined = _joined_rows(rows.get(row.row, row), row)
        if isinstance(joined, str):
            return joined
        rows[row.row] = joined
    ordered = [rows[number] for number in sorted(rows)]
    looked = [run.leaks for run in (first, second) if run.leaks is not None]
    known: Mapping[str, Any] = {
        "rows": ordered,
        "seeds": max(first.seeds, second.seeds, key=len),
        "jobs": [key for row in ordered for key in row.keys],
        "leaks": list(dict.fromkeys(leak for leaks in looked for leak in leaks)) if looked else None,
    }
    return first.model_copy(update=known)


def _joined_rows(first: RunRow, second: RunRow) -> RunRow | str:
    if (first.label, first.method) != (second.label, second.method):
        return f"row {first.row} is '{first.label}' and '{second.label}'"
    longer, shorter = sorted((first, second), key=lambda row: len(row.keys), reverse=True)
    if longer.keys[: len(shorter.keys)] != shorter.keys:
        return f"row {first.row}, '{first.label}', was run with other settings (the keys of its jobs differ)"
    return longer
