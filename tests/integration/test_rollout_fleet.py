"""A rollout to two real Tritons that read one model repository, as two replicas on Kubernetes do."""

import tritonclient.grpc as grpcclient

from hilum.contract import SCREENING
from tests.support.rollout_site import RolloutSite
from tests.support.servers import ADMIN_KEY
from tests.support.signed_answers import FIRST, SECOND, ask, hammered
from training.ledger.ledger import Ledger
from training.promote.promotion import Role
from training.promote.rollout import Site, apply, verify
from training.promote.triton_control import TritonControl
from training.promote.triton_fleet import TritonFleet


def test_replicas_swap_together_and_one_that_missed_a_rollout_catches_up(serving_site: RolloutSite) -> None:
    site = serving_site
    first, second = (site.releases.number(kind) for kind in (FIRST, SECOND))
    to_second: dict[Role, int | None] = {"champion": second, "challenger": None}
    to_first: dict[Role, int | None] = {"champion": first, "challenger": None}
    replica = site.make_server(site.live)
    addresses = (site.address, replica.addresses.grpc)

    def release_of(address: str) -> int:
        with grpcclient.InferenceServerClient(address) as client:
            return ask(client).release

    with (
        site.triton(replica) as process,
        Ledger(site.ledger_url) as ledger,
        TritonFleet("both", [TritonControl(address, ADMIN_KEY) for address in addresses]) as fleet,
    ):
        process.wait_ready()
        both = Site(
            registry=site.releases.registry,
            ledger=ledger,
            repository=site.live,
            triton=fleet,
            instances=1,
            who="tests",
        )
        with (
            hammered(addresses[0], site.releases.kinds, callers=1, pause_s=0.02) as by_one,
            hammered(addresses[1], site.releases.kinds, callers=1, pause_s=0.02) as by_other,
        ):
            assert apply(both, to_second).outcome == "loaded"
            assert [release_of(address) for address in addresses] == [second, second]
        assert {answer.release for answer in (*by_one, *by_other)} == {first, second}
        assert verify(both, to_second).is_passed
        assert apply(both, to_second).outcome == "verified"

        site.apply(first)  # to one of them alone
        assert [release_of(address) for address in addresses] == [first, second]
        problems = " ".join(verify(both, to_first).problems)
        assert f"{SCREENING} {first}, {second} loaded, not {first}" in problems
        assert apply(both, to_first).outcome == "loaded"
        assert [release_of(address) for address in addresses] == [first, first]
        assert verify(both, to_first).is_passed
    site.assert_serves_only(first)
