from types import SimpleNamespace
from typing import cast

import pytest

from training.errors import UnknownVersionError
from training.promote.gate.gate import resolve_opponent
from training.registry import RegisteredVersion, Registry


class Registered:
    """A registry of three releases."""

    def __init__(self, **aliases: int) -> None:
        self._aliases = aliases

    def aliases(self, _name: str) -> dict[str, int]:
        return self._aliases

    def version(self, name: str, number: int) -> RegisteredVersion:
        if number > 3:
            raise UnknownVersionError(f"{name} has no version {number}.")
        return cast(RegisteredVersion, SimpleNamespace(number=number))


def resolved(against: str, **aliases: int) -> int | None:
    return resolve_opponent(cast(Registry, Registered(**aliases)), against)


def test_an_alias_or_a_number_names_the_release_to_compare_with() -> None:
    assert resolved("champion", champion=2) == 2
    assert resolved("previous", champion=2, previous=1) == 1
    assert resolved("3", champion=2) == 3


def test_without_a_champion_there_is_nothing_to_compare_with() -> None:
    assert resolved("champion") is None


def test_an_unknown_name_is_refused_naming_those_there_are() -> None:
    with pytest.raises(
        UnknownVersionError, match=r"No release has the alias 'challenger'; there are: champion"
    ):
        resolved("challenger", champion=2)
    with pytest.raises(UnknownVersionError, match="no version 9"):
        resolved("9")
