"""Views of MLflow's pages: the runs of a table with the columns that it is about, kept as tags of the experiment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from benchmarks.metrics import METRICS
from benchmarks.plan.tables import load_table
from benchmarks.store.run_file import run_tables
from benchmarks.tracking.job import metric_name
from benchmarks.tracking.runs import PARENT, TABLE

if TYPE_CHECKING:
    from mlflow import MlflowClient

SHARED = "mlflow.sharedViewState."
"""MLflow's pages look for the state that a link names in the tag of this name and the link's key."""
KEY = "viewStateShareKey"


def save_views(client: MlflowClient, experiment: str, out: Path) -> dict[str, str]:
    """Save a view of the latest run of each table of `out` that MLflow has; return the paths of pages by table.

    Args:
        experiment: MLflow's id of the experiment.
    """
    pages = {}
    for table in run_tables(out):
        runs = client.search_runs([experiment], f"tags.`{TABLE}` = '{table}'", max_results=1)
        if not runs:
            continue
        key, state = f"pctrans_bench_{table}", _state(table, runs[0].info.run_id)
        client.set_experiment_tag(experiment, f"{SHARED}{key}", json.dumps(state))
        asked = urlencode({"workflowType": "machine_learning", KEY: key})
        pages[table] = f"/experiments/{experiment}/runs?{asked}"
    return pages


def _state(table: str, run: str) -> dict[str, object]:
    """What the page shows: the jobs below a run of the table with its metrics, the best above."""
    metrics = load_table(table).metrics
    first = "pq" if "pq" in metrics else metrics[0]
    return {
        "searchFilter": f"tags.`{PARENT}` = '{run}'",
        "orderByKey": _column(first),
        "orderByAsc": METRICS[first].direction == "min",
        "selectedColumns": [_column(name) for name in metrics],
    }


def _column(metric: str) -> str:
    return f"metrics.`{metric_name('test', metric)}`"
