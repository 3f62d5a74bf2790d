"""The simulation against queueing theory, where theory has a formula."""

from typing import Any

import numpy as np
import pytest

from clients.capacity.replica import Replica
from clients.capacity.simulation import simulate


def make_replica(**changes: Any) -> Replica:
    values: dict[str, Any] = {
        "origin": "a test",
        "cores": 1,
        "decode_s": 1e-9,
        "decoders": 1,
        "transport_s": 0.0,
        "networks_batch_s": 0.0,
        "networks_image_s": 0.1,
        "instances": 1,
        "image_bytes": 1000,
        "bandwidth_bits_per_s": 1e9,
        "price_per_hour": 1.0,
    }
    return Replica(**(values | changes))


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_one_server_waits_as_pollaczek_and_khinchine_say(load: float) -> None:
    simulation = simulate(make_replica(), rate=load / 0.1, images=40_000, seed=3)
    expected_s = 0.1 + load * 0.1 / (2 * (1 - load))  # M/D/1: service, and the mean wait
    assert float(np.mean(simulation.latencies_s)) == pytest.approx(expected_s, rel=0.06)
    assert simulation.busy["cpu"] == pytest.approx(load, rel=0.03)


def test_an_idle_replica_answers_in_the_sum_of_its_service_times() -> None:
    replica = make_replica(decode_s=0.02, transport_s=0.01)
    assert simulate(replica, rate=0.01, images=100).latency_s(0.5) == pytest.approx(0.13)


def test_steps_that_share_one_core_do_not_overlap() -> None:
    shared = make_replica(decode_s=0.1, instances=4, decoders=4)
    apart = make_replica(decode_s=0.1, instances=4, decoders=4, cores=8)
    assert simulate(shared, rate=4, images=2000).latency_s(0.5) > simulate(
        apart, rate=4, images=2000
    ).latency_s(0.5)
    assert shared.capacity == pytest.approx(5.0)


def test_a_gpu_answers_together_what_waits() -> None:
    replica = make_replica(cores=8, gpus=1, networks_batch_s=0.05, networks_image_s=0.001, max_batch=16)
    quiet, busy = (simulate(replica, rate=rate, images=4000) for rate in (1.0, 200.0))
    assert quiet.mean_batch < 1.2
    assert busy.mean_batch > 8
    assert busy.latency_s(0.95) < 0.5


def test_a_rejected_image_costs_its_share() -> None:
    replica = make_replica(accepted_share=0.5, rejected_cost=0.0)
    assert simulate(replica, rate=5, images=8000).busy["cpu"] == pytest.approx(0.25, rel=0.05)


def test_the_same_seed_gives_the_same_run() -> None:
    first, again = (simulate(make_replica(), rate=5, images=500, seed=7) for _ in range(2))
    assert first.latencies_s.tolist() == again.latencies_s.tolist()
