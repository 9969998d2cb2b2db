"""CVPPP A1 in both layouts, from files that the test writes (the data may not be shipped)."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from benchmarks.data import check_dataset, open_dataset
from benchmarks.data.cvppp import TESTING_IMAGES, TRAINING_IMAGES, TRAINING_TRUTH
from benchmarks.errors import UserError

LABELLED = ["plant001", "plant002", "plant003", "plant016"]
TESTS = ["plant004"]


def plant(name: str) -> tuple[np.ndarray, np.ndarray]:
    """RGBA image with a meaningless alpha, and leaf ids with a gap."""
    rng = np.random.default_rng(int(name[5:]))
    labels = np.zeros((53, 50), np.uint8)
    labels[5:20, 5:20], labels[15:40, 18:33], labels[30:34, 2:9] = 1, 2, 5
    return rng.integers(0, 256, (53, 50, 4)).astype(np.uint8), labels


def save_palette(path: Path, labels: np.ndarray) -> None:
    image = Image.fromarray(labels, mode="L")
    image.putpalette(np.random.default_rng(0).integers(0, 256, 768).astype(np.uint8).tolist())
    image.save(path)


@pytest.fixture
def png(tmp_path: Path) -> Path:
    folder = tmp_path / "png" / "A1"
    folder.mkdir(parents=True)
    for name in LABELLED + TESTS:
        image, labels = plant(name)
        Image.fromarray(image).save(folder / f"{name}_rgb.png")
        Image.fromarray((labels > 0).astype(np.uint8) * 255).save(folder / f"{name}_fg.png")
        if name in LABELLED:
            save_palette(folder / f"{name}_label.png", labels)
    return tmp_path / "png"


@pytest.fixture
def hdf5(tmp_path: Path) -> Path:
    root = tmp_path / "hdf5"
    root.mkdir()
    with (
        h5py.File(root / TRAINING_IMAGES, "w") as images,
        h5py.File(root / TRAINING_TRUTH, "w") as truth,
        h5py.File(root / TESTING_IMAGES, "w") as testing,
    ):
        for name in LABELLED + TESTS:
            image, labels = plant(name)
            target = images if name in LABELLED else testing
            target[f"/A1/{name}/rgb"], target[f"/A1/{name}/fg"] = image, labels > 0
            target[f"/A1/{name}/rgb_filename"] = f"{name}_rgb.png"
            if name in LABELLED:
                truth[f"/A1/{name}/label"], truth[f"/A1/{name}/label_filename"] = labels, f"{name}_label.png"
                truth[f"/A1/{name}/leafcount"] = 3
    return root


@pytest.mark.parametrize("layout", ["png", "hdf5"])
def test_both_layouts_hold_the_same_samples(layout: str, request: pytest.FixtureRequest) -> None:
    dataset = open_dataset(f"cvppp-a1:{request.getfixturevalue(layout)}")
    assert (dataset.name, dataset.evaluation_split) == ("cvppp-a1", "val")
    assert dataset.normalisation == "divide by 255"
    assert dataset.ids("train") == ("plant001", "plant003")
    assert dataset.ids("val") == ("plant002", "plant016")
    assert dataset.ids("test") == ("plant004",)
    for name in LABELLED + TESTS:
        image, labels = plant(name)
        sample = dataset.load(name)
        np.testing.assert_allclose(sample.image, np.moveaxis(image[..., :3], -1, 0) / 255, atol=1e-6)
        if name in TESTS:
            assert sample.labels is None
        else:
            np.testing.assert_array_equal(sample.labels, labels)
    report = check_dataset(dataset)
    assert report.problems == []
    assert report.splits["val"].counts == [3, 3]
    assert any("2 of the 20 validation plants" in note for note in report.notes)
    assert len(report.fingerprint) == 64


def test_the_folder_a1_itself_may_be_named(png: Path) -> None:
    inner, outer = open_dataset(f"cvppp-a1:{png / 'A1'}"), open_dataset(f"cvppp-a1:{png}")
    assert inner.fingerprint == outer.fingerprint


def test_lost_labels_are_errors(png: Path, hdf5: Path) -> None:
    (png / "A1" / "plant016_label.png").unlink()
    with pytest.raises(UserError, match=r"plant016_label\.png: the label image is missing"):
        open_dataset(f"cvppp-a1:{png}")
    with h5py.File(hdf5 / TRAINING_TRUTH, "a") as truth:
        del truth["/A1/plant001/label"]
    with pytest.raises(UserError, match="/A1/plant001/label: missing"):
        open_dataset(f"cvppp-a1:{hdf5}")


def test_with_separate_test_images_every_training_image_needs_its_label(png: Path) -> None:
    testing = png / "testing" / "A1"
    testing.mkdir(parents=True)
    (png / "A1" / "plant004_rgb.png").rename(testing / "plant004_rgb.png")
    assert open_dataset(f"cvppp-a1:{png}").load("plant004").labels is None
    (png / "A1" / "plant003_label.png").unlink()
    with pytest.raises(UserError, match=r"plant003_label\.png"):
        open_dataset(f"cvppp-a1:{png}")


def test_a_label_converted_to_colour_is_refused(png: Path) -> None:
    path = png / "A1" / "plant001_label.png"
    Image.open(path).convert("RGB").save(path)
    with pytest.raises(UserError, match=r"plant001_label\.png.*palette indices"):
        open_dataset(f"cvppp-a1:{png}").validate()


def test_hdf5_is_not_followed_into_other_files(hdf5: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as secret:
        secret["x"] = np.zeros((53, 50), np.uint8)
    with h5py.File(hdf5 / TRAINING_TRUTH, "a") as truth:
        del truth["/A1/plant001/label"]
        truth["/A1/plant001/label"] = h5py.ExternalLink(tmp_path / "secret.h5", "/x")
    with pytest.raises(UserError, match="/A1/plant001/label: not an array stored in this file"):
        open_dataset(f"cvppp-a1:{hdf5}").validate()


def test_damaged_or_missing_files_are_named(hdf5: Path, tmp_path: Path) -> None:
    content = (hdf5 / TRAINING_TRUTH).read_bytes()
    (hdf5 / TRAINING_TRUTH).write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=TRAINING_TRUTH):
        open_dataset(f"cvppp-a1:{hdf5}")
    (hdf5 / TRAINING_TRUTH).unlink()
    with pytest.raises(UserError, match=TRAINING_TRUTH):
        open_dataset(f"cvppp-a1:{hdf5}")
    with pytest.raises(UserError, match="holds no CVPPP A1"):
        open_dataset(f"cvppp-a1:{tmp_path}")


@pytest.mark.parametrize("layout", ["png", "hdf5"])
def test_the_report_shows_hidden_truth_as_a_dash(layout: str, request: pytest.FixtureRequest) -> None:
    report = check_dataset(open_dataset(f"cvppp-a1:{request.getfixturevalue(layout)}"))
    (line,) = [line for line in report.render().splitlines() if line.startswith("test")]
    assert line.split() == ["test", "1", "0", "-", "-", "-", "-", "-"]
    assert report.splits["val"].counts == [3, 3]


@pytest.mark.parametrize("link", ["external", "soft"])
@pytest.mark.parametrize("place", ["/A1", "/A1/plant001", "/A1/plant001/label"])
def test_no_link_on_the_way_to_a_label_is_followed(hdf5: Path, tmp_path: Path, place: str, link: str) -> None:
    shutil.copy(hdf5 / TRAINING_TRUTH, tmp_path / "secret.h5")
    with h5py.File(hdf5 / TRAINING_TRUTH, "a") as truth:
        truth.move(place, "/elsewhere")
        truth[place] = (
            h5py.ExternalLink(tmp_path / "secret.h5", place) if link == "external" else h5py.SoftLink("/elsewhere")
        )
    with pytest.raises(UserError, match=r"own|not followed|not an array stored in this file"):
        open_dataset(f"cvppp-a1:{hdf5}").validate()


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (np.array([b"leaf", b"leaf"]), "expected whole numbers or floats"),
        (np.array([(1, 2.0)], dtype=[("id", "i4"), ("area", "f4")]), "expected whole numbers or floats"),
        ("one leaf", "expected whole numbers or floats"),
        (h5py.Empty("i4"), "not an array stored in this file"),
        (np.int32(3), r"shape \(\); expected \(height, width\)"),
        (np.full((53, 50), 0.5), "save whole-number ids"),
    ],
)
def test_labels_that_are_no_label_map_are_refused_in_words(hdf5: Path, stored: object, said: str) -> None:
    with h5py.File(hdf5 / TRAINING_TRUTH, "a") as truth:
        del truth["/A1/plant001/label"]
        truth["/A1/plant001/label"] = stored
    with pytest.raises(UserError, match=f"/A1/plant001/label: .*{said}"):
        open_dataset(f"cvppp-a1:{hdf5}").validate()


def test_pictures_that_change_meanwhile_are_refused(png: Path) -> None:
    dataset = open_dataset(f"cvppp-a1:{png}")
    assert dataset.fingerprint
    save_palette(png / "A1" / "plant001_label.png", np.ones((53, 50), np.uint8))
    with pytest.raises(UserError, match="'plant001' or its labels changed"):
        dataset.load("plant001")
    assert dataset.load("plant002").id == "plant002"


def test_arrays_that_change_meanwhile_are_refused(hdf5: Path) -> None:
    dataset = open_dataset(f"cvppp-a1:{hdf5}")
    assert dataset.fingerprint
    with h5py.File(hdf5 / TRAINING_IMAGES, "a") as file:
        file["A1/plant001/rgb"][0, 0] = 7
    with pytest.raises(UserError, match="'plant001' or its labels changed"):
        dataset.load("plant001")
    assert dataset.load("plant004").labels is None
