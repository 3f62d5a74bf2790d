"""The local MLflow answers by the names of its machine, and not to a page that rebinds its own to it."""

import http.client
import socket
import urllib.parse

import pytest

SEARCH = "/api/2.0/mlflow/registered-models/search"


def ask(server: str, name: str, origin: str | None = None) -> int:
    """Return the status of a request that names the server so, from a page of an origin."""
    address = urllib.parse.urlsplit(server)
    connection = http.client.HTTPConnection(address.netloc, timeout=30)
    headers = {"Host": f"{name}:{address.port}"} | ({"Origin": origin} if origin else {})
    try:
        if origin is None:
            connection.request("GET", SEARCH, headers=headers)
        else:
            body = '{"name": "xray_names"}'
            headers["Content-Type"] = "application/json"
            connection.request("POST", "/api/2.0/mlflow/registered-models/get-latest-versions", body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", socket.gethostname()])
def test_names_of_this_machine(mlflow_server: str, name: str) -> None:
    assert ask(mlflow_server, name) == 200


@pytest.mark.parametrize("name", ["rebound.example", "10.rebound.example"])
def test_any_other_name(mlflow_server: str, name: str) -> None:
    assert ask(mlflow_server, name) == 403


def test_its_own_page_may_change_something_and_anothers_may_not(mlflow_server: str) -> None:
    port = urllib.parse.urlsplit(mlflow_server).port
    own = f"http://{socket.gethostname()}:{port}"
    assert ask(mlflow_server, socket.gethostname(), own) == 404  # it was heard: there is no such model
    assert ask(mlflow_server, socket.gethostname(), "http://rebound.example") == 403
