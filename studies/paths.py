"""Whether the settings that a study names exist, and whether the values it may draw are valid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.errors import UserError, suggestion
from benchmarks.plan.job import Job
from benchmarks.plan.nested import leaves
from studies.specification import Choice, StudySpec

SECTIONS = ("model", "training", "testing", "augmentation")


def value_at(job: Job, path: str) -> Any:
    """The resolved value of a setting.

    Raises:
        KeyError: there is no such setting, or it is a section.
    """
    return dict(leaves({section: _dumped(job)[section] for section in SECTIONS}))[path]


def check_paths(spec: StudySpec, base: Job, make: Callable[[Mapping[str, Choice]], Job]) -> None:
    """Check every setting that is searched.

    Args:
        base: the job without them.
        make: the job with some of them set.

    Raises:
        UserError: names the setting, and the value that is not valid for it.
    """
    known = dict(leaves({section: _dumped(base)[section] for section in SECTIONS}))
    for path, search in spec.search.items():
        if path not in known:
            inside = [name for name in known if name.startswith(f"{path}.")]
            hint = f"it is a section: say which of {', '.join(inside)}." if inside else suggestion(path, known)
            raise UserError(f"study {spec.name} searches {path}, which {spec.method} does not have: {hint}")
        for value in search.examples():
            try:
                make({path: value})
            except UserError as error:
                raise UserError(f"study {spec.name}: {path} cannot be {value!r}.\n{error}") from error


def _dumped(job: Job) -> dict[str, Any]:
    return job.model_dump(mode="json")
