from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from scipy import stats

from benchmarks.data import open_dataset
from benchmarks.metrics import METRICS
from benchmarks.plan.job import DataReference, Job, JobContext
from benchmarks.plan.resolving import make_job
from benchmarks.run.execution import run_job
from benchmarks.run.verification import verify_job
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.models.model_card import MARK, mean_limits, model_card


def trained(out: Path) -> tuple[Job, JobFolder]:
    """Otsu and watershed on generated nuclei, which needs no training, as a finished job."""
    dataset = open_dataset("synthetic-nuclei?size=96&train=2&val=1&test=3")
    job = make_job("watershed", JobContext.on(dataset, "smoke", None, "cpu"), seed=0)
    assert run_job(job, dataset, out, "cpu").status == "done"
    return job, JobFolder.of(job, out)


def test_is_beside_every_model_and_says_what_the_result_says(tmp_path: Path) -> None:
    job, folder = trained(tmp_path)
    card, result = folder.model_card.read_text(), folder.read_result()
    assert result is not None
    assert job.data.name in card and job.data.fingerprint in card and "Scale: smoke, seed 0" in card
    scores = [image["pq"] for image in result.images]
    low, high = stats.t.interval(0.95, len(scores) - 1, sum(scores) / len(scores), stats.sem(scores))
    assert f"| PQ | {result.metrics['pq']:.4f} | {max(0, low):.4f} to {min(1, high):.4f} |" in card
    for heading in ("## Data", "## Results", "## Limits", "## Licence"):
        assert heading in card
    front = yaml.safe_load(card.split("---")[1])
    assert front["library_name"] == "pctrans-bench"


def test_may_be_edited_without_damage_to_the_job(tmp_path: Path) -> None:
    _, folder = trained(tmp_path)
    assert verify_job(folder).state == "sound"
    folder.model_card.write_text("Mine.")
    assert verify_job(folder).state == "sound"
    folder.model_card.unlink()
    assert verify_job(folder).state == "sound"


def test_names_no_folder_and_obeys_no_text_of_others() -> None:
    data = DataReference(spec="folder:/home/someone/secret", name="a|b\n# <b>", fingerprint="0", decoding="ids")
    job = make_job("watershed", JobContext(data, split="test", scale="smoke", protocol="nuclei"), seed=0)
    card = model_card(json.loads(json.dumps(job.resolved())), None)
    assert "someone" not in card and "<b>" not in card.replace(MARK, "") and "\n# \\<b" not in card
    assert "Not known: the model is not beside its result." in card


def test_an_interval_needs_two_images_and_stays_in_the_range() -> None:
    low, _ = mean_limits([0.5], METRICS["pq"])
    assert low != low
    assert mean_limits([0.99, 0.5, 1.0], METRICS["pq"])[1] == 1.0
    assert mean_limits([0.5, 0.5], METRICS["pq"]) == pytest.approx((0.5, 0.5))
