"""From finished jobs to the data of a figure."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from results import write_result

from benchmarks.data import Dataset, open_dataset
from benchmarks.data.label_files import write_labels
from benchmarks.errors import UserError
from benchmarks.figures import (
    activations,
    compute_figure,
    computing,
    figure_plan,
    list_figures,
    load_figure,
    read_figure,
)
from benchmarks.figures.store import read_data
from benchmarks.plan.expansion import Plan, expand_table
from benchmarks.plan.job import EXTERNAL, JobContext
from benchmarks.plan.methods import get_method
from benchmarks.plan.tables import load_table
from benchmarks.store.documents import write_document
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.models.saved_model import load_model, save_model
from benchmarks.store.run_file import RunFile, RunRow, run_path

SPEC = "synthetic-nuclei?size=96&train=1&val=1&test=3"


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return open_dataset(SPEC)


def finish(plan: Plan, dataset: Dataset, out: Path) -> None:
    """Jobs as if they had been run: untrained models, predictions that are the truth, PQ that falls by row."""
    for planned in plan.chosen:
        job, folder = planned.job, JobFolder.of(planned.job, out).path
        torch.manual_seed(planned.row)
        save_model(get_method(job.method).build(job.model), job, folder / "model")
        images = []
        for index, id in enumerate(dataset.ids("test")):
            labels = dataset.load(id).labels
            assert labels is not None
            write_labels(folder / "predictions" / f"{id}.tif", labels)
            images.append({"id": id, "truth": int(labels.max()), "pq": (index + 1) / (planned.row + 4)})
        write_result(job, out, images=images)


@pytest.fixture(scope="module")
def _finished(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("figures")
    for name in list_figures():
        finish(figure_plan(load_figure(name), JobContext.on(dataset, "smoke")), dataset, out)
    return out


@pytest.fixture
def out(_finished: Path, tmp_path: Path) -> Path:
    """All jobs of all figures finished; a copy to be changed at will."""
    return Path(shutil.copytree(_finished, tmp_path / "out"))


def computed(name: str, dataset: Dataset, out: Path, **changes: Any) -> tuple[Any, dict[str, np.ndarray]]:
    spec = load_figure(name).model_copy(update=changes)
    compute_figure(spec, figure_plan(spec, JobContext.on(dataset, "smoke")), out, "cpu")
    data = read_data(out, name)
    return data.facts, dict(data.arrays)


def test_the_figures_of_the_paper() -> None:
    shown = {name: (load_figure(name).table, load_figure(name).rows) for name in list_figures()}
    assert shown == {
        "figure1": ("table1", ["Mask2Former", "PCTrans"]),
        "figure3": ("table1", None),
        "figure4": ("table1", ["Mask2Former", "OSFormer", "PCTrans"]),
        "figure5": ("table4", ["+ discriminative loss", "full model"]),
    }


@pytest.mark.parametrize("name", list_figures())
def test_jobs_are_those_of_the_table(name: str, dataset: Dataset) -> None:
    spec = load_figure(name)
    table = expand_table(load_table(spec.table), JobContext.on(dataset, "smoke"), seeds=3)
    keys = {planned.label: planned.job.key for planned in table.chosen if planned.job.seed == 0}
    chosen = figure_plan(spec, JobContext.on(dataset, "smoke")).chosen
    assert {planned.label: planned.job.key for planned in chosen} == {
        label: key for label, key in keys.items() if spec.rows is None or label in spec.rows
    }


def test_specifications_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'figure5'"):
        load_figure("figur5")
    good = Path(activations.__file__).with_name("figure5.yaml").read_text()
    path = tmp_path / "figure5.yaml"
    path.write_text(good.replace("full model", "full modl"))
    with pytest.raises(UserError, match="no row 'full modl': did you mean 'full model'"):
        read_figure(path)
    path.write_text(good + "colour: red\n")
    with pytest.raises(UserError, match="colour"):
        read_figure(path)
    (tmp_path / "other.yaml").write_text(good)
    with pytest.raises(UserError, match="have to agree"):
        read_figure(tmp_path / "other.yaml")


def test_activations(dataset: Dataset, out: Path) -> None:
    facts, arrays = computed("figure1", dataset, out, rows=["PCTrans", "OSFormer", "Otsu + watershed", "Mask2Former"])
    assert [(row.label, row.reason) for row in facts.rows] == [
        ("PCTrans", None),
        ("OSFormer", "its attention has no weights over the image"),
        ("Otsu + watershed", "Otsu + watershed has no queries to look into"),
        ("Mask2Former", None),
    ]
    size = (64, 64)  # a training crop of this scale
    assert arrays["image"].shape == (*size, 3) and arrays["truth"].shape == size
    sample = dataset.load(facts.shown.window.image)
    window = facts.shown.window
    assert sample.labels is not None
    part = (slice(window.top, window.bottom), slice(window.left, window.right))
    assert (sample.labels[part] == arrays["truth"]).all()
    most = max(
        _objects_in_windows(labels, 64) for id in dataset.ids("test") if (labels := dataset.load(id).labels) is not None
    )
    assert len(np.unique(arrays["truth"])) - 1 >= most  # the window also has objects whose centre is outside
    for view in facts.shown.views:
        number, query = view.row.row, view.queries[0]
        assert arrays[f"embedding_{number}"].shape == (*size, 3)
        weights, stride = arrays[f"attention_{number}_0"], view.attention_stride
        assert weights.sum() == pytest.approx(stride**2, rel=1e-4)  # each weight on stride × stride pixels
        model: Any = load_model(out / "jobs" / view.row.key, "cpu").segmenter
        image = torch.from_numpy(sample.image[:, *part].copy())[None]
        found = model.inspect(image)
        assert (weights[::stride, ::stride] == found.attention[0, query.query].numpy()).all()
        target = arrays["truth"][2::4, 2::4] == facts.shown.targets[0].id
        soft = found.mask_logits[0].sigmoid().numpy()
        dices = [2 * mask[target].sum() / (mask.sum() + target.sum()) for mask in soft]
        assert query.query == int(np.argmax(dices)) and query.dice == pytest.approx(max(dices), rel=1e-4)
        assert (arrays[f"prediction_{number}"] > 0).sum() == (model.segment(image) > 0).sum()


def _objects_in_windows(truth: np.ndarray, side: int) -> int:
    """The most objects whose centre lies in one window."""
    ids = np.unique(truth[truth > 0])
    centres = np.array([np.argwhere(truth == id).mean(0).astype(int) for id in ids])
    ends = [range(max(1, length - side + 1)) for length in truth.shape]
    return max(
        int(((centres >= (top, left)) & (centres < (top + side, left + side))).all(1).sum())
        for top in ends[0]
        for left in ends[1]
    )


def test_candidates(dataset: Dataset, out: Path) -> None:
    facts, arrays = computed("figure4", dataset, out)
    assert [view.row.label for view in facts.shown.views] == ["Mask2Former", "OSFormer", "PCTrans"]
    assert [view.num_queries for view in facts.shown.views] == [12, 8**2 + 6**2 + 4**2, 12]
    assert len({target.id for target in facts.shown.targets}) == len(facts.shown.targets) > 0
    for view in facts.shown.views:
        assert 0 <= view.mean_dice <= 1 and 0 <= view.merged <= 1 and view.instances >= 3
        assert arrays[f"mask_{view.row.row}_0"].shape == (64, 64)
    assert len({view.instances for view in facts.shown.views}) == 1  # the same for all


def test_similarity(dataset: Dataset, out: Path) -> None:
    facts, arrays = computed("figure5", dataset, out, examples=3)
    assert [view.row.label for view in facts.shown.views] == ["+ discriminative loss", "full model"]
    for view in facts.shown.views:
        cosine = arrays[f"cosine_{view.row.row}"]
        assert cosine.shape == (12, 12) and np.diag(cosine) == pytest.approx(1) and (cosine == cosine.T).all()
        assert sum(view.group_sizes) == 12 and view.images == 3
        assert view.within > view.between  # groups are made by similarity
    masks = facts.shown.masks
    assert masks.row.label == "full model" and masks.cosines == sorted(masks.cosines, reverse=True)
    assert masks.cosines[0] == pytest.approx(1) and masks.dices[0] in (0, pytest.approx(1))  # 0: an empty mask
    first, size = masks.queries[0], masks.group_size
    assert size in facts.shown.views[1].group_sizes
    model: Any = load_model(out / "jobs" / masks.row.key, "cpu").segmenter
    window = facts.shown.window
    image = dataset.load(window.image).image[:, window.top : window.bottom, window.left : window.right]
    queries = model.inspect(torch.from_numpy(image.copy())[None]).queries[0]
    expected = [torch.cosine_similarity(queries[first], queries[other], dim=0).item() for other in masks.queries]
    assert masks.cosines == pytest.approx(expected, abs=1e-5)
    assert len(masks.queries) == min(3, size)
    assert set(arrays) >= {f"mask_{place}" for place in range(min(3, size))}


def test_segmentations(dataset: Dataset, out: Path) -> None:
    facts, arrays = computed("figure3", dataset, out)
    ids = dataset.ids("test")  # PQ rises with the index
    assert [image.window.image for image in facts.shown.images] == list(reversed(ids))
    for place, image in enumerate(facts.shown.images):
        truth = dataset.load(image.window.image).labels
        for row in facts.rows:
            assert (arrays[f"prediction_{place}_{row.row}"] == truth).all()
            assert image.pq[row.row] == pytest.approx((ids.index(image.window.image) + 1) / (row.row + 4))
    assert sum(not row.trained for row in facts.rows) == 2


def test_external_rows_of_the_table_are_shown_too(dataset: Dataset, out: Path) -> None:
    spec = load_figure("figure3")
    plan = figure_plan(spec, JobContext.on(dataset, "smoke"))
    shutil.copytree(JobFolder.of(plan.chosen[0].job, out).path, out / "jobs" / "elsewhere")
    result = out / "jobs" / "elsewhere" / "result.json"
    result.write_text(json.dumps(json.loads(result.read_text()) | {"key": "elsewhere"}))
    row = RunRow(row=18, label="Cellpose", method=EXTERNAL, keys=["elsewhere"])
    run = RunFile.of(plan)
    path = run_path(out, "table1")
    write_document(path, run.model_copy(update={"rows": [*run.rows, row]}))
    facts, _ = computed("figure3", dataset, out)
    assert [(row.row, row.label, row.trained) for row in facts.rows][-1] == (22, "Cellpose", False), (
        "after the table's rows, whose number has grown"
    )
    other = run.data.model_copy(update={"fingerprint": "of other data"})
    write_document(path, run.model_copy(update={"rows": [*run.rows, row], "data": other}))
    assert len(computed("figure3", dataset, out)[0].rows) == len(facts.rows) - 1


def test_what_the_user_changed_is_kept(dataset: Dataset, out: Path) -> None:
    spec, changes = load_figure("figure5"), {"training": {"log_every": 5}}  # no part of a key
    compute_figure(spec, figure_plan(spec, JobContext.on(dataset, "smoke"), changes), out, "cpu")
    assert read_data(out, "figure5").facts.overrides == changes


def test_missing_and_failed_jobs_are_gaps(dataset: Dataset, out: Path) -> None:
    one, other = (
        JobFolder.of(planned.job, out).path
        for planned in figure_plan(load_figure("figure5"), JobContext.on(dataset, "smoke")).chosen
    )
    (other / "result.json").unlink()
    (other / "error.json").write_text(json.dumps({"type": "RuntimeError", "message": "out of memory"}))
    facts, _ = computed("figure5", dataset, out)
    assert [row.reason for row in facts.rows] == [None, "failed: RuntimeError: out of memory"]
    assert len(facts.shown.views) == 1 and facts.shown.masks is None
    shutil.rmtree(other)
    assert computed("figure5", dataset, out)[0].rows[1].reason == "not run"
    shutil.rmtree(one / "model")
    (out / "figures" / "figure5" / "data.json").unlink()
    with pytest.raises(UserError, match=r"nothing to show:\n.*holds no model(.|\n)*full model: not run"):
        computed("figure5", dataset, out)
    shutil.rmtree(out / "jobs")
    with pytest.raises(UserError, match=r"discriminative loss: not run\n.*full model: not run"):
        computed("figure5", dataset, out)


def test_computed_once(dataset: Dataset, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def count(name: str, rows: Sequence[str]) -> Any:
        return computed(name, dataset, out, rows=list(rows))

    made: list[str] = []
    original = computing._compute
    monkeypatch.setattr(computing, "_compute", lambda spec, *rest: made.append(spec.name) or original(spec, *rest))
    count("figure5", ["full model"])
    count("figure5", ["full model"])
    assert made == ["figure5"]
    count("figure5", ["+ discriminative loss", "full model"])  # another specification
    assert len(made) == 2 and len(list((out / "figures" / "figure5").glob("*.npz"))) == 1
    result = next(
        JobFolder.of(p.job, out).path
        for p in figure_plan(load_figure("figure5"), JobContext.on(dataset, "smoke")).chosen
    )
    shutil.move(result / "result.json", result / "kept.json")
    count("figure5", ["+ discriminative loss", "full model"])  # another state of its jobs
    assert len(made) == 3
    (out / "figures" / "figure5" / "data.json").write_text("{")
    with pytest.raises(UserError, match="damaged or of another version"):
        read_data(out, "figure5")
    count("figure5", ["+ discriminative loss", "full model"])
    assert len(made) == 4


def test_reading_what_is_not_there(dataset: Dataset, out: Path) -> None:
    with pytest.raises(UserError, match="which `pctrans-bench run figure5` writes"):
        read_data(out, "figure5")
    facts, _ = computed("figure5", dataset, out)
    arrays = out / "figures" / "figure5" / facts.arrays
    arrays.write_bytes(arrays.read_bytes()[:100])
    with pytest.raises(UserError, match=r"npz cannot be read .* run figure5 again"):
        read_data(out, "figure5")


def test_a_test_split_without_scored_objects(dataset: Dataset, out: Path) -> None:
    for planned in figure_plan(load_figure("figure5"), JobContext.on(dataset, "smoke")).chosen:
        write_result(planned.job, out)
    with pytest.raises(UserError, match="no test image with objects was scored by every row"):
        computed("figure5", dataset, out)


def test_figures_are_listed_without_torch() -> None:
    code = "import sys; from benchmarks.figures import list_figures, load_figure; load_figure('figure5'); "
    code += "sys.exit(any(name in sys.modules for name in ('torch', 'matplotlib', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
