from __future__ import annotations

import subprocess
import sys

from benchmarks.plan.methods import METHODS
from benchmarks.plan.parameters import FILE, known_parameters
from benchmarks.plan.resolving import model_at
from benchmarks.plan.scales import SCALES
from benchmarks.run.cost import parameters_at


def test_what_is_listed_is_what_the_models_have() -> None:
    counted = {
        name: {scale: parameters_at(name, model_at(name, scale, "nuclei")) for scale in SCALES}
        for name, method in METHODS.items()
        if method.trained
    }
    assert known_parameters() == counted, f"write these counts into {FILE}"


def test_listing_methods_imports_none_of_what_builds_them() -> None:
    """It answers in under a second, which torch alone does not."""
    code = (
        "import sys; from typer.testing import CliRunner; from benchmarks.cli import app; "
        "done = CliRunner().invoke(app, ['list', 'methods']); assert done.exit_code == 0, done.output; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
