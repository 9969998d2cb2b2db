"""How long collecting and reporting many finished results takes.

    python tests/timing/reporting.py [--seeds 25] [--images 50]

Writes made-up result files of all eight tables (47 trained rows, so 25 seeds are 1179 results) into a temporary folder
and reports them as `pctrans-bench report` does, without the pictures that need label maps.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from reports.claims import evaluate_claims, write_claims
from reports.html import write_html
from reports.results_folder import read_results_folder
from reports.table import write_combined, write_table

sys.path.insert(0, str(Path(__file__).parents[1] / "reports"))
from synthesis import synthesise_scores


class Clock:
    """Prints what each section took, on the wall and of the processor."""

    def __init__(self) -> None:
        self.first = self.last = time.perf_counter(), time.process_time()

    def lap(self, what: str) -> None:
        now = time.perf_counter(), time.process_time()
        self._print(what, self.last, now)
        self.last = now

    def total(self) -> None:
        self._print("all", self.first, self.last)

    def _print(self, what: str, then: tuple[float, float], now: tuple[float, float]) -> None:
        wall, processor = (after - before for before, after in zip(then, now, strict=True))
        print(f"{what:<10} {wall:7.2f} s, of the processor {processor:7.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=25)
    parser.add_argument("--images", type=int, default=50)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        out = synthesise_scores(Path(name), seeds=arguments.seeds, images=arguments.images)
        print(f"{len(list(out.glob('jobs/*/result.json')))} results of {arguments.images} images")
        report(out)


def report(out: Path) -> None:
    clock = Clock()
    folder = read_results_folder(out)
    clock.lap("collect")
    written = {table: write_table(results, out) for table, results in folder.results.items()}
    write_combined(list(folder.results.values()), out)
    clock.lap("tables")
    claims = evaluate_claims(out, collected=folder.results)
    write_claims(claims)
    clock.lap("claims")
    page = write_html(out, folder=folder, claims=claims, written=written)
    clock.lap("HTML")
    clock.total()
    print(f"the page has {page.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
