"""Replicas, limits and prices by hand."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from clients.capacity.command import capacity
from clients.capacity.planning import plan_capacity, sustained_rate
from clients.capacity.replica import known_replicas, read_replicas
from hilum.errors import UsageError
from tests.unit.clients.capacity.test_simulation import make_replica


def test_replicas_are_those_that_the_rate_needs_and_one_to_spare() -> None:
    replica = make_replica()
    plan = plan_capacity(replica, rate=100, p95_s=10)
    assert plan.rate_per_replica == pytest.approx(8.5)  # 85 % of ten a second: time is no limit here
    assert plan.replicas == 13
    assert plan.price_per_month == pytest.approx(13 * 730)
    assert plan.price_per_million == pytest.approx(13 / 3600 / 100 * 1e6)


def test_less_time_takes_more_replicas() -> None:
    replica = make_replica()
    assert sustained_rate(replica, 0.15) < sustained_rate(replica, 0.5)


def test_a_time_below_the_service_time_is_refused() -> None:
    with pytest.raises(UsageError, match=r"An idle replica takes 100 ms .* longer than the 50 ms"):
        plan_capacity(make_replica(), rate=1, p95_s=0.05)


@pytest.mark.parametrize(
    ("changes", "bottleneck"),
    [
        ({}, "cpu"),
        ({"cores": 4}, "network instances"),
        ({"cores": 64, "gpus": 1, "decode_s": 0.06, "networks_image_s": 0.0005}, "decoders"),
        ({"cores": 64, "gpus": 1, "networks_image_s": 0.01}, "gpu"),
        ({"image_bytes": 10**8}, "network interface"),
    ],
)
def test_the_bottleneck_moves(changes: dict[str, float], bottleneck: str) -> None:
    assert make_replica(**changes).bottleneck == bottleneck


def test_every_known_replica_says_where_its_numbers_come_from() -> None:
    for replica in known_replicas().values():
        assert "measured" in replica.origin or "assumed" in replica.origin


def test_a_wrong_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[mine]\ncores = 0\ncorse = 2\n")
    with pytest.raises(UsageError, match=r"mine.toml describes a replica wrongly: .*cores: .*corse: "):
        read_replicas(path)


def test_the_command_answers_with_a_table_and_with_json() -> None:
    arguments = ["--rate", "5", "--replica", "cpu-2"]
    assert "gives way first" in CliRunner().invoke(capacity, arguments).stdout
    assert json.loads(CliRunner().invoke(capacity, [*arguments, "--json"]).stdout)["replicas"] == 2
