"""Writes the chart's README from the comments in its values, so that the two cannot disagree.

python -m tools.chart_readme            # writes charts/hilum/README.md
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parents[1] / "charts" / "hilum"
"""The chart."""

INTRODUCTION = Path(__file__).with_name("chart_readme_intro.md")
"""What stands before the table; `{files}` and `{values}` are put in."""


@dataclass(frozen=True)
class Value:
    """One key of the values."""

    path: tuple[str, ...]
    """The keys that lead to it."""
    default: Any
    """What holds where a user gives nothing."""
    comment: str
    """The comment above it, as one paragraph; empty where there is none."""
    has_parts: bool
    """Whether some key below it has a comment of its own: then those are shown, and not its default."""

    @property
    def name(self) -> str:
        """The path as `--set` takes it."""
        return ".".join(self.path)


def read_values(text: str) -> list[Value]:
    """Return every key of a values file, outer keys first, but for keys of a value explained as a whole."""
    root = yaml.compose(text, yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode), "values must be a mapping"
    return list(_read(root, (), text.splitlines(), yaml.safe_load(text)))


def render(chart: Path = CHART) -> str:
    """Return what the README of a chart must say."""
    values = read_values((chart / "values.yaml").read_text())
    schema = json.loads((chart / "values.schema.json").read_text())
    sections = []
    groups = {value.name: _comment_or_description(value, schema) for value in values if value.has_parts}
    tops = [name for name in groups if "." not in name]
    for top, comment in [("Names", ""), *((name, groups[name]) for name in tops)]:
        own = [value for value in values if (value.path[0] if value.path[0] in tops else "Names") == top]
        rows = [_row(value, schema) for value in own if groups.get(value.name) != "" and value.name != top]
        table = "\n".join(["| key | type | default | what it is |", "| --- | --- | --- | --- |", *rows])
        sections.append("\n\n".join(part for part in (f"### {top}", comment, table) if part))
    files = [
        f"| `ci/{path.name}` | {_first_comment(path)} |" for path in sorted((chart / "ci").glob("*.yaml"))
    ]
    text = INTRODUCTION.read_text().replace("{files}", "\n".join(files))
    return text.replace("{values}", "\n\n".join(sections))


def schema_of(path: tuple[str, ...], schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what a schema says of the value at a path, references followed; None if it knows no such key."""
    here: Mapping[str, Any] = schema
    for key in path:
        properties: Mapping[str, Any] = _resolved(here, schema).get("properties", {})
        if key not in properties:
            return None
        here = properties[key]
    return {**_resolved(here, schema), **here}


def _resolved(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in part:
        found: Any = schema
        for key in part["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        part = found
    return part


def _read(
    node: yaml.MappingNode, path: tuple[str, ...], lines: list[str], values: Mapping[str, Any]
) -> Iterator[Value]:
    for key_node, value_node in node.value:
        key = key_node.value
        here, default = (*path, key), values[key]
        below: list[Value] = []
        if isinstance(value_node, yaml.MappingNode) and value_node.value and not value_node.flow_style:
            below = list(_read(value_node, here, lines, default))
        has_parts = any(value.comment for value in below)
        yield Value(here, default, _comment(lines, key_node.start_mark), has_parts)
        if has_parts:
            yield from below


def _comment(lines: list[str], mark: yaml.Mark) -> str:
    """Return the comment right above a key, at its own depth."""
    found: list[str] = []
    for line in reversed(lines[: mark.line]):
        text = line.strip()
        if not text.startswith("#") or len(line) - len(line.lstrip()) != mark.column:
            break
        found.insert(0, re.sub(r"^# ?(-- )?", "", text).strip())
    return " ".join(line for line in found if line).strip()


def _row(value: Value, schema: Mapping[str, Any]) -> str:
    kind = _kind(schema_of(value.path, schema) or {}, value.default)
    default = "" if value.has_parts else f"`{json.dumps(value.default, ensure_ascii=False)}`"
    cells = [f"`{value.name}`", kind, default, _comment_or_description(value, schema)]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _comment_or_description(value: Value, schema: Mapping[str, Any]) -> str:
    """Return the comment above a key; of a group without one, what the schema says of it."""
    return value.comment or str((schema_of(value.path, schema) or {}).get("description", ""))


def _kind(schema: Mapping[str, Any], default: Any) -> str:
    """Return a value's type in words: what the schema says, or what the default is."""
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(each)}`" for each in schema["enum"])
    kinds = schema.get("type") or _JSON_NAMES[type(default)]
    return kinds if isinstance(kinds, str) else " or ".join(kinds)


_JSON_NAMES = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    dict: "object",
    list: "array",
    type(None): "null",
}


def _first_comment(path: Path) -> str:
    """Return the first sentence of a file's opening comment."""
    comment = []
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        comment.append(line.removeprefix("#").strip())
    return re.split(r"(?<=\.) ", " ".join(comment))[0]


if __name__ == "__main__":
    (CHART / "README.md").write_text(render())
