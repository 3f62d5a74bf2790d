"""What a process sets up before it speaks to MLflow."""

import os

import mlflow
import pytest

from training import mlflow_server


def test_an_experiment_left_in_the_environment_is_not_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "3")
    for name in ("set_tracking_uri", "set_registry_uri"):
        monkeypatch.setattr(mlflow, name, lambda _uri: None)
    mlflow_server.connect("sqlite:///never-opened.db")
    assert "MLFLOW_EXPERIMENT_ID" not in os.environ
