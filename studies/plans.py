"""From the settings that a study was started with to its plan."""

from __future__ import annotations

from benchmarks.data import Dataset
from studies.inference.plan import InferencePlan, plan_inference
from studies.plan import StudySettings, TrainingPlan, plan_training
from studies.specification import parse_study

AnyPlan = TrainingPlan | InferencePlan


def make_plan(settings: StudySettings, dataset: Dataset | None = None) -> AnyPlan:
    """The plan of a study.

    Raises:
        UserError: as `plan_training` and `plan_inference`.
    """
    spec = parse_study(settings.spec, "the study")
    if spec.kind == "inference":
        return plan_inference(spec, settings, dataset)
    return plan_training(spec, settings, dataset)
