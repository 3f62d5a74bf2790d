"""A network that lies in the live repository is used again, if its passport is the registered one."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hilum.contract import FILTER
from hilum.files import sha256_bytes, write_atomic
from training.errors import UnknownVersionError
from training.export.passport import passport_path
from training.promote.staging import fetch_networks
from training.promote.wanted import Wanted
from training.registry import PASSPORT_TAG, SHA256_TAG, Registry

NETWORK, PASSPORT = b"network", b"passport"
WANTED = cast(Wanted, SimpleNamespace(networks={(FILTER, 3): sha256_bytes(NETWORK)}))


class Registered:
    """A registry with one filter, which has a passport."""

    def version(self, _model: str, number: int) -> Any:
        if number != 3:
            raise UnknownVersionError("There is none.")
        tags = {SHA256_TAG: sha256_bytes(NETWORK), PASSPORT_TAG: sha256_bytes(PASSPORT)}
        return SimpleNamespace(number=number, tags=tags, tag=tags.__getitem__)

    def download_onnx(self, _version: Any, folder: Path) -> Path:
        write_atomic(folder / "filter.onnx", NETWORK)
        write_atomic(passport_path(folder / "filter.onnx"), PASSPORT)
        return folder / "filter.onnx"


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """A live repository with the filter and its passport."""
    path = tmp_path / "live" / FILTER / "3" / "model.onnx"
    write_atomic(path, NETWORK)
    write_atomic(passport_path(path), PASSPORT)
    return path


def fetched(live: Path) -> Path:
    repository = live.parents[2]
    registry = cast(Registry, Registered())
    return fetch_networks(registry, repository, WANTED, repository.with_name("new"))[FILTER, 3]


def test_what_is_whole_is_used_again(live: Path) -> None:
    assert fetched(live) == live


@pytest.mark.parametrize("damage", ["passport changed", "passport gone", "network changed"])
def test_what_is_damaged_is_fetched_with_its_passport(live: Path, damage: str) -> None:
    if damage == "passport gone":
        passport_path(live).unlink()
    else:
        (live if "network" in damage else passport_path(live)).write_bytes(b"damaged")
    found = fetched(live)
    assert (found.read_bytes(), passport_path(found).read_bytes()) == (NETWORK, PASSPORT)


def test_a_network_that_the_registry_has_no_longer_stays(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def vanished(*_: object) -> None:
        raise UnknownVersionError("There is none.")

    monkeypatch.setattr(Registered, "version", vanished)
    assert fetched(live) == live
