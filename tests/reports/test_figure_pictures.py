"""Pictures of figures, from data made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from PIL import Image

from benchmarks.errors import UserError
from benchmarks.figures import FigureSpec, load_figure
from benchmarks.figures.facts import (
    Activations,
    ActivationView,
    Candidates,
    CandidateView,
    FigureFacts,
    QueryFacts,
    RowFacts,
    Segmentations,
    SegmentedImage,
    Similarity,
    SimilarityView,
    SimilarMasks,
    TargetFacts,
    Window,
)
from benchmarks.figures.store import FigureData, figure_folder, write_data
from reports import panels
from reports.figures import activations, candidates, draw_figure, segmentations, similarity
from reports.figures.canvas import DPI, OTHER, TARGET, Canvas

SIDE = 24
WINDOW = Window(image="cells", top=10, left=20, bottom=10 + SIDE, right=20 + SIDE, whole=False)


def truth() -> np.ndarray:
    labels = np.zeros((SIDE, SIDE), int)
    labels[2:10, 2:10], labels[2:10, 12:20], labels[14:22, 2:10] = 5, 6, 7
    return labels


TARGET_FACTS = TargetFacts(id=5, top=2, left=2, bottom=10, right=10, crowding=0.25)


def row(number: int, label: str, reason: str | None = None, **changes: Any) -> RowFacts:
    return RowFacts(
        row=number, label=label, method="pctrans", trained=True, key=f"key{number}", reason=reason
    ).model_copy(update=changes)


def data(rows: list[RowFacts], shown: Any, arrays: dict[str, np.ndarray], name: str) -> FigureData:
    facts = FigureFacts(
        figure=name,
        stamp="s" * 16,
        scale="quick",
        data="folder:x",
        overrides={"training": {"iterations": 9}},
        arrays="arrays-s.npz",
        rows=rows,
        shown=shown,
    )
    common = {"image": np.full((SIDE, SIDE, 3), 90, np.uint8), "truth": truth()}
    return FigureData(facts, common | arrays)


def activation_data(reason: str | None = None) -> FigureData:
    rng = np.random.default_rng(0)
    prediction = np.where(truth() == 7, 1, 0)  # 5 and 6 are missed
    rows = [row(16, "Mask2Former"), row(17, "PCTrans", reason)]
    views = [
        ActivationView(
            row=one,
            queries=[QueryFacts(query=3, dice=0.5, covered=[5, 6])],
            explained=[0.5, 0.25, 0.125],
            embedding_stride=4,
            attention_stride=8,
            pq=0.4,
        )
        for one in rows
        if one.reason is None
    ]
    arrays = {}
    for one in views:
        number = one.row.row
        arrays[f"embedding_{number}"] = rng.random((SIDE, SIDE, 3)).astype(np.float32)
        arrays[f"attention_{number}_0"] = rng.random((SIDE, SIDE)).astype(np.float32) / 100
        arrays[f"activation_{number}_0"] = rng.random((SIDE, SIDE)).astype(np.float32)
        arrays[f"prediction_{number}"] = prediction
    return data(rows, Activations(window=WINDOW, targets=[TARGET_FACTS], views=views), arrays, "figure1")


def candidate_data() -> FigureData:
    mask = np.where(np.isin(truth(), (5, 6)), 0.9, 0.1).astype(np.float32)
    view = CandidateView(
        row=row(17, "PCTrans"),
        queries=[QueryFacts(query=3, dice=0.5, covered=[5, 6])],
        num_queries=80,
        instances=142,
        mean_dice=0.81,
        merged=0.22,
    )
    rows = [row(16, "Mask2Former", "failed: RuntimeError: out of memory"), view.row]
    shown = Candidates(window=WINDOW, targets=[TARGET_FACTS], views=[view])
    return data(rows, shown, {"mask_17_0": mask}, "figure4")


COSINE = np.array([[1, 0.9, -0.5], [0.9, 1, 0.0], [-0.5, 0.0, 1]])


def similarity_data() -> FigureData:
    rows = [row(5, "+ discriminative loss", "not run"), row(8, "full model")]
    view = SimilarityView(
        row=rows[1], group_sizes=[2, 1], within=0.9, between=-0.25, mask_within=0.5, mask_between=0.125, images=15
    )
    masks = SimilarMasks(
        row=rows[1], target=TARGET_FACTS, queries=[4, 2], cosines=[1, 0.9], dices=[1, 0.75], group_size=2
    )
    arrays = {"cosine_8": COSINE, "mask_0": np.eye(SIDE), "mask_1": np.zeros((SIDE, SIDE))}
    return data(rows, Similarity(window=WINDOW, views=[view], masks=masks), arrays, "figure5")


def segmentation_data() -> FigureData:
    window = Window(image="cells", top=0, left=0, bottom=SIDE, right=12, whole=False)
    rows = [
        row(12, "Otsu + watershed", method="watershed", trained=False),
        row(17, "PCTrans", "not finished"),
        row(18, "Cellpose", method="external", trained=False),
    ]
    image = SegmentedImage(window=window, difficulty=0.5, pq={12: 0.25, 18: 1.0})
    arrays = {
        "image_0": np.full((SIDE, SIDE, 3), 90, np.uint8),
        "truth_0": truth(),
        "prediction_0_12": np.where(truth() == 7, 9, 0),
        "prediction_0_18": truth() * 10,
    }
    return data(rows, Segmentations(images=[image]), arrays, "figure3")


MADE = {
    "figure1": activation_data,
    "figure3": segmentation_data,
    "figure4": candidate_data,
    "figure5": similarity_data,
}


def pictures(canvas: Canvas) -> list[np.ndarray]:
    """List what each panel shows, in the order of drawing."""
    return [np.asarray(axes.images[0].get_array()) for axes in canvas.figure.axes if axes.images]


def texts(canvas: Canvas) -> list[str]:
    within = [" ".join(text.get_text().split()) for axes in canvas.figure.axes for text in axes.texts]  # unwrapped
    return [text.get_text() for text in canvas.figure.texts] + within


def test_activations_show_their_arrays() -> None:
    made = activation_data()
    canvas, sentences = activations.draw(made)
    shown = pictures(canvas)
    for name in ("embedding_16", "attention_16_0", "activation_16_0", "embedding_17", "activation_17_0"):
        assert sum(np.array_equal(panel, made.arrays[name]) for panel in shown) == 1, name
    red = [panel for panel in shown if panel.ndim == 3 and (panel == panels.MISSED).all(axis=2).any()]
    assert len(red) == 2  # the two predictions miss objects, the truth none
    written = texts(canvas)
    assert written.count("88% of the variance") == written.count("Dice 0.50, 1 more object") == 2
    assert written.count("PQ 0.40") == 2 and "Mask2Former" in written and "PCTrans" in written
    caption = " ".join(sentences)
    assert "test image cells, rows 10 to 33, columns 20 to 43" in caption
    assert "Mask2Former: embedding 4, attention 8" in caption and "cover 25% of" in caption
    boxes = [
        patch
        for axes in canvas.figure.axes
        for patch in axes.patches
        if matplotlib.colors.same_color(patch.get_edgecolor(), TARGET)
    ]
    assert len(boxes) == 2 + 2 * 4  # in every panel
    assert {(box.get_x(), box.get_y(), box.get_width(), box.get_height()) for box in boxes} == {(0.0, 0.0, 12.0, 12.0)}


def test_a_row_without_panels_says_why() -> None:
    canvas, _ = activations.draw(activation_data("failed: OSError: disk full"))
    assert "failed: OSError: disk full" in texts(canvas)
    assert texts(canvas).count("PQ 0.40") == 1


def test_candidates_outline_what_the_mask_takes_in() -> None:
    made = candidate_data()
    canvas, sentences = candidates.draw(made)
    assert any(np.array_equal(panel, made.arrays["mask_17_0"]) for panel in pictures(canvas))
    written = texts(canvas)
    assert "PCTrans\nmean Dice 0.81, 22% merged" in written and "Dice 0.50, 1 more object" in written
    assert "failed: RuntimeError: out of memory" in written
    assert "over the 142 whole instances" in " ".join(sentences) and "PCTrans 80" in " ".join(sentences)
    colours: dict[str, list[Any]] = {}
    for axes in canvas.figure.axes:
        for contour in axes.collections:
            colours.setdefault(matplotlib.colors.to_hex(contour.get_edgecolor()[0]), []).append(contour)
    (other,) = colours[OTHER]  # instance 6
    vertices = other.get_paths()[0].vertices
    assert vertices.min(axis=0) == pytest.approx([12, 2], abs=0.01)
    assert vertices.max(axis=0) == pytest.approx([20, 10], abs=0.01)
    assert len(colours["#ffffff"]) == 2  # the target and instance 7


def test_similarity_shows_the_matrix_and_its_groups() -> None:
    canvas, sentences = similarity.draw(similarity_data())
    (axes,) = [
        axes for axes in canvas.figure.axes if axes.images and np.array_equal(axes.images[0].get_array(), COSINE)
    ]
    assert axes.images[0].get_clim() == (-1, 1)
    assert [(p.get_x(), p.get_width(), p.get_height()) for p in axes.patches] == [(0, 2, 2), (2, 1, 1)]
    written = texts(canvas)
    assert "cosine 0.90 within groups, -0.25 between" in written
    assert "soft Dice of masks 0.50 within groups, 0.12 between" in written
    assert "not run" in written and "(c) full model: masks of all 2 queries of one group" in written
    assert "the matched query" in written and "cosine 0.90\nmask Dice 0.75" in written
    assert "15 test images" in " ".join(sentences)


def test_segmentations_show_windows_and_scores() -> None:
    canvas, sentences = segmentations.draw(segmentation_data())
    shown = pictures(canvas)
    z = panels.ZOOM
    assert [panel.shape for panel in shown[:4]] == [(SIDE * z, 12 * z, 3)] * 4  # image, truth, two predictions
    wrong, right = shown[2:4]
    assert np.array_equal(shown[1], right) and not np.array_equal(right, wrong)
    assert (wrong[2 * z + 1, 5 * z] == panels.MISSED).all()
    written = texts(canvas)
    assert {"3 objects", "PQ 0.25", "PQ 1.00", "not finished", "Cellpose§", "median PQ 0.50"} <= set(written)
    caption = " ".join(sentences)
    assert "at 1/2 of that order" in caption and "‡ no training." in caption and "§ label maps" in caption


@pytest.mark.parametrize("name", MADE)
def test_files_and_record(name: str, tmp_path: Path) -> None:
    spec, made = load_figure(name), MADE[name]()
    write_data(figure_folder(tmp_path, name), made)
    picture = draw_figure(spec, tmp_path)
    assert picture.path == tmp_path / "reports" / f"{name}.png"
    record = json.loads((tmp_path / "figures" / name / "figure.json").read_text())
    assert record["caption"] == picture.caption and picture.caption.startswith(spec.caption)
    assert (record["name"], record["title"]) == (name, spec.title)
    assert (record["picture"], record["pdf"]) == (f"{name}.png", f"{name}.pdf")
    assert [job["key"] for job in record["jobs"]] == [one.key for one in made.facts.rows]
    assert "folder:x, scale quick, seed 0. Changed from the scale's settings: training.iterations=9." in picture.caption
    for one in made.facts.rows:
        assert (f"{one.label} is left out: {one.reason}." in picture.caption) == (one.reason is not None)
    with Image.open(picture.path) as image:
        assert image.format == "PNG" and image.info["dpi"] == pytest.approx((DPI, DPI), abs=0.1)
        assert image.width <= 7 * DPI + 1
    assert (tmp_path / "reports" / f"{name}.pdf").read_bytes().startswith(b"%PDF")


def test_drawn_once_and_the_same_again(tmp_path: Path) -> None:
    spec = load_figure("figure5")
    write_data(figure_folder(tmp_path, "figure5"), similarity_data())
    first = draw_figure(spec, tmp_path)
    assert first.path is not None
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (tmp_path / "reports").iterdir()}
    assert draw_figure(spec, tmp_path) == first
    assert {path: path.stat().st_mtime_ns for path in before} == {path: time for path, (_, time) in before.items()}
    first.path.unlink()
    draw_figure(spec, tmp_path)
    assert {path: path.read_bytes() for path in before} == {path: content for path, (content, _) in before.items()}


def test_pixels_of_the_matrix(tmp_path: Path) -> None:
    """The picture has the colours of three cells where the layout puts them."""
    write_data(figure_folder(tmp_path, "figure5"), similarity_data())
    path = draw_figure(load_figure("figure5"), tmp_path).path
    assert path is not None
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    side = similarity.MATRIX
    left = (7.0 - 2 * side - similarity.GAP) / 2 + side + similarity.GAP
    for line, column in ((0, 1), (0, 2), (1, 2)):
        x, y = left + (column + 0.5) * side / 3, similarity.TITLE + (line + 0.5) * side / 3
        expected = matplotlib.colormaps["RdBu_r"]((COSINE[line, column] + 1) / 2)[:3]
        assert pixels[round(y * DPI), round(x * DPI)] == pytest.approx(255 * np.array(expected), abs=2)


def test_no_data(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"No data of figure1: expected .*data\.json, which `pctrans-bench run figure1`"
    ):
        draw_figure(load_figure("figure1"), tmp_path)


def test_specification_and_data_agree() -> None:
    kinds = {name: FigureSpec.model_validate(load_figure(name).model_dump()).kind for name in MADE}
    assert kinds == {name: made().facts.shown.kind for name, made in MADE.items()}
