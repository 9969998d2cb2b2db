from __future__ import annotations

import subprocess
import sys

from runnable import can_be_built

from benchmarks.plan.methods import METHODS
from benchmarks.plan.parameters import FILE, known_parameters
from benchmarks.plan.resolving import model_at
from benchmarks.plan.scales import SCALES
from benchmarks.run.cost import parameters_at


def _count(name: str, scale: str) -> int:
    """Of a checkpoint's architecture too, which the method's own sizes are."""
    model = model_at(name, scale, "nuclei")
    return parameters_at(name, model | {"checkpoint": None} if model.get("checkpoint") else model)


def test_what_is_listed_is_what_the_models_have() -> None:
    counted = {
        name: {scale: _count(name, scale) for scale in SCALES if method.offered_at(scale)}
        for name, method in METHODS.items()
        if method.trained and can_be_built(name)
    }
    known = {name: counts for name, counts in known_parameters().items() if can_be_built(name)}
    assert known == counted, f"write these counts into {FILE}"


def test_listing_methods_imports_none_of_what_builds_them() -> None:
    """It answers in under a second, which torch alone does not."""
    code = (
        "import sys; from typer.testing import CliRunner; from benchmarks.cli import app; "
        "done = CliRunner().invoke(app, ['list', 'methods']); assert done.exit_code == 0, done.output; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
