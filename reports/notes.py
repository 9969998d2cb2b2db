"""The notes below a table, numbered, the most important first, each of one line unless a name or a list is longer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.metrics import METRICS
from benchmarks.plan.nested import flatten, lookup
from benchmarks.store.result import Result
from reports.cells import SIGNS
from reports.collect import RowResults, TableResults
from reports.comparability import made_unlike, reasons_against, unequal
from reports.comparisons import ALPHA, AgainstReference, against_reference
from reports.facts import Facts, distinct, facts_of
from reports.layout import FULL, Layout
from reports.statistics import least_p

LINE = 112
"""Characters that fit on a line of small print across a page; lists that are longer go on in the next note."""
_NAMED_LEAKS = 3


@dataclass(frozen=True)
class Note:
    """One note of a table.

    Attributes:
        number: from 1.
        text: plain text.
        row: the number of the row that it explains; None where it is about the table.
    """

    number: int
    text: str
    row: int | None = None


def table_notes(results: TableResults, layout: Layout = FULL) -> list[Note]:
    """Write the notes of a table; a layout without published figures or marks has none that explain them."""
    found = [*_warnings(results, layout), *_of_rows(results), *_explanations(results, layout)]
    return [Note(number, text, row) for number, (text, row) in enumerate(found, 1)]


def note_of(notes: Sequence[Note], row: RowResults) -> int | None:
    """Return the number of the note that explains a row; None where none does."""
    return next((note.number for note in notes if note.row == row.number), None)


def row_notes(row: RowResults, metrics: Sequence[str]) -> list[str]:
    """Explain what a row has no figures of, and each of the table's metrics that its results do not have."""
    return row.missing + [
        f"{lacking} of {len(row.results)} results have no {METRICS[metric].title}, which was added after them: "
        "`pctrans-bench rescore` computes it."
        for metric in metrics
        if (lacking := sum(metric not in result.metrics for result in row.results))
    ]


def packed(opening: str, items: Sequence[str], again: str) -> list[str]:
    """Spread a list over as many notes as it needs, each of which says what it lists; an item is never cut.

    Args:
        opening: begins the first note.
        again: begins the others.
    """
    lines = [f"{opening} {items[0]}"] if items else []
    for item in items[1:]:
        joined = f"{lines[-1]}; {item}"
        if len(joined) < LINE:
            lines[-1] = joined
        else:
            lines.append(f"{again} {item}")
    return [f"{line}." for line in lines]


Found = tuple[str, int | None]
"""A note's text, and the number of the row that it explains."""


def _warnings(results: TableResults, layout: Layout) -> Iterator[Found]:
    """Say first what forbids a reading of the figures."""
    sentences: list[str] = []
    if results.results:
        if layout.shows_published:
            sentences += packed("Not comparable with published:", reasons_against(results), "Nor comparable:")
        sentences += packed(
            "LEAK: the same picture is in two splits, so figures may flatter:", _leaks(results), "LEAK, also:"
        )
        sentences += [*unequal(results), *made_unlike(results)] if _trained_rows(results) > 1 else []
        changes = [f"{path}={value}" for path, value in flatten(results.overrides)]
        sentences += packed("Changed from the scale's settings:", changes, "Also changed:")
    return ((sentence, None) for sentence in sentences)


def _leaks(results: TableResults) -> list[str]:
    """Name some of the pictures that are in several splits, and count the others."""
    more = len(results.leaks) - _NAMED_LEAKS
    return [*results.leaks[:_NAMED_LEAKS], *([f"and {more} more"] if more > 0 else [])]


def _trained_rows(results: TableResults) -> int:
    return len([row for row in results.rows if row.origin == "trained" and row.results])


def _of_rows(results: TableResults) -> Iterator[Found]:
    for row in results.rows:
        if reasons := row_notes(row, results.spec.metrics):
            yield f"Row {row.number}: {' '.join(reasons)}", row.number


def _explanations(results: TableResults, layout: Layout) -> Iterator[Found]:
    sentences: list[str] = []
    published = results.spec.published
    if results.results:
        sentences += _significance(against_reference(results)) if layout.shows_signs else []
        sentences += _spread(results)
        facts, trained = facts_of(results.results), facts_of(results.trained)
        sentences.append(_measured(facts, trained))
    if layout.shows_published:
        sentences.append(f"Published: the paper's figures on {published.dataset} ({published.remark}).")
        if results.results and not reasons_against(results):
            shared = "Data, decoding and schedule" if results.trained else "Data and decoding"
            sentences.append(f"{shared} are those of the published figures.")
    sentences.append("Best of each column in bold.")
    if results.results:
        sentences += _fairness(results)
        sentences.append(f"Made on {distinct(_machine(fact['environment']) for fact in facts)}.")
    return ((sentence, None) for sentence in sentences)


def _measured(facts: list[Facts], trained: list[Facts]) -> str:
    iterations = distinct(fact["cost"]["iterations"] for fact in trained)
    budget = f", {iterations} iterations a {'trained ' if len(trained) < len(facts) else ''}row" if trained else ""
    specs = distinct(lookup(fact, "dataset.spec") for fact in facts)
    known = lookup(facts[0], "dataset.decoding")
    decoding = f", decoding {distinct(lookup(fact, 'dataset.decoding') for fact in facts)}" if known else ""
    return f"Measured: {specs}{decoding}{budget}; metrics are means over images."


def _spread(results: TableResults) -> list[str]:
    seeds = results.seeds
    if not results.trained:
        return ["Nothing was trained, so nothing depends on a seed."]
    if len(seeds) == 1:
        return [f"One seed ({seeds[0]}): the spread over seeds is not known."]
    untrained = any(row.origin == "untrained" and row.results for row in results.rows)
    once = " Untrained rows are run once." if untrained else ""
    listed = ", ".join(map(str, seeds))
    return [f"±: standard deviation over seeds ({listed}); the CSV has 95 % intervals over images.{once}"]


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
        f"{SIGNS[1]} / {SIGNS[-1]}: significantly better / worse than {reference}, on {_range(images, 'image')} and "
        f"{_range(seeds, 'seed')}.",
        f"Significant: p < {ALPHA} after Holm's correction over {len(comparisons)} comparisons "
        f"({_range({rows}, 'row')} × {_range({len(comparisons) // rows}, 'metric')}), and interval beyond 0.",
        "p: two-sided Wilcoxon signed-rank test of the differences of images, each averaged over seeds.",
        f"Interval: 95 % paired bootstrap of the difference, over {resampled}.",
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
    """Say that the trained rows were trained alike; nothing for fewer than two, or where they were not."""
    if _trained_rows(results) < 2 or unequal(results):
        return []
    own = [row.label for row in results.rows if row.origin == "trained" and any(map(_has_own_backbone, row.results))]
    but = f" (but {', '.join(own)})" if own else ""
    return [
        f"Trained rows share data, split, crop, augmentation, batch, iterations, seeds, backbone{but}, precision, "
        "threads, tiling."
    ]


def _has_own_backbone(result: Result) -> bool:
    return not lookup(result.job, "model.backbone")


def _machine(environment: dict[str, Any]) -> str:
    cpu, cores, threads = (environment.get(name) for name in ("cpu", "cores", "threads"))
    processor = f"{cpu or 'an unnamed processor'} (cores: {cores}, threads: {threads})"
    return f"{accelerator}, {processor}" if (accelerator := environment.get("accelerator")) else processor
