from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.errors import UserError
from benchmarks.machine.memory import explaining_lack_of_memory
from benchmarks.plan.job import JobContext
from benchmarks.run.user_images import drop_small, find_images, read_stems


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for name in ("b.png", "a.tif", "c.PNG", ".hidden.png", "notes.txt"):
        path = tmp_path / name
        if path.suffix.lower() in (".png", ".tif"):
            Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)
        else:
            path.write_text("x")
    return tmp_path


def test_files_folders_and_globs(images: Path) -> None:
    assert [p.name for p in find_images([str(images)])] == ["a.tif", "b.png", "c.PNG"]
    assert [p.name for p in find_images([str(images / "*.png")])] == ["b.png"]
    assert [p.name for p in find_images([str(images / "b.png"), str(images / "a.tif"), str(images)])] == [
        "a.tif", "b.png", "c.PNG",
    ]  # fmt: skip


def test_nothing_found_is_an_error(images: Path) -> None:
    for text in ("notes.txt", "*.jpg", "nowhere"):
        with pytest.raises(UserError, match="no PNG or TIFF"):
            find_images([str(images / text)])


def test_two_images_of_one_stem_are_an_error(images: Path) -> None:
    (images / "other").mkdir()
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(images / "other" / "a.png")
    with pytest.raises(UserError, match="same stem"):
        find_images([str(images), str(images / "other")])


def test_a_list_of_stems(images: Path) -> None:
    stems = images / "test.txt"
    stems.write_text("c.PNG\n\na\n")
    assert read_stems(stems) == ["c", "a"]
    assert [p.name for p in find_images([str(images)], stems)] == ["a.tif", "c.PNG"]
    stems.write_text("a\nz\n")
    with pytest.raises(UserError, match="names z"):
        find_images([str(images)], stems)
    stems.write_text("\n")
    with pytest.raises(UserError, match="is empty"):
        read_stems(stems)


def test_small_objects_are_dropped_and_the_rest_renumbered() -> None:
    labels = np.array([[1, 0, 2, 2], [0, 0, 2, 3], [4, 4, 4, 3]], np.int32)
    assert drop_small(labels, 3).tolist() == [[0, 0, 1, 1], [0, 0, 1, 0], [2, 2, 2, 0]]
    assert drop_small(labels, 0).tolist() == labels.tolist()
    assert drop_small(np.zeros((2, 2), np.int32), 9).max() == 0


@pytest.mark.slow
def test_a_large_image_is_segmented_in_bounded_memory(tmp_path: Path) -> None:
    """4096×4096 at `quick` scale in under 1 GiB, the whole process counted; the weights do not matter for that."""
    import subprocess
    import sys

    from benchmarks.plan.job import DataReference
    from benchmarks.plan.methods import get_method
    from benchmarks.plan.resolving import make_job
    from benchmarks.store.saved_model import save_model

    data = DataReference(spec="none", name="none", fingerprint="0", decoding="ids")
    job = make_job("pctrans", JobContext(data, split="test", scale="quick", protocol="nuclei"), seed=0)
    save_model(get_method("pctrans").build(job.model), job, tmp_path / "model")
    noise = np.random.default_rng(0).integers(0, 4000, (4096, 4096), np.uint16)
    Image.fromarray(noise).save(tmp_path / "large.tif")
    code = (
        "import resource, sys; from pathlib import Path; from benchmarks.run.user_images import predict_images\n"
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
