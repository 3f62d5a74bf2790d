"""Puts a watcher together and runs it."""

import logging

from hilum.errors import HilumError
from hilum.settings import Settings
from hilum.stack.services import watch_port
from hilum.tls import TlsFiles
from training.promote.installation import open_site
from training.promote.triton_fleet import opened_triton
from training.promote.watch.app import WEBHOOK_PATH, build_app
from training.promote.watch.bell import Bell
from training.promote.watch.certificates import read_expiries, read_shown
from training.promote.watch.deliveries import Deliveries
from training.promote.watch.ending import Ending
from training.promote.watch.http_server import answering
from training.promote.watch.loop import Loop
from training.promote.watch.metrics import WatchMetrics
from training.promote.watch.passes import Pass, make_pass, tell_served
from training.promote.watch.state import State
from training.registry import Registry

log = logging.getLogger(__name__)


class Passes:
    """Makes passes, each over connections of its own: what was down before may be up now."""

    def __init__(self, settings: Settings, metrics: WatchMetrics, *, webhook_url: str | None = None) -> None:
        """Prepare.

        Args:
            settings: where everything is.
            metrics: told of every pass.
            webhook_url: where MLflow is to send its alias events; None leaves its webhooks alone.
        """
        self._settings = settings
        self._metrics = metrics
        self._webhook_url = webhook_url
        self._is_registered = False
        self._shown: dict[str, float] = {}  # kept while Triton does not answer

    def make(self) -> Pass:
        """Make one pass.

        Raises:
            HilumError: a server does not answer, or a rollout failed.
        """
        here = self._settings
        try:
            with opened_triton(here) as triton:
                tell_served(triton, self._metrics)  # also where MLflow does not answer
                addresses = [member.address for member in triton.members]
                self._shown = read_shown(addresses, TlsFiles.from_settings(here)) or self._shown
        finally:
            self._metrics.set_certificates(read_expiries(here) | self._shown)
        try:
            with open_site(here) as site:
                self._register_webhook(site.registry)
                return make_pass(site, self._metrics, hand_moved=here.hand_moved_aliases)
        except BaseException:
            self._is_registered = False  # whatever failed may have lost the webhook too
            raise

    def _register_webhook(self, registry: Registry) -> None:
        """Register the webhook, once; where MLflow refuses, polling has to do."""
        if self._webhook_url is None or self._is_registered:
            return
        self._is_registered = True
        try:
            if registry.ensure_webhook(self._webhook_url, self._settings.read_webhook_secret()):
                log.info("MLflow sends alias events to %s.", self._webhook_url)
        except HilumError as error:
            log.warning(
                "MLflow sends no events to %s, so only polling finds changes: %s", self._webhook_url, error
            )


def run_once(settings: Settings) -> Pass:
    """Make one pass.

    Raises:
        HilumError: a server does not answer, or a rollout failed.
    """
    return Passes(settings, WatchMetrics()).make()


def run_watch(settings: Settings, *, interval_s: float, webhook_url: str | None) -> None:
    """Watch until Ctrl-C or SIGTERM; a rollout under way comes to its end first, or is undone.

    Args:
        settings: where everything is.
        interval_s: time between two passes where nothing wakes it, in seconds.
        webhook_url: where MLflow reaches this process; empty for `HILUM_HOST:HILUM_WATCH_PORT`; None
            leaves MLflow's webhooks alone.

    Raises:
        PortTakenError: another program listens on the watcher's port.
    """
    metrics, bell, state = WatchMetrics(), Bell(), State()
    if webhook_url == "":
        webhook_url = f"http://{settings.host}:{settings.watch_port}{WEBHOOK_PATH}"
    passes = Passes(settings, metrics, webhook_url=webhook_url)
    app = build_app(Deliveries(settings.read_webhook_secret()), bell, metrics, state)
    ending = Ending()

    def one_pass() -> str:
        with ending.deferred():
            return passes.make().sentence

    loop = Loop(one_pass, bell=bell, metrics=metrics, state=state, interval_s=interval_s)
    with ending.awaited(), answering(app, watch_port(settings)):
        loop.run()
