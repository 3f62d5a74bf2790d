"""A live repository, the Triton that may run on it, and releases that sign their answers."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import tritonclient.grpc as grpcclient

from hilum.contract import CHALLENGER_SCREENING, CLASSIFIER, DECODE, FILTER, MODELS, MONITOR, SCREENING
from hilum.triton.process import TritonProcess, running
from hilum.triton.server import TritonServer
from tests.support.servers import ADMIN_KEY
from tests.support.signed_answers import FIRST, SECOND, Answer, Kind, ask, check_signature, hammered
from tests.support.toy_data import write_toy_data
from tests.support.toy_registry import register_toy_classifier, register_toy_filter
from training.ledger.ledger import Ledger
from training.promote.promotion import Role
from training.promote.release import DIGEST_TAG, RELEASE_FILE, fetch_release
from training.promote.release_creation import create_release
from training.promote.rollout import Plan, RolloutResult, Site, Verification, apply, plan, verify
from training.promote.site import Mirror
from training.promote.triton_control import TritonControl
from training.registry import RegisteredVersion, Registry
from training.repository.lint import lint_repository


class ToyReleases:
    """Releases in a registry by the kind of networks that they pin, each kind registered once."""

    def __init__(self, registry: Registry, folder: Path) -> None:
        self.registry = registry
        self.kinds: dict[int, Kind] = {}
        self._folder = folder
        self._data = write_toy_data(folder / "data")
        self._numbers: dict[Kind, int] = {}
        self._filters: dict[float, RegisteredVersion] = {}
        self._ledger = Ledger(f"sqlite:///{folder / 'releases.db'}")

    def number(self, kind: Kind) -> int:
        """Return the release of a kind."""
        if kind not in self._numbers:
            threshold, gain = kind
            classifier = register_toy_classifier(self.registry, self._folder, gain=gain)
            self._numbers[kind] = self._create(kind, self._filter(threshold), classifier)
        return self._numbers[kind]

    def with_classifier(self, network: onnx.ModelProto, tags: Mapping[str, str]) -> int:
        """Return a new release of the first kind with another classifier."""
        classifier = register_toy_classifier(self.registry, self._folder, network=network, tags=tags)
        return self._create(FIRST, self._filter(FIRST[0]), classifier)

    def register_classifier(self, network: onnx.ModelProto) -> RegisteredVersion:
        """Register a classifier that no release pins."""
        return register_toy_classifier(self.registry, self._folder, network=network)

    def forge(self, number: int, **changes: object) -> int:
        """Store a changed copy of a release, as only somebody with the registry's password could."""
        stored = fetch_release(self.registry, number)
        release = stored.release.model_copy(update=changes)
        forged = self.registry.create_release(
            {**stored.files, RELEASE_FILE: release.to_json()}, {DIGEST_TAG: release.digest}
        )
        self.kinds[forged.number] = self.kinds[number]
        return forged.number

    def promise_breaker(self) -> int:
        """Return a new release whose networks answer otherwise than its first golden case says."""
        second = self.number(SECOND)
        cases = fetch_release(self.registry, second).release.golden_cases
        promised = cases[0].model_copy(update={"probabilities": (0.1, 0.2, 0.7)})
        return self.forge(second, golden_cases=(promised, *cases[1:]))

    def _filter(self, threshold: float) -> RegisteredVersion:
        if threshold not in self._filters:
            self._filters[threshold] = register_toy_filter(self.registry, self._folder, threshold=threshold)
        return self._filters[threshold]

    def _create(self, kind: Kind, screen_filter: RegisteredVersion, classifier: RegisteredVersion) -> int:
        number, _, _ = create_release(
            self.registry,
            self._ledger,
            self._data,
            filter_version=screen_filter.number,
            classifier_version=classifier.number,
            who="tests",
        )
        self.kinds[number] = kind
        return number


@dataclass(frozen=True)
class RolloutSite:
    """Where a test rolls out."""

    releases: ToyReleases
    folder: Path
    make_server: Callable[[Path], TritonServer]
    server: TritonServer

    @classmethod
    def make(
        cls, releases: ToyReleases, folder: Path, make_server: Callable[[Path], TritonServer]
    ) -> "RolloutSite":
        """Return a site in a folder, with an empty repository."""
        live = folder / "home" / "model_repository"
        live.mkdir(parents=True)
        return cls(releases, folder, make_server, make_server(live))

    @property
    def live(self) -> Path:
        """The live model repository."""
        return self.folder / "home" / "model_repository"

    @property
    def address(self) -> str:
        """Triton's gRPC service."""
        return self.server.addresses.grpc

    @property
    def ledger_url(self) -> str:
        """The site's ledger."""
        return f"sqlite:///{self.folder / 'home' / 'ledger.db'}"

    @contextmanager
    def open(self, *, key: str = ADMIN_KEY, mirror: Mirror | None = None) -> Iterator[Site]:
        """Yield the site as a rollout takes it."""
        with TritonControl(self.address, key) as triton, Ledger(self.ledger_url) as ledger:
            yield Site(
                registry=self.releases.registry,
                ledger=ledger,
                repository=self.live,
                triton=triton,
                instances=1,
                who="tests",
                mirror=mirror,
            )

    def apply(self, champion: int, challenger: int | None = None) -> RolloutResult:
        """Roll out."""
        with self.open() as site:
            return apply(site, _roles(champion, challenger))

    def plan(self, champion: int, challenger: int | None = None) -> Plan:
        """Say what `apply` would do."""
        with self.open() as site:
            return plan(site, _roles(champion, challenger))

    def verify(self, champion: int, challenger: int | None = None) -> Verification:
        """Compare registry, disk and server."""
        with self.open() as site:
            return verify(site, _roles(champion, challenger))

    def entries(self) -> list[tuple[Any, ...]]:
        """Return the ledger's entries: kind, champion, challenger and outcome."""
        with Ledger(self.ledger_url) as ledger:
            return [
                (entry.kind, *(entry.facts.get(name) for name in ("champion", "challenger", "outcome")))
                for entry in ledger.entries()
            ]

    def triton(self, server: TritonServer | None = None) -> AbstractContextManager[TritonProcess]:
        """Run Triton on the live repository, by default at this site's address."""
        server = server or self.server
        return running(server, server.home / "triton.log")

    def loaded(self) -> dict[str, set[int]]:
        """Return what the server has loaded."""
        with TritonControl(self.address, ADMIN_KEY) as triton:
            return triton.loaded_versions()

    def ask(self, address: str | None = None, door: str = SCREENING) -> Answer:
        """Ask a front door, and check that one release alone made the answer."""
        with grpcclient.InferenceServerClient(address or self.address) as client:
            answer = ask(client, door)
        check_signature(answer, self.releases.kinds)
        return answer

    def hammered(self, *, callers: int = 2, pause_s: float = 0.02) -> AbstractContextManager[list[Answer]]:
        """Ask all the time during the block, by default so that a machine of two cores has time for more."""
        return hammered(self.address, self.releases.kinds, callers=callers, pause_s=pause_s)

    def assert_serves_only(self, champion: int, challenger: int | None = None) -> None:
        """Registry = disk = server, by other means than `verify`, and `verify` agrees."""
        expected: dict[str, set[int]] = {model: set() for model in MODELS}
        doors = {SCREENING: champion}
        if challenger is not None:
            doors[CHALLENGER_SCREENING] = challenger
        for door, number in doors.items():
            release = fetch_release(self.releases.registry, number).release
            expected[door] = {number}
            expected[DECODE] |= {1}
            expected[FILTER] |= {release.filter.version}
            expected[CLASSIFIER] |= {release.classifier.version}
            expected[MONITOR] |= {number}
        assert self.loaded() == expected
        folders = {
            model.name: {int(path.name) for path in model.iterdir() if path.is_dir()}
            for model in self.live.iterdir()
        }
        assert folders == expected
        assert lint_repository(self.live) == []
        for door, number in doors.items():
            assert self.ask(door=door).release == number
        assert self.verify(champion, challenger).problems == ()


def _roles(champion: int, challenger: int | None) -> dict[Role, int | None]:
    return {"champion": champion, "challenger": challenger}


def tree(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
