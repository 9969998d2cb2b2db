"""The truth of a split as label maps, for `pctrans-bench score`, where a data set keeps it in another form.

python tests/evidence/truth.py --data bbbc039:../shared/data/bbbc039 --to truth
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.data import open_dataset
from benchmarks.data.label_files import write_labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--to", type=Path, required=True)
    arguments = parser.parse_args()
    dataset = open_dataset(arguments.data)
    for id in dataset.ids(arguments.split):
        labels = dataset.load(id).labels
        if labels is not None:
            write_labels(arguments.to / f"{id}.tif", labels)


if __name__ == "__main__":
    main()
