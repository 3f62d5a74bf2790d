"""Several Tritons that read one model repository, as replicas on Kubernetes do, spoken to as one.

A Service hands each connection to one of its pods; a rollout must reach them all. Every step is done on all
of them before the next begins: nothing is unloaded anywhere while a front door anywhere still names it. A
Triton that starts later loads what is on the disk; the watcher's next pass finds what it may have missed.
"""

import dataclasses
import math
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TypeVar

from tritonclient.grpc.model_config_pb2 import ModelConfig
from typing_extensions import override

from hilum.contract import SCREENING
from hilum.errors import ServiceUnreachableError, UsageError
from hilum.settings import Settings
from hilum.tls import TlsFiles
from training.errors import RolloutError
from training.promote.asking import FrontDoorAnswer
from training.promote.golden import TOLERANCE
from training.promote.triton_control import TritonControl
from training.repository.served_release import ServedRelease

EVERY_ADDRESS = "dns:///"
"""What an address begins with whose host stands for several Tritons, one at each of its addresses."""

T = TypeVar("T")


class TritonFleet(TritonControl):
    """The admin side of Tritons that are to serve the same; a context manager that closes its connections."""

    def __init__(self, address: str, members: Sequence[TritonControl]) -> None:
        """Stand for some servers; nothing is sent yet.

        Args:
            address: names all of them, for people.
            members: each of them.
        """
        self.address = address
        self._all = tuple(members)
        self._members = self._all

    @override
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        with ExitStack() as stack:
            for member in self._all:
                stack.push(member)

    @property
    @override
    def members(self) -> tuple[TritonControl, ...]:
        """Each Triton, but those that `is_live` could not reach."""
        return self._members

    @override
    def is_live(self) -> bool:
        """Whether any of them answers; those that cannot be reached are gone, and left out from here on."""
        answers = self._of_all(lambda member: member.is_live())
        self._members = tuple(m for m, is_live in zip(self._members, answers, strict=True) if is_live)
        return bool(self._members)

    @override
    def loaded_versions(self) -> dict[str, set[int]]:
        """Return the versions that answer requests anywhere, by model; `config` tells where one lacks it."""
        loaded: dict[str, set[int]] = {}
        for versions in self._of_all(lambda member: member.loaded_versions()):
            for model, numbers in versions.items():
                loaded.setdefault(model, set()).update(numbers)
        return loaded

    @override
    def config(self, model: str, version: int | None = None) -> ModelConfig:
        """Return the configuration under which a version of a loaded model runs.

        Where a version does not run everywhere under the same one, an empty configuration is returned: it is
        none that anybody wants. Without a version, the first server's that has the model.
        """
        having = [m for m in self._members if _has(m.loaded_versions(), model, version)]
        found = [member.config(model, version) for member in having or self._members[:1]]
        if version is None:
            return found[0]
        is_everywhere = len(having) == len(self._members)
        is_same = all(_without_versions(each) == _without_versions(found[0]) for each in found)
        return found[0] if is_everywhere and is_same else ModelConfig()

    @override
    def load(self, model: str) -> None:
        """Load a model everywhere at once.

        Raises:
            RolloutError: one of them refuses.
        """
        self._of_all(lambda member: member.load(model))

    @override
    def unload(self, model: str) -> None:
        """Unload a model wherever it is loaded."""

        def unload(member: TritonControl) -> None:
            if model in member.loaded_versions():
                member.unload(model)

        self._of_all(unload)

    @override
    def screen(self, image: bytes, *, door: str = SCREENING) -> FrontDoorAnswer:
        """Return what every front door answers to one encoded image.

        Raises:
            RolloutError: one does not answer, or answers otherwise than another.
        """
        return self._agreed(lambda member: member.screen(image, door=door))

    @override
    def screen_by_steps(self, image: bytes, release: ServedRelease) -> FrontDoorAnswer:
        """Return what the loaded models of a release answer everywhere to one image.

        Raises:
            RolloutError: one does not answer, or answers otherwise than another.
        """
        return self._agreed(lambda member: member.screen_by_steps(image, release))

    def _of_all(self, work: Callable[[TritonControl], T]) -> list[T]:
        """Do something on every server at once; the first error is raised once all have ended."""
        if not self._members:
            return []
        with ThreadPoolExecutor(max_workers=len(self._members)) as pool:
            return list(pool.map(work, self._members))

    def _agreed(self, work: Callable[[TritonControl], FrontDoorAnswer]) -> FrontDoorAnswer:
        first, *others = zip(self._members, self._of_all(work), strict=True)
        for member, answer in others:
            if not _are_alike(first[1], answer):
                raise RolloutError(
                    f"Triton at {first[0].address} (release {first[1].release}) and at {member.address} "
                    f"(release {answer.release}) answer otherwise to the same image."
                )
        return first[1]


@contextmanager
def opened_triton(settings: Settings) -> Iterator[TritonControl]:
    """Yield the admin side of this installation's Triton, or of all that its address stands for.

    Raises:
        UsageError: a TLS file cannot be used, or the address names no port.
        ServiceUnreachableError: it cannot be told now which servers there are.
    """
    address = settings.triton_address
    if not address.startswith(EVERY_ADDRESS):
        with TritonControl.from_settings(settings) as triton:
            yield triton
        return
    host, _, port = address.removeprefix(EVERY_ADDRESS).rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"HILUM_TRITON_URL must be HOST:PORT or {EVERY_ADDRESS}HOST:PORT, not {address}.")
    key, tls = settings.read_admin_key(), TlsFiles.from_settings(settings)
    if tls:
        tls = dataclasses.replace(tls, server_name=host)  # certificates name the service, not its pods
    members = [TritonControl(each, key, tls) for each in _resolve(host, int(port))]
    with TritonFleet(address, members) as fleet:
        yield fleet


def _resolve(host: str, port: int) -> list[str]:
    """Return `address:port` of every server; none where the name has none, as a Service without pods."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in (socket.EAI_NONAME, socket.EAI_NODATA):
            return []
        raise ServiceUnreachableError(
            "The name service", host, f"It said: {error.strerror}. Which Tritons there are is not known."
        ) from error
    return sorted({f"[{to[0]}]:{port}" if ":" in str(to[0]) else f"{to[0]}:{port}" for *_, to in found})


def _has(loaded: dict[str, set[int]], model: str, version: int | None) -> bool:
    return model in loaded if version is None else version in loaded.get(model, ())


def _without_versions(config: ModelConfig) -> ModelConfig:
    """Return a configuration without the list of versions, which Triton does not renew for one that stays."""
    copied = ModelConfig()
    copied.CopyFrom(config)
    copied.ClearField("version_policy")
    return copied


def _are_alike(first: FrontDoorAnswer, second: FrontDoorAnswer) -> bool:
    """Whether two answers differ by no more than processors do."""
    pairs = zip(
        (first.valid_probability, *first.probabilities),
        (second.valid_probability, *second.probabilities),
        strict=True,
    )
    return (first.release, first.accepted) == (second.release, second.accepted) and all(
        (math.isnan(one) and math.isnan(other)) or abs(one - other) <= TOLERANCE for one, other in pairs
    )
