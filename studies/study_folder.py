"""OUT/studies/NAME: what a study keeps that is not a job's."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.errors import UserError
from benchmarks.files import exclusive, write_json
from benchmarks.links import refuse_links_in, refuse_outside
from studies.plan import study_folder
from studies.plans import AnyPlan


def enter_folder(plan: AnyPlan, out: Path) -> Path:
    """Make or continue the study's folder.

    Raises:
        UserError: the folder is of the same study on other data, at another scale or with other settings, or a
            part of it lies elsewhere by a link.
    """
    folder = study_folder(out, plan.spec.name)
    path = folder / "study.json"
    refuse_outside(folder, out)
    for part in ("workers", "evidence"):  # what lies beside them is replaced, or opened without following links
        refuse_outside(folder / part, out)
        refuse_links_in(folder / part)
    with exclusive(folder / "claims.lock"):
        if path.exists():
            _refuse_other(path, plan)
        write_json(path, {"digest": plan.digest, "settings": plan.settings.described()})
    return folder


def _refuse_other(path: Path, plan: AnyPlan) -> None:
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        digest, settings = before["digest"], before["settings"]
        then = f"{settings['data']} at scale {settings['scale']} with {settings['overrides'] or 'its settings'}"
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}); delete it, the trials stay.") from error
    if digest != plan.digest:
        now = plan.settings
        raise UserError(
            f"{path.parent} holds {plan.spec.name} on {then}, and what was asked for differs in data, scale, settings "
            f"or the study's file: {now.data} at scale {now.scale} with {now.overrides or 'its settings'}. Give "
            "another --out folder."
        )
