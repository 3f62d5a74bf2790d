"""A real S3 server (moto's) over HTTP, which remembers what it was asked and can be told to fail."""

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from typing_extensions import override
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "models"

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""Environment of a client of the server, which checks no signature."""


@dataclass
class S3Server:
    """The server, and what it was asked since `requests` was emptied last."""

    url: str
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Method and key of each request, in order; the key is empty for a request to the whole bucket."""
    refused_from_write: int | None = None
    """From which PUT or DELETE on, counted from 0, it answers 403."""
    spoilt_key: str | None = None
    """The key of which it stores other bytes than it is sent."""
    _writes: int = 0

    @property
    def address(self) -> str:
        """The address of a live model repository there, as Triton takes it."""
        return f"s3://{self.url}/{BUCKET}/live"

    def client(self) -> Any:
        """Return a client that does what a test wants done behind Hilum's back."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
        )

    def objects(self) -> dict[str, bytes]:
        """Return the content of every object of the bucket, by key."""
        client = self.client()
        keys = [each["Key"] for each in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
        return {key: client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}

    def written(self) -> list[str]:
        """Return the keys that were written since `requests` was emptied last, in order."""
        return [key for method, key in self.requests if method == "PUT" and key]

    def removed(self) -> list[str]:
        """Return the keys that were removed since `requests` was emptied last, in order."""
        return [key for method, key in self.requests if method == "DELETE" and key]

    def reset(self) -> None:
        """Forget what was asked and every fault; empty the bucket."""
        self.refused_from_write, self.spoilt_key = None, None
        client = self.client()
        for key in self.objects():
            client.delete_object(Bucket=BUCKET, Key=key)
        self.requests.clear()
        self._writes = 0

    def refuse_from_write(self, number: int) -> None:
        """Answer 403 to every write after the next `number`."""
        self.refused_from_write = self._writes + number

    def wrap(self, application: Application) -> Application:
        """Return `application` with the memory and the faults of this server."""

        def answer(environ: Environ, start_response: Any) -> Iterable[bytes]:
            method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
            key = path.removeprefix(f"/{BUCKET}").removeprefix("/")
            self.requests.append((method, key))
            if method in {"PUT", "DELETE"} and key:
                self._writes += 1
                if self.refused_from_write is not None and self._writes > self.refused_from_write:
                    return _refuse(environ, start_response)
            if method == "PUT" and key == self.spoilt_key:
                body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
                environ["wsgi.input"] = io.BytesIO(b"x" * len(body))
            return application(environ, start_response)

        return answer


def _refuse(environ: Environ, start_response: Any) -> Iterable[bytes]:
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("403 Forbidden", [("Content-Type", "application/xml")])
    return [b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"]


class _Quiet(WSGIRequestHandler):
    @override
    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run a server with one bucket on a free port of 127.0.0.1."""
    handle: list[S3Server] = []
    backend = DomainDispatcherApplication(create_backend_app)

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        return handle[0].wrap(backend)(environ, start_response)

    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
    handle.append(S3Server(f"http://127.0.0.1:{server.server_port}"))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        handle[0].client().create_bucket(Bucket=BUCKET)
        yield handle[0]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
