"""CVPPP A1 rosette leaves (Minervini et al. 2016; the leaf segmentation challenge of 2017), as PNG or HDF5.

The challenge withholds the truth of its test images, so results are computed on a fixed validation list. Terms:
no commercial use, no redistribution.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from benchmarks.data.base import Dataset, StoredSample, digest_arrays, digest_bytes
from benchmarks.data.decoding.limits import check_bytes, check_size
from benchmarks.data.normalisation import BY_255, grey_if_equal
from benchmarks.data.reading import as_labels, decode_image, decode_labels
from benchmarks.data.sources import FolderSource
from benchmarks.errors import UserError

# Validation images of PEA and PCTrans; the other images with truth are for training.
VALIDATION = tuple(
    f"plant{n:03d}" for n in (2, 16, 29, 37, 45, 46, 55, 61, 72, 80, 88, 99, 104, 108, 115, 127, 130, 142, 148, 159)
)
TRAINING_IMAGES = "CVPPP2017_training_images.h5"
TRAINING_TRUTH = "CVPPP2017_training_truth.h5"
TESTING_IMAGES = "CVPPP2017_testing_images.h5"

_LAYOUTS = f"expected A1/plantNNN_rgb.png with A1/plantNNN_label.png, or {TRAINING_IMAGES} with {TRAINING_TRUTH}"


def open_cvppp_a1(spec: str, root: Path) -> Dataset:
    """Open CVPPP A1 in whichever of its two layouts lies under `root`.

    Raises:
        UserError: neither layout is there, or a file is missing.
    """
    if (root / TRAINING_IMAGES).is_file():
        return CVPPPHdf5(spec, root)
    for folder in (root / "A1", root, root / "training" / "A1"):
        if folder.is_dir() and any(folder.glob("plant*_rgb.png")):
            return CVPPPPng(spec, folder, root / "testing" / "A1")
    raise UserError(f"{root}: holds no CVPPP A1; {_LAYOUTS}.")


class _CVPPP(Dataset):
    normalisation = BY_255
    evaluation_split = "val"
    protocol = "leaves"

    def __init__(self, spec: str, where: Path, with_truth: set[str], without_truth: set[str]) -> None:
        """Args: with_truth, without_truth: names of plants, such as plant001."""
        splits = {"train": with_truth.difference(VALIDATION), "val": with_truth.intersection(VALIDATION)}
        for split, plants in splits.items():
            if not plants:
                raise UserError(
                    f"{where}: none of its plants belongs to the split {split!r}; validation is "
                    f"{', '.join(VALIDATION)}, training every other plant with truth."
                )
        super().__init__(spec, "cvppp-a1", {**splits, "test": without_truth})
        if len(splits["val"]) < len(VALIDATION):
            self.notes.append(
                f"only {len(splits['val'])} of the {len(VALIDATION)} validation plants are there; results "
                "cannot be compared with published ones"
            )
        if without_truth:
            self.notes.append(f"{len(without_truth)} plants have no label and form the test split")


class CVPPPPng(_CVPPP):
    """CVPPP A1 as one folder of plantNNN_rgb.png and plantNNN_label.png.

    Test images lie in `testing/A1` or, without truth, in the same folder. The palette index of a label is the leaf's
    id.
    """

    def __init__(self, spec: str, folder: Path, testing: Path) -> None:
        """Raises: UserError: a label is missing, or a split is empty."""
        self._source = FolderSource(folder)
        images, labelled = _plants(self._source, "_rgb.png"), _plants(self._source, "_label.png")
        self._testing = FolderSource(testing) if testing.is_dir() else self._source
        tests = _plants(self._testing, "_rgb.png") - labelled
        # Next to separate test images, or on the validation list, an image without truth has lost it.
        lost = (images - labelled) - (tests if self._testing is self._source else set())
        lost |= (images - labelled) & set(VALIDATION)
        _refuse_absent(lost, f"{folder}/{{}}_label.png", "the label image is missing; expected a palette PNG")
        _refuse_absent(labelled - images, f"{folder}/{{}}_rgb.png", "the image of this label is missing")
        super().__init__(spec, folder, labelled, tests)

    def read(self, id: str) -> StoredSample:
        source, label_file = self._where(id), f"{id}_label.png"
        image_name, label_name = source.describe(f"{id}_rgb.png"), source.describe(label_file)
        contents = self._contents(id)
        image = decode_image(contents[0], image_name)
        truth = None if id in self.ids("test") else decode_labels(contents[1], label_name, ignore=True)
        return StoredSample(image, truth, image_name, label_name, digest=digest_bytes(*contents))

    def content_digest(self, id: str) -> str:
        return digest_bytes(*self._contents(id))

    def _contents(self, id: str) -> tuple[bytes, bytes]:
        """Read the bytes of the image and of its labels, which are none where there is no truth."""
        source = self._where(id)
        truth = b"" if id in self.ids("test") else source.read(f"{id}_label.png")
        return source.read(f"{id}_rgb.png"), truth

    def _where(self, id: str) -> FolderSource:
        return self._testing if id in self.ids("test") else self._source


class CVPPPHdf5(_CVPPP):
    """CVPPP A1 as the challenge's HDF5 files: /A1/plantNNN/rgb in one, /A1/plantNNN/label in another."""

    def __init__(self, spec: str, root: Path) -> None:
        """Raises: UserError: a file or a label is missing, or a split is empty."""
        self._images, self._truth, self._testing = (
            root / name for name in (TRAINING_IMAGES, TRAINING_TRUTH, TESTING_IMAGES)
        )
        images, labelled = _groups(self._images, "rgb"), _groups(self._truth, "label")
        _refuse_absent(images - labelled, f"{self._truth}:/A1/{{}}/label", "missing; every training image needs it")
        _refuse_absent(labelled - images, f"{self._images}:/A1/{{}}/rgb", "the image of this label is missing")
        tests = _groups(self._testing, "rgb") if self._testing.is_file() else set()
        _refuse_absent(tests & images, f"{self._testing}:/A1/{{}}", "this plant is a training image as well")
        super().__init__(spec, root, labelled, tests)

    def read(self, id: str) -> StoredSample:
        image_file, image_key, label_key = self._where(id), f"/A1/{id}/rgb", f"/A1/{id}/label"
        image_name, label_name = f"{image_file}:{image_key}", f"{self._truth}:{label_key}"
        image = _read_array(image_file, image_key)
        if image.ndim != 3 or image.shape[2] not in (3, 4) or image.dtype != np.uint8:
            raise UserError(f"{image_name}: {image.dtype} of shape {image.shape}; expected 8-bit RGB(A).")
        labels, truth = self._stored_truth(id), None
        if labels is not None:
            if labels.ndim not in (2, 3):
                raise UserError(f"{label_name}: shape {labels.shape}; expected (height, width).")
            truth = as_labels(labels, label_name, ignore=True)
        digest = digest_arrays(image, labels)
        return StoredSample(grey_if_equal(image[..., :3]), truth, image_name, label_name, digest=digest)

    def content_digest(self, id: str) -> str:
        return digest_arrays(_read_array(self._where(id), f"/A1/{id}/rgb"), self._stored_truth(id))

    def _stored_truth(self, id: str) -> np.ndarray | None:
        """Read the labels of a plant; None where there is no truth."""
        return None if id in self.ids("test") else _read_array(self._truth, f"/A1/{id}/label")

    def _where(self, id: str) -> Path:
        return self._testing if id in self.ids("test") else self._images


def _plants(source: FolderSource, ending: str) -> set[str]:
    return {name.removesuffix(ending) for name in source.names if name.startswith("plant") and name.endswith(ending)}


def _refuse_absent(plants: set[str], where: str, problem: str) -> None:
    if plants:
        more = f" ({len(plants) - 1} more like it)" if len(plants) > 1 else ""
        raise UserError(f"{where.format(min(plants))}: {problem}{more}.")


@contextmanager
def _opened(path: Path, key: str) -> Iterator[h5py.File]:
    """Open a file to read what lies under `key`, and say in words what goes wrong on the way.

    Raises:
        UserError: the file cannot be opened, or is damaged where it is read.
    """
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise UserError(f"{path}: cannot be read as HDF5 ({error}); {_LAYOUTS}.") from error
    with file:
        try:
            yield file
        except UserError:
            raise
        except Exception as error:  # h5py raises RuntimeError, KeyError, OSError, TypeError and more
            raise UserError(f"{path}:{key}: cannot be read ({error}); copy or download the file again.") from error


def _groups(path: Path, dataset: str) -> set[str]:
    """List the plants of /A1 that hold `dataset`."""
    with _opened(path, "/A1") as file:
        if not _is_own(file, "A1") or not isinstance(plants := file["A1"], h5py.Group):
            raise UserError(f"{path}: has no group /A1 of its own; {_LAYOUTS}.")
        for name in plants:
            if not _is_own(plants, name):
                raise UserError(f"{path}:/A1/{name}: a link, which is not followed; expected what the file holds.")
        return {name for name in plants if isinstance(plants[name], h5py.Group) and dataset in plants[name]}


def _is_own(group: h5py.Group, path: str) -> bool:
    """Tell whether a path is in the file itself, with no link on the way that may lead to another file."""
    for name in filter(None, path.split("/")):
        if not isinstance(group, h5py.Group) or not isinstance(group.get(name, getlink=True), h5py.HardLink):
            return False
        group = group[name]
    return True


def _read_array(path: Path, key: str) -> np.ndarray:
    """Read an array that is stored in the file itself: links and storage that lead out of it are refused."""
    with _opened(path, key) as file:
        stored = file[key] if _is_own(file, key) else None
        if not isinstance(stored, h5py.Dataset) or stored.shape is None:
            raise UserError(f"{path}:{key}: not an array stored in this file.")
        if stored.external is not None or stored.is_virtual:
            raise UserError(f"{path}:{key}: its values lie in another file, which is not followed.")
        height, width = (*stored.shape, 1, 1)[:2]
        check_size(height, width, f"{path}:{key}")
        if stored.dtype.kind not in "buif":
            raise UserError(f"{path}:{key}: values of type {stored.dtype}; expected whole numbers or floats.")
        for shape in filter(None, (stored.shape, stored.chunks)):
            check_bytes(shape, stored.dtype.itemsize, f"{path}:{key}")
        return stored[()]
