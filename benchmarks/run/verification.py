"""Whether what is kept of jobs is as it was written, and agrees with itself; nothing is computed again or changed."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from benchmarks.data import read_labels
from benchmarks.errors import UserError
from benchmarks.plan.methods import all_methods
from benchmarks.run.thresholds import read_choice
from benchmarks.run.validation import read_validation_scores
from benchmarks.store.calibration import read_calibration
from benchmarks.store.checksums import changed_files
from benchmarks.store.documents import UnreadableError
from benchmarks.store.job_folder import JobFolder, all_job_folders
from benchmarks.store.models.saved_model import load_model
from benchmarks.store.result import Result
from benchmarks.store.robustness import read_robustness
from benchmarks.store.run_file import read_run, run_path, run_tables

State = Literal["sound", "incomplete", "not checkable", "damaged", "failed", "not finished"]
"""Incomplete is sound but for files that are not there, such as label maps of a copy that was made without them; not
checkable is of a version without checksums, and agrees with itself."""


@dataclass(frozen=True)
class Verdict:
    """What was found of one job, or of the plan of a table.

    Attributes:
        name: the job's key, or the plan's path in its results folder.
        what: label and seed.
        problems: what is damaged.
        missing: what is not there as a whole: files, or folders with all that was in them.
    """

    name: str
    what: str
    state: State
    problems: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def verify_folder(out: Path, progress: Callable[[Verdict], object] = lambda verdict: None) -> list[Verdict]:
    """Look at every job of a results folder, and at the plans of its tables.

    Args:
        progress: is told of each as it is found.

    Raises:
        UserError: the folder holds neither.
    """
    found = []
    for verdict in (*_verify_plans(out), *map(verify_job, all_job_folders(out))):
        found.append(verdict)
        progress(verdict)
    if not found:
        raise UserError(f"{out} holds no results: expected {out / 'jobs'}, as `run`, `train` and `study` leave it.")
    return found


def verify_job(folder: JobFolder) -> Verdict:
    """Compare a job's files with their checksums and with each other."""
    try:
        result = folder.read_result()
    except UnreadableError as error:
        return Verdict(folder.key, "", "damaged", (str(error),))
    if result is None:
        return Verdict(folder.key, _label(folder), "failed" if folder.state == "failed" else "not finished")
    changed = changed_files(folder.path, result.checksums or {})
    parts = {PurePosixPath(name).parts[0] for name in changed}
    missing = tuple(sorted(part for part in parts if not (folder.path / part).exists()))
    problems = [f"{name} {problem}" for name, problem in changed.items() if PurePosixPath(name).parts[0] not in missing]
    problems += _disagreements(folder, result)
    what = f"{result.label or result.method}, seed {result.seed}"
    return Verdict(folder.key, what, _state(result, problems, missing), tuple(problems), missing)


def _state(result: Result, problems: list[str], missing: tuple[str, ...]) -> State:
    if problems:
        return "damaged"
    if result.checksums is None or result.seal is None:
        return "not checkable"
    return "incomplete" if missing else "sound"


def _verify_plans(out: Path) -> Iterator[Verdict]:
    for table in run_tables(out):
        name = run_path(out, table).relative_to(out).as_posix()
        try:
            read_run(out, table)
        except UserError as error:
            yield Verdict(name, f"plan of {table}", "damaged", (str(error),))


def _label(folder: JobFolder) -> str:
    try:
        return str(json.loads(folder.description.read_bytes())["label"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _disagreements(folder: JobFolder, result: Result) -> Iterator[str]:
    """What files of a job say differently from its result; a file that is not there says nothing."""
    if result.job.get("key") != result.key:
        yield f"result.json has the configuration of job {result.job.get('key')}"
    if result.dataset.images != len(result.images):
        yield f"result.json states {result.dataset.images} images and has scores of {len(result.images)}"
    yield from _in_description(folder, result)
    yield from _in_scores(folder, result)
    yield from _in_thresholds(folder, result)
    yield from _in_predictions(folder, result)
    yield from _in_model(folder, result)
    yield from _in_validation(folder)
    yield from _in_robustness(folder, result)
    yield from _in_calibration(folder, result)


def _in_description(folder: JobFolder, result: Result) -> Iterator[str]:
    if not folder.description.exists():
        return
    try:
        stated = json.loads(folder.description.read_bytes())
        if {**stated, "label": None} != {**result.job, "label": None}:
            yield "job.json has another configuration than result.json"
    except (OSError, ValueError, TypeError) as error:
        yield f"job.json cannot be read: {error}"


def _in_scores(folder: JobFolder, result: Result) -> Iterator[str]:
    if not folder.scores.exists():
        return
    try:
        with folder.scores.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        yield f"{folder.scores.name} cannot be read: {error}"
        return
    stated = [str(image.get("id")) for image in result.images]
    if [row.get("id") for row in rows] != stated:
        yield f"{folder.scores.name} is of other images than result.json"
        return
    for row, image in zip(rows, result.images, strict=True):
        for name, text in row.items():
            if name in image and name != "id" and text != str(image[name]):
                yield f"{folder.scores.name} has {name} {text} for {image['id']}, result.json {image[name]}"
                return


def _in_thresholds(folder: JobFolder, result: Result) -> Iterator[str]:
    if not folder.thresholds.exists():
        return
    if (choice := read_choice(folder)) is None:
        yield f"{folder.thresholds.name} cannot be read"
    elif choice != result.thresholds:
        yield f"{folder.thresholds.name} has another choice than result.json"


def _in_predictions(folder: JobFolder, result: Result) -> Iterator[str]:
    if not folder.predictions.is_dir():
        return
    for image in result.images:
        path = folder.prediction(str(image["id"]))
        try:
            objects = np.count_nonzero(np.unique(read_labels(path)))
        except UserError as error:
            yield str(error)
            continue
        if objects != image.get("predicted"):
            yield f"{path} has {objects} objects, but result.json says {image.get('predicted')}"


def _in_model(folder: JobFolder, result: Result) -> Iterator[str]:
    if not folder.model.is_dir() or result.method not in all_methods():
        return  # none was made, or by a package that is not here
    try:
        config: Any = getattr(load_model(folder.model, "cpu").segmenter, "config", None)
    except UserError as error:
        yield str(error)
        return
    for name, value in (result.thresholds.chosen.values if result.thresholds else {}).items():
        if getattr(config.inference, name, None) != value:
            yield f"{folder.model} has {name} {getattr(config.inference, name, None)}, but {value} was chosen"


def _in_validation(folder: JobFolder) -> Iterator[str]:
    try:
        read_validation_scores(folder)
    except UserError as error:
        yield str(error)


def _in_robustness(folder: JobFolder, result: Result) -> Iterator[str]:
    try:
        read_robustness(folder, result)
    except UnreadableError as error:
        yield str(error)


def _in_calibration(folder: JobFolder, result: Result) -> Iterator[str]:
    try:
        read_calibration(folder, result)
    except UnreadableError as error:
        yield str(error)
