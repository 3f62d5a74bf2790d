"""A rollout against the real registry and the real Triton: nothing lost, nothing mixed, nothing torn."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import tritonclient.grpc as grpcclient
from onnx import helper
from PIL import Image

from hilum.contract import CLASSIFIER, DECODE, FILTER, LABELS, MODELS, MONITOR, SCREENING
from hilum.errors import ServiceUnreachableError
from hilum.triton.process import running
from hilum.triton.server import TritonServer
from tests.support.data import REPOSITORY
from tests.support.servers import ADMIN_KEY
from tests.support.toy_data import write_toy_data
from tests.support.toy_models import toy_classifier, toy_filter
from tests.support.toy_registry import register_toy_classifier, register_toy_filter
from training.errors import IntegrityError, RepositoryError, RolloutError, UnknownVersionError
from training.promote.lock import repository_lock
from training.promote.promotion import promote_release
from training.promote.release import DIGEST_TAG, RELEASE_FILE, create_release, fetch_release
from training.promote.rollout import RolloutResult, roll_out
from training.promote.triton_control import TritonControl
from training.registry import Registry
from training.repository.lint import lint_repository

# What tells releases apart: `mid` passes the first filter only, and the gain sharpens probabilities.
# So an answer that mixed the networks of two releases would fit neither.
FIRST, SECOND = (0.1, 4.0), (0.3, 8.0)

Floats = npt.NDArray[np.float32]


def picture(level: int, corner: int) -> npt.NDArray[np.uint8]:
    pixels = np.full((256, 256), level, dtype=np.uint8)
    pixels[corner : corner + 64, corner : corner + 64] = 250
    return pixels


PICTURES = np.stack([picture(180, 64), picture(50, 128)])
"""One that every filter accepts, and `mid`."""


@dataclass(frozen=True)
class Answer:
    """What the front door said to both pictures."""

    release: int
    accepted: tuple[bool, ...]
    probabilities: Floats


class Site:
    """A registry, a live repository, and the Triton that may run on it."""

    def __init__(self, registry: Registry, folder: Path, make_server: Callable[[Path], TritonServer]) -> None:
        self.registry = registry
        self.folder = folder
        self.live = folder / "home" / "model_repository"
        self.data = write_toy_data(folder / "data")
        self.make_server = make_server
        self.server = make_server(self.live)
        self.address = self.server.addresses.grpc
        self.promised: dict[int, tuple[float, float]] = {}

    def create(self, kind: tuple[float, float]) -> int:
        """Register a pair of networks and a release of it; return the release number."""
        threshold, gain = kind
        screen_filter = register_toy_filter(self.registry, self.folder, threshold=threshold)
        classifier = register_toy_classifier(self.registry, self.folder, gain=gain)
        number, _, _ = create_release(
            self.registry,
            self.data,
            filter_version=screen_filter.number,
            classifier_version=classifier.number,
        )
        self.promised[number] = kind
        return number

    def forge(self, number: int, **changes: object) -> int:
        """Store a changed copy of a release, as only somebody with the registry's password could."""
        stored = fetch_release(self.registry, number)
        release = stored.release.model_copy(update=changes)
        forged = self.registry.create_release(
            {RELEASE_FILE: release.to_json(), **stored.golden_files}, {DIGEST_TAG: release.digest}
        )
        self.promised[forged.number] = self.promised[number]
        return forged.number

    def roll_out(self, number: int) -> RolloutResult:
        promote_release(self.registry, number)
        with TritonControl(self.address, ADMIN_KEY) as triton:
            return roll_out(self.registry, self.live, triton, instances=1)

    @contextmanager
    def triton(self, server: TritonServer | None = None) -> Iterator[None]:
        """Run Triton on the live repository, by default at this site's address."""
        self.live.mkdir(parents=True, exist_ok=True)
        server = server or self.server
        with running(server, server.home / "triton.log"):
            yield

    def loaded(self) -> dict[str, set[int]]:
        with TritonControl(self.address, ADMIN_KEY) as triton:
            return triton.loaded_versions()

    def ask(self, address: str | None = None) -> Answer:
        with grpcclient.InferenceServerClient(address or self.address) as client:
            return ask(client)

    def check(self, answer: Answer) -> None:
        """Compare an answer with what the networks of its release compute without Triton."""
        threshold, gain = self.promised[answer.release]
        accepted, probabilities = compute(toy_filter(threshold), toy_classifier(gain))
        assert answer.accepted == accepted
        np.testing.assert_allclose(answer.probabilities, probabilities, atol=1e-5)

    def assert_serves_only(self, number: int) -> None:
        """Registry = disk = server."""
        release = fetch_release(self.registry, number).release
        expected = {
            DECODE: 1,
            FILTER: release.filter.version,
            CLASSIFIER: release.classifier.version,
            MONITOR: number,
            SCREENING: number,
        }
        assert self.loaded() == {model: {version} for model, version in expected.items()}
        folders = {
            model: [int(path.name) for path in (self.live / model).iterdir() if path.is_dir()]
            for model in MODELS
        }
        assert folders == {model: [version] for model, version in expected.items()}
        assert lint_repository(self.live) == []
        answer = self.ask()
        assert answer.release == number
        self.check(answer)


def ask(client: grpcclient.InferenceServerClient) -> Answer:
    files = []
    for pixels in PICTURES:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        files.append([stream.getvalue()])
    tensor = grpcclient.InferInput("image_bytes", [2, 1], "BYTES")
    tensor.set_data_from_numpy(np.array(files, dtype=np.object_))
    result = client.infer(SCREENING, [tensor], client_timeout=60.0)
    return Answer(
        int(result.get_response().model_version),
        tuple(result.as_numpy("accepted")[:, 0].tolist()),
        result.as_numpy("probabilities"),
    )


@contextmanager
def hammered(site: Site) -> Iterator[list[Answer]]:
    """Ask the front door from four threads during the block; every answer must be one release's own."""
    answers: list[Answer] = []
    failures: list[Exception] = []
    stop = threading.Event()

    def hammer() -> None:
        with grpcclient.InferenceServerClient(site.address) as client:
            while not stop.is_set():
                try:
                    answers.append(ask(client))
                except Exception as error:
                    failures.append(error)

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert answers
    for answer in answers:
        site.check(answer)


def compute(screen_filter: onnx.ModelProto, classifier: onnx.ModelProto) -> tuple[tuple[bool, ...], Floats]:
    radiographs = PICTURES[:, np.newaxis]
    sessions = [
        onnxruntime.InferenceSession(model.SerializeToString()) for model in (screen_filter, classifier)
    ]
    (accepted,) = sessions[0].run(["accepted"], {"radiograph": radiographs})
    (probabilities,) = sessions[1].run(["probabilities"], {"radiograph": radiographs, "accepted": accepted})
    return tuple(accepted[:, 0].tolist()), probabilities


def unknown_operator() -> onnx.ModelProto:
    """Return a classifier that is a valid ONNX model with an operator that ONNX Runtime does not have."""
    return with_last_node(helper.make_node("Unknown", ["inner"], ["embedding"], domain="nowhere"))


def shorter_embedding() -> onnx.ModelProto:
    """Return a classifier whose embedding has two numbers instead of eight."""
    network = with_last_node(helper.make_node("Gather", ["inner", "two"], ["embedding"], axis=1))
    network.graph.initializer.append(helper.make_tensor("two", onnx.TensorProto.INT64, [2], [0, 1]))
    network.graph.output[2].type.tensor_type.shape.dim[1].dim_value = 2
    return network


def with_last_node(node: onnx.NodeProto) -> onnx.ModelProto:
    """Return the toy classifier with `node` between its embedding, now `inner`, and the output."""
    network = toy_classifier()
    network.graph.node[-1].output[0] = "inner"
    network.graph.node.append(node)
    if node.domain:
        network.opset_import.append(helper.make_opsetid(node.domain, 1))
    return network


@pytest.fixture
def site(mlflow_server: str, make_server: Callable[[Path], TritonServer], tmp_path: Path) -> Site:
    return Site(Registry(mlflow_server), tmp_path, make_server)


@pytest.fixture
def serving(site: Site) -> Iterator[Site]:
    """A site that serves a first release."""
    site.roll_out(site.create(FIRST))
    with site.triton():
        yield site


def test_without_triton_the_release_loads_at_its_next_start(site: Site) -> None:
    number = site.create(FIRST)
    result = site.roll_out(number)
    assert result == RolloutResult(release=number, previous=None, outcome="written")
    assert lint_repository(site.live) == []
    with site.triton():
        site.assert_serves_only(number)
        assert site.roll_out(number) == RolloutResult(release=number, previous=number, outcome="verified")


def test_an_empty_server_gets_its_first_release(site: Site) -> None:
    number = site.create(FIRST)
    with site.triton():
        assert site.loaded() == {}
        assert site.roll_out(number) == RolloutResult(release=number, previous=None, outcome="loaded")
        site.assert_serves_only(number)


def test_releases_swap_under_load_without_loss_or_mixture(serving: Site) -> None:
    (first,) = serving.promised
    second = serving.create(SECOND)
    with hammered(serving) as answers:
        for number in (second, first, second):
            assert serving.roll_out(number).outcome == "loaded"
            serving.assert_serves_only(number)
    assert {answer.release for answer in answers} == {first, second}


def test_the_front_door_gives_labels_where_a_client_asks_for_classes(serving: Site) -> None:
    tensor = grpcclient.InferInput("image_bytes", [1, 1], "BYTES")
    stream = io.BytesIO()
    Image.fromarray(PICTURES[0]).save(stream, "PNG")
    tensor.set_data_from_numpy(np.array([[stream.getvalue()]], dtype=np.object_))
    with grpcclient.InferenceServerClient(serving.address) as client:
        output = grpcclient.InferRequestedOutput("probabilities", class_count=len(LABELS))
        classes = client.infer(SCREENING, [tensor], outputs=[output]).as_numpy("probabilities")[0]
    assert {entry.decode().split(":")[2] for entry in classes} == set(LABELS)


def test_rolling_out_again_only_verifies(serving: Site) -> None:
    (number,) = serving.promised
    serving.roll_out(number)  # the server may have compiled its Python models meanwhile
    before = {path: path.stat().st_mtime_ns for path in serving.live.rglob("config.pbtxt")}
    assert serving.roll_out(number) == RolloutResult(release=number, previous=number, outcome="verified")
    assert {path: path.stat().st_mtime_ns for path in serving.live.rglob("config.pbtxt")} == before


def test_two_networks_of_different_sizes_can_swap(serving: Site) -> None:
    (first,) = serving.promised
    classifier = register_toy_classifier(
        serving.registry,
        serving.folder,
        network=shorter_embedding(),
        tags={"hilum.embedding_size": "2"},
    )
    number, _, _ = create_release(serving.registry, serving.data, classifier_version=classifier.number)
    serving.promised[number] = FIRST
    serving.roll_out(number)
    serving.assert_serves_only(number)
    serving.roll_out(first)
    serving.assert_serves_only(first)


def test_a_network_that_triton_cannot_load_leaves_the_old_release(serving: Site) -> None:
    (first,) = serving.promised
    broken = register_toy_classifier(serving.registry, serving.folder, network=unknown_operator())
    with pytest.raises(RepositoryError, match="ONNX Runtime cannot load"):
        create_release(serving.registry, serving.data, classifier_version=broken.number)
    pinned = fetch_release(serving.registry, first).release.classifier
    number = serving.forge(
        first,
        classifier=pinned.model_copy(
            update={"version": broken.number, "sha256": broken.tags["hilum.sha256"]}
        ),
    )
    refusal = rf"could not load {CLASSIFIER}.*not a registered function.* Release {first} answers as before"
    with hammered(serving) as answers, pytest.raises(RolloutError, match=refusal):
        serving.roll_out(number)
    assert {answer.release for answer in answers} == {first}
    serving.assert_serves_only(first)
    second = serving.create(SECOND)
    assert serving.roll_out(second).outcome == "loaded"
    serving.assert_serves_only(second)


def test_a_release_that_breaks_its_promise_leaves_the_old_one(serving: Site) -> None:
    (first,) = serving.promised
    second = serving.create(SECOND)
    cases = fetch_release(serving.registry, second).release.golden_cases
    promised = cases[0].model_copy(update={"probabilities": (0.1, 0.2, 0.7)})
    number = serving.forge(second, golden_cases=(promised, *cases[1:]))
    with pytest.raises(
        RolloutError, match=rf"(?s)golden/0\.png.* promised was .* Release {first} answers as before"
    ):
        serving.roll_out(number)
    serving.assert_serves_only(first)


def test_a_network_that_does_not_fit_is_refused_before_anything_is_touched(serving: Site) -> None:
    (first,) = serving.promised
    before = tree(serving.live)
    release = fetch_release(serving.registry, first).release
    number = serving.forge(first, embedding_size=release.embedding_size + 1)
    with pytest.raises(
        RepositoryError, match=r"'embedding': the network's shape .* \[8\], configured is \[9\]"
    ):
        serving.roll_out(number)
    assert tree(serving.live) == before
    serving.assert_serves_only(first)


def test_a_tampered_network_is_refused_before_anything_is_touched(site: Site) -> None:
    site.roll_out(site.create(FIRST))
    before = tree(site.live)
    second = site.create(SECOND)
    pinned = fetch_release(site.registry, second).release.filter
    replaced = register_toy_filter(site.registry, site.folder, threshold=0.9)
    number = site.forge(second, filter=pinned.model_copy(update={"version": replaced.number}))
    with pytest.raises(IntegrityError, match=f"xray_filter version {replaced.number} .* not the network"):
        site.roll_out(number)
    assert tree(site.live) == before


def test_a_wrong_admin_key_is_named(serving: Site) -> None:
    (first,) = serving.promised
    with (
        TritonControl(serving.address, "wrong") as triton,
        pytest.raises(ServiceUnreachableError, match="HILUM_ADMIN_KEY"),
    ):
        roll_out(serving.registry, serving.live, triton, instances=1)
    serving.assert_serves_only(first)


def test_a_second_rollout_at_the_same_time_is_refused(site: Site) -> None:
    number = site.create(FIRST)
    with repository_lock(site.live), pytest.raises(RolloutError, match="Another rollout"):
        site.roll_out(number)


def test_a_rollout_needs_a_champion(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.promote.rollout.CHAMPION", "nobody")
    with (
        TritonControl(site.address, ADMIN_KEY) as triton,
        pytest.raises(UnknownVersionError, match="hilum promote"),
    ):
        roll_out(site.registry, site.live, triton, instances=1)


DYING_ROLLOUT = """
import os, sys
from pathlib import Path
from training.promote.rollout import roll_out
from training.promote.triton_control import TritonControl
from training.registry import Registry

uri, live, address, key, where = sys.argv[1:]
replace, load, calls = os.replace, TritonControl.load, 0

def dying_replace(source, target):
    global calls
    calls += str(target).startswith(live)
    if where == f"rename {calls}":
        os._exit(9)
    replace(source, target)

def dying_load(self, model):
    if where == f"load {model}":
        os._exit(9)
    load(self, model)

os.replace, TritonControl.load = dying_replace, dying_load
with TritonControl(address, key) as triton:
    roll_out(Registry(uri), Path(live), triton, instances=1)
"""


@pytest.mark.parametrize("where", ["rename 6", f"load {SCREENING}", "rename 10"])
def test_a_killed_rollout_leaves_a_release_that_answers_and_can_be_finished(
    serving: Site, mlflow_server: str, where: str
) -> None:
    second = serving.create(SECOND)
    promote_release(serving.registry, second)
    killed = subprocess.run(
        [sys.executable, "-c", DYING_ROLLOUT, mlflow_server, serving.live, serving.address, ADMIN_KEY, where],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == 9, killed.stderr
    serving.check(serving.ask())  # the server that went on
    other = serving.make_server(serving.live)
    with serving.triton(other):  # a server that starts now
        serving.check(serving.ask(other.addresses.grpc))
    with hammered(serving):
        assert serving.roll_out(second).release == second
    serving.assert_serves_only(second)


def test_the_command_says_what_answers(serving: Site, mlflow_server: str) -> None:
    second = serving.create(SECOND)
    promote_release(serving.registry, second)
    environment = os.environ | {
        "HILUM_HOME": str(serving.folder / "home"),
        "HILUM_MLFLOW_URI": mlflow_server,
        "HILUM_TRITON_URL": serving.address,
        "HILUM_ADMIN_KEY": ADMIN_KEY,
    }
    result = subprocess.run(
        [sys.executable, "-m", "hilum", "rollout", "--json"],
        env=environment,
        cwd=serving.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    (first,) = set(serving.promised) - {second}
    assert json.loads(result.stdout) == {
        "release": second,
        "previous": first,
        "outcome": "loaded",
        "address": serving.address,
    }


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
