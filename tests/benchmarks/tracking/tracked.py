"""Folders of jobs as the harness writes them, and what MLflow then holds, read back with its own client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63f80f00"
    "01010100e221bc330000000049454e44ae426082"
)
DATA = {"spec": "folder:x", "name": "x", "fingerprint": "f", "decoding": "ids"}
TABLE = {"data": DATA, "scale": "smoke", "seeds": [0], "overrides": {}}


def write_job(out: Path, key: str, *, iterations: int = 5, ended: str | None = "result") -> Path:
    """A job's folder as the harness writes it: running, with a result, or with an error."""
    folder = out / "jobs" / key
    (folder / "overlays").mkdir(parents=True, exist_ok=True)
    job = {
        "key": key,
        "method": "pctrans",
        "seed": 3,
        "data": DATA,
        "model": {"hidden": 64, "levels": [8, 16], "resume": None, "extra": {}},
        "training": {f"option_{k}": k for k in range(150)},
    }
    (folder / "job.json").write_text(json.dumps(job))
    (folder / "environment.json").write_text(json.dumps({"torch": "2.13.0", "commit": "abc123"}))
    rows = [f"{k},{1 / (k + 1)},{'nan' if k == 2 else 0.5},1e-4,{k * 0.25}" for k in range(iterations)]
    losses = ["iteration,loss,mask,learning_rate,seconds", *rows]
    validation = ["iteration,epoch,seconds,pq,|dic|", "2,1,0.5,0.4,inf", "4,2,1.0,0.6,3"]
    (folder / "losses.csv").write_text("\n".join(losses) + "\n")
    (folder / "validation.csv").write_text("\n".join(validation) + "\n")
    (folder / "overlays" / "first.png").write_bytes(PNG)
    if ended == "result":
        configured = {"values": {"mask_threshold": 0.5, "bandwidth": None}, "pq": 0.5}
        chosen = {"values": {"mask_threshold": 0.35, "bandwidth": None}, "pq": 0.625}
        result = {
            "schema": 1,
            "key": key,
            "label": "row 8",
            "job": job,
            "dataset": {"spec": "synthetic-nuclei", "split": "test", "images": 1, "instances": 3},
            "metrics": {"pq": 0.7, "dic": -2.0, "ap": None},
            "images": [],
            "cost": {"parameters": 1234, "iterations": iterations, "train_seconds": 9.5},
            "environment": {},
            "thresholds": {
                "configured": configured,
                "chosen": chosen,
                "split": "val",
                "images": 2,
                "trials": [configured, chosen],
            },
            "started": "2026-01-02T03:04:05+00:00",
            "finished": "2026-01-02T03:14:05+00:00",
        }
        (folder / "metrics.csv").write_text("id,truth,predicted,pq\na,3,3,0.7\n")
        (folder / "result.json").write_text(json.dumps(result))
    elif ended == "error":
        error = {"type": "ValueError", "message": "loss is not finite", "traceback": "", "when": "2026-01-02"}
        (folder / "error.json").write_text(json.dumps(error))
    return folder


def runs(out: Path, *, table: bool) -> list[Any]:
    """The runs of tables, or those of jobs."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{out / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("pctrans-bench")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    return [run for run in found if ("pctrans_bench.table" in run.data.tags) == table]


def history(out: Path, run: Any, metric: str) -> list[tuple[int, float]]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{out / 'mlflow.db'}")
    return [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, metric)]


def artifacts(out: Path, run: Any, folder: str | None = None) -> set[str]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{out / 'mlflow.db'}")
    return {entry.path for entry in client.list_artifacts(run.info.run_id, folder)}


def only_run(out: Path, table: bool = False) -> Any:
    found = runs(out, table=table)
    assert len(found) == 1
    return found[0]
