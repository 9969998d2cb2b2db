"""The rows that several results folders share, with their scores on the data set of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from benchmarks.data.opening import training_share_of, whole_of
from benchmarks.errors import UserError
from benchmarks.metrics import METRICS
from benchmarks.plan.tables import TableSpec
from benchmarks.store.run_file import RunFile, read_run, run_tables
from reports.collect import RowResults, collect
from reports.pairing import paired_scores


@dataclass(frozen=True)
class ScoredSet:
    """One data set.

    Attributes:
        scores: (R, N, S), rows, images and seeds, turned so that more is better.
    """

    name: str
    folder: Path
    run: RunFile
    rows: tuple[RowResults, ...]
    scores: np.ndarray

    @property
    def protocol(self) -> str:
        """Whose crop, augmentation and thresholds its jobs have."""
        found = {str(result.job.get("protocol", "unknown")) for row in self.rows for result in row.results}
        return ", ".join(sorted(found))


@dataclass(frozen=True)
class AcrossSets:
    """A table on several data sets, with the rows that all of them have.

    Attributes:
        labels: of the rows, in the table's order.
        left_out: labels of rows that some data set has no result of, each with the names of those.
    """

    spec: TableSpec
    metric: str
    labels: tuple[str, ...]
    sets: tuple[ScoredSet, ...]
    left_out: dict[str, tuple[str, ...]]


def shared_tables(folders: Sequence[Path]) -> list[str]:
    """The tables that were run into every one of the folders.

    Raises:
        UserError: there is none.
    """
    held = [run_tables(folder) for folder in folders]
    shared = [name for name in held[0] if all(name in names for names in held)]
    if not shared:
        listed = "".join(
            f"\n  {folder}: {', '.join(names) or 'none'}" for folder, names in zip(folders, held, strict=True)
        )
        raise UserError(f"No table was run into all of these folders; they hold{listed}")
    return shared


def collect_sets(folders: Sequence[Path], table: str, metric: str | None = None) -> AcrossSets:
    """Collect one table from results folders of different data.

    Args:
        metric: by default PQ, or the table's first metric where it has none.

    Raises:
        UserError: a folder has no such table, two hold the same data, they share fewer than two rows with results, or
            the metric is unknown or has no better direction.
    """
    found = []
    for folder in folders:
        results, run = collect(folder, table), read_run(folder, table)
        assert run is not None, "it was collected"
        found.append((folder, run, results))
    spec = found[0][2].spec
    chosen = _checked_metric(spec, metric)
    refuse_same_data([(str(folder), run) for folder, run, _ in found])
    names = _names([(folder, run) for folder, run, _ in found])
    by_label = [{row.label: row for row in results.rows if row.results} for _, _, results in found]
    every = dict.fromkeys(label for rows in by_label for label in rows)
    labels = tuple(label for label in every if all(label in rows for rows in by_label))
    if len(labels) < 2:
        raise UserError(f"Fewer than two rows of {table} have results in all of {', '.join(map(str, folders))}.")
    sign = 1 if METRICS[chosen].direction == "max" else -1
    sets = []
    for (folder, run, _), name, known in zip(found, names, by_label, strict=True):
        rows = tuple(known[label] for label in labels)
        sets.append(ScoredSet(name, folder, run, rows, sign * paired_scores(rows, chosen)))
    left_out = {
        label: tuple(name for name, rows in zip(names, by_label, strict=True) if label not in rows)
        for label in every
        if label not in labels
    }
    return AcrossSets(spec, chosen, labels, tuple(sets), left_out)


def leak_notes(across: AcrossSets) -> list[str]:
    """Name the data sets with pictures in several of their splits."""
    return [f"{one.name}: the same picture is in two splits" for one in across.sets if one.run.leaks]


def _checked_metric(spec: TableSpec, metric: str | None) -> str:
    chosen = metric or ("pq" if "pq" in spec.metrics else spec.metrics[0])
    if chosen not in METRICS or METRICS[chosen].direction == "none":
        better = ", ".join(name for name, one in METRICS.items() if one.direction != "none")
        raise UserError(f"--metric {chosen}: rows can be ranked by {better}.")
    return chosen


def refuse_same_data(runs: Sequence[tuple[str, RunFile]]) -> None:
    """Refuse what would count one data set twice.

    Args:
        runs: each with what the user calls it, its folder or its data.

    Raises:
        UserError: two are of the same data, or of parts of one data set.
    """
    for (first, one), (second, other) in combinations(runs, 2):
        if (one.data.fingerprint, one.data.decoding) == (other.data.fingerprint, other.data.decoding):
            raise UserError(
                f"{first} and {second} are of the same data ({one.data.name}): each data set counts once. "
                "`pctrans-bench merge` makes one folder of them."
            )
        shares = [training_share_of(run.data.spec) for run in (one, other)]
        if shares[0] != shares[1] and whole_of(one.data.spec) == whole_of(other.data.spec):
            raise UserError(
                f"{first} and {second} are trained on parts of the same data and tested on the same images: each data "
                "set counts once. `pctrans-bench labels` compares parts."
            )


def _names(runs: Sequence[tuple[Path, RunFile]]) -> list[str]:
    """The names of data sets, with their folders where two have the same."""
    counts = Counter(run.data.name for _, run in runs)
    return [f"{run.data.name} ({folder})" if counts[run.data.name] > 1 else run.data.name for folder, run in runs]


def only(across: AcrossSets, place: int) -> AcrossSets:
    """The same rows on one of the data sets."""
    return replace(across, sets=(across.sets[place],))
