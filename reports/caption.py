"""The caption of a table in plain sentences, which each report escapes in its own way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.metrics import METRICS
from benchmarks.plan.fairness import inequalities
from benchmarks.plan.job import Job, parse_job
from benchmarks.plan.nested import flatten, lookup
from benchmarks.plan.tables import Condition
from benchmarks.store.result import Result
from reports.cells import SIGNS
from reports.collect import RowResults, TableResults
from reports.comparisons import ALPHA, AgainstReference, against_reference
from reports.statistics import least_p

_NAMED_LEAKS = 3

Facts = dict[str, Any]  # one result.json without its images


def caption(results: TableResults) -> list[str]:
    """Write the caption in sentences: the paper's own, what was published and measured, and whether the two compare."""
    spec = results.spec
    published = f"Published: the paper's figures on {spec.published.dataset} ({spec.published.remark})."
    sentences = [spec.caption, "Best of each column in bold.", published]
    if not results.results:
        return [*sentences, "Measured: nothing yet."]
    facts, trained = _facts(results.results), _facts(results.trained)
    return [
        *sentences,
        _measured(facts, trained),
        _seeds(results),
        *_significance(against_reference(results)),
        *_fairness(results),
        _hardware(facts),
        *_changes(results),
        *_leaks(results),
        comparability(results),
    ]


def notes(row: RowResults, metrics: Sequence[str]) -> list[str]:
    """Explain each gap of a row in one sentence, and each of the table's metrics that its results do not have."""
    short = f"{len(row.results)} of {len(row.results) + len(row.gaps)} seeds: " if row.results else ""
    gaps = [f"{short}{gap.reason}" + (f" (job {gap.key})" if gap.key else "") + "." for gap in row.gaps]
    return gaps + [
        f"{lacking} of {len(row.results)} results have no {METRICS[metric].title}, which was added after them: "
        "`pctrans-bench rescore` computes it."
        for metric in metrics
        if (lacking := sum(metric not in result.metrics for result in row.results))
    ]


def explained(results: TableResults) -> list[tuple[RowResults, list[str]]]:
    """Find the rows that have notes, each with them."""
    found = [(row, notes(row, results.spec.metrics)) for row in results.rows]
    return [(row, reasons) for row, reasons in found if reasons]


def _facts(results: Iterable[Result]) -> list[Facts]:
    return [result.model_dump(exclude={"images"}) for result in results]


def _measured(facts: list[Facts], trained: list[Facts]) -> str:
    def all_of(path: str) -> str:
        return _distinct(lookup(fact, path) for fact in facts)

    iterations = _distinct(fact["cost"]["iterations"] for fact in trained)
    budget = f", {iterations} iterations a {'trained ' if len(trained) < len(facts) else ''}row" if trained else ""
    decoding = f", decoding {all_of('dataset.decoding')}" if lookup(facts[0], "dataset.decoding") else ""
    return (
        f"Measured: {all_of('dataset.spec')}, split {all_of('dataset.split')} "
        f"({all_of('dataset.images')} images, {all_of('dataset.instances')} instances{decoding}), "
        f"scale {all_of('job.scale')}{budget}; metrics are means over images."
    )


def _seeds(results: TableResults) -> str:
    seeds = results.seeds
    if not results.trained:
        return "Nothing was trained, so nothing depends on a seed."
    if len(seeds) == 1:
        return f"One seed ({seeds[0]}): the spread over seeds is not known."
    untrained = any(row.origin == "untrained" and row.results for row in results.rows)
    once = " Untrained rows are run once." if untrained else ""
    return (
        f"Mean ± standard deviation over {len(seeds)} seeds ({', '.join(map(str, seeds))}).{once} The CSV's 95 % "
        "intervals are bootstrapped over images instead."
    )


def _significance(against: AgainstReference) -> list[str]:
    """Explain what is compared with what, how, and which marks show it."""
    reference = f"row {against.reference.number} ({against.reference.label})"
    if not against.reference.results:
        return [f"No row is compared with {reference}, which has no result."]
    comparisons = list(against.comparisons.values())
    if not comparisons:
        return list(against.unpaired)
    images, seeds = ({getattr(one, name) for one in comparisons} for name in ("images", "seeds"))
    rows = len({number for number, _ in against.comparisons})
    resampled = "images and seeds" if max(seeds) > 1 else "images"
    sentences = [
        f"{SIGNS[1]} / {SIGNS[-1]}: significantly better / worse than {reference} on {_range(images, 'image')} and "
        f"{_range(seeds, 'seed')}: two-sided Wilcoxon signed-rank test of the differences of images, each averaged "
        f"over seeds, p < {ALPHA} after Holm's correction over this table's {len(comparisons)} comparisons "
        f"({_range({rows}, 'row')} × {_range({len(comparisons) // rows}, 'metric')}), and the 95 % paired bootstrap "
        f"interval of the difference, over {resampled}, beyond 0."
    ]
    if max(seeds) == 1:
        sentences.append("With one seed, marks are about these trained networks; other trainings may differ.")
    if least_p(max(images)) >= ALPHA:
        sentences.append(f"So few images cannot give p < {ALPHA}: nothing can be marked.")
    return [*sentences, *against.unpaired]


def _range(values: set[int], unit: str) -> str:
    """Print a range with its unit, such as "15 images" or "1 to 3 seeds"."""
    numbers = " to ".join(map(str, dict.fromkeys((min(values), max(values)))))
    return f"{numbers} {unit}{'' if max(values) == 1 else 's'}"


def _fairness(results: TableResults) -> list[str]:
    """Say whether the trained rows were trained alike; nothing for fewer than two."""
    if len([row for row in results.rows if row.origin == "trained" and row.results]) < 2:
        return []
    return unequal(results) or [
        "All trained rows share data, split, crop, augmentation, batch size, iterations, seeds, backbone, precision, "
        "threads and tiling."
    ]


def unequal(results: TableResults) -> list[str]:
    """Say in what the rows were not trained alike; empty where they were."""
    try:
        jobs = [(row.label, _job(result)) for row in results.rows for result in row.results]
    except ValueError as error:
        return [f"Whether rows were trained alike cannot be checked: {error}."]
    if differences := inequalities(jobs):
        return [f"Rows are NOT equal in: {'; '.join(one.describe() for one in differences)}."]
    return []


def _job(result: Result) -> Job:
    try:
        return parse_job(result.job)
    except ValueError as error:
        raise ValueError(f"job {result.key} was made by another version") from error


def _hardware(facts: list[Facts]) -> str:
    return f"Made on {_distinct(_machine(fact['environment']) for fact in facts)}."


def _machine(environment: dict[str, Any]) -> str:
    cpu, cores, threads = (environment.get(name) for name in ("cpu", "cores", "threads"))
    processor = f"{cpu or 'an unnamed processor'} (cores: {cores}, threads: {threads})"
    return f"{accelerator}, {processor}" if (accelerator := environment.get("accelerator")) else processor


def _changes(results: TableResults) -> list[str]:
    """Name the scale's settings that the user changed, if any."""
    if not results.overrides:
        return []
    changes = ", ".join(f"{path}={value}" for path, value in flatten(results.overrides))
    return [f"Changed from the scale's settings: {changes}."]


def _leaks(results: TableResults) -> list[str]:
    """Name the pictures that are in several splits, if any."""
    if not results.leaks:
        return []
    named = "; ".join(results.leaks[:_NAMED_LEAKS])
    more = f"; and {len(results.leaks) - _NAMED_LEAKS} more" if len(results.leaks) > _NAMED_LEAKS else ""
    return [f"LEAK: the same picture is in two splits of the data, so figures may flatter: {named}{more}."]


def comparability(results: TableResults) -> str:
    """Say whether measured and published figures may be compared, and if not, give every reason.

    Conditions on jobs and their cost concern trained rows only: other rows have neither a backbone nor iterations.
    """
    published, facts, trained = results.spec.published, _facts(results.results), _facts(results.trained)
    reasons = ["settings were changed"] if results.overrides else []
    if any(re.split("[:?]", fact["dataset"]["spec"])[0] != published.data for fact in facts):
        reasons.append(f"the data are not {published.dataset}")
    for condition in published.conditions:
        asked = trained if condition.path.startswith(("job.", "cost.")) else facts
        reasons += filter(None, [_difference(condition, asked)])
    if reasons:
        return f"Measured and published figures cannot be compared: {'; '.join(reasons)}."
    if not trained:
        return "Data and decoding are those of the published figures."
    return "Data, decoding and schedule are those of the published figures."


def _difference(condition: Condition, facts: list[Facts]) -> str | None:
    """Return the reason this condition gives against a comparison, None where it holds for every job."""
    values = [lookup(fact, condition.path) for fact in facts]
    if condition.value is None:
        return None if all(value is not None for value in values) else f"no {condition.what}"
    if all(value == condition.value for value in values):
        return None
    return f"{condition.what} is {_distinct(values)}, not {condition.value}"


def _distinct(values: Iterable[Any]) -> str:
    """List distinct values in order of first appearance: one in a sound run, more where jobs were mixed."""
    return " / ".join(dict.fromkeys("none" if value is None else str(value) for value in values))
