"""The package as users have it: a wheel in an environment of its own, run where a folder has the name of a package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from table_commands import DATA

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("pctrans", "baselines", "benchmarks", "reports", "studies")
AUTHOR = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost")
STUDY = """
name: tiny
title: Two rates
sampler: grid
search: {training.learning_rate: {values: [0.001, 0.002]}}
"""


def run(*command: object, cwd: Path) -> str:
    """What it printed."""
    foreign = ("PYTHONPATH", "PYTHONSAFEPATH")
    environment = {name: value for name, value in os.environ.items() if name not in foreign}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs of a fresh environment are; it has the wheel, and shares what the wheel depends on."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    for name in PACKAGES:  # a build leaves files beside what it builds
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "measured"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for arguments in (("init",), ("add", "."), (*AUTHOR, "commit", "--message", "as it is")):
        run("git", "-C", source, *arguments, cwd=folder)
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    programs = folder / "venv" / "bin"
    run(*pip, "--python", programs / "python", "install", "--no-deps", "--no-index", wheel, cwd=folder)
    # Of a folder on the path no .pth file is read, so what is installed editable there is not found.
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return programs


@pytest.fixture
def decoys(tmp_path: Path) -> Path:
    """A folder with packages of the user's."""
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('imported from the current folder')\n")
    return tmp_path


@pytest.mark.slow
def test_what_runs_is_the_wheel(installed: Path, tmp_path: Path) -> None:
    code = "import benchmarks, studies; print(benchmarks.__file__, studies.__file__)"
    for path in run(installed / "python", "-c", code, cwd=tmp_path).split():
        assert Path(path).is_relative_to(installed.parent)


@pytest.mark.slow
def test_the_wheel_has_the_sums_of_published_data(installed: Path, tmp_path: Path) -> None:
    code = "from benchmarks.data.official import official_set; print(official_set('bbbc039').count)"
    assert run(installed / "python", "-c", code, cwd=tmp_path) == "403\n"


@pytest.mark.slow
def test_a_wheel_knows_the_commit_that_it_was_built_from(installed: Path, tmp_path: Path) -> None:
    code = "from benchmarks.machine.environment import describe_environment as d; print(d('cpu')['commit'])"
    built = run("git", "-C", installed.parents[1] / "source", "rev-parse", "HEAD", cwd=tmp_path)
    assert run(installed / "python", "-c", code, cwd=tmp_path) == built


@pytest.mark.slow
def test_jobs_run_beside_packages_of_the_user_s(installed: Path, decoys: Path) -> None:
    tested = ("--data", DATA, "--scale", "smoke", "--device", "cpu", "--out", "out")
    run(installed / "pctrans-bench", "run", "table4", "--rows", "1", "--seeds", "2", "--jobs", "2", *tested, cwd=decoys)
    assert len(list(decoys.glob("out/jobs/*/result.json"))) == 2


@pytest.mark.slow
def test_a_study_runs_beside_packages_of_the_user_s(installed: Path, decoys: Path) -> None:
    (decoys / "tiny.yaml").write_text(STUDY)
    tested = ("--data", DATA, "--scale", "smoke", "--device", "cpu", "--out", "out")
    run(installed / "pctrans-bench", "study", "tiny.yaml", "--jobs", "2", *tested, cwd=decoys)
    assert len(list(decoys.glob("out/jobs/*/result.json"))) == 2
