"""A scripted server that speaks OpenAI's chat protocol on loopback, well or badly."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any


@dataclass
class ModelServer:
    """A running server: `script` answers each request, `asked` holds what was sent."""

    url: str
    script: Callable[[Reply], None]
    asked: list[dict[str, Any]] = field(default_factory=list)
    released: Event = field(default_factory=Event)

    @property
    def passages(self) -> list[dict[str, Any]]:
        """The passages of the last request."""
        return list(json.loads(self.asked[-1]["messages"][-1]["content"])["passages"])


class Reply:
    """What a script can do with one request."""

    def __init__(self, handler: BaseHTTPRequestHandler, server: ModelServer) -> None:
        self._handler = handler
        self.server = server
        self.passages = server.passages
        self.wait = server.released.wait

    def say(self, *parts: str) -> None:
        """Stream `parts` as a model would, and finish."""
        self.begin()
        for part in parts:
            self.part(part)
        self.raw(b"data: [DONE]\n\n")

    def begin(self) -> None:
        self._handler.send_response(200)
        self._handler.send_header("Content-Type", "text/event-stream")
        self._handler.end_headers()

    def part(self, text: str, **delta: Any) -> None:
        self.event({"index": 0, "delta": {"role": "assistant", "content": text, **delta}})

    def event(self, choice: dict[str, Any]) -> None:
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "scripted",
                 "choices": [choice]}  # fmt: skip
        self.raw(b"data: " + json.dumps(chunk).encode() + b"\n\n")

    def raw(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # the client may have given up, as it should
            self._handler.wfile.write(data)
            self._handler.wfile.flush()

    def status(self, code: int, body: bytes = b"{}", **headers: str) -> None:
        self._handler.send_response(code)
        for name, value in headers.items():
            self._handler.send_header(name, value)
        self._handler.send_header("Content-Length", str(len(body)))
        self._handler.end_headers()
        self.raw(body)

    def hang_up(self) -> None:
        self._handler.connection.close()


@contextmanager
def model_server() -> Iterator[ModelServer]:
    """Run a server; set `script` before each question."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802 - the name http.server calls
            length = int(self.headers["Content-Length"])
            server.asked.append(json.loads(self.rfile.read(length)))
            server.script(Reply(self, server))

        def log_message(self, *_: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass

    httpd = Quiet(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{httpd.server_port}/v1"
    server = ModelServer(url, lambda reply: reply.say(""))
    thread = Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        httpd.shutdown()
        httpd.server_close()
        thread.join()
