"""A deployment changes its own front door only, also where another rollout comes in between."""

from types import SimpleNamespace
from typing import Any

import pytest

from training.promote.deployment import deploying
from training.promote.rollout import RolloutResult

Releases = dict[str, int | None]


class Rollouts:
    """Stands for the rollout: remembers what it was asked for, and says what it found before."""

    def __init__(self, *found: Releases) -> None:
        self.asked: list[Releases] = []
        self._found = iter(found)

    def apply(self, _site: object, releases: Releases) -> RolloutResult:
        self.asked.append(dict(releases))
        before = next(self._found)
        return RolloutResult(
            release=releases["champion"] or 0,
            previous=before["champion"],
            challenger=releases["challenger"],
            previous_challenger=before["challenger"],
            outcome="loaded",
        )


@pytest.mark.parametrize(
    ("role", "number", "seen", "found", "asked"),
    [
        # Nobody came in between.
        ("challenger", 3, (1, 2), [(1, 2)], [(1, 3)]),
        ("champion", 3, (1, 2), [(1, 2)], [(3, 2)]),
        ("champion", 3, (1, None), [(1, None)], [(3, None)]),
        # The challenger becomes champion: one front door is enough.
        ("champion", 2, (1, 2), [(1, 2)], [(2, None)]),
        # Between the look and the rollout somebody promoted 5, and the deployment put 1 back: 5 comes back.
        ("challenger", 3, (1, 2), [(5, 2), (1, 3)], [(1, 3), (5, 3)]),
        # Or made 3 champion, which needs no second front door then.
        ("challenger", 3, (1, 2), [(3, None), (1, 3)], [(1, 3), (3, None)]),
        # Or removed the challenger, or set another.
        ("champion", 3, (1, 2), [(1, None), (3, 2)], [(3, 2), (3, None)]),
        ("champion", 3, (1, None), [(1, 4), (3, None)], [(3, None), (3, 4)]),
    ],
)
def test_the_other_front_door_keeps_what_it_has(
    monkeypatch: pytest.MonkeyPatch,
    role: Any,
    number: int,
    seen: tuple[int | None, int | None],
    found: list[tuple[int | None, int | None]],
    asked: list[tuple[int | None, int | None]],
) -> None:
    rollouts = Rollouts(*map(by_role, found))
    served = {name: SimpleNamespace(number=n) for name, n in by_role(seen).items() if n is not None}
    monkeypatch.setattr(deploying, "served_releases", lambda _triton: served)
    monkeypatch.setattr(deploying, "apply", rollouts.apply)
    site: Any = SimpleNamespace(triton=None)
    deploying.deploy(site, role, number)
    assert rollouts.asked == list(map(by_role, asked))


def by_role(numbers: tuple[int | None, int | None]) -> Releases:
    return {"champion": numbers[0], "challenger": numbers[1]}
