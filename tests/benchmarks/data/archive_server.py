"""A server on 127.0.0.1 that holds files in memory, breaks connections when told to, and keeps what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What the server holds, and how it behaves.

    Attributes:
        files: content by path, such as "/images.zip".
        headers: sent with every file, such as its ETag.
        ranges: whether it answers Range; with If-Range, only where that is its ETag or date.
        cuts: for the answers to come, after how many bytes the connection ends; None: not.
        statuses: for the answers to come, a status in place of the file; None: the file.
        length: whether it says how long a file is.
        asked: path, Range and If-Range of each request.
    """

    files: dict[str, bytes]
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    cuts: list[int | None] = field(default_factory=list)
    statuses: list[int | None] = field(default_factory=list)
    length: bool = True
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    url: str = ""

    def start_of(self, asked: str | None, condition: str | None) -> int:
        """The first byte to send, after RFC 9110."""
        validators = {self.headers.get("ETag"), self.headers.get("Last-Modified")}
        if not asked or not self.ranges or (condition is not None and condition not in validators):
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    """Serve `site`, whose `url` is then set."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted, condition = self.headers["Range"], self.headers["If-Range"]
            site.asked.append((self.path, wanted, condition))
            status = site.statuses.pop(0) if site.statuses else None
            content = site.files.get(self.path)
            if content is None or status is not None:
                self.send_error(status or 404)
                return
            start = site.start_of(wanted, condition)
            if start and start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            if site.length:
                self.send_header("Content-Length", str(len(content) - start))
            for name, value in site.headers.items():
                self.send_header(name, value)
            self.end_headers()
            cut = site.cuts.pop(0) if site.cuts else None
            self.wfile.write(content[start:] if cut is None else content[start : start + cut])

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
