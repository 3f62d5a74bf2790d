"""A rollout against the real registry and the real Triton: what is loaded, written, said and recorded."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
import tritonclient.grpc as grpcclient
from click.testing import CliRunner
from onnx import helper

from hilum.contract import CLASSIFIER, LABELS, SCREENING
from hilum.settings import settings
from tests.support.registries import without_aliases
from tests.support.rollout_site import RolloutSite
from tests.support.servers import ADMIN_KEY
from tests.support.signed_answers import FILES, FIRST, SECOND
from tests.support.toy_models import toy_classifier
from training.commands.rollout import rollout
from training.errors import RolloutError
from training.promote.rollout import RolloutResult
from training.promote.triton_control import TritonControl
from training.registry import CHAMPION
from training.repository.lint import lint_repository


def shorter_embedding() -> onnx.ModelProto:
    """Return a classifier whose embedding has two numbers instead of eight."""
    network = toy_classifier()
    network.graph.node[-1].output[0] = "inner"
    network.graph.node.append(helper.make_node("Gather", ["inner", "two"], ["embedding"], axis=1))
    network.graph.initializer.append(helper.make_tensor("two", onnx.TensorProto.INT64, [2], [0, 1]))
    network.graph.output[2].type.tensor_type.shape.dim[1].dim_value = 2
    return network


def test_without_triton_the_release_loads_at_its_next_start(rollout_site: RolloutSite) -> None:
    number = rollout_site.releases.number(FIRST)
    assert rollout_site.apply(number) == RolloutResult(release=number, previous=None, outcome="written")
    assert lint_repository(rollout_site.live) == []
    assert rollout_site.apply(number).outcome == "written"
    assert rollout_site.entries() == [
        ("rollout_began", number, None, None),
        ("rolled_out", number, None, "written"),
    ]
    with rollout_site.triton():
        verified = RolloutResult(release=number, previous=number, outcome="verified")
        assert rollout_site.apply(number) == verified
        assert rollout_site.apply(number) == verified
        rollout_site.assert_serves_only(number)
    # It is recorded that it answers, once.
    assert rollout_site.entries()[2:] == [("rolled_out", number, None, "verified")]


def test_rolling_out_again_changes_nothing(serving_site: RolloutSite) -> None:
    number = serving_site.releases.number(FIRST)
    before = {path: path.stat().st_mtime_ns for path in serving_site.live.rglob("*")}
    assert serving_site.plan(number).is_empty
    assert serving_site.apply(number) == RolloutResult(release=number, previous=number, outcome="verified")
    assert {path: path.stat().st_mtime_ns for path in serving_site.live.rglob("*")} == before


def test_the_front_door_gives_labels_where_a_client_asks_for_classes(serving_site: RolloutSite) -> None:
    tensor = grpcclient.InferInput("image_bytes", [1, 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[FILES[0]]], dtype=np.object_))
    with grpcclient.InferenceServerClient(serving_site.address) as client:
        output = grpcclient.InferRequestedOutput("probabilities", class_count=len(LABELS))
        classes = client.infer(SCREENING, [tensor], outputs=[output]).as_numpy("probabilities")[0]
    assert {entry.decode().split(":")[2] for entry in classes} == set(LABELS)


def test_two_networks_of_different_sizes_can_swap(serving_site: RolloutSite) -> None:
    first = serving_site.releases.number(FIRST)
    tags = {"hilum.embedding_size": "2"}
    number = serving_site.releases.with_classifier(shorter_embedding(), tags)
    with serving_site.hammered() as answers:
        serving_site.apply(number)
        serving_site.assert_serves_only(number)
        serving_site.apply(first)
    serving_site.assert_serves_only(first)
    assert {answer.release for answer in answers} == {first, number}


def test_a_configuration_that_the_server_never_loaded_is_loaded(serving_site: RolloutSite) -> None:
    """As after a kill between the disk and the server: the versions are equal, the configurations are not."""
    number = serving_site.releases.number(FIRST)
    path = serving_site.live / CLASSIFIER / "config.pbtxt"
    wanted = path.read_text()
    path.write_text(wanted.replace("count: 1", "count: 3"))
    with TritonControl(serving_site.address, ADMIN_KEY) as triton:
        triton.load(CLASSIFIER)
        path.write_text(wanted)
        assert "another configuration" in str(serving_site.verify(number).problems)
        assert serving_site.apply(number).outcome == "loaded"
        assert [group.count for group in triton.config(CLASSIFIER).instance_group] == [1]
    serving_site.assert_serves_only(number)


def test_the_commands_say_what_is_to_do_what_answers_and_what_was_done(
    serving_site: RolloutSite, mlflow_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (serving_site.releases.number(kind) for kind in (FIRST, SECOND))
    registry = without_aliases(serving_site.releases.registry)
    registry.set_alias(SCREENING, CHAMPION, second)
    for name, value in {
        "HOME": str(serving_site.live.parent),
        "MLFLOW_URI": mlflow_server,
        "TRITON_URL": serving_site.address,
        "ADMIN_KEY": ADMIN_KEY,
        "INSTANCES": "1",
        "ACTOR": "Ada",
        "HAND_MOVED_ALIASES": "adopt",
    }.items():
        monkeypatch.setenv(f"HILUM_{name}", value)
    settings.cache_clear()
    planned = CliRunner().invoke(rollout, ["plan", "--exit-code"])
    assert planned.exit_code == 10
    assert f"champion: release {first} -> release {second}" in planned.stdout
    assert f"+ load {CLASSIFIER}" in planned.stdout
    assert f"- drop {CLASSIFIER}" in planned.stdout
    assert f"The alias champion in MLflow names release {second}" in planned.stdout
    verified = CliRunner().invoke(rollout, ["verify"])
    assert f"champion: registry {second}, disk {first}, server {first}" in verified.stdout
    assert (
        f"The registry's champion is release {second}; release {first} answers as champion."
        in verified.stdout
    )
    assert isinstance(verified.exception, RolloutError)
    applied = subprocess.run(
        [sys.executable, "-m", "hilum", "rollout", "apply", "--json"],
        cwd=serving_site.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert applied.returncode == 0, applied.stderr
    record = json.loads(applied.stdout)
    assert list(record.pop("seconds")) == ["look", "fetch", "stage", "load", "ask", "swap", "verify", "drop"]
    assert record == {
        "release": second,
        "previous": first,
        "challenger": None,
        "previous_challenger": None,
        "outcome": "loaded",
        "address": serving_site.address,
    }
    planned = CliRunner().invoke(rollout, ["plan", "--exit-code", "--json"])
    assert (planned.exit_code, json.loads(planned.stdout)["nothing_to_do"]) == (0, True)
    verified = CliRunner().invoke(rollout, ["verify", "--json"])
    assert (verified.exit_code, json.loads(verified.stdout)["passed"]) == (0, True)
    assert serving_site.entries()[-2:] == [
        ("rollout_began", second, None, None),
        ("rolled_out", second, None, "loaded"),
    ]
    settings.cache_clear()
    without_aliases(registry)
