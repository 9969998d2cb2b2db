"""What a study leaves: the best settings, pictures, a page; on trials made up, without training."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import yaml
from PIL import Image

from benchmarks.errors import UserError
from studies.page import write_page
from studies.pictures.importances import importances, main_effects
from studies.plan import TrainingPlan
from studies.records import best_trial, pareto_front, read_trials
from studies.results import published_points, write_results
from studies.slots import create_or_join
from studies.storage import suggest

Make = Callable[..., TrainingPlan]


def fill(study: optuna.Study, plan: TrainingPlan, value: Callable[[dict[str, Any]], Any]) -> None:
    """End all trials with `value` of their parameters; None fails one, "pruned" prunes it."""
    for _ in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.WAITING,)):
        trial = study.ask()
        found = value(suggest(trial, plan.spec))
        if found is None:
            trial.set_user_attr("error", "RuntimeError: <b>no</b> memory & no hope")
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        elif found == "pruned":
            trial.report(0.1, 1)
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, found)


@pytest.fixture
def temperatures(make_plan: Make, storage: optuna.storages.BaseStorage) -> tuple[optuna.Study, TrainingPlan]:
    """A finished grid with its best at τ_q 0.5, τ_m 2 and a failure at τ_q = τ_m = 1."""
    plan = make_plan("temperatures")
    study = create_or_join(plan, storage)

    def value(params: dict[str, Any]) -> float | None:
        q, m = params["model.query_temperature"], params["model.mask_temperature"]
        return None if q == m == 1 else 0.5 - 0.1 * q + 0.05 * m

    fill(study, plan, value)
    return study, plan


def test_best_is_what_train_takes(tmp_path: Path, temperatures: tuple[optuna.Study, TrainingPlan]) -> None:
    study, plan = temperatures
    files = write_results(study, plan, tmp_path)
    assert files.best is not None
    settings = yaml.safe_load(files.best.read_text())
    own = settings.pop("methods")["pctrans"]
    assert own == {"model": {"query_temperature": 0.5, "mask_temperature": 2.0}}
    assert settings == {"training": {"iterations": 2}}
    assert "validation PQ 0.5500" in files.best.read_text()


def test_best_of_an_earlier_state_goes(tmp_path: Path, make_plan: Make, storage: optuna.storages.BaseStorage) -> None:
    plan = make_plan()
    (tmp_path / "best.yaml").write_text("model: {}")
    assert write_results(create_or_join(plan, storage), plan, tmp_path).best is None
    assert not (tmp_path / "best.yaml").exists()


def test_pictures_are_there_or_say_why_not(tmp_path: Path, temperatures: tuple[optuna.Study, TrainingPlan]) -> None:
    study, plan = temperatures
    pictures = write_results(study, plan, tmp_path).pictures
    assert {name for name, picture in pictures.items() if picture.path} == {
        "history", "map", "coordinates",
    }  # fmt: skip
    assert pictures["importances"].caption == "No importances: of the 9 points of the grid, 1 without a figure."
    assert "front" not in pictures  # of one objective there is none
    for picture in pictures.values():
        if picture.path:
            with Image.open(picture.path) as image:
                assert np.asarray(image.convert("L")).std() > 10  # something is drawn


def test_the_papers_map_is_beside_it(make_plan: Make) -> None:
    points = published_points(make_plan("temperatures"))
    assert len(points) == 9
    assert points[2.0, 0.5] == 0.8858 and points[2.0, 2.0] == 0.8805  # table 5 as printed
    assert published_points(make_plan()) == {}


class Links(HTMLParser):
    """Everything a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "data")]


def test_the_page_needs_no_network_and_escapes(tmp_path: Path, temperatures: tuple[optuna.Study, TrainingPlan]) -> None:
    study, plan = temperatures
    results = write_results(study, plan, tmp_path)
    trials = read_trials(study)
    page = write_page(plan, trials, results.pictures, [], ["train <x>"], tmp_path).read_text()
    links = Links()
    links.feed(page)
    assert len(links.found) == 3 and all(link.startswith("data:image/png;base64,") for link in links.found)
    assert not re.search(r"url\(|@import|<script", page)
    assert "&lt;b&gt;no&lt;/b&gt; memory &amp; no hope" in page and "<b>no</b>" not in page
    assert "0.5500" in page and "train &lt;x&gt;" in page


def test_trials_as_csv(tmp_path: Path, temperatures: tuple[optuna.Study, TrainingPlan]) -> None:
    study, plan = temperatures
    with write_results(study, plan, tmp_path).trials.open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 9
    assert rows[4]["state"] == "failed" and rows[4]["val_pq"] == "" and "no hope" in rows[4]["error"]
    assert rows[2]["model.mask_temperature"] == "2.0" and float(rows[2]["val_pq"]) == pytest.approx(0.55)


def test_importances_are_of_being_good_not_of_being_bad(make_plan: Make, storage: optuna.storages.BaseStorage) -> None:
    """Only the learning rate tells good trials from others; only the weight decay tells very bad ones."""
    plan = make_plan(
        trials=60,
        search={
            "training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
            "training.weight_decay": {"low": 0.0, "high": 1.0},
        },
    )
    study = create_or_join(plan, storage)
    study.sampler = optuna.samplers.RandomSampler(seed=0)

    def value(params: dict[str, Any]) -> float:
        rate, decay = np.log10(params["training.learning_rate"]) + 4, params["training.weight_decay"]
        return float(rate - (10 + rate if decay < 0.15 else 0))

    fill(study, plan, value)
    found = importances(study, plan.spec)
    assert next(iter(found)) == "training.learning_rate"
    assert found["training.learning_rate"] > 2 * found["training.weight_decay"]


@pytest.mark.parametrize(
    ("interplay", "shares"),
    [
        (0.0, {"model.mask_temperature": 0.8, "model.query_temperature": 0.2}),
        # Effects 0, 1, 2 and 0, 2, 4 have variances 2/3 and 8/3; ±1 in the corners has 4/9 and no main effect.
        (1.0, {"model.mask_temperature": 24 / 34, "model.query_temperature": 6 / 34}),
    ],
)
def test_importances_of_a_grid_by_hand(
    make_plan: Make, storage: optuna.storages.BaseStorage, tmp_path: Path, interplay: float, shares: dict[str, float]
) -> None:
    plan = make_plan("temperatures")
    study = create_or_join(plan, storage)
    level = {0.5: 0, 1.0: 1, 2.0: 2}

    def value(params: dict[str, Any]) -> float:
        q, m = level[params["model.query_temperature"]], level[params["model.mask_temperature"]]
        return q + 2 * m + interplay * (q - 1) * (m - 1)

    fill(study, plan, value)
    found = importances(study, plan.spec)
    assert list(found) == list(shares) and found == pytest.approx(shares)
    caption = write_results(study, plan, tmp_path).pictures["importances"].caption
    assert f"the other {1 - sum(shares.values()):.2f} are" in caption


def test_importances_of_equal_figures_are_refused(make_plan: Make, storage: optuna.storages.BaseStorage) -> None:
    """Whose variance need not be 0: 0.1 is not the mean of so many 0.1."""
    plan = make_plan("layers", overrides=None)
    study = create_or_join(plan, storage)
    fill(study, plan, lambda _: 0.1)
    with pytest.raises(UserError, match="only one setting"):
        importances(study, plan.spec)
    with pytest.raises(UserError, match="all trials reached the same"):
        main_effects(plan.spec, read_trials(study))


def test_importances_of_too_few_trials_are_refused(temperatures: Any, make_plan: Make, tmp_path: Path) -> None:
    from studies.storage import open_storage

    plan = make_plan()
    study = create_or_join(plan, open_storage(None, tmp_path))
    fill(study, plan, lambda _: 1.0)
    with pytest.raises(UserError, match="only one setting"):
        importances(study, plan.spec)


def test_the_best_is_the_earlier_of_equals_and_never_an_unfinished_one(
    make_plan: Make, storage: optuna.storages.BaseStorage
) -> None:
    plan = make_plan(trials=5)
    study = create_or_join(plan, storage)
    values = iter([0.2, None, 0.7, 0.7, "pruned"])
    fill(study, plan, lambda _: next(values))
    best = best_trial(plan.spec, read_trials(study))
    assert best is not None and best.number == 2
    assert [trial.state for trial in read_trials(study)] == ["complete", "failed", "complete", "complete", "pruned"]


def test_pareto_front(make_plan: Make, storage: optuna.storages.BaseStorage, tmp_path: Path) -> None:
    """By hand: (PQ up, seconds down). 1 is beaten by 0, 4 by 2; 3 equals 2 and stays."""
    plan = make_plan(trials=6, objectives=["pq", "train_seconds"])
    study = create_or_join(plan, storage)
    values = iter([(0.6, 10), (0.5, 11), (0.8, 20), (0.8, 20), (0.7, 20), (0.1, 1)])
    fill(study, plan, lambda _: next(values))
    assert [trial.number for trial in pareto_front(plan.spec, read_trials(study))] == [2, 3, 0, 5]
    pictures = write_results(study, plan, tmp_path).pictures
    assert pictures["front"].path is not None and "2, 3, 0, 5" in pictures["front"].caption
