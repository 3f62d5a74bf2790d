"""Asks a local HTTP server whether it is well."""

import http.client
import urllib.parse


def answers_ok(url: str, *, timeout_s: float = 2.0) -> bool:
    """Whether a GET of `url` (http only, never through a proxy) gives status 200 within the time."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=timeout_s)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
