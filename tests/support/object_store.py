"""An S3 server in this process, with faults: what it answers is as a test wants it."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest.mock import patch
from urllib.request import Request, urlopen

from moto.server import ThreadedMotoServer
from program_runs import TIMEOUT
from werkzeug.serving import generate_adhoc_ssl_context

BUCKET = "bucket"


@contextmanager
def object_store() -> Iterator[str]:
    """A server with an empty bucket, to which the environment points.

    Yields:
        Its address.
    """
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        urlopen(Request(f"{address}/{BUCKET}", method="PUT"), timeout=TIMEOUT).close()
        with patch.dict(os.environ, variables(address)):
            yield address
    finally:
        server.stop()


def variables(address: str) -> dict[str, str]:
    """Environment variables that point to a server."""
    return {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
    }


class Answer:
    """An answer of the real server, to be passed on or changed."""

    def __init__(self, asked: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        """Keep its parts, and those of its request."""
        self.method, self.path, self.authorization = (
            asked.command,
            asked.path,
            asked.headers.get("Authorization"),
        )
        self.status, self.body = status, body
        self.location: str | None = None
        """The URL that it leads to, if its status says so."""


Spoil = Callable[[Answer, int], Answer | None]
"""Changes an answer, of which the number is counted from 1; None lets the connection drop."""


@contextmanager
def between(address: str, spoil: Spoil, *, secure: bool = False) -> Iterator[str]:
    """A server before another one, that spoils its answers; the environment points to it.

    Args:
        address: That of the other one.
        spoil: Changes answers.
        secure: Whether it speaks https, with a certificate of its own.

    Yields:
        Its address.
    """
    count, lock = 0, threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def answer(self) -> None:
            nonlocal count
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size) if size else None
            # What has no type is called a form by urllib, and then read as one.
            headers = {"Content-type": "application/octet-stream"}
            headers |= {k: v for k, v in self.headers.items() if k.lower() != "connection"}
            request = Request(address + self.path, body, headers, method=self.command)
            try:
                with urlopen(request, timeout=TIMEOUT) as found:
                    status, content, kept = found.status, found.read(), dict(found.headers)
            except OSError as error:
                status, content = getattr(error, "code", 500), error.read()  # type: ignore[attr-defined]
                kept = dict(getattr(error, "headers", {}))
            with lock:
                count += 1
                number = count
            changed = spoil(Answer(self, status, content), number)
            if changed is None:
                self.close_connection = True
                return
            self.send_response(changed.status)
            for name, value in kept.items():
                if name.lower() not in ("connection", "content-length", "date", "server"):
                    self.send_header(name, value)
            is_head = self.command == "HEAD"
            length = kept.get("Content-Length", "0") if is_head else str(len(changed.body))
            self.send_header("Content-Length", length)
            if changed.location is not None:
                self.send_header("Location", changed.location)
            self.end_headers()
            if not is_head:
                self.wfile.write(changed.body)

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = answer

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if secure:
        server.socket = generate_adhoc_ssl_context().wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        own = f"{'https' if secure else 'http'}://127.0.0.1:{server.server_port}"
        with patch.dict(os.environ, variables(own)):
            yield own
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
