"""Download one file over HTTP, going on after a break: of the connection, or of the command before."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Sequence
from http.client import HTTPException, HTTPResponse
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from benchmarks.data.official.failure import FetchError
from benchmarks.data.official.partial import Origin, Partial

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before each new try; after a try that brought new bytes they begin again."""
TIMEOUT = 60.0
"""Seconds without an answer or a byte."""
CHUNK = 2**17

Received = Callable[[int, int | None], object]
"""Told the bytes that are there, and of how many; None where the server does not say."""


class _BrokenError(Exception):
    """The connection failed in a way that another try may mend."""


def download(
    url: str,
    partial: Partial,
    limit: int,
    received: Received,
    said: Callable[[str], object],
    pauses: Sequence[float] = PAUSES,
) -> None:
    """Bring `partial` to the whole of what is at `url`.

    Args:
        url: an HTTP or HTTPS address.
        limit: the most bytes that are taken.
        received: called as bytes come in.
        said: called with a sentence where the connection broke and is tried again.
        pauses: seconds before each new try.

    Raises:
        FetchError: nothing is there, it is larger than `limit`, or the connection fails again and again.
    """
    furthest, left = partial.size, list(pauses)
    while True:
        try:
            return _receive(url, partial, limit, received)
        except _BrokenError as error:
            if partial.size > furthest:
                furthest, left = partial.size, list(pauses)
            if not left:
                kept = "What has come is kept: the same command goes on from there. " if partial.size else ""
                raise FetchError(
                    f"{url}: {error}, {len(pauses) + 1} times one after the other. {kept}Is the network there? A "
                    "mirror is named with --from."
                ) from error
            said(f"{url}: {error}; tried again in {left[0]:g} s")
            time.sleep(left.pop(0))


def _receive(url: str, partial: Partial, limit: int, received: Received) -> None:
    """Go on with `partial` over one connection."""
    origin = _usable_origin(url, partial, limit)
    if origin is not None and origin.total == partial.size:
        return
    response = _open(url, partial.size, origin)
    if response is None:
        partial.restart(None)
        raise _BrokenError("the server does not have the bytes that are asked for")
    with response:
        total = _prepare(url, response, partial, origin)
        if total is not None and total > limit:
            partial.restart(None)
            raise FetchError(f"{url}: has {total} bytes; expected at most {limit}. {_WRONG}")
        _copy(url, response, partial, total, limit, received)


_WRONG = "This is not the archive: look at the address in a browser, or name a mirror with --from."


def _usable_origin(url: str, partial: Partial, limit: int) -> Origin | None:
    """Return the origin of the bytes that are there; throw them away where they are of another file."""
    origin, size = partial.origin, partial.size
    fits = origin is not None and origin.url == url and size <= min(limit, origin.total or limit)
    if origin is None or not fits:
        partial.restart(None)
        return None
    return origin


def _open(url: str, start: int, origin: Origin | None) -> HTTPResponse | None:
    """Ask for the bytes from `start` on; None where the server has none there."""
    headers = {"User-Agent": "pctrans-bench", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if origin is not None and origin.validator is not None:
            headers["If-Range"] = origin.validator
    try:
        return urlopen(Request(url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        answer = f"the server answers {error.code} {error.reason}"
        if error.code == 416 and start:
            return None
        if error.code in (408, 429) or error.code >= 500:
            raise _BrokenError(answer) from error
        raise FetchError(f"{url}: {answer}; expected the archive. {_WRONG}") from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise FetchError(
                f"{url}: the server's certificate is not trusted here ({reason.verify_message}). Does this Python have "
                "certificates, and does a proxy stand between? SSL_CERT_FILE names a file of certificates."
            ) from error
        raise _BrokenError(f"no connection ({_words(reason)})") from error


def _prepare(url: str, response: HTTPResponse, partial: Partial, origin: Origin | None) -> int | None:
    """Make `partial` ready for the bytes of a response; returns the bytes of the whole file, where they are known."""
    if response.status == 206:
        stated = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        total = int(stated[2]) if stated and stated[2] != "*" else None
        known = origin.total if origin else None
        if not stated or int(stated[1]) != partial.size or (known and total and total != known):
            partial.restart(None)
            raise _BrokenError("the server sent other bytes than were asked for")
        return total or known
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    etag, date = response.headers.get("ETag"), response.headers.get("Last-Modified")
    # A weak ETag does not promise the same bytes: If-Range does not take it.
    validator = etag if etag and not etag.startswith("W/") else date
    partial.restart(Origin(url, validator, total))
    return total


def _copy(
    url: str, response: HTTPResponse, partial: Partial, total: int | None, limit: int, received: Received
) -> None:
    """Add the bytes of a response to `partial`."""
    size = partial.size
    while True:
        try:
            chunk = response.read(CHUNK)
        except (OSError, HTTPException) as error:
            raise _BrokenError(f"the connection broke after {size} bytes ({_words(error)})") from error
        if not chunk:
            break
        size += len(chunk)
        if size > limit:
            partial.restart(None)
            raise FetchError(f"{url}: goes on after {limit} bytes, the most that were expected. {_WRONG}")
        partial.file.write(chunk)
        received(size, total)
    if total is not None and size != total:
        raise _BrokenError(f"the connection ended after {size} of {total} bytes")


def _words(error: object) -> str:
    return str(error) or type(error).__name__
