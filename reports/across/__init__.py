"""The same rows on several data sets: mean ranks, which of them are told apart, and whether the order is the same."""

from reports.across.collected import AcrossSets, collect_sets, refuse_same_data, shared_tables
from reports.across.files import AcrossPaths, rank_grid, write_across
from reports.across.sentences import sentences

__all__ = [
    "AcrossPaths",
    "AcrossSets",
    "collect_sets",
    "rank_grid",
    "refuse_same_data",
    "sentences",
    "shared_tables",
    "write_across",
]
