"""What `hilum crossval` and `hilum paper` refuse before they train anything, and what they ask for."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hilum.errors import HilumError, ServiceUnreachableError
from hilum.settings import settings
from tests.support.studies import TINY_FAMILY
from tests.support.toy_data import write_toy_data
from training.commands.crossval import crossval
from training.commands.paper import paper


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_data(tmp_path_factory.mktemp("toys"))


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Settings of a machine on which MLflow does not run."""
    monkeypatch.setenv("HILUM_HOME", str(tmp_path))
    monkeypatch.setenv("HILUM_MLFLOW_URI", "http://127.0.0.1:9")
    settings.cache_clear()
    yield
    settings.cache_clear()


def refusal_of(command: click.Command, *arguments: str | Path) -> HilumError:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert isinstance(result.exception, HilumError), result.output
    return result.exception


@pytest.mark.parametrize(
    ("command", "arguments", "sentence"),
    [
        (crossval, ("icapuc", "--holdout", "--folds", "3"), "--folds or --holdout, not both"),
        (crossval, (str(TINY_FAMILY),), "name one. There are: tiny_family/plain, tiny_family/binary"),
        (crossval, (f"{TINY_FAMILY}/plain", "--network", "filter"), "no section for xray_filter"),
        (paper, ("icapuk",), "There are apostolopoulos, civit_masot, deepcovid, icapuc"),
        (paper, (str(TINY_FAMILY), "--variant", "odd"), "no variant 'odd'"),
        (paper, ("deepcovid", "--network", "filter"), "no table is of xray_filter"),
    ],
)
def test_usage_is_refused_before_a_server_is_asked(
    command: click.Command, arguments: tuple[str, ...], sentence: str, data: Path
) -> None:
    error = refusal_of(command, *arguments, "--data", data)
    assert sentence in str(error)
    assert error.exit_code == 2


@pytest.mark.parametrize(("command", "name"), [(crossval, f"{TINY_FAMILY}/plain"), (paper, str(TINY_FAMILY))])
def test_a_dead_mlflow_is_said_at_once(command: click.Command, name: str, data: Path, tmp_path: Path) -> None:
    error = refusal_of(command, name, "--data", data)
    assert isinstance(error, ServiceUnreachableError)
    assert error.exit_code == 4
    assert not list(tmp_path.iterdir()), "nothing was started"


@pytest.mark.parametrize("command", [crossval, paper])
def test_help_shows_examples_and_says_that_it_can_be_resumed(command: click.Command) -> None:
    text = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    assert f"hilum {command.name} " in text
    assert "cut short go" in text.replace("goes", "go")
