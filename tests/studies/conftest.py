"""Small studies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from tiny_study import DATA, TINY

from benchmarks.data import Dataset, open_dataset
from studies.plan import StudySettings, TrainingPlan, plan_training
from studies.specification import load_study, parse_study
from studies.storage import open_storage


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return open_dataset(DATA)


@pytest.fixture
def make_plan(dataset: Dataset) -> Callable[..., TrainingPlan]:
    """A plan at smoke scale of a study by name, or of TINY with changes."""

    def make(name: str | None = None, *, overrides: dict[str, Any] | None = None, **changes: Any) -> TrainingPlan:
        spec = load_study(name) if name else parse_study(TINY | changes, "tiny.yaml")
        settings = StudySettings(
            spec.model_dump(mode="json"), DATA, "smoke", None, overrides or {"training": {"iterations": 2}}, "cpu"
        )
        return plan_training(spec, settings, dataset)

    return make


@pytest.fixture
def storage(tmp_path: Path) -> optuna.storages.BaseStorage:
    return open_storage(None, tmp_path / "studies" / "tiny")
