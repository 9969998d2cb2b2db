"""Whether measured figures compare with the published ones, and the rows of a table with each other."""

from __future__ import annotations

import re

from benchmarks.plan.fairness import inequalities
from benchmarks.plan.job import Job, parse_job
from benchmarks.plan.nested import lookup
from benchmarks.plan.tables import Condition
from benchmarks.store.result import Result
from reports.collect import TableResults
from reports.facts import Facts, distinct, facts_of


def comparability(results: TableResults) -> str:
    """Say in one sentence whether measured and published figures may be compared, and if not, give every reason."""
    if reasons := reasons_against(results):
        return f"Measured and published figures cannot be compared: {'; '.join(reasons)}."
    if not results.trained:
        return "Data and decoding are those of the published figures."
    return "Data, decoding and schedule are those of the published figures."


def reasons_against(results: TableResults) -> list[str]:
    """Find every reason against a comparison of measured and published figures; empty where they compare.

    Conditions on jobs and their cost concern trained rows only, those on the backbone only rows that have one: others
    have neither a backbone nor iterations.
    """
    published, facts, trained = results.spec.published, facts_of(results.results), facts_of(results.trained)
    reasons = ["settings were changed"] if results.overrides else []
    if any(kind_of_data(fact["dataset"]["spec"]) != published.data for fact in facts):
        reasons.append(f"the data are not {published.dataset}")
    for condition in published.conditions:
        asked = trained if condition.path.startswith(("job.", "cost.")) else facts
        if condition.path.startswith("job.model.backbone."):
            asked = [fact for fact in asked if lookup(fact, "job.model.backbone")]
        reasons += filter(None, [_difference(condition, asked)])
    return reasons


def kind_of_data(spec: str) -> str:
    """Return the kind of data set that a spec names, such as `bbbc039` of `bbbc039:PATH?decoding=official`."""
    return re.split("[:?]", spec)[0]


def unequal(results: TableResults) -> list[str]:
    """Say in what the rows were not trained alike; empty where they were."""
    try:
        jobs = [(row.label, _job(result)) for row in results.rows for result in row.results]
    except ValueError as error:
        return [f"Whether rows were trained alike cannot be checked: {error}."]
    if differences := inequalities(jobs):
        return [f"Rows are NOT equal in: {'; '.join(one.describe() for one in differences)}."]
    return []


def made_unlike(results: TableResults) -> list[str]:
    """Say on which devices and with which releases the trained rows were made; empty where all with the same.

    Another release may draw other random weights, and another device rounds otherwise.
    """
    sentences = []
    for what in ("device", "torch", "transformers"):
        found = [f"{value} ({rows})" for value, rows in _rows_by_making(results, what).items()]
        sentences += [f"Rows were NOT made alike: {what} {', '.join(found)}."] if len(found) > 1 else []
    return sentences


def _rows_by_making(results: TableResults, what: str) -> dict[str, str]:
    """Name the trained rows by a fact of their environment: "cuda" of "cuda:1", "2.13.0" of "2.13.0+cpu"."""
    found: dict[str, list[str]] = {}
    for row in results.rows:
        facts = [result.environment.get(what) for result in row.results if row.origin == "trained"]
        for value in dict.fromkeys(re.split("[:+]", fact)[0] for fact in facts if fact):
            found.setdefault(value, []).append(str(row.number))
    return {value: f"{'rows' if len(rows) > 1 else 'row'} {', '.join(rows)}" for value, rows in found.items()}


def _job(result: Result) -> Job:
    try:
        return parse_job(result.job)
    except ValueError as error:
        raise ValueError(f"job {result.key} was made by another version") from error


def _difference(condition: Condition, facts: list[Facts]) -> str | None:
    """Return the reason this condition gives against a comparison, None where it holds for every job."""
    values = [lookup(fact, condition.path) for fact in facts]
    if condition.value is None:
        return None if all(value is not None for value in values) else f"no {condition.what}"
    if all(value == condition.value for value in values):
        return None
    return f"{condition.what} is {distinct(values)}, not {condition.value}"
