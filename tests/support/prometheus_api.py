"""Plays Prometheus' HTTP API: answers each expression with what a test says, or with something broken."""

import json
import math
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qs, urlsplit

Samples = list[tuple[Mapping[str, str], float]]
"""Labels and value of each series."""

Behaviour = Literal["well", "html", "failing", "slow", "other_form"]
"""What it does instead of answering well; `failing` is HTTP 500, `other_form` is JSON of other records."""


@dataclass
class PrometheusApi:
    """What the server answers; change it while it runs."""

    answers: dict[str, Samples] = field(default_factory=dict)
    """Series by expression; no series for any other expression."""
    behaviour: Behaviour = "well"
    age_s: float = 0.0
    """Age of the newest point of a range: what is old is no instant's value any more."""
    slow_s: float = 0.5
    """How late `slow` answers."""
    address: str = ""
    alerts: list[dict[str, object]] = field(default_factory=list)
    """What fires, as Prometheus tells it."""
    asked: list[str] = field(default_factory=list)
    """Every path that was asked for, in order."""

    def result(self, expression: str, kind: str) -> object:
        """Return the `data` of an answer."""
        now = time.time() - self.age_s
        if self.behaviour == "other_form":
            return {"resultType": kind, "result": [{"metric": {}, "value": "?", "values": "?"}]}
        samples = self.answers.get(expression, [])
        if kind == "matrix":
            times = [now - 60 * back for back in range(10, -1, -1)]
            result: list[object] = [
                {"metric": labels, "values": [[at, _number(value)] for at in times]}
                for labels, value in samples
            ]
        else:
            stale = self.age_s > 300  # as Prometheus looks back
            result = [
                {"metric": labels, "value": [now, _number(value)]} for labels, value in samples if not stale
            ]
        return {"resultType": kind, "result": result}


def _number(value: float) -> str:
    """Return a value as Prometheus writes it."""
    return "NaN" if math.isnan(value) else repr(value)


@contextmanager
def prometheus_api() -> Iterator[PrometheusApi]:
    """Run the server on a free port."""
    api = PrometheusApi()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            expression = parse_qs(url.query).get("query", [""])[0]
            api.asked.append(url.path)
            kind = "matrix" if url.path.endswith("query_range") else "vector"
            data = api.result(expression, kind)
            if url.path.endswith("alerts") and api.behaviour != "other_form":
                data = {"alerts": api.alerts}
            content = json.dumps({"status": "success", "data": data}).encode()
            if api.behaviour in ("html", "failing"):
                content = b"<html>Bad gateway</html>"
            if api.behaviour == "slow":
                time.sleep(api.slow_s)
            self.send_response(500 if api.behaviour == "failing" else 200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            with suppress(
                BrokenPipeError, ConnectionResetError
            ):  # who asked went away, as from a slow server
                super().handle()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        api.address = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()
