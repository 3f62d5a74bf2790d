"""The rollout watcher against the real MLflow and Triton: whatever goes wrong, the next pass converges."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from hilum.contract import SCREENING
from hilum.errors import HilumError
from hilum.ports import Port
from hilum.triton.process import TritonProcess
from hilum.triton.server import TritonServer
from tests.support.ports import free_ports
from tests.support.rollout_site import RolloutSite, ToyReleases
from tests.support.servers import ADMIN_KEY
from tests.support.signed_answers import FIRST, SECOND
from tests.support.watchers import Watcher, wait_until, watching
from training.ledger.ledger import Ledger
from training.promote.aliases import DECISION_TAG
from training.promote.promotion import promote_release, remove_challenger, roll_back
from training.promote.watch.app import MAX_BODY_BYTES, WEBHOOK_PATH
from training.registry import CHAMPION, Registry

BY_EVENTS = ("--interval", "3600", "--register-webhook")
"""Options of a watcher that only MLflow's events wake."""

BY_POLLING = ("--interval", "1")
"""Options of a watcher that finds out by itself."""


class Operator:
    """Who promotes at a site, and what the site's ledger says."""

    def __init__(self, site: RolloutSite, registry: Registry) -> None:
        self.site = site
        self.registry = registry
        self.ledger = Ledger(site.ledger_url)
        self.first, self.second = site.releases.number(FIRST), site.releases.number(SECOND)
        for number in (self.first, self.second):
            promote_release(registry, self.ledger, number, who="tests", reason="a toy", force=True)

    @property
    def champion(self) -> int:
        return self.registry.aliases(SCREENING)[CHAMPION]

    @property
    def other(self) -> int:
        return self.first if self.champion == self.second else self.second

    def move(self) -> int:
        """Make the other release the champion, and return its number."""
        roll_back(self.registry, self.ledger, to=self.other, who="tests")
        return self.champion

    def count(self, kind: str) -> int:
        """Return how many entries of a kind the ledger has."""
        return sum(entry.kind == kind for entry in self.ledger.entries())

    def environment(self) -> dict[str, str]:
        """Return what makes a `hilum` command act at this site."""
        return {
            "HILUM_HOME": str(self.site.live.parent),
            "HILUM_MLFLOW_URI": mlflow.get_tracking_uri(),
            "HILUM_TRITON_URL": self.site.address,
            "HILUM_ADMIN_KEY": ADMIN_KEY,
            "HILUM_INSTANCES": "1",
        }

    def watching(self, *options: str) -> AbstractContextManager[Watcher]:
        """Run a watcher."""
        return watching(self.environment(), self.site.live.parent, *options)

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """Let MLflow send no event during the block."""
        client = mlflow.MlflowClient()
        (webhook,) = client.list_webhooks()
        client.update_webhook(webhook.webhook_id, status="DISABLED")
        yield
        client.update_webhook(webhook.webhook_id, status="ACTIVE")

    @contextmanager
    def in_a_rollout(self) -> Iterator[Watcher]:
        """Yield a watcher that has just begun to roll out another champion."""
        watcher = Watcher(self.environment(), self.site.live.parent, *BY_POLLING)
        try:
            wait_until(watcher.is_ready, watcher.process, watcher.log)
            began = self.count("rollout_began")
            self.move()
            wait_until(lambda: self.count("rollout_began") > began)
            yield watcher
        finally:
            watcher.process.kill()
            watcher.process.wait()

    def once(self) -> subprocess.CompletedProcess[str]:
        """Make one pass by the command."""
        return subprocess.run(
            [sys.executable, "-m", "hilum", "rollout", "watch", "--once"],
            env=os.environ | self.environment(),
            capture_output=True,
            text=True,
            timeout=200,
        )

    def assert_serves(self, number: int) -> None:
        self.site.assert_serves_only(number)


@pytest.fixture(scope="module")
def operator(
    mlflow_server: str,
    tmp_path_factory: pytest.TempPathFactory,
    make_server: Callable[[Path], TritonServer],
) -> Iterator[Operator]:
    """A site with two releases; nothing is rolled out yet, and no Triton runs."""
    registry = Registry(mlflow_server)
    folder = tmp_path_factory.mktemp("watched")
    releases = ToyReleases(registry, folder)
    releases.number(FIRST)
    forget_decisions(registry)
    yield Operator(RolloutSite.make(releases, folder, make_server), registry)
    forget_decisions(registry)
    client = mlflow.MlflowClient()
    for webhook in client.list_webhooks():
        client.delete_webhook(webhook.webhook_id)


def forget_decisions(registry: Registry) -> None:
    """Let the registry follow no ledger: each test module has one of its own."""
    for alias in registry.aliases(SCREENING):
        registry.delete_alias(SCREENING, alias)
    with suppress(MlflowException):
        mlflow.MlflowClient().delete_registered_model_tag(SCREENING, DECISION_TAG)


@pytest.fixture(scope="module")
def triton(operator: Operator) -> Iterator[TritonProcess]:
    with operator.site.triton() as process:
        yield process


@pytest.fixture(scope="module")
def woken(operator: Operator, triton: TritonProcess) -> Iterator[Watcher]:
    """A watcher that only events wake."""
    with operator.watching(*BY_EVENTS) as watcher:
        yield watcher


@pytest.fixture(scope="module")
def poller(operator: Operator, woken: Watcher) -> Iterator[Watcher]:
    """A second watcher, which polls."""
    with operator.watching(*BY_POLLING) as watcher:
        yield watcher


class TestEvents:
    def test_the_first_pass_serves_the_champion(self, operator: Operator, woken: Watcher) -> None:
        assert woken.serves(operator.champion)
        assert woken.count("hilum_rollout_total", "loaded") == 1
        operator.assert_serves(operator.champion)

    def test_a_moved_alias_is_rolled_out(self, operator: Operator, woken: Watcher) -> None:
        rolled_out = operator.count("rolled_out")
        champion = operator.move()
        wait_served(champion, woken)
        operator.assert_serves(champion)
        assert woken.count("hilum_webhooks_total", "accepted") >= 1
        assert operator.count("rolled_out") == rolled_out + 1

    def test_a_challenger_comes_and_goes(self, operator: Operator, woken: Watcher) -> None:
        champion, challenger = operator.champion, operator.other
        promote_release(operator.registry, operator.ledger, challenger, role="challenger", who="tests")
        wait_until(lambda: woken.serves(challenger, "challenger"))
        operator.site.assert_serves_only(champion, challenger)
        remove_challenger(operator.registry, operator.ledger, who="tests")
        wait_until(lambda: 'role="challenger"' not in woken.fetch("/metrics")[1])
        operator.assert_serves(champion)

    def test_an_alias_moved_by_hand_is_put_back(self, operator: Operator, woken: Watcher) -> None:
        champion, passes = operator.champion, woken.count("hilum_rollout_total", "loaded")
        operator.registry.set_alias(SCREENING, CHAMPION, operator.other)
        wait_until(lambda: operator.champion == champion)
        wait_until(lambda: "moved by hand" in woken.log.read_text())
        wait_served(champion, woken)
        assert woken.count("hilum_rollout_total", "loaded") == passes
        operator.assert_serves(champion)

    def test_the_webhook_is_registered_once(self, operator: Operator, woken: Watcher) -> None:
        url = f"http://127.0.0.1:{woken.port}{WEBHOOK_PATH}"
        secret = operator.site.live.parent.joinpath("webhook-secret").read_text()
        assert not operator.registry.ensure_webhook(url, secret)
        assert [webhook.url for webhook in mlflow.MlflowClient().list_webhooks()] == [url]

    def test_mlflow_says_why_it_takes_no_webhook(self, operator: Operator) -> None:
        with pytest.raises(HilumError, match="Invalid webhook URL scheme"):
            operator.registry.ensure_webhook("ftp://127.0.0.1/", "secret")


class TestDeliveries:
    def test_one_that_is_duplicated_is_taken_once(self, operator: Operator, woken: Watcher) -> None:
        rolled_out, taken = operator.count("rolled_out"), woken.count("hilum_webhooks_total", "accepted")
        assert woken.deliver(delivery="twice") == (202, "accepted")
        assert woken.deliver(delivery="twice") == (200, "duplicate")
        assert woken.count("hilum_webhooks_total", "accepted") == taken + 1
        assert woken.count("hilum_webhooks_total", "duplicate") == 1
        assert operator.count("rolled_out") == rolled_out

    def test_forged_replayed_and_broken_ones_are_refused(self, woken: Watcher) -> None:
        assert woken.deliver(secret="a guess") == (401, "forged")
        assert woken.deliver(late_s=3600) == (400, "stale")
        assert woken.deliver(late_s=-3600) == (400, "stale")
        assert woken.deliver(body=b"{") == (400, "malformed")
        assert woken.fetch(WEBHOOK_PATH, b" " * (MAX_BODY_BYTES + 1))[0] == 400
        counts = {outcome: woken.count("hilum_webhooks_total", outcome) for outcome in ("forged", "stale")}
        assert counts == {"forged": 1, "stale": 2}
        assert woken.count("hilum_webhooks_total", "malformed") == 2
        assert woken.is_ready()


class TestEndedInTheMiddleOfARollout:
    def test_by_sigterm(self, operator: Operator, woken: Watcher) -> None:
        with operator.deaf(), operator.in_a_rollout() as watcher:
            assert watcher.stop() == 0, watcher.log.read_text()
            assert "Traceback" not in watcher.log.read_text()
            ends = operator.count("rolled_out") + operator.count("rollout_failed")
            assert ends == operator.count("rollout_began")
            operator.site.ask()  # raises where nothing answers, or a mixture does
        assert woken.deliver() == (202, "accepted")
        wait_served(operator.champion, woken)
        operator.assert_serves(operator.champion)

    def test_by_sigkill(self, operator: Operator, woken: Watcher) -> None:
        with operator.deaf(), operator.in_a_rollout() as watcher:
            watcher.process.kill()
            watcher.process.wait()
            champion, result = operator.champion, operator.once()
            assert result.returncode == 0, result.stderr
            assert f"Release {champion} as champion" in result.stdout
            operator.assert_serves(champion)
            assert newest_outcome(operator) in ("loaded", "verified")
        assert woken.deliver() == (202, "accepted")
        wait_served(champion, woken)


class TestFaults:
    def test_a_lost_event_is_made_up_by_polling(
        self, operator: Operator, woken: Watcher, poller: Watcher
    ) -> None:
        """What a clock an hour wrong does too: every event is refused."""
        rolled_out, before = operator.count("rolled_out"), operator.champion
        with operator.deaf():
            champion = operator.move()
            assert woken.deliver(late_s=3600) == (400, "stale")
            wait_served(champion, poller)
        operator.assert_serves(champion)
        assert operator.count("rolled_out") == rolled_out + 1
        assert not woken.serves(champion)  # it has not looked since
        assert f'release="{before}"' in woken.fetch("/metrics")[1]
        assert woken.deliver() == (202, "accepted")
        wait_served(champion, woken)
        assert operator.count("rolled_out") == rolled_out + 1

    def test_two_watchers_roll_out_once(self, operator: Operator, woken: Watcher, poller: Watcher) -> None:
        def loaded() -> int:
            return sum(each.count("hilum_rollout_total", "loaded") for each in (woken, poller))

        rolled_out, before = operator.count("rolled_out"), loaded()
        for _ in range(3):
            champion = operator.move()
            wait_served(champion, woken, poller)
        operator.assert_serves(champion)
        assert operator.count("rolled_out") == rolled_out + 3
        assert loaded() == before + 3
        assert operator.count("rollout_failed") == 0

    def test_it_tells_since_when_the_champion_is_what_it_is(
        self, operator: Operator, woken: Watcher, poller: Watcher
    ) -> None:
        champion = operator.move()
        moved = operator.ledger.newest("alias_moved")
        assert moved is not None
        wait_served(champion, woken, poller)
        for watcher in (woken, poller):
            series = watcher.series()
            assert series['hilum_release_promoted_timestamp_seconds{role="champion"}'] == moved.at.timestamp()
            assert not [name for name in series if "certificate" in name]

    def test_a_release_that_breaks_its_promise_is_tried_once(
        self, operator: Operator, woken: Watcher, poller: Watcher
    ) -> None:
        champion, breaker = operator.champion, operator.site.releases.promise_breaker()
        promote_release(operator.registry, operator.ledger, breaker, who="tests", reason="a toy", force=True)
        wait_until(lambda: all(each.series()["hilum_rollout_refused"] == 1 for each in (woken, poller)))
        assert operator.count("rollout_failed") == 1
        for watcher in (woken, poller):
            status, body = watcher.fetch("/readyz")
            assert status == 503
            assert f"Release {breaker} is not tried again" in body
            series = watcher.series()
            assert f'hilum_release_info{{release="{champion}",role="champion"}}' in series
            assert series["hilum_registry_drift"] == 1
        assert "is not tried again" in operator.once().stderr
        assert operator.count("rollout_failed") == 1
        assert operator.site.ask().release == champion
        roll_back(operator.registry, operator.ledger, who="tests")
        wait_until(lambda: woken.is_ready() and poller.is_ready())
        assert {woken.series()["hilum_rollout_refused"], poller.series()["hilum_rollout_refused"]} == {0}
        operator.assert_serves(champion)

    def test_triton_killed_and_restarted(
        self, operator: Operator, triton: TritonProcess, woken: Watcher, poller: Watcher
    ) -> None:
        os.killpg(triton.pid, signal.SIGKILL)
        wait_until(lambda: poller.series()["hilum_registry_drift"] == 1)
        assert "hilum_release_info{" not in poller.fetch("/metrics")[1]
        champion = operator.move()
        wait_until(lambda: written(woken, poller))
        with operator.site.triton():
            wait_served(champion, poller)
            operator.assert_serves(champion)
            wait_until(lambda: newest_outcome(operator) == "verified")


def written(*watchers: Watcher) -> bool:
    return any(watcher.count("hilum_rollout_total", "written") for watcher in watchers)


def wait_served(release: int, *watchers: Watcher) -> None:
    """Wait until every watcher says that a release answers."""
    wait_until(lambda: all(watcher.serves(release) for watcher in watchers))


def newest_outcome(operator: Operator) -> str:
    """Return the outcome of the newest rollout that ended well."""
    newest = operator.ledger.newest("rolled_out")
    assert newest is not None
    return str(newest.facts["outcome"])


class TestNothingAnswers:
    def test_lives_says_so_and_ends_when_asked_to(self, operator: Operator) -> None:
        environment = operator.environment() | {"HILUM_MLFLOW_URI": f"http://127.0.0.1:{free_ports(1)[0]}"}
        watcher = Watcher(environment, operator.site.live.parent)
        try:
            wait_until(lambda: watcher.log.exists() and "A pass failed" in watcher.log.read_text())
            assert watcher.fetch("/healthz")[0] == 200
            status, body = watcher.fetch("/readyz")
            assert status == 503
            assert "MLflow does not answer" in body
            assert watcher.stop() == 0
        finally:
            watcher.process.kill()
        port = Port(host="127.0.0.1", number=watcher.port, purpose="-", variable="-")
        assert port.is_free()
