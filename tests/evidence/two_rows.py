"""Two rows, of one table or of two, seed by seed: their means, how far their seeds scatter, and the difference.

    python tests/evidence/two_rows.py OUT table4:8 table1:17 [--metric pq] [--seeds 3,4,5]

Tables compare rows with their own reference; this compares any two that were tested on the same images, from what is
stored. The scatter is tested by Levene's test (about medians), the difference as tables do, before any correction.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import levene

from benchmarks.metrics import METRICS
from reports.collect import RowResults, collect
from reports.comparisons import compare


def _row(out: Path, place: str, seeds: list[int] | None) -> RowResults:
    table, number = place.split(":")
    row = next(row for row in collect(out, table).rows if row.number == int(number))
    return row if seeds is None else replace(row, results=[one for one in row.results if one.seed in seeds])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("rows", nargs=2, metavar="TABLE:ROW")
    parser.add_argument("--metric", default="pq", choices=sorted(METRICS))
    parser.add_argument("--seeds", type=lambda text: [int(one) for one in text.split(",")], help="only these")
    arguments = parser.parse_args()
    first, second = (_row(arguments.out, place, arguments.seeds) for place in arguments.rows)
    by_seed = []
    for place, row in zip(arguments.rows, (first, second), strict=True):
        values = [result.metrics[arguments.metric] for result in row.results]
        by_seed.append(values)
        seeds = " ".join(f"{value:.4f}" for value in values)
        print(f"{place} {row.label}: {seeds}; mean {np.mean(values):.4f}, deviation {np.std(values, ddof=1):.4f}")
    found = compare(first, second, arguments.metric)
    print(f"deviations differ: p = {levene(*by_seed, center='median').pvalue:.2g}")
    print(f"difference {found.effect:+.4f} [{found.low:+.4f}, {found.high:+.4f}], p = {found.p:.2g}")


if __name__ == "__main__":
    main()
