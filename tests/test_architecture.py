"""The page that shows the way, and the shape of the house that it promises."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ("docs/architecture.md", "CONTRIBUTING.md")
PLACE = re.compile(r"`((?:pctrans|baselines|benchmarks|studies|reports|tests|docs)/[\w./]*)(?::(\w+))?`")
PACKAGES = ("pctrans", "baselines", "benchmarks", "studies", "reports")


def places() -> list[tuple[str, str, str]]:
    return [
        (page, path, name)
        for page in PAGES
        for path, name in PLACE.findall((ROOT / page).read_text())
        if "NAME" not in path
    ]


@pytest.mark.parametrize(("page", "path", "name"), places())
def test_a_place_that_a_page_names_is_there(page: str, path: str, name: str) -> None:
    assert (ROOT / path).exists(), f"{page} names {path}"
    if name:
        tree = ast.parse((ROOT / path).read_text())
        defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        targets = [node.targets for node in tree.body if isinstance(node, ast.Assign)]
        targets += [[node.target] for node in tree.body if isinstance(node, ast.AnnAssign)]
        defined |= {target.id for group in targets for target in group if isinstance(target, ast.Name)}
        assert name in defined, f"{page} names {name} in {path}"


def test_the_pages_name_places() -> None:
    assert len(places()) > 40


def test_the_root_of_the_harness_holds_what_everything_needs() -> None:
    assert {path.name for path in (ROOT / "benchmarks").glob("*.py")} == {
        "__init__.py", "contract.py", "errors.py", "files.py", "links.py",
    }  # fmt: skip


def test_no_folder_of_the_harness_is_crowded() -> None:
    folders = {path.parent for path in (ROOT / "benchmarks").rglob("*.py")}
    counts = {str(folder.relative_to(ROOT)): len(list(folder.glob("*.py"))) for folder in folders}
    assert {name: count for name, count in counts.items() if count > 18} == {}


def test_files_of_a_job_are_spelt_in_one_module() -> None:
    """Docstrings and sentences may speak of them; a path is made in the store alone."""
    names = {"result.json", "error.json", "job.json", "progress.json", "request.json", "losses.csv", "validation.csv"}
    spelling = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in names
    }
    assert spelling == {"benchmarks/store/job_folder.py"}


def test_consoles_print_text_as_it_stands() -> None:
    """Labels, paths and errors may hold what rich takes for markup."""
    making = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"\bConsole\(", path.read_text())
    }
    assert making == {"benchmarks/machine/terminal.py"}
