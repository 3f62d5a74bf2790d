"""A plan reads as what will happen, and its record as what a program needs."""

import json

from hilum.contract import CLASSIFIER, FILTER
from training.promote.plan import NetworkChange, Plan, RoleChange
from training.promote.serving import Difference

DIFFERENCE = Difference(
    where="disk", model=CLASSIFIER, sentence="xray_classifier/4/model.onnx is damaged or another."
)

STAYS = (
    RoleChange(role="champion", before=3, after=3, thresholds={}),
    RoleChange(role="challenger", before=None, after=None, thresholds={}),
)


def plan(**changes: object) -> Plan:
    values = {
        "roles": STAYS,
        "networks": (),
        "differences": (),
        "unrecorded": (),
        "triton": "host:8001",
        "is_triton_live": True,
    }
    return Plan(**(values | changes))  # type: ignore[arg-type]


def test_nothing_to_do_is_said_with_what_serves() -> None:
    assert plan().is_empty
    assert list(plan().lines()) == ["Nothing to do: release 3 as champion is served as the registry says."]


def test_aliases_that_the_ledger_does_not_know_are_told_although_there_is_nothing_to_do() -> None:
    lines = list(plan(unrecorded=("The alias champion was moved by hand.",)).lines())
    assert lines[1:] == ["The alias champion was moved by hand."]


def test_a_change_of_both_roles_is_told_role_by_role() -> None:
    changed = plan(
        roles=(
            RoleChange(role="champion", before=3, after=5, thresholds={"covid19": (0.4, 0.55)}),
            RoleChange(role="challenger", before=5, after=None, thresholds={}),
        ),
        networks=(
            NetworkChange(action="load", model=FILTER, version=7, sha256="ab" * 32),
            NetworkChange(action="drop", model=CLASSIFIER, version=4, sha256=None),
        ),
        differences=(DIFFERENCE,),
    )
    assert not changed.is_empty
    assert list(changed.lines()) == [
        "champion: release 3 -> release 5",
        "  ~ threshold of covid19: 0.4 -> 0.55",
        "challenger: release 5 goes, and its front door with it",
        "  + load xray_filter 7 (abababababab)",
        "  - drop xray_classifier 4",
    ]


def test_a_repair_names_what_is_mended_and_a_server_that_is_down_is_told() -> None:
    assert list(plan(differences=(DIFFERENCE,), is_triton_live=False).lines()) == [
        "champion: release 3 stays",
        "    no network is loaded or dropped",
        "  ~ xray_classifier/4/model.onnx is damaged or another.",
        "Triton does not answer at host:8001: it loads this at its next start.",
    ]


def test_the_record_is_json() -> None:
    record = json.loads(json.dumps(plan(differences=(DIFFERENCE,)).record))
    assert record["nothing_to_do"] is False
    assert record["roles"][0] == {"role": "champion", "before": 3, "after": 3, "thresholds": {}}
    assert record["differences"][0]["where"] == "disk"
