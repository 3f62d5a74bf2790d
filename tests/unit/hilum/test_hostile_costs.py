"""Refusing a file costs no more than a few times its own size, whatever it claims."""

import sys

import pytest

from tests.support.attacks import ATTACKS
from tests.support.decode_cost import measure

MOST_CPU_S = 2.0
SPARE_KIB = 24 * 1024
"""What any decoder may use besides; an attack that works takes hundreds of MiB."""

ACCEPTED = {"jpeg of exif", "dicom of run lengths", "png of packed pixels", "png of packed text"}
"""Attacks on what is left out: there is a valid picture in them."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc for the memory of a process")
@pytest.mark.parametrize("name", ATTACKS)
def test_attack_costs_no_more_than_a_few_times_its_size(name: str) -> None:
    data = ATTACKS[name]()
    cost = measure(data)
    assert (cost.outcome == "accepted") == (name in ACCEPTED), cost
    assert cost.cpu_s < MOST_CPU_S, cost
    assert cost.grown_kib < 3 * len(data) / 1024 + SPARE_KIB, cost
