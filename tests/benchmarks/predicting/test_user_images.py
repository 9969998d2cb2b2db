from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from PIL import Image

from benchmarks.data import read_labels
from benchmarks.data.label_files import origin_of, write_labels
from benchmarks.errors import UserError
from benchmarks.machine.memory import explaining_lack_of_memory
from benchmarks.plan.job import DataReference, JobContext
from benchmarks.plan.methods import get_method
from benchmarks.plan.resolving import make_job
from benchmarks.predicting.options import PredictOptions
from benchmarks.predicting.segmenting import drop_small
from benchmarks.predicting.user_images import Predicted, labels_of_others, predict_images
from benchmarks.run.prediction import Labelled, segment_with_scores
from benchmarks.store.models.saved_model import load_model, save_model


def saved_model(
    folder: Path, spec: str = "folder:nowhere", diameter: float | None = None, decoding: str = "ids"
) -> Path:
    """Otsu and watershed as a saved model: nothing is trained, and objects are where the image is bright."""
    data = DataReference(spec=spec, name="none", fingerprint="0", decoding=decoding)
    job = make_job("watershed", JobContext(data, split="test", scale="smoke", protocol="nuclei"), seed=0)
    save_model(get_method("watershed").build(job.model), job, folder / "model", diameter=diameter)
    return folder


def write_discs(path: Path, count: int, *, hot: bool = False) -> None:
    """A grey image of 12 bits with some bright discs."""
    rows, columns = np.indices((60, 160))
    image = np.full((60, 160), 100, np.uint16)
    for index in range(count):
        image[(rows - 30) ** 2 + (columns - 20 - 30 * index) ** 2 < 64] = 3000
    if hot:
        image[0, 0] = 65535
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(image).save(path)


def predicted(folder: Path, options: PredictOptions | None = None, *, overwrite: bool = False) -> dict[str, Predicted]:
    images = sorted((folder / "images").iterdir())
    found = predict_images(folder / "model", images, folder / "out", device="cpu", options=options, overwrite=overwrite)
    return {one.image.name: one for one in found}


def measured(folder: Path) -> list[str]:
    table = pd.read_csv(folder / "out" / "objects.csv")
    return [] if table.empty else table["image"].tolist()


def test_an_image_that_was_replaced_is_segmented_again(tmp_path: Path) -> None:
    saved_model(tmp_path)
    write_discs(tmp_path / "images" / "a.png", 2)
    write_discs(tmp_path / "images" / "b.png", 3)
    assert [one.objects for one in predicted(tmp_path).values()] == [2, 3]
    stamp = (tmp_path / "out" / "labels" / "b.tif").stat().st_mtime_ns
    overlay = (tmp_path / "out" / "overlays" / "a.png").read_bytes()
    write_discs(tmp_path / "images" / "a.png", 4)
    assert [one.objects for one in predicted(tmp_path).values()] == [4, 3]
    assert measured(tmp_path) == ["a.png"] * 4 + ["b.png"] * 3
    assert (tmp_path / "out" / "labels" / "b.tif").stat().st_mtime_ns == stamp
    assert (tmp_path / "out" / "overlays" / "a.png").read_bytes() != overlay


def test_labels_that_do_not_say_of_which_image_they_are_are_made_again(tmp_path: Path) -> None:
    saved_model(tmp_path)
    write_discs(tmp_path / "images" / "a.png", 2)
    predicted(tmp_path)
    label = tmp_path / "out" / "labels" / "a.tif"
    digest = hashlib.sha256((tmp_path / "images" / "a.png").read_bytes()).hexdigest()
    assert (origin_of(label) or "").startswith(f"image sha256 {digest}, ")
    write_labels(label, np.zeros((60, 160), np.int32))
    assert origin_of(label) is None
    assert predicted(tmp_path)["a.png"].objects == 2
    content = label.read_bytes()
    for damaged in (b"damaged", content[:-20]):
        label.write_bytes(damaged)
        assert predicted(tmp_path)["a.png"] == Predicted(tmp_path / "images" / "a.png", 2)


def test_an_interrupted_overwriting_leaves_nothing_that_passes_for_its_own(tmp_path: Path) -> None:
    saved_model(tmp_path)
    for name in "ab":
        write_discs(tmp_path / "images" / f"{name}.png", 2)
    predicted(tmp_path)
    images, larger = sorted((tmp_path / "images").iterdir()), PredictOptions(min_size=10_000)
    arguments = tmp_path / "model", images, tmp_path / "out"
    first = next(predict_images(*arguments, device="cpu", options=larger, overwrite=True))
    assert first.objects == 0
    assert [one.objects for one in predicted(tmp_path, larger).values()] == [0, 0]


def test_an_image_that_cannot_be_used_is_named_and_the_rest_is_done(tmp_path: Path) -> None:
    saved_model(tmp_path)
    for name in "abc":
        write_discs(tmp_path / "images" / f"{name}.png", 2)
    predicted(tmp_path)
    (tmp_path / "images" / "a.png").write_bytes(b"not an image")
    (tmp_path / "images" / "b.png").unlink()
    tifffile.imwrite(tmp_path / "images" / "b.tif", np.full((60, 160), np.nan, np.float32))
    for _ in range(2):
        found = predicted(tmp_path)
        assert found["a.png"].problem and "images/a.png: not a PNG" in found["a.png"].problem
        assert found["b.tif"].problem and "not finite" in found["b.tif"].problem
        assert found["c.png"] == Predicted(tmp_path / "images" / "c.png", 2)
        assert measured(tmp_path) == ["c.png"] * 2
        # What lay there was of other images.
        assert [path.name for path in (tmp_path / "out" / "labels").iterdir()] == ["c.tif"]
        assert [path.name for path in (tmp_path / "out" / "overlays").iterdir()] == ["c.png"]


def test_a_hot_pixel_is_noted_and_robust_sees_the_objects(tmp_path: Path) -> None:
    saved_model(tmp_path)
    write_discs(tmp_path / "images" / "a.png", 3, hot=True)
    (note,) = predicted(tmp_path)["a.png"].notes
    assert "a.png: its range looks odd, 100 to 65535" in note and "--range robust" in note
    with pytest.raises(UserError, match="not made with this model and these options"):
        predicted(tmp_path, PredictOptions(range="robust"))
    found = predicted(tmp_path, PredictOptions(range="robust", min_size=5), overwrite=True)["a.png"]
    assert (found.objects, found.notes) == (3, ())


def test_a_model_of_data_with_a_robust_range_predicts_with_it(tmp_path: Path) -> None:
    assert load_model(saved_model(tmp_path), "cpu").range == "min-max"
    assert load_model(saved_model(tmp_path, "folder:x?range=robust"), "cpu").range == "robust"
    assert load_model(saved_model(tmp_path, "plugin:x?range=robust"), "cpu").range == "min-max"


def test_a_model_of_before_the_range_was_stored_has_that_of_its_unions_decoding(tmp_path: Path) -> None:
    for decoding, expected in {"ids, robust + ids, robust": "robust", "pea + ids": "min-max"}.items():
        assert load_model(saved_model(tmp_path, "union:gone", decoding=decoding), "cpu").range == expected
    harness = tmp_path / "model" / "harness.json"
    description = json.loads(harness.read_text())
    assert "range" not in description
    harness.write_text(json.dumps(description | {"range": "robust"}))
    assert load_model(tmp_path, "cpu").range == "robust", "what is stored comes first"
    harness.write_text(json.dumps(description | {"range": "wide"}))
    with pytest.raises(UserError, match="no range 'wide'"):
        load_model(tmp_path, "cpu")


def test_a_model_of_data_with_several_ranges_asks_for_one(tmp_path: Path) -> None:
    saved_model(tmp_path, "union:gone", decoding="ids + ids, robust")
    write_discs(tmp_path / "images" / "a.png", 3, hot=True)
    assert load_model(tmp_path, "cpu").range is None
    with pytest.raises(UserError, match="--range min-max or robust"):
        predicted(tmp_path)
    assert predicted(tmp_path, PredictOptions(range="robust", min_size=5))["a.png"].objects == 3


def test_objects_that_no_tile_sees_whole_are_named(tmp_path: Path) -> None:
    saved_model(tmp_path)
    rows, columns = np.indices((60, 160))
    image = np.where((rows - 30) ** 2 + (columns - 56) ** 2 < 400, 3000, 100).astype(np.uint16)
    image[20:26, 140:146] = 3000
    (tmp_path / "images").mkdir()
    Image.fromarray(image).save(tmp_path / "images" / "a.png")
    found = predicted(tmp_path, PredictOptions(tile=64, overlap=16))["a.png"]
    assert any("no tile of 64 pixels has seen these objects whole" in note for note in found.notes)
    assert predicted(tmp_path, PredictOptions(tile=256), overwrite=True)["a.png"].notes == ()
    with pytest.raises(UserError, match="--overlap 64: expected less than the side of a tile, which is 64"):
        predicted(tmp_path, PredictOptions(tile=64, overlap=64))


def test_labels_are_there_before_a_picture_is_drawn_and_a_missing_picture_is_drawn_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    saved_model(tmp_path)
    write_discs(tmp_path / "images" / "a.png", 2)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("benchmarks.predicting.user_images.save_overlay", interrupted)
        predicted(tmp_path)
    assert read_labels(tmp_path / "out" / "labels" / "a.tif").max() == 2
    assert predicted(tmp_path)["a.png"].objects == 2
    assert (tmp_path / "out" / "overlays" / "a.png").is_file()


def test_an_image_named_like_a_formula_is_text_in_the_table(tmp_path: Path) -> None:
    saved_model(tmp_path)
    write_discs(tmp_path / "images" / "=HYPERLINK(1).png", 1)
    predicted(tmp_path)
    assert measured(tmp_path) == ["'=HYPERLINK(1).png"]


def test_what_fewer_options_have_made_before_is_gone_on_with(tmp_path: Path) -> None:
    saved_model(tmp_path)
    write_discs(tmp_path / "images" / "a.png", 1)
    predicted(tmp_path)
    described = json.loads((tmp_path / "out" / "predict.json").read_text(encoding="utf-8"))
    before = {name: described[name] for name in ("model", "tile", "flips", "min_size")}
    (tmp_path / "out" / "predict.json").write_text(json.dumps(before), encoding="utf-8")
    assert predicted(tmp_path)["a.png"].objects == 1
    assert read_labels(tmp_path / "out" / "labels" / "a.tif").max() == 1


def test_small_objects_are_dropped_and_the_rest_renumbered() -> None:
    labels = np.array([[1, 0, 2, 2], [0, 0, 2, 3], [4, 4, 4, 3]], np.int32)
    assert drop_small(labels, 3).tolist() == [[0, 0, 1, 1], [0, 0, 1, 0], [2, 2, 2, 0]]
    assert drop_small(labels, 0).tolist() == labels.tolist()
    assert drop_small(np.zeros((2, 2), np.int32), 9).max() == 0


@pytest.mark.parametrize("asked", [8.0, "auto"])
def test_images_of_another_magnification_are_resized_to_what_the_model_knows(
    tmp_path: Path, asked: float | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = []

    def noted(segmenter: object, image: np.ndarray, *arguments: object, **options: object) -> Labelled:
        shapes.append(image.shape[1:])
        return segment_with_scores(segmenter, image, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("benchmarks.predicting.segmenting.segment_with_scores", noted)
    saved_model(tmp_path, diameter=32.0)  # its objects are twice as wide as these discs, which measure 16
    write_discs(tmp_path / "images" / "a.png", 4)
    options = PredictOptions(diameter=asked)  # type: ignore[arg-type]
    (found,) = predicted(tmp_path, options).values()
    assert found.objects == 4
    assert read_labels(tmp_path / "out" / "labels" / "a.tif").shape == (60, 160)
    factor = 32 / 8 if asked == 8.0 else 2
    assert shapes[-1] == pytest.approx((60 * factor, 160 * factor), rel=0.05)
    if asked == "auto":
        assert any("resized by 2.0" in note and "some 16 pixels wide" in note for note in found.notes)
    count = len(shapes)
    (again,) = predicted(tmp_path, options).values()
    assert len(shapes) == count, "what is there is read"
    assert again.notes == found.notes
    with pytest.raises(UserError, match="not made with this model and these options"):
        predicted(tmp_path)
    predicted(tmp_path, overwrite=True)
    with pytest.raises(UserError, match="not made with this model and these options"):
        predicted(tmp_path, options)


def test_a_folder_of_results_is_of_one_model_and_one_choice_whatever_the_images(tmp_path: Path) -> None:
    saved_model(tmp_path)
    for name in ("a", "b"):
        write_discs(tmp_path / "images" / f"{name}.png", 2)
    first, second = sorted((tmp_path / "images").iterdir())

    def segmented(image: Path, options: PredictOptions) -> None:
        list(predict_images(tmp_path / "model", [image], tmp_path / "out", device="cpu", options=options))

    segmented(first, PredictOptions())
    with pytest.raises(UserError, match=r"a\.tif is there already"):
        segmented(second, PredictOptions(min_size=3))
    segmented(second, PredictOptions())
    assert measured(tmp_path) == ["b.png"] * 2
    assert labels_of_others(tmp_path / "out", [second]) == 1
    assert labels_of_others(tmp_path / "out", [first, second]) == 0


def test_a_model_is_shown_the_negative_and_the_image_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def noted(segmenter: object, image: np.ndarray, *arguments: object, **options: object) -> Labelled:
        seen.append(image)
        return segment_with_scores(segmenter, image, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("benchmarks.predicting.segmenting.segment_with_scores", noted)
    saved_model(tmp_path)
    write_discs(tmp_path / "images" / "a.png", 3)
    predicted(tmp_path)
    with pytest.raises(UserError, match="not made with this model and these options"):
        predicted(tmp_path, PredictOptions(invert=True))
    (found,) = predicted(tmp_path, PredictOptions(invert=True), overwrite=True).values()
    assert np.array_equal(seen[1], 1 - seen[0]) and found.objects == 3, "watershed takes dark objects, too"
    intensities = pd.read_csv(tmp_path / "out" / "objects.csv")["mean_intensity"]
    assert intensities.tolist() == [3000.0] * 3, "in the units of the file"
    with pytest.raises(UserError, match="not made with this model and these options"):
        predicted(tmp_path)


@pytest.mark.parametrize("colour", [False, True])
def test_intensities_are_those_of_the_file(tmp_path: Path, colour: bool) -> None:
    """Images are stretched for the model: by that, a brighter one would measure the same."""
    saved_model(tmp_path)
    write_discs(tmp_path / "images" / "a.png", 2)
    shown = np.asarray(Image.open(tmp_path / "images" / "a.png"))
    for factor, name in ((1, "a.tif"), (3, "b.tif")):
        image = (factor * shown).astype(np.uint16)
        planes = np.stack([image, image // 2, image], axis=-1) if colour else image
        tifffile.imwrite(tmp_path / "images" / name, planes, photometric="rgb" if colour else "minisblack")
    (tmp_path / "images" / "a.png").unlink()
    predicted(tmp_path)
    table = pd.read_csv(tmp_path / "out" / "objects.csv")
    grey = (3000 + 1500 + 3000) / 3 if colour else 3000
    dim, bright = (table[table["image"] == name] for name in ("a.tif", "b.tif"))
    np.testing.assert_allclose(dim["max_intensity"], [grey, grey])
    for column in ("mean_intensity", "min_intensity", "max_intensity"):
        np.testing.assert_allclose(bright[column], 3 * dim[column].to_numpy())


def test_a_diameter_needs_a_model_that_knows_that_of_its_objects(tmp_path: Path) -> None:
    saved_model(tmp_path)
    write_discs(tmp_path / "images" / "a.png", 2)
    with pytest.raises(UserError, match="does not know the diameter"):
        predicted(tmp_path, PredictOptions(diameter=12.0))


@pytest.mark.slow
def test_a_large_image_is_segmented_in_bounded_memory(tmp_path: Path) -> None:
    """4096×4096 at `quick` scale in under 1 GiB, the whole process counted.

    The weights do not matter for that, but what they make of noise does: parts that meet become one object as large as
    the image, and measuring one takes 0.7 GiB more. So no pixel is above the threshold here.
    """
    import subprocess
    import sys

    data = DataReference(spec="none", name="none", fingerprint="0", decoding="ids")
    context = JobContext(data, split="test", scale="quick", protocol="nuclei")
    nothing = {"model": {"inference": {"mask_threshold": 0.999}}}
    job = make_job("pctrans", context, seed=0, overrides=nothing)
    save_model(get_method("pctrans").build(job.model), job, tmp_path / "model")
    noise = np.random.default_rng(0).integers(0, 4000, (4096, 4096), np.uint16)
    Image.fromarray(noise).save(tmp_path / "large.tif")
    code = (
        "import resource, sys; from pathlib import Path; from benchmarks.predicting.user_images import predict_images\n"
        "folder = Path(sys.argv[1])\n"
        "list(predict_images(folder, [folder / 'large.tif'], folder / 'out', device='cpu'))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) * 1024 < 2**30


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 9.00 GiB for an array"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_an_image_that_does_not_fit_is_named_with_what_to_do(error: Exception) -> None:
    needed = pytest.raises(
        UserError, match=r"^big\.tif needs more memory than there is \(.*\)\. Take a smaller --tile\.$"
    )
    with needed, explaining_lack_of_memory("big.tif", "Take a smaller --tile."):
        raise error
    with pytest.raises(RuntimeError, match="shapes"), explaining_lack_of_memory("big.tif", "x"):
        raise RuntimeError("shapes do not match")


def test_a_method_without_scores_leaves_the_column_empty(tmp_path: Path) -> None:
    saved_model(tmp_path)
    write_discs(tmp_path / "images" / "a.png", 2)
    predicted(tmp_path)
    table = pd.read_csv(tmp_path / "out" / "objects.csv")
    assert table.columns[-1] == "score" and table["score"].isna().all() and len(table) == 2
