"""ImageJ's ROIs, as roifile writes them and as ImageJ lays them out."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest
from outlines import blobs, pixel_rings
from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE, ImagejRoi

from benchmarks.data.annotations.imagej import read_rois
from benchmarks.errors import UserError

SIZE = (20, 24)


def made(roitype: int = ROI_TYPE.RECT, box: tuple[int, int, int, int] = (3, 2, 9, 8), **fields: object) -> ImagejRoi:
    roi = ImagejRoi()
    roi.roitype, (roi.left, roi.top, roi.right, roi.bottom) = ROI_TYPE(roitype), box
    for name, value in fields.items():
        setattr(roi, name, value)
    return roi


def outline(corners: np.ndarray, roitype: int = ROI_TYPE.POLYGON) -> ImagejRoi:
    roi = ImagejRoi.frompoints(corners)
    roi.roitype = ROI_TYPE(roitype)
    return roi


def composite(*path: float) -> ImagejRoi:
    return made(multi_coordinates=np.array(path, np.float32), shape_roi_size=len(path))


def zipped(*members: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def rois(*members: ImagejRoi) -> bytes:
    return zipped(*((f"{number:04d}.roi", roi.tobytes()) for number, roi in enumerate(members)))


def read(content: bytes, size: tuple[int, int] | None = SIZE) -> np.ndarray:
    return read_rois(content, "RoiSet.zip", size, True).labels


def test_a_rectangle_holds_the_pixels_between_its_corners() -> None:
    expected = np.zeros(SIZE, np.int32)
    expected[2:8, 3:9] = 1
    roi = made()
    np.testing.assert_array_equal(read(rois(roi)), expected)
    np.testing.assert_array_equal(read(roi.tobytes()), expected)
    finer = made(options=ROI_OPTIONS.SUB_PIXEL_RESOLUTION, version=228, xd=3.4, yd=2.4, widthd=6.0, heightd=5.2)
    np.testing.assert_array_equal(read(finer.tobytes()), expected)


def test_an_oval_holds_the_pixels_whose_centres_are_in_its_ellipse() -> None:
    labels = read(rois(made(ROI_TYPE.OVAL, (3, 2, 13, 8)), made(ROI_TYPE.OVAL, (14, 10, 30, 26))))
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    np.testing.assert_array_equal(labels == 1, ((columns - 8) / 5) ** 2 + ((rows - 5) / 3) ** 2 <= 1)
    np.testing.assert_array_equal(labels == 2, (columns - 22) ** 2 + (rows - 18) ** 2 <= 64)
    assert not read(made(ROI_TYPE.OVAL, (3, 3, 3, 3)).tobytes()).any()


@pytest.mark.parametrize("roitype", [ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED])
@pytest.mark.parametrize("seed", range(3))
def test_exact_outlines_are_the_same_label_map_again(roitype: int, seed: int) -> None:
    """Those of one ring as outlines of the kind, whole numbers and floats; those with holes or pieces as composites."""
    labels = blobs(seed)
    ids = np.unique(labels[labels > 0])
    for number in (np.int32, np.float32):
        made_of = []
        for id in ids:
            rings = pixel_rings(labels == id)
            if len(rings) == 1:
                made_of.append(outline(rings[0].astype(number), roitype))
            else:
                path = [(0 if i == 0 else 1, *corner) for ring in rings for i, corner in enumerate(ring)]
                made_of.append(composite(*np.ravel(path)))
        assert {roi.roitype for roi in made_of} == {roitype, ROI_TYPE.RECT}
        found = read(rois(*made_of), labels.shape)
        np.testing.assert_array_equal(found, np.where(labels > 0, np.searchsorted(ids, labels) + 1, 0))


def test_a_composite_has_holes_pieces_and_curves() -> None:
    square = (0, 2, 3, 1, 12, 3, 1, 12, 13, 1, 2, 13, 4)
    hole = (0, 4, 5, 1, 4, 7, 1, 6, 7, 1, 6, 5, 4)
    expected = np.zeros(SIZE, np.int32)
    expected[3:13, 2:12] = 1
    expected[5:7, 4:6] = 0
    np.testing.assert_array_equal(read(composite(*square, *hole).tobytes()), expected)
    # A circle of radius 6 around (12, 10) in four cubic arcs, and a parabola's segment.
    k = 6 * 0.5522847498
    arcs = [(18, 10 + k, 12 + k, 16, 12, 16), (12 - k, 16, 6, 10 + k, 6, 10)]
    arcs += [(6, 10 - k, 12 - k, 4, 12, 4), (12 + k, 4, 18, 10 - k, 18, 10)]
    circle = composite(0, 18, 10, *(number for arc in arcs for number in (3, *arc)), 4)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    np.testing.assert_array_equal(read(circle.tobytes()) == 1, (columns - 12) ** 2 + (rows - 10) ** 2 <= 36)
    bow = composite(0, 2, 2, 2, 12, 22, 22, 2, 4)
    # The curve of control points (2, 2), (12, 22), (22, 2): y = 2 + 40 t (1 - t) at x = 2 + 20 t.
    t = (columns - 2) / 20
    np.testing.assert_array_equal(
        read(bow.tobytes()) == 1, (t > 0) & (t < 1) & (rows > 2) & (rows <= 2 + 40 * t * (1 - t))
    )


def test_an_empty_zip_is_an_image_without_objects_and_hidden_members_are_none() -> None:
    assert not read(zipped()).any()
    content = made().tobytes()
    left = zipped(("a.roi", content), ("__MACOSX/._a.roi", b"x"), (".DS_Store", b"x"), ("folder/", b""))
    assert read(left).max() == 1


def forged(position: int, form: str, value: int, roi: ImagejRoi) -> bytes:
    content = bytearray(roi.tobytes())
    struct.pack_into(form, content, position, value)
    return bytes(content)


POLYGON = outline(np.array([(1, 1), (9, 1), (5, 9)], np.int32))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "neither an ImageJ ROI nor a zip"),
        (b"PK\x03\x04junk", "neither an ImageJ ROI nor a zip"),
        (b"Iout", "cannot be read as an ImageJ ROI"),
        (POLYGON.tobytes()[:70], "cannot be read as an ImageJ ROI"),
        (forged(16, ">H", 60000, POLYGON), "cannot be read as an ImageJ ROI"),
        (zipped(("a.roi", b"not one")), r"a\.roi: cannot be read as an ImageJ ROI"),
        (zipped(("../../a.roi", made().tobytes())), r"\.\./\.\./a\.roi: a path that leads out"),
        (zipped(("/etc/a.roi", made().tobytes())), "a path that leads out"),
        (zipped(("..\\a.roi", made().tobytes())), "a path that leads out"),
        (zipped(("a.tif", b"")), r"a\.tif: not a ROI"),
        (zipped(("a.roi", made().tobytes()), compression=zipfile.ZIP_BZIP2), "zip compression 12 is not read"),
        (rois(made(), made(ROI_TYPE.LINE)), r"0001\.roi: a ROI of the kind line; expected an area"),
        (outline(np.ones((3, 2), np.int32), ROI_TYPE.POINT).tobytes(), "of the kind point"),
        (outline(np.ones((3, 2), np.int32), ROI_TYPE.POLYLINE).tobytes(), "of the kind polyline"),
        (made(rounded_rect_arc_size=5).tobytes(), "rounded rectangle"),
        (made(subtype=ROI_SUBTYPE.TEXT).tobytes() + bytes(64), "shows text"),
        (rois(made(position=1), made(position=2)), "ROIs of 2 planes"),
        (composite(0, 1, 2, 9).tobytes(), r"a composite whose path has 9.0 at place 3"),
        (composite(0, 1, 2, 1, 5).tobytes(), "a composite whose path has 1.0"),
        (composite(float("nan")).tobytes(), "a composite whose path has nan"),
        (composite(2, 1, 2, 3, 4).tobytes(), "begins with a curve"),
        (composite(0, 1, float("nan"), 1, 2, 3, 1, 5, 5).tobytes(), "coordinate nan"),
        (outline(np.array([(500, 500), (520, 500), (500, 520)], np.int32)).tobytes(), "none of its 1 objects lies"),
    ],
)
def test_what_is_no_area_is_refused_with_its_member(content: bytes, said: str) -> None:
    with pytest.raises(UserError, match=rf"RoiSet\.zip.*{said}"):
        read(content)


def test_a_zip_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() -> None:
    content = bytearray(zipped(("a.roi", bytes(1000)), ("b.roi", bytes(1000))))
    at = content.find(b"PK\x01\x02")
    while at >= 0:
        struct.pack_into("<I", content, at + 24, 2**30)
        at = content.find(b"PK\x01\x02", at + 4)
    with pytest.raises(UserError, match=r"RoiSet\.zip: unpacks to more than 1 GiB"):
        read(bytes(content))
