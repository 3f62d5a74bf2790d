"""Every value is explained: in its comment, in the schema, and in the README that is made of the comments."""

import json
from typing import Any

import pytest

from tests.support.helm import CHART
from tools.chart_readme import Value, read_values, render, schema_of

WHOLE = {"resources", "affinity", "nodeSelector", "behavior", "annotations", "labels"}
"""Values in Kubernetes' own form, explained whole: what lies below needs no comment of ours."""


@pytest.fixture(scope="module")
def values() -> list[Value]:
    """Every key of the chart's values."""
    return read_values((CHART / "values.yaml").read_text())


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The chart's schema."""
    schema: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
    return schema


def test_is_what_the_comments_say() -> None:
    written = (CHART / "README.md").read_text()
    assert written == render(), "charts/hilum/README.md is stale: write it anew with `make chart-readme`"


def test_every_value_has_a_comment(values: list[Value]) -> None:
    silent = [value.name for value in values if not value.comment and not value.has_parts]
    lumped = [
        value.name
        for value in values
        if isinstance(value.default, dict)
        and value.default
        and not value.has_parts
        and value.path[-1] not in WHOLE
    ]
    assert silent == []
    assert lumped == [], "the keys below have no comment of their own"


def test_every_value_is_described_in_the_schema(values: list[Value], schema: dict[str, Any]) -> None:
    found = {value.name: schema_of(value.path, schema) for value in values}
    assert [name for name, part in found.items() if part is None] == []
    leaves = [value.name for value in values if not value.has_parts]
    assert [name for name in leaves if not (found[name] or {}).get("description")] == []


def test_every_key_of_the_schema_is_a_value(values: list[Value], schema: dict[str, Any]) -> None:
    known = {value.path for value in values}
    for path in {value.path for value in values if value.has_parts} | {()}:
        part = schema_of(path, schema) or {}
        assert part.get("additionalProperties") is False, f"{'.'.join(path)} takes keys that it does not know"
        assert {(*path, key) for key in part.get("properties", {})} <= known, ".".join(path)


class TestReading:
    TEXT = """\
# A section that speaks of what follows.

# -- How many, 1 or more.
# Zero stops all.
count: 1
# A group.
group:
  # First | second.
  one: ""
  two: [1]
# In Kubernetes' own form.
resources:
  limits:
    cpu: 1
"""

    def test_takes_the_comment_right_above_a_key(self) -> None:
        assert [(each.name, each.comment, each.has_parts) for each in read_values(self.TEXT)] == [
            ("count", "How many, 1 or more. Zero stops all.", False),
            ("group", "A group.", True),
            ("group.one", "First | second.", False),
            ("group.two", "", False),
            ("resources", "In Kubernetes' own form.", False),
        ]

    def test_follows_references_in_a_schema(self) -> None:
        schema = {
            "properties": {"image": {"$ref": "#/definitions/image", "description": "Here."}},
            "definitions": {"image": {"properties": {"tag": {"type": "string"}}, "description": "There."}},
        }
        assert (schema_of(("image",), schema) or {})["description"] == "Here."
        assert schema_of(("image", "tag"), schema) == {"type": "string"}
        assert schema_of(("image", "tags"), schema) is None
