"""Models in half precision, and those that come with the package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_model_card import trained
from typer.testing import CliRunner

import pctrans.pretrained
from benchmarks.cli import app
from benchmarks.errors import UserError
from benchmarks.plan.job import DataReference, JobContext
from benchmarks.plan.methods import get_method
from benchmarks.plan.resolving import make_job
from benchmarks.store.models.packing import pack_model
from benchmarks.store.models.saved_model import HARNESS_FILE, find_model, load_model, save_model
from pctrans import PCTrans


@pytest.fixture
def model(tmp_path: Path) -> Path:
    data = DataReference(spec="folder:/home/me/secret?range=robust", name="cells", fingerprint="0", decoding="ids")
    job = make_job("pctrans", JobContext(data, split="test", scale="smoke", protocol="nuclei"), seed=0)
    torch.manual_seed(0)
    save_model(get_method("pctrans").build(job.model), job, tmp_path / "model", diameter=17.5)
    return tmp_path / "model"


def test_a_packed_model_is_half_as_large_and_loads_as_the_rounded_weights(model: Path, tmp_path: Path) -> None:
    packed = pack_model(model, tmp_path / "small")
    assert packed.size < 0.6 * packed.before
    assert packed.largest_change < 2**-10
    before, after = load_model(model, "cpu"), load_model(tmp_path / "small", "cpu")
    assert (after.diameter, after.tile, after.range) == (17.5, before.tile, "robust")
    states = (one.segmenter.state_dict() for one in (before, after))
    for (name, old), (_, new) in zip(*(state.items() for state in states), strict=True):
        expected = old.half().float() if old.ndim > 1 and old.is_floating_point() else old
        assert new.dtype == old.dtype and torch.equal(new, expected), name


def test_a_packed_model_does_not_tell_where_its_data_lay(model: Path, tmp_path: Path) -> None:
    pack_model(model, tmp_path / "small")
    for file in (tmp_path / "small").iterdir():
        assert b"secret" not in file.read_bytes(), file
    assert json.loads((tmp_path / "small" / HARNESS_FILE).read_text())["job"]["data"]["name"] == "cells"


def test_a_packed_model_that_was_changed_is_refused(model: Path, tmp_path: Path) -> None:
    pack_model(model, tmp_path / "small")
    weights = load_file(tmp_path / "small" / "model.safetensors")
    name = next(name for name, tensor in weights.items() if tensor.ndim > 1)
    save_file(weights | {name: weights[name] * 2}, tmp_path / "small" / "model.safetensors")
    with pytest.raises(UserError, match="is not as it was written"):
        load_model(tmp_path / "small", "cpu")


def test_weights_that_half_precision_cannot_hold_are_refused(model: Path, tmp_path: Path) -> None:
    path = model / "model.safetensors"
    weights = load_file(path)
    name = next(name for name, tensor in weights.items() if tensor.ndim > 1)
    weights[name][0] = 1e6
    save_file(weights, path, metadata={"format": "pt"})
    harness = json.loads((model / HARNESS_FILE).read_text())
    (model / HARNESS_FILE).write_text(json.dumps(harness | {"sha256": {}}))
    with pytest.raises(UserError, match="half precision cannot hold"):
        pack_model(model, tmp_path / "small")
    assert not (tmp_path / "small").exists()


def test_nothing_that_is_there_is_overwritten_and_a_method_without_weights_has_nothing_to_pack(
    model: Path, tmp_path: Path
) -> None:
    (tmp_path / "small").mkdir()
    with pytest.raises(UserError, match="is there already"):
        pack_model(model, tmp_path / "small")
    untrained = trained(tmp_path / "otsu")[1]
    with pytest.raises(UserError, match="no weights to pack"):
        pack_model(untrained.model, tmp_path / "other")


def test_the_command_says_what_it_did(model: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["pack", str(model), "--to", str(tmp_path / "small")])
    assert done.exit_code == 0 and "bytes of weights instead of" in done.output


def test_a_model_of_the_package_goes_by_its_name(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pctrans.pretrained, "_HERE", tmp_path / "built in")
    assert pctrans.pretrained.built_in_models() == ()
    pack_model(model, tmp_path / "built in" / "cells")
    assert pctrans.pretrained.built_in_models() == ("cells",)
    assert find_model(Path("cells")) == tmp_path / "built in" / "cells"
    named, loaded = PCTrans.from_pretrained("cells"), load_model(tmp_path / "built in" / "cells", "cpu").segmenter
    pairs = zip(named.state_dict().values(), loaded.state_dict().values(), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="holds no model"):
        find_model(Path("./other"))
    (tmp_path / "cells").mkdir()
    with pytest.raises(UserError, match="holds no model"):
        find_model(tmp_path / "cells")
