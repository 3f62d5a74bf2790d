import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st

from hilum.settings import settings
from tests.support.ports import free_ports
from tests.support.prometheus_api import PrometheusApi
from tests.support.prometheus_api import prometheus_api as play_prometheus


@pytest.fixture(autouse=True)
def _sources_that_do_not_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Point every source at ports where nothing listens, and forget what was read before."""
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    triton, prometheus, mlflow = free_ports(3)
    monkeypatch.setenv("HILUM_TRITON_URL", f"127.0.0.1:{triton}")
    monkeypatch.setenv("HILUM_PROMETHEUS_URL", f"http://127.0.0.1:{prometheus}")
    monkeypatch.setenv("HILUM_MLFLOW_URI", f"http://127.0.0.1:{mlflow}")
    settings.cache_clear()
    st.cache_data.clear()
    st.cache_resource.clear()
    # Streamlit puts the page in the place of the main module, which processes of later tests would then run.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    yield
    settings.cache_clear()


@pytest.fixture
def prometheus(monkeypatch: pytest.MonkeyPatch) -> Iterator[PrometheusApi]:
    """A Prometheus that answers as the test says; the dashboard asks it."""
    with play_prometheus() as api:
        monkeypatch.setenv("HILUM_PROMETHEUS_URL", api.address)
        settings.cache_clear()
        yield api
