"""A results folder as a run leaves it, made in a second.

`synthesise` damages the truth of a data set by a known share and scores that; `synthesise_scores` makes the scores up,
for many results without label maps.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from benchmarks.data import open_dataset
from benchmarks.metrics import METRICS, image_metrics
from benchmarks.plan.job import EXTERNAL
from benchmarks.plan.methods import get_method
from benchmarks.plan.settings import TestingSettings, TrainingSettings
from benchmarks.plan.tables import TableSpec, list_tables, load_table

FULL_MODEL: dict[str, Any] = {
    "backbone": {"name": "resnet18", "width": 32, "pretrained": None},
    "mask_head": "dynamic",
    "relative_coordinates": True,
    "loss_weights": {"semantic": 5.0, "discriminative": 2.0, "query_contrast": 2.0, "mask_contrast": 2.0},
    "query_temperature": 1.0,
    "mask_temperature": 1.0,
    "attention_type": 3,
    "encoder_layers": 6,
    "mask_channels": 16,
    "num_queries": 300,
}
ITERATIONS = 600
ENVIRONMENT = {"cpu": "Test CPU @ 2 GHz", "cores": 2, "threads": 1, "accelerator": None, "commit": "0" * 40}


def write_folder_dataset(folder: Path, images: int = 5, size: int = 96) -> str:
    """Write a dataset of discs on a dark ground, all but two images for testing; return its spec."""
    rng = np.random.default_rng(0)
    for name in ("images", "labels", "splits"):
        (folder / name).mkdir(parents=True)
    names = [f"disc_{index}" for index in range(images)]
    for name in names:
        labels = _discs(rng, size)
        light = np.where(labels > 0, 150, 20) + rng.integers(0, 20, labels.shape)
        Image.fromarray(light.astype(np.uint8)).save(folder / "images" / f"{name}.png")
        Image.fromarray(labels.astype(np.uint16)).save(folder / "labels" / f"{name}.png")
    for split, part in (("train", names[:1]), ("val", names[1:2]), ("test", names[2:])):
        (folder / "splits" / f"{split}.txt").write_text("\n".join(part) + "\n")
    return f"folder:{folder}"


def synthesise(
    out: Path, data: str, *, table: str = "table4", seeds: int = 1, scale: str = "quick", external: Sequence[str] = ()
) -> Path:
    """Write runs/<table>.json and a finished job for each row that is run and each of its seeds.

    Damage falls from row to row. `external` rows follow the table's own.
    """
    spec = load_table(table)
    dataset = open_dataset(data)
    samples = [dataset.load(id) for id in dataset.ids("test")]
    labels = [row.label for row in spec.rows] + list(external)
    methods = [spec.method_of(row) for row in spec.rows] + [EXTERNAL] * len(external)
    rows = []
    for number, (label, method) in enumerate(zip(labels, methods, strict=True), 1):
        if method is None:
            continue
        keys = []
        trained = method not in ("watershed", EXTERNAL)
        for seed in range(seeds if trained else 1):
            key = f"{table}-row{number}-seed{seed}"
            rng = np.random.default_rng([number, seed])
            damage = 0.5 * (1 - number / (len(labels) + 1))
            predictions = {sample.id: damaged(rng, sample.labels, damage) for sample in samples}
            images = [
                {
                    "id": sample.id,
                    "truth": len(np.unique(sample.labels)) - 1,
                    "predicted": len(np.unique(predictions[sample.id])) - 1,
                    **image_metrics(sample.labels, predictions[sample.id]),
                }
                for sample in samples
            ]
            write_job(out, key, job(spec, number, method, seed, data, scale), images)
            for id, labels_of_image in predictions.items():
                path = out / "jobs" / key / "predictions" / f"{id}.tif"
                path.parent.mkdir(exist_ok=True)
                tifffile.imwrite(path, labels_of_image.astype(np.uint16))
            if trained:
                write_curves(out, key, rng)
            keys.append(key)
        rows.append({"row": number, "label": label, "method": method, "keys": keys})
    write_run(out, table, rows, data=data, scale=scale, seeds=seeds)
    return out


Effects = Mapping[str, float]
"""What is added to each score of a row, by its label, between 0 and 1; `|DiC|` falls by ten times as much."""


def synthesise_scores(
    out: Path,
    effects: Mapping[str, Effects] | None = None,
    *,
    tables: Sequence[str] = tuple(list_tables()),
    seeds: int = 3,
    images: int = 15,
    scale: str = "smoke",
    data: str = "folder:/nowhere",
    scatter: float = 0.02,
) -> Path:
    """Write runs/<table>.json and a finished job for each row and seed of many tables, with curves but no label maps.

    Args:
        effects: effects by table; rows without one have the same true score and differ only by noise.
        scatter: standard deviation of a score around its image's difficulty, which all rows share.
    """
    for table in tables:
        spec = load_table(table)
        rows = []
        for number, row in enumerate(spec.rows, 1):
            if (method := spec.method_of(row)) is None:
                continue
            trained = get_method(method).trained
            keys = [f"{table}-row{number}-seed{seed}" for seed in range(seeds if trained else 1)]
            effect = (effects or {}).get(table, {}).get(row.label, 0.0)
            for seed, key in enumerate(keys):
                rng = np.random.default_rng([int(table.removeprefix("table")), number, seed])
                scored = list(_scored_images(rng, images, effect, scatter))
                write_job(out, key, job(spec, number, method, seed, data, scale), scored)
                if trained:
                    write_curves(out, key, rng)
            rows.append({"row": number, "label": row.label, "method": method, "keys": keys})
        write_run(out, table, rows, data=data, scale=scale, seeds=seeds)
    return out


def _scored_images(rng: np.random.Generator, count: int, effect: float, scatter: float) -> Iterator[dict[str, Any]]:
    difficulty = np.random.default_rng(count).uniform(0.5, 0.8, count)
    for index, easy in enumerate(difficulty):
        score = np.clip(easy + effect + rng.normal(0, scatter, len(METRICS)), 0, 1)
        errors = max(0, round(rng.normal(6 - 10 * effect, 20 * scatter)))
        counts = {"abs_dic": errors, "dic": -errors}
        values = dict(zip(METRICS, map(float, score), strict=True)) | counts
        yield {"id": f"image_{index:03}", "truth": 40, "predicted": 40 - errors, **values}


def write_run(
    out: Path, table: str, rows: list[dict[str, Any]], *, data: str = "", scale: str = "quick", seeds: int = 1
) -> None:
    described = {
        "table": table,
        "data": {"spec": data, "name": "discs", "fingerprint": "f" * 64, "decoding": "ids"},
        "scale": scale,
        "seeds": list(range(seeds)),
        "overrides": {},
        "jobs": [key for row in rows for key in row["keys"]],
        "rows": rows,
    }
    _write(out / "runs" / f"{table}.json", described)


def job(spec: TableSpec, number: int, method: str, seed: int, data: str, scale: str) -> dict[str, Any]:
    """Make a job.json: PCTrans less what the row leaves out, or another method that shares what rows have to share."""
    trained = method not in ("watershed", EXTERNAL)
    return {
        "method": method,
        "scale": scale,
        "protocol": "nuclei",
        "seed": seed,
        "data": {"spec": data, "name": "discs", "fingerprint": "f" * 64, "decoding": "ids"},
        "split": "test",
        "model": _model(spec, number, method),
        "training": TrainingSettings(
            iterations=ITERATIONS if trained else 0, crop=192, batch_size=4, precision="float32"
        ).model_dump(mode="json"),
        "testing": TestingSettings(tile=None if trained else "whole").model_dump(mode="json"),
        "augmentation": {"rotation": False} if trained else {},
    }


def _model(spec: TableSpec, number: int, method: str) -> dict[str, Any]:
    if method == EXTERNAL:
        return {"name": "Elsewhere", "folder": "/elsewhere", "digest": "e" * 64}
    if method != "pctrans":
        return {} if method == "watershed" else {"backbone": FULL_MODEL["backbone"]}
    model = json.loads(json.dumps(FULL_MODEL))
    for path, value in spec.overrides(spec.rows[number - 1]).items():
        *parents, last = path.split(".")
        branch = model
        for parent in parents:
            branch = branch[parent]
        branch[last] = value
    return model


def write_job(out: Path, key: str, job: dict[str, Any], images: list[dict[str, Any]]) -> None:
    """Make a finished job's result.json; its metrics are the means over `images`."""
    iterations, external = job["training"]["iterations"], job["method"] == EXTERNAL
    result = {
        "schema": 1,
        "key": key,
        "label": key,
        "job": {"key": key, **job},
        "dataset": {
            **job["data"],
            "split": "test",
            "images": len(images),
            "instances": sum(image["truth"] for image in images),
            "normalisation": "min-max",
        },
        "metrics": {name: float(np.mean([image[name] for image in images])) for name in METRICS},
        "images": images,
        "cost": {
            "parameters": None if external else 1_000_000 if iterations else 0,
            "flops_per_crop": 21_500_000_000 if iterations else None,
            "iterations": iterations,
            "train_seconds": 0.4 * iterations,
            "seconds_per_iteration": 0.4 if iterations else None,
            "seconds_per_image": None if external else 0.25,
            "peak_memory_bytes": None if external else 2**30,
        },
        "environment": ENVIRONMENT,
        "started": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:05:00+00:00",
    }
    _write(out / "jobs" / key / "result.json", result)


def write_curves(out: Path, key: str, rng: np.random.Generator) -> None:
    """Write losses.csv with a falling, noisy loss every 10 iterations, and validation.csv with two rows."""
    iterations = np.arange(10, ITERATIONS + 1, 10)
    losses = (3 + 20 * np.exp(-iterations / 90)) * rng.lognormal(0, 0.1, len(iterations))
    lines = [f"{iteration},{loss},{loss}" for iteration, loss in zip(iterations, losses, strict=True)]
    folder = out / "jobs" / key
    (folder / "losses.csv").write_text("\n".join(["iteration,loss,mask", *lines, ""]))
    (folder / "validation.csv").write_text(
        f"iteration,epoch,pq\n{ITERATIONS // 2},25,{rng.uniform(0.3, 0.5)}\n{ITERATIONS},50,{rng.uniform(0.5, 0.7)}\n"
    )


def edit_result(out: Path, key: str, path: str, value: Any) -> None:
    """Change one value of a result.json, by dotted path; means and images then follow each other."""
    file = out / "jobs" / key / "result.json"
    result = json.loads(file.read_text())
    *parents, last = path.split(".")
    branch = result
    for parent in parents:
        branch = branch[parent]
    branch[last] = value
    for metric in result["metrics"]:
        images = [image for image in result["images"] if image.get(metric) is not None]
        if result["metrics"][metric] is None or len(images) < max(1, len(result["images"])):
            continue
        mean = float(np.mean([image[metric] for image in images]))
        if parents[:1] == ["metrics"] or last == "metrics":
            for image in images:
                image[metric] += result["metrics"][metric] - mean
        elif last == "images":
            result["metrics"][metric] = mean
    _write(file, result)


def fail(out: Path, key: str, message: str) -> None:
    """Turn a finished job into a failed one."""
    (out / "jobs" / key / "result.json").unlink()
    error = {"type": "RuntimeError", "message": message, "traceback": "", "when": "2026-01-01T00:05:00+00:00"}
    _write(out / "jobs" / key / "error.json", error)


def damaged(rng: np.random.Generator, truth: np.ndarray, share: float) -> np.ndarray:
    """Damage the truth: a `share` of objects is dropped, shifted far or joined to a neighbour; ids change."""
    result = np.zeros(truth.shape, int)
    ids = [int(id) for id in np.unique(truth) if id > 0]
    for new, id in enumerate(rng.permutation(ids), 1):
        mask, fate = truth == id, rng.random() / max(share, 1e-9)
        if fate < 0.4:
            continue
        if fate < 0.7:
            mask = np.roll(mask, (9, 12), axis=(0, 1))
        elif fate < 1:
            near = truth[np.roll(mask, 12, axis=1) & (truth > 0) & (truth != id)]
            mask |= truth == near[0] if len(near) else False
        else:
            mask = np.roll(mask, 1, axis=0)
        result[mask & (result == 0)] = new
    return result


def _discs(rng: np.random.Generator, size: int) -> np.ndarray:
    rows, columns = np.indices((size, size))
    labels = np.zeros((size, size), int)
    for id in range(1, 15):
        row, column = rng.integers(5, size - 5, 2)
        disc = (rows - row) ** 2 + (columns - column) ** 2 < rng.integers(5, 10) ** 2
        if not (disc & (labels > 0)).any():
            labels[disc] = 3 * id  # ids with gaps
    return labels


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
