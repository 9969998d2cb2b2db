"""What a reader has to know beside the figures, as plain sentences for each report to escape."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from benchmarks.tables import Condition
from benchmarks.tracking.folder import flatten
from reports.collect import RowResults, TableResults, lookup

Facts = dict[str, Any]  # one result.json without its images


def caption(results: TableResults) -> list[str]:
    """Sentences: the paper's caption, what was published, what was measured and if the two compare."""
    spec = results.spec
    published = f"Published: the paper's figures on {spec.published.dataset} ({spec.published.remark})."
    sentences = [spec.caption, "Best of each column in bold.", published]
    if not results.results:
        return [*sentences, "Measured: nothing yet."]
    facts = [result.model_dump(exclude={"images"}) for result in results.results]
    return [
        *sentences,
        _measured(facts),
        _seeds(results.seeds),
        _hardware(facts),
        *_changes(results),
        _comparison(results, facts),
    ]


def notes(row: RowResults) -> list[str]:
    """Why figures of a row are missing: one sentence a gap."""
    short = f"{len(row.results)} of {len(row.results) + len(row.gaps)} seeds: " if row.results else ""
    return [f"{short}{gap.reason}" + (f" (job {gap.key})" if gap.key else "") + "." for gap in row.gaps]


def _measured(facts: list[Facts]) -> str:
    def all_of(path: str) -> str:
        return _distinct(lookup(fact, path) for fact in facts)

    decoding = f", decoding {all_of('dataset.decoding')}" if lookup(facts[0], "dataset.decoding") else ""
    return (
        f"Measured: {all_of('dataset.spec')}, split {all_of('dataset.split')} "
        f"({all_of('dataset.images')} images, {all_of('dataset.instances')} instances{decoding}), "
        f"scale {all_of('job.scale')}, "
        f"{all_of('cost.iterations')} iterations a row; metrics are means over images."
    )


def _seeds(seeds: list[int]) -> str:
    if len(seeds) == 1:
        return f"One seed ({seeds[0]}): the spread over seeds is not known."
    return f"Mean ± standard deviation over {len(seeds)} seeds ({', '.join(map(str, seeds))})."


def _hardware(facts: list[Facts]) -> str:
    return f"Made on {_distinct(_machine(fact['environment']) for fact in facts)}."


def _machine(environment: dict[str, Any]) -> str:
    cpu, cores, threads = (environment.get(name) for name in ("cpu", "cores", "threads"))
    processor = f"{cpu or 'an unnamed processor'} (cores: {cores}, threads: {threads})"
    return f"{accelerator}, {processor}" if (accelerator := environment.get("accelerator")) else processor


def _changes(results: TableResults) -> list[str]:
    """What the user changed of the scale's settings, if anything."""
    if not results.overrides:
        return []
    changes = ", ".join(f"{path}={value}" for path, value in flatten(results.overrides))
    return [f"Changed from the scale's settings: {changes}."]


def _comparison(results: TableResults, facts: list[Facts]) -> str:
    """Whether measured and published figures may be compared, and if not, every reason."""
    published = results.spec.published
    reasons = ["settings were changed"] if results.overrides else []
    if any(re.split("[:?]", fact["dataset"]["spec"])[0] != published.data for fact in facts):
        reasons.append(f"the data are not {published.dataset}")
    reasons += filter(None, (_difference(condition, facts) for condition in published.conditions))
    if reasons:
        return f"Measured and published figures cannot be compared: {'; '.join(reasons)}."
    return "Data, decoding and schedule are those of the published figures."


def _difference(condition: Condition, facts: list[Facts]) -> str | None:
    """The reason this condition gives against a comparison, None where it holds for every job."""
    values = [lookup(fact, condition.path) for fact in facts]
    if condition.value is None:
        return None if all(value is not None for value in values) else f"no {condition.what}"
    if all(value == condition.value for value in values):
        return None
    return f"{condition.what} is {_distinct(values)}, not {condition.value}"


def _distinct(values: Iterable[Any]) -> str:
    """The values in order of first appearance, each once: one in a sound run, more where jobs were mixed."""
    return " / ".join(dict.fromkeys("none" if value is None else str(value) for value in values))
