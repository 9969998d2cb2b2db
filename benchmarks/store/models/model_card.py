"""The model card: what whoever meets a saved model has to know of it, as the hub shows it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.metrics import METRICS, Metric
from benchmarks.plan.methods import all_methods
from benchmarks.plan.starting import StartingWeights
from benchmarks.store.result import Result

MARK = "<!-- model card of pctrans-bench -->"
"""Tells our card from that which the hub's library writes by itself."""
LEVEL = 0.95
METRICS_SHOWN = ("pq", "sq", "aji", "dice", "f1", "sbd", "abs_dic")

_HEAD = """---
library_name: pctrans-bench
pipeline_tag: image-segmentation
tags: [instance-segmentation, biology, microscopy, model_hub_mixin, pytorch_model_hub_mixin]
---
"""


def model_card(job: Mapping[str, Any], result: Result | None) -> str:
    """Write the card as Markdown. It names data, never the folder where they lay: a card is for other people.

    Args:
        job: as `Job.resolved` gives it.
        result: of the job; None where there is none, and so no metrics.
    """
    parts = [
        f"{_HEAD}\n{MARK}\n",
        f"# {_title(job)}",
        _summary(job),
        "## Data",
        _bullets(_data(job, result)),
        "## Training",
        _bullets(_training(job, result)),
        "## Results",
        *(_results(result) if result else ["Not known: the model is not beside its result."]),
        "## Limits",
        _bullets(_limits(job, result)),
        "## Use",
        f"```sh\npctrans-bench predict FOLDER images/ --out result\n```\n\nThe folder holds the weights, their "
        f"configuration, and `harness.json`, which says how the images were normalised and tiled. Job `{job['key']}`.",
        "## Licence",
        "PCTrans-Bench, which made this model, is under Apache-2.0. What the weights may be used for is for whoever "
        "trained them to say, within the licences of the training data and of any pretrained weights named above.",
    ]
    return "\n\n".join(parts) + "\n"


def _title(job: Mapping[str, Any]) -> str:
    return f"{_method(job)} on {_inline(job['data']['name'])}"


def _method(job: Mapping[str, Any]) -> str:
    known = all_methods().get(str(job["method"]))
    return known.title if known else _inline(job["method"])


def _summary(job: Mapping[str, Any]) -> str:
    known = all_methods().get(str(job["method"]))
    source = f" ({known.source})" if known else ""
    return f"Instance segmentation of biological images by {_method(job)}{source}: an image in, a label map out."


def _data(job: Mapping[str, Any], result: Result | None) -> Iterator[str]:
    data = job["data"]
    yield f"Data: {_inline(data['name'])}"
    yield f"Fingerprint (of all images, labels and splits): `{_inline(data['fingerprint'])}`"
    yield f"Decoding of labels: {_inline(data['decoding'])}"
    if result:
        facts = result.dataset
        yield f"Tested on the {_inline(facts.split)} split: {facts.images} images, {facts.instances} instances"
        if facts.normalisation:
            yield f"Normalisation: {_inline(facts.normalisation)}"


def _training(job: Mapping[str, Any], result: Result | None) -> Iterator[str]:
    yield f"Scale: {_inline(job['scale'])}, seed {job['seed']}"
    if start := job.get("started_from"):
        yield (
            f"Started from: the weights of {_inline(StartingWeights.model_validate(start).name)}, trained last on "
            f"{_inline(start['data'])} (fingerprint `{_inline(start['fingerprint'])}`); SHA-256 of these weights "
            f"`{_inline(start['digest'])}`"
        )
    if result is None:
        return
    cost = result.cost
    if cost.parameters is not None:
        yield f"Parameters: {cost.parameters:,}"
    yield f"Iterations: {cost.iterations}" if cost.iterations else "Nothing is trained"
    backbone = job.get("model", {}).get("backbone")
    if backbone and not job.get("started_from"):
        weights = str(backbone.get("pretrained") or "none")
        weights = Path(weights).name if Path(weights).is_absolute() else weights
        yield f"Pretrained weights of the backbone: {_inline(weights)}"
    if result.thresholds:
        yield (
            f"Thresholds of inference were chosen on {result.thresholds.images} images of the "
            f"{_inline(result.thresholds.split)} split"
        )


def _results(result: Result) -> list[str]:
    lines = ["| metric | mean over images | 95 % interval over images |", "|---|---|---|"]
    shown = [name for name in METRICS_SHOWN if result.metrics.get(name) is not None]
    for name in shown:
        low, high = mean_limits(list(result.scores.get(name, {}).values()), METRICS[name])
        interval = f"{low:.4f} to {high:.4f}" if math.isfinite(low) else "not known"
        title = METRICS[name].title.replace("|", r"\|")
        lines.append(f"| {title} | {result.metrics[name]:.4f} | {interval} |")
    return [
        "\n".join(lines),
        "Intervals are Student's, of the mean over test images, cut to the metric's range: they are about other images "
        "like these, not about other trainings. One training is one seed; another differs.",
    ]


def mean_limits(scores: list[float], metric: Metric) -> tuple[float, float]:
    """Compute Student's 95 % interval of the mean over images; NaN for fewer than two images."""
    if len(scores) < 2:
        return math.nan, math.nan
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(scores) - 1) * stats.sem(np.asarray(scores)))
    mean = math.fsum(scores) / len(scores)
    return max(metric.lower, mean - half), min(metric.upper, mean + half)


def _limits(job: Mapping[str, Any], result: Result | None) -> Iterator[str]:
    yield (
        "It was made for, and tested on, images like those named above: with another microscope, stain, magnification "
        "or species, test it first (`pctrans-bench score`)."
    )
    yield "For research; it is no medical device."
    if job["scale"] != "paper":
        yield f"Made at scale {_inline(job['scale'])}, a smaller model and training than the published ones."
    if result and result.dataset.images < 20:
        yield f"Tested on only {result.dataset.images} images."
    if job.get("started_from"):
        yield (
            "Its test images may be among those that the model it started from was trained on, if nobody has taken "
            "care that they are not: what a model was trained on is not stored."
        )


def _bullets(lines: Iterator[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _inline(value: Any) -> str:
    """Keep text of others on its line, and out of markup."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in str(value)).split())
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#|" else letter for letter in line)
