from pathlib import Path

import pytest

from training.errors import PolicyError
from training.promote.gate.policy import POLICIES, Floor, Policy, load_policy


def test_the_default_file_says_what_a_policy_without_keys_says(tmp_path: Path) -> None:
    (tmp_path / "default.yaml").write_text("")
    assert load_policy("default") == load_policy(str(tmp_path / "default.yaml")) == Policy(name="default")


@pytest.mark.parametrize("path", sorted(POLICIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_policy_that_ships_is_valid(path: Path) -> None:
    assert load_policy(path.stem).name == path.stem


def test_the_demo_demands_no_floor_and_keeps_its_other_checks() -> None:
    demo = load_policy("demo")
    classes = demo.floors.classifier
    for floors in (demo.floors.filter.valid, classes.no_finding, classes.lung_opacity, classes.covid19):
        assert (floors.sensitivity, floors.specificity) == (None, None)
    assert (demo.parity.images, demo.parity.tolerance, demo.latency.ratio) == (8, 1e-3, 2.0)


def test_a_key_that_is_left_out_keeps_its_default_and_null_demands_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "floors: {classifier: {covid19: {sensitivity: 0.9, specificity: null}}}\n"
        "non_inferiority: {filter: {sensitivity: 0.1}}\n"
    )
    policy, default = load_policy(str(path)), Policy(name="mine")
    assert policy.floors.classifier.covid19.sensitivity == Floor(value=0.9)
    assert policy.floors.classifier.covid19.specificity is None
    assert policy.floors.classifier.lung_opacity == default.floors.classifier.lung_opacity
    assert policy.non_inferiority.filter.sensitivity == 0.1
    assert policy.non_inferiority.filter.auroc == default.non_inferiority.filter.auroc


def test_a_floor_may_carry_its_own_confidence(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("floors: {filter: {valid: {sensitivity: {value: 0.9, confidence: 0.99}}}}\n")
    assert load_policy(str(path)).floors.filter.valid.sensitivity == Floor(value=0.9, confidence=0.99)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flors: {}", r"mine\.yaml: flors: Extra inputs"),
        ("latency: {ratio: -1}", r"mine\.yaml: latency\.ratio: .*greater than 0"),
        ("floors: {classifier: {covid: {}}}", r"floors\.classifier\.covid: Extra"),
        ("on_cannot_tell: maybe", r"on_cannot_tell: .*'refuse' or 'allow'"),
        ("- 1", "not a YAML mapping: the file holds no keys"),
        ("a: [", "not a YAML mapping"),
    ],
)
def test_a_wrong_policy_is_refused_naming_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(PolicyError, match=said):
        load_policy(str(path))


def test_an_unknown_policy_is_refused_naming_those_there_are() -> None:
    with pytest.raises(PolicyError, match=r"No policy 'strict'\. There are default, demo"):
        load_policy("strict")
