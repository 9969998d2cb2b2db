"""One file over HTTP, from a server that behaves as servers do."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from archive_server import Site, serving

from benchmarks.data.official.download import download
from benchmarks.data.official.failure import FetchError
from benchmarks.data.official.partial import Partial

CONTENT = np.random.default_rng(0).bytes(300_000)
NO_PAUSES = (0.0,) * 3


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site({"/a.zip": CONTENT}, {"ETag": '"one"'})) as site:
        yield site


def get(site: Site, part: Path, limit: int = 10**6, said: list[str] | None = None, url: str = "") -> bytes:
    sentences = [] if said is None else said
    with Partial(part) as partial:
        download(url or f"{site.url}/a.zip", partial, limit, lambda *_: None, sentences.append, NO_PAUSES)
    return part.read_bytes()


def ranges(site: Site) -> list[str | None]:
    return [asked for _, asked, _ in site.asked]


def test_a_file_arrives(site: Site, tmp_path: Path) -> None:
    assert get(site, tmp_path / "a.part") == CONTENT
    assert site.asked == [("/a.zip", None, None)]


def test_a_broken_connection_is_gone_on_with(site: Site, tmp_path: Path) -> None:
    site.cuts, said = [100_000, 50_000, 0], []
    assert get(site, tmp_path / "a.part", said=said) == CONTENT
    assert ranges(site) == [None, "bytes=100000-", "bytes=150000-", "bytes=150000-"]
    assert {condition for _, _, condition in site.asked[1:]} == {'"one"'}
    assert "ended after 100000 of 300000 bytes; tried again" in said[0] and len(said) == 3


def test_the_next_command_goes_on(site: Site, tmp_path: Path) -> None:
    site.cuts = [100_000, *[0] * 4]
    with pytest.raises(FetchError, match=r"a\.zip: .*100000 of 300000 bytes, 4 times.*kept"):
        get(site, tmp_path / "a.part")
    assert (tmp_path / "a.part").read_bytes() == CONTENT[:100_000]
    assert get(site, tmp_path / "a.part") == CONTENT
    assert ranges(site)[-1] == "bytes=100000-"
    site.asked.clear()
    assert get(site, tmp_path / "a.part") == CONTENT
    assert site.asked == []


def test_a_server_without_ranges_starts_again(site: Site, tmp_path: Path) -> None:
    site.ranges, site.cuts = False, [200_000, 100_000]
    assert get(site, tmp_path / "a.part") == CONTENT
    assert ranges(site) == [None, "bytes=200000-", "bytes=100000-"]


def test_a_server_that_always_breaks_at_one_place_is_given_up(site: Site, tmp_path: Path) -> None:
    site.ranges, site.cuts = False, [1000] * 100
    with pytest.raises(FetchError, match="4 times one after the other"):
        get(site, tmp_path / "a.part")
    assert len(site.asked) == 4


def test_a_file_that_changed_in_between_is_not_mixed(site: Site, tmp_path: Path) -> None:
    site.cuts = [100_000, *[0] * 4]
    with pytest.raises(FetchError):
        get(site, tmp_path / "a.part")
    site.files["/a.zip"], site.headers["ETag"] = CONTENT[::-1], '"two"'
    assert get(site, tmp_path / "a.part") == CONTENT[::-1]


def test_a_file_of_another_length_is_not_mixed_where_there_is_no_validator(site: Site, tmp_path: Path) -> None:
    del site.headers["ETag"]
    site.cuts = [100_000, *[0] * 4]
    with pytest.raises(FetchError):
        get(site, tmp_path / "a.part")
    site.files["/a.zip"] = CONTENT[::-1] + b"more"
    assert get(site, tmp_path / "a.part") == CONTENT[::-1] + b"more"


@pytest.mark.parametrize("etag", ['W/"weak"', None])
def test_a_date_stands_in_for_a_strong_etag(site: Site, tmp_path: Path, etag: str | None) -> None:
    site.headers = {"Last-Modified": "Tue, 01 May 2018 10:00:00 GMT"} | ({"ETag": etag} if etag else {})
    site.cuts = [100_000]
    assert get(site, tmp_path / "a.part") == CONTENT
    assert site.asked[1] == ("/a.zip", "bytes=100000-", "Tue, 01 May 2018 10:00:00 GMT")


def test_a_part_of_something_else_is_thrown_away(site: Site, tmp_path: Path) -> None:
    part = tmp_path / "a.part"
    part.write_bytes(b"of whoever")
    assert get(site, part) == CONTENT
    site.files["/b.zip"] = CONTENT[::-1]
    assert get(site, part, url=f"{site.url}/b.zip") == CONTENT[::-1]
    assert ranges(site) == [None, None]
    (tmp_path / "a.part.json").write_text('{"url": 3')
    assert get(site, part) == CONTENT


def test_a_part_that_is_too_long_is_thrown_away(site: Site, tmp_path: Path) -> None:
    assert get(site, tmp_path / "a.part") == CONTENT
    with (tmp_path / "a.part").open("ab") as part:
        part.write(b"more")
    assert get(site, tmp_path / "a.part") == CONTENT


def test_a_busy_server_is_asked_again(site: Site, tmp_path: Path) -> None:
    site.statuses, said = [503, 429, 500], []
    assert get(site, tmp_path / "a.part", said=said) == CONTENT
    assert "the server answers 503 Service Unavailable; tried again" in said[0]


def test_what_is_not_there_is_not_asked_for_again(site: Site, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"b\.zip: the server answers 404 Not Found.*--from"):
        get(site, tmp_path / "a.part", url=f"{site.url}/b.zip")
    assert len(site.asked) == 1


def test_where_nobody_listens_is_said_after_some_tries(site: Site, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        with pytest.raises(FetchError, match=r"no connection \(.*refused.*\), 4 times.*network"):
            get(site, tmp_path / "a.part", url=f"http://127.0.0.1:{taken.getsockname()[1]}/a.zip")


@pytest.mark.parametrize("length", [True, False])
def test_more_than_expected_is_refused(site: Site, tmp_path: Path, length: bool) -> None:
    site.length = length
    with pytest.raises(FetchError, match=r"has 300000 bytes; expected at most 200000|goes on after 200000 bytes"):
        get(site, tmp_path / "a.part", limit=200_000)
    assert not list(tmp_path.iterdir())
    assert len(site.asked) == 1


def test_a_server_that_does_not_say_the_length_is_believed(site: Site, tmp_path: Path) -> None:
    site.length = False
    assert get(site, tmp_path / "a.part") == CONTENT


def test_two_commands_do_not_write_one_part(site: Site, tmp_path: Path) -> None:
    with Partial(tmp_path / "a.part"), pytest.raises(FetchError, match="another command is downloading it"):
        get(site, tmp_path / "a.part")
