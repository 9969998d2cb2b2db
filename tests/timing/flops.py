"""What a training step costs in each row of a table, counted: parameters and floating-point operations of one crop.

    python tests/timing/flops.py table4 --data bbbc039:PATH --scale paper
    python tests/timing/flops.py table1 --data bbbc039:PATH --scale paper --rows 14,15,16,17,18,19

`cost.flops_per_crop` of `result.json` is the same figure of a job that was run. No weights are fetched: they change
no count.
"""

from __future__ import annotations

import argparse
from typing import cast

from tabulate import tabulate

from benchmarks.contract import Segmenter
from benchmarks.data import open_dataset
from benchmarks.plan.expansion import expand_table
from benchmarks.plan.job import JobContext
from benchmarks.plan.methods import get_method
from benchmarks.plan.tables import load_table
from benchmarks.run.cost import count_parameters, training_flops


def main() -> None:
    """Print a line a trained row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table")
    parser.add_argument("--data", required=True)
    parser.add_argument("--scale", default="paper")
    parser.add_argument("--rows", help="numbers of rows, with commas; of a method whose weights are not at hand, none")
    arguments = parser.parse_args()
    dataset = open_dataset(arguments.data)
    context = JobContext.on(dataset, arguments.scale, None, "cpu")
    overrides = {"model": {"backbone": {"pretrained": None}}} if arguments.scale == "paper" else {}
    plan = expand_table(load_table(arguments.table), context, seeds=1, overrides=overrides)
    wanted = {int(row) for row in arguments.rows.split(",")} if arguments.rows else None
    rows = []
    for planned in plan.chosen:
        job = planned.job
        if not job.trained or (wanted and planned.row not in wanted):
            continue
        model = cast(Segmenter, get_method(job.method).build(job.model))
        flops = training_flops(model, job, dataset, "cpu")
        steps = job.training.iterations * job.training.batch_size
        cells = [count_parameters(model) / 1e6, flops / 1e9, flops * steps / 1e15]
        rows.append([planned.row, planned.label, job.training.crop, job.training.batch_size, *cells])
        print(planned.row, planned.label, flops, flush=True)
    headers = ("row", "label", "crop", "batch", "M parameters", "GFLOP a crop", "PFLOP a training")
    print(tabulate(rows, headers, floatfmt=".2f"))


if __name__ == "__main__":
    main()
