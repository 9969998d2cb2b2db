from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.data import open_dataset
from benchmarks.errors import UserError
from benchmarks.plan import methods
from benchmarks.plan.job import Job, JobContext
from benchmarks.plan.methods import METHODS, all_methods, get_method
from benchmarks.plan.resolving import make_job
from benchmarks.plan.scales import SCALES, load_scale

CONTRIBUTING = Path(__file__).parents[3] / "CONTRIBUTING.md"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A folder that Python takes for one with installed packages."""
    monkeypatch.syspath_prepend(tmp_path)
    methods._installed.cache_clear()
    yield tmp_path
    methods._installed.cache_clear()


def blocks(language: str) -> list[str]:
    """The code blocks of CONTRIBUTING.md in one language, in order."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", CONTRIBUTING.read_text(), re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(text) for _, text in found]


def install(site: Path, name: str, entry: str, modules: dict[str, str], version: str = "1.0") -> None:
    """What `pip install` leaves of a package with one entry point."""
    info = site / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[pctrans_bench.methods]\n{entry}\n")
    for path, text in modules.items():
        (site / path).parent.mkdir(exist_ok=True)
        (site / path).write_text(text)


def install_blobnet(site: Path, version: str = "1.0") -> None:
    """The package that CONTRIBUTING.md shows."""
    net, bench = (text for text in blocks("python") if "BlobNet" in text)
    entry = blocks("toml")[0].splitlines()[1].replace('"', "")
    modules = {"blobnet/__init__.py": "", "blobnet/net.py": net, "blobnet/bench.py": bench}
    install(site, "blobnet", entry, modules, version)


def job(method: str, scale: str = "smoke") -> Job:
    data = open_dataset("synthetic-nuclei?size=64&train=2&val=1&test=1")
    return make_job(method, JobContext.on(data, scale), seed=0)


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'mask2former'"):
        get_method("mask2fromer")
    with pytest.raises(UserError, match="did you mean 'pctrans'"):
        get_method("PCTrans")
    with pytest.raises(UserError, match=r"there are: cellpose, discriminative, eomt, mask2former, maskrcnn, osformer"):
        get_method("xyzzy")


def test_another_package_adds_a_method_that_trains_as_contributing_says(site: Path, tmp_path: Path) -> None:
    install_blobnet(site)
    found = get_method("blobnet")
    assert (found.title, found.provider) == ("BlobNet", "blobnet 1.0")
    assert job("blobnet").model == {"channels": 8, "inference": {"threshold": 0.5}}, "its own smoke scale"
    assert job("blobnet", "quick").model["channels"] == 16
    data = "synthetic-nuclei?size=64&train=2&val=1&test=1"
    done = CliRunner().invoke(
        app, ["train", "blobnet", "--data", data, "--scale", "smoke", "--device", "cpu", "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    result = json.loads(next((tmp_path / "out").glob("jobs/*/result.json")).read_text())
    assert result["job"]["provider"] == "blobnet 1.0"
    assert result["job"]["model"]["inference"] == {"threshold": 0.5}
    assert result["cost"]["parameters"] == 8 * (3 * 9 + 1) + 8 + 1
    listed = CliRunner().invoke(app, ["list", "methods"], env={"COLUMNS": "200"})
    assert "blobnet 1.0" in listed.output


def test_an_upgrade_of_the_package_changes_the_key(site: Path) -> None:
    install_blobnet(site)
    before = job("blobnet").key
    methods._installed.cache_clear()
    (site / "blobnet-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: blobnet\nVersion: 1.1\n")
    assert job("blobnet").key != before


def test_a_name_that_is_taken_is_refused(site: Path) -> None:
    install(site, "impostor", "pctrans = impostor:METHOD", {})
    assert get_method("pctrans") is METHODS["pctrans"]
    with pytest.raises(UserError, match=r"impostor 1\.0 adds a method 'pctrans', a name that is taken"):
        all_methods()


def test_a_broken_package_is_named_and_harms_no_other_method(site: Path) -> None:
    install(site, "broken", "bad = broken_module:METHOD", {"broken_module/__init__.py": "import nothing_of_that_name"})
    assert get_method("pctrans") is METHODS["pctrans"]
    with pytest.raises(
        UserError, match=r"broken 1\.0 adds a method 'bad' that cannot be loaded .*nothing_of_that_name"
    ):
        get_method("bad")


def test_an_entry_point_that_names_no_method_is_refused(site: Path) -> None:
    install(site, "odd", "odd = odd_module:METHOD", {"odd_module/__init__.py": "METHOD = 'odd'"})
    with pytest.raises(UserError, match=r"is a str: a benchmarks\.plan\.methods\.Method was expected"):
        get_method("odd")


def test_a_scale_with_an_unknown_section_is_refused(site: Path) -> None:
    made = "Method('T', 'a:b', 'a:c', 's', scales={'smoke': {'modle': {}}})"
    text = f"from benchmarks.plan.methods import Method\nMETHOD = {made}"
    install(site, "typo", "typo = typo_module:METHOD", {"typo_module/__init__.py": text})
    with pytest.raises(UserError, match=r"typo 1\.0 sets a section 'modle'"):
        job("typo")


def test_listing_names_parameters_source_and_licence() -> None:
    done = CliRunner().invoke(app, ["list", "methods"], env={"COLUMNS": "250"})
    assert done.exit_code == 0, done.output
    lines = {line.split()[0]: line for line in done.output.splitlines() if line.strip()}
    assert set(METHODS) <= set(lines)
    assert "BSD-3-Clause" in lines["watershed"] and "none" in lines["watershed"]
    assert "ICCV workshops 2023" in lines["pctrans"]
    for name in METHODS:
        if METHODS[name].trained:
            found = [float(count) for count in re.findall(r"([\d.]+) M\b", lines[name])]
            assert len(found) == sum(map(METHODS[name].offered_at, SCALES))
            assert len(found) == 1 or found[0] < found[1] == found[2] < found[3]


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_gives_every_trained_method_the_same_backbone(scale: str) -> None:
    trained = {name for name, method in METHODS.items() if method.trained and method.offered_at(scale)}
    backbones = {yaml.safe_dump(job(name, scale).model["backbone"]) for name in trained if METHODS[name].has_backbone}
    assert len(backbones) == 1
    assert trained <= set(load_scale(scale).methods)
