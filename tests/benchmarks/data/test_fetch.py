"""`data fetch`: a tiny set from a local server, good and bad archives, and the sums against the copy at hand."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from archive_server import Site, serving
from official_sums import sums_of
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.data.bbbc039 import BBBC039
from benchmarks.data.official import FetchError, at_hand, catalogue, fetch, official_set
from benchmarks.data.official.catalogue import OfficialSet, parse_set
from benchmarks.errors import UserError

COPY = Path(__file__).parents[4] / "shared" / "data" / "bbbc039"
HEAD = "title: Tiny\nurl: http://127.0.0.1:9\nlicence: none\ncite: ['Nobody: Nothing.']\n"
FILES = {
    "images": {"a.tif": b"image a" * 100, "b.tif": b"image b" * 100, "c.tif": b"image c" * 100},
    "masks": {"a.png": b"mask a", "b.png": b"mask b", "c.png": b"mask c"},
    "metadata": {"training.txt": b"a.png\n", "validation.txt": b"b.png\n", "test.txt": b"c.png\n"},
}
Member = tuple[str | zipfile.ZipInfo, bytes]


def zipped(*members: Member) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def members(folder: str) -> list[Member]:
    """What a Mac puts into an archive: folders, the files, and a fork beside each."""
    own: list[Member] = [(f"{folder}/{name}", content) for name, content in FILES[folder].items()]
    return [(f"{folder}/", b""), *own, *((f"__MACOSX/{folder}/._{name}", b"fork") for name in FILES[folder])]


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site({f"/{folder}.zip": zipped(*members(folder)) for folder in FILES}, {"ETag": '"v1"'})) as site:
        yield site


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    write(tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def official(copy: Path) -> OfficialSet:
    return parse_set("bbbc039", sums_of(copy, HEAD))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


def write(root: Path, *folders: str) -> None:
    for folder in folders or FILES:
        (root / folder).mkdir(parents=True)
        for name, content in FILES[folder].items():
            (root / folder / name).write_bytes(content)


class Heard:
    """What a fetch said."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.bytes: dict[str, tuple[int, int | None]] = {}

    def said(self, sentence: str) -> None:
        self.sentences.append(sentence)

    def received(self, name: str, done: int, total: int | None) -> None:
        self.bytes[name] = done, total


def content_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


ALL = {f"{folder}/{name}": content for folder, files in FILES.items() for name, content in files.items()}


def test_a_set_is_fetched_and_nothing_else_is_left(site: Site, official: OfficialSet, root: Path) -> None:
    heard = Heard()
    fetch(official, root, heard, site.url + "/")
    assert content_of(root) == ALL
    assert [path for path, _, _ in site.asked] == ["/images.zip", "/masks.zip", "/metadata.zip"]
    length = len(site.files["/images.zip"])
    assert heard.bytes["images.zip"] == (length, length)
    assert any("3 files unpacked and checked" in sentence for sentence in heard.sentences)
    assert stat.S_IMODE((root / "images" / "a.tif").stat().st_mode) & 0o444 == 0o444
    assert at_hand(official, root).describe().startswith("all 9 files are those of Tiny")


def test_what_is_there_is_not_fetched_again(site: Site, official: OfficialSet, root: Path) -> None:
    write(root, "images", "masks")
    (root / "masks" / "b.png").unlink()
    (root / "notes.txt").write_text("mine")
    (root / "masks" / "mine.png").write_text("mine")
    before = (root / "masks" / "a.png").stat()
    fetch(official, root, Heard(), site.url)
    assert content_of(root) == ALL | {"notes.txt": b"mine", "masks/mine.png": b"mine"}
    assert [path for path, _, _ in site.asked] == ["/masks.zip", "/metadata.zip"]
    assert (root / "masks" / "a.png").stat().st_mtime_ns == before.st_mtime_ns
    site.asked.clear()
    fetch(official, root, Heard(), site.url)
    assert site.asked == []


def test_a_list_is_known_by_its_names(site: Site, official: OfficialSet, root: Path) -> None:
    write(root)
    (root / "metadata" / "training.txt").write_bytes(b"\xef\xbb\xbfa.tif\r\n\r\n")
    fetch(official, root, Heard(), site.url)
    (root / "metadata" / "training.txt").write_text("a.png\na.png\n")
    with pytest.raises(FetchError, match=r"training\.txt: lists other names than the published ones \(2 lines\)"):
        fetch(official, root, Heard(), site.url)
    assert site.asked == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"short", "has 5 bytes; published were 700"),
        (b"x" * 700, "has the SHA-256 .*; published was"),
        (b"x" * 900, "has more than 700 bytes"),
    ],
)
def test_a_file_of_the_user_s_is_not_overwritten(
    site: Site, official: OfficialSet, root: Path, content: bytes, words: str
) -> None:
    write(root, "images")
    for name in ("b.tif", "c.tif"):
        (root / "images" / name).write_bytes(content)
    before = content_of(root)
    with pytest.raises(FetchError, match=rf"images/b\.tif \(and 1 more\): {words}.*move such files away"):
        fetch(official, root, Heard(), site.url)
    assert content_of(root) == before and site.asked == []


def test_a_name_that_is_taken_by_something_else_is_left_alone(site: Site, official: OfficialSet, root: Path) -> None:
    (root / "images").mkdir(parents=True)
    (root / "images" / "a.tif").symlink_to(root / "gone.tif")
    with pytest.raises(FetchError, match=r"a\.tif: a folder or a link to nothing"):
        fetch(official, root, Heard(), site.url)
    (root / "images" / "a.tif").unlink()
    (root / "images" / "a.tif").mkdir()
    with pytest.raises(FetchError, match=r"a\.tif: a folder or a link to nothing"):
        fetch(official, root, Heard(), site.url)
    assert content_of(root) == {} and site.asked == []


def test_an_archive_that_lies_there_is_taken_and_kept(site: Site, official: OfficialSet, root: Path) -> None:
    root.mkdir()
    own = root / "images.zip"
    own.write_bytes(site.files["/images.zip"])
    fetch(official, root, Heard(), site.url)
    assert content_of(root) == ALL | {"images.zip": site.files["/images.zip"]}
    assert "/images.zip" not in [path for path, _, _ in site.asked]
    (root / "images" / "a.tif").unlink()
    own.write_bytes(b"not a zip")
    with pytest.raises(FetchError, match=r"data/images\.zip: not a readable zip.*not a zip.*move it away"):
        fetch(official, root, Heard(), site.url)
    assert own.read_bytes() == b"not a zip"


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


A, B, C = ((f"images/{name}", content) for name, content in FILES["images"].items())


def bomb() -> bytes:
    """An archive whose headers say less than its second file unpacks to."""
    content = zipped(A, ("images/b.tif", b"0" * 10**6), C)
    size = (10**6).to_bytes(4, "little")
    assert content.count(size) == 2
    return content.replace(size, len(B[1]).to_bytes(4, "little"))


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "another content": (lambda: zipped(A, ("images/b.tif", b"x" * 700), C), r"images\.zip/b\.tif: has the SHA-256"),
    "shorter": (lambda: zipped(A, ("images/b.tif", b"x"), C), r"images\.zip/b\.tif: has 1 bytes; published were 700"),
    "longer": (lambda: zipped(A, ("images/b.tif", b"0" * 10**6), C), r"b\.tif: unpacks to 1000000 bytes; at most 700"),
    "longer than it says": (bomb, r"b\.tif: cannot be unpacked"),
    "a file is missing": (lambda: zipped(A, C), r"images\.zip: does not hold images/b\.tif"),
    "in another folder": (lambda: zipped(A, ("elsewhere/b.tif", B[1]), C), r"does not hold images/b\.tif"),
    "twice": (lambda: zipped(A, B, ("b.tif", B[1]), C), r"holds 'b\.tif' twice"),
    "climbs": (lambda: zipped(A, B, C, ("../../b.tif", B[1])), r"'\.\./\.\./b\.tif', a name that leads out"),
    "climbs inside": (lambda: zipped(A, B, C, ("images/../b.tif", B[1])), "a name that leads out"),
    "climbs on Windows": (lambda: zipped(A, B, C, ("..\\b.tif", B[1])), "a name that leads out"),
    "absolute": (lambda: zipped(A, B, C, ("/tmp/b.tif", B[1])), "a name that leads out"),
    "drive": (lambda: zipped(A, B, C, ("C:/b.tif", B[1])), "a name that leads out"),
    "link": (lambda: zipped(A, (link("images/b.tif"), b"/etc/passwd"), C), r"'images/b\.tif', a link"),
    "page of a proxy": (lambda: b"<html>Log in</html>", r"not a readable zip.*it begins with '<html>Log in"),
    "cut": (lambda: zipped(A, B, C)[:-30], "not a readable zip"),
    "damaged": (lambda: zipped(A, B, C).replace(b"images/b.tif", b"images/?.tif", 1), r"b\.tif: cannot be unpacked"),
    "empty": (lambda: b"", "not a readable zip"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_archive_is_refused(site: Site, official: OfficialSet, root: Path, what: str) -> None:
    make, words = BAD[what]
    good, site.files["/images.zip"] = site.files["/images.zip"], make()
    with pytest.raises(FetchError, match=words):
        fetch(official, root, Heard(), site.url)
    assert content_of(root).items() <= ALL.items()
    assert not {path.name for path in root.parent.iterdir()} - {"copy", "data"}
    site.files["/images.zip"] = good
    fetch(official, root, Heard(), site.url)
    assert content_of(root) == ALL


def test_encrypted_and_unknown_compressions_are_refused(site: Site, official: OfficialSet, root: Path) -> None:
    encrypted = bytearray(zipped(A, B, C))
    for place in (encrypted.find(b"PK\x03\x04") + 6, encrypted.find(b"PK\x01\x02") + 8):
        encrypted[place] |= 1
    site.files["/images.zip"] = bytes(encrypted)
    with pytest.raises(FetchError, match=r"a\.tif: cannot be unpacked .*encrypted"):
        fetch(official, root, Heard(), site.url)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        for name, content in (A, B, C):
            archive.writestr(name, content)
    site.files["/images.zip"] = buffer.getvalue()
    with pytest.raises(FetchError, match=r"a\.tif: zip compression 14 is not read"):
        fetch(official, root, Heard(), site.url)
    assert content_of(root) == {}


def test_an_endless_archive_is_refused(
    site: Site, official: OfficialSet, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.data.official.fetching.ARCHIVE_ROOM", 1000)
    site.files["/images.zip"] = bytes(5000)
    with pytest.raises(FetchError, match=r"images\.zip: has 5000 bytes; expected at most 3100"):
        fetch(official, root, Heard(), site.url)


def test_addresses_and_folders_that_cannot_be(official: OfficialSet, tmp_path: Path) -> None:
    for url in ("file:///etc", "host/folder", "ftp://host/folder", "http://"):
        with pytest.raises(UserError, match="--from"):
            fetch(official, tmp_path / "data", Heard(), url)
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match="taken: not a folder"):
        fetch(official, tmp_path / "taken", Heard())
    with pytest.raises(UserError, match=r"no data set 'bbbc39' can be fetched; did you mean 'bbbc039'"):
        official_set("bbbc39")


@pytest.fixture
def command(official: OfficialSet, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setattr(catalogue, "parse_set", lambda name, text: official)
    return lambda *arguments: CliRunner().invoke(app, ["data", "fetch", *map(str, arguments)])


def test_the_command_says_what_is_there_and_what_is_next(site: Site, root: Path, command: Callable[..., Any]) -> None:
    done = command("bbbc039", "--to", root, "--from", site.url)
    assert done.exit_code == 0, done.output
    assert "Tiny as published, 9 files (images 3, masks 3, metadata 3)" in done.output
    assert "Licence: none\nCite: Nobody: Nothing.\n" in done.output
    assert f"--data bbbc039:{root}\n" in done.output
    assert "all 3 files are there" in command("bbbc039", "--to", root, "--from", site.url).output


def test_the_command_ends_with_1_where_files_are_refused(site: Site, root: Path, command: Callable[..., Any]) -> None:
    site.files["/masks.zip"] = b"<html>"
    done = command("bbbc039", "--to", root, "--from", site.url)
    assert done.exit_code == 1
    assert "Error: " in done.output and "masks.zip: not a readable zip" in done.output and "--from" in done.output


def test_an_interrupt_leaves_the_part_for_the_next_command(site: Site, official: OfficialSet, root: Path) -> None:
    """The real command, which waits for its second try when it is interrupted."""
    site.files["/images.zip"], site.cuts = bytes(10**6), [600_000, 0]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.cli", "data", "fetch", "bbbc039", "--to", str(root), "--from", site.url],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        # A test run in the background of a script inherits an ignored SIGINT; a user's terminal does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while len(site.asked) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and b"Nothing is lost" in said
    assert (root / "images.zip.part").stat().st_size == 600_000
    with pytest.raises(FetchError, match=r"images\.zip: not a readable zip"):
        fetch(official, root, Heard(), site.url)
    assert site.asked[-1] == ("/images.zip", "bytes=600000-", '"v1"')
    assert not list(root.glob("*.part*"))


def test_the_kept_sums_are_well_formed() -> None:
    kept = official_set("bbbc039")
    assert kept.url == "https://data.broadinstitute.org/bbbc/BBBC039"
    assert {archive.name: len(archive.files) for archive in kept.archives} == {
        "images": 200, "masks": 200, "metadata": 3,
    }  # fmt: skip
    sums = [file.sha256 for archive in kept.archives for file in archive.files.values()]
    assert all(len(bytes.fromhex(sha256)) == 32 for sha256 in sums)


@pytest.mark.skipif(not COPY.is_dir(), reason="shared/data/bbbc039 is not here")
def test_the_kept_sums_are_those_of_the_copy_at_hand(tmp_path: Path) -> None:
    archives = {archive.name: archive.files for archive in official_set("bbbc039").archives}
    for folder in ("images", "masks"):
        paths = [path for path in (COPY / folder).iterdir() if not path.name.startswith(".")]
        assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths} == {
            name: file.sha256 for name, file in archives[folder].items()
        }
    assert at_hand(official_set("bbbc039"), COPY).equal == 403
    dataset = BBBC039(f"bbbc039:{COPY}", COPY)
    assert dataset.provenance() == "all 403 files are those of BBBC039V1 (by SHA-256; lists by the names they hold)"


def test_a_check_tells_files_that_are_not_the_published_ones(copy: Path) -> None:
    said = BBBC039(f"bbbc039:{copy}", copy).provenance()
    assert said.startswith("not BBBC039V1 as published: of its 403 files 3 differ (the first: metadata/")
    assert "400 are not there (the first: images/IXMtest_A02" in said
