from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from hilum.radiograph import RadiographError, decode_radiograph
from tests.support.gate_stored import GOLDEN_FILE, stored_release
from training.promote.asking import FrontDoorAnswer
from training.promote.gate.front_door import (
    FrontDoor,
    FrontDoorError,
    RefusedImageError,
)
from training.promote.gate.golden_check import check_golden
from training.promote.gate.hostile import check_hostile
from training.promote.gate.hostile_files import hostile_files
from training.promote.verdict import Check

STORED = stored_release()
PROMISED = FrontDoorAnswer(release=7, valid_probability=0.9, accepted=True, probabilities=(0.7, 0.2, 0.1))


class Door:
    """A front door that refuses everything but the golden case, unless it is told otherwise."""

    def __init__(self, otherwise: Callable[[bytes], FrontDoorAnswer] | None = None) -> None:
        self.otherwise = otherwise
        self.golden = PROMISED

    def ask(self, image: bytes) -> FrontDoorAnswer:
        if image == STORED.golden_files[GOLDEN_FILE]:
            return self.golden
        if self.otherwise:
            return self.otherwise(image)
        raise RefusedImageError("This is no radiograph.")


def checked(door: Door, folder: Path | None = None) -> Check:
    return check_hostile(cast(FrontDoor, door), STORED, folder)


def raising(error: Exception) -> Callable[[bytes], Any]:
    def ask(image: bytes) -> FrontDoorAnswer:
        raise error

    return ask


@pytest.mark.parametrize("name", hostile_files())
def test_what_is_made_here_is_no_radiograph(name: str) -> None:
    with pytest.raises(RadiographError):
        decode_radiograph(hostile_files()[name])


def test_a_server_that_refuses_with_a_sentence_passes() -> None:
    check = checked(Door())
    assert check.outcome == "passed"
    assert check.numbers == {"made_here": len(hostile_files()), "given": 0, "given_answered": 0}


@pytest.mark.parametrize(
    ("door", "said"),
    [
        (Door(lambda _: PROMISED), "empty is answered as if it were a radiograph"),
        (
            Door(raising(FrontDoorError("INTERNAL: it died"))),
            "empty makes the server fail (INTERNAL: it died)",
        ),
        (
            Door(raising(RefusedImageError("Traceback (most recent call last): x."))),
            "without a plain sentence",
        ),
    ],
)
def test_a_server_that_does_otherwise_fails(door: Door, said: str) -> None:
    check = checked(door)
    assert check.outcome == "failed"
    assert said in check.sentence
    assert "more." in check.sentence, "the others are counted"


def test_a_server_that_answers_otherwise_afterwards_fails() -> None:
    door = Door()
    door.golden = FrontDoorAnswer(
        release=7, valid_probability=0.2, accepted=False, probabilities=(np.nan,) * 3
    )
    assert "afterwards the golden cases are not answered as before" in checked(door).sentence


def test_given_files_may_be_answered_but_must_not_make_the_server_fail(tmp_path: Path) -> None:
    (tmp_path / "odd.png").write_bytes(b"odd")
    (tmp_path / "killer.dcm").write_bytes(b"killer")

    def ask(image: bytes) -> FrontDoorAnswer:
        if image == b"odd":
            return PROMISED
        raise RefusedImageError("This is no radiograph.")

    check = checked(Door(ask), tmp_path)
    assert (check.outcome, check.numbers["given"], check.numbers["given_answered"]) == ("passed", 2, 1)

    def kill(image: bytes) -> FrontDoorAnswer:
        if image == b"killer":
            raise FrontDoorError("UNAVAILABLE: gone")
        raise RefusedImageError("This is no radiograph.")

    assert "killer.dcm makes the server fail (UNAVAILABLE: gone)" in checked(Door(kill), tmp_path).sentence


def test_golden_cases_are_held_to_their_promise() -> None:
    door = Door()
    assert check_golden(cast(FrontDoor, door), STORED).outcome == "passed"
    door.golden = FrontDoorAnswer(
        release=6, valid_probability=0.9, accepted=True, probabilities=(0.7, 0.2, 0.1)
    )
    assert "release 6 answers instead of release 7." in check_golden(cast(FrontDoor, door), STORED).sentence
    door.golden = FrontDoorAnswer(
        release=7, valid_probability=0.9, accepted=True, probabilities=(0.6, 0.3, 0.1)
    )
    assert (
        "no_finding is 0.600000, promised was 0.700000"
        in check_golden(cast(FrontDoor, door), STORED).sentence
    )
