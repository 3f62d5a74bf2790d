"""Checks objects against CustomResourceDefinitions, unknown fields refused."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from tests.support.data import crd_folder

Key = tuple[str, str]
"""`apiVersion` and kind."""


def violations(resource: Mapping[str, Any]) -> list[str]:
    """Return where an object is not as its definition says, with paths; needs `is_defined(resource)`."""
    errors = _validators()[_key(resource)].iter_errors(resource)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in errors]


def is_defined(resource: Mapping[str, Any]) -> bool:
    """Whether this machine has the definition of an object's kind."""
    return _key(resource) in _validators()


def _key(resource: Mapping[str, Any]) -> Key:
    return resource["apiVersion"], resource["kind"]


@cache
def _validators() -> dict[Key, Draft202012Validator]:
    folder = crd_folder()
    if folder is None:
        return {}
    definitions = [json.loads(path.read_text())["spec"] for path in folder.glob("*.json")]
    return {
        (f"{spec['group']}/{version['name']}", spec["names"]["kind"]): _validator(version)
        for spec in definitions
        for version in spec["versions"]
    }


def _validator(version: Mapping[str, Any]) -> Draft202012Validator:
    schema = version["schema"]["openAPIV3Schema"]
    schema["properties"]["metadata"] = {  # the API server knows it, the definition does not repeat it
        "properties": {
            key: {"type": kind}
            for key, kind in {
                "name": "string",
                "namespace": "string",
                "resourceVersion": "string",
                "generation": "integer",
                "annotations": "object",
                "labels": "object",
            }.items()
        },
        "required": ["name"],
        "type": "object",
    }
    return _Validator(_closed(schema))


def _check_keys(_: Any, keys: Sequence[str], entries: Any, __: Any) -> Iterator[ValidationError]:
    """Refuse what the API server refuses: a list in which two entries have the same keys."""
    found = Counter(tuple(entry.get(key) for key in keys) for entry in entries)
    for values, count in found.items():
        if count > 1:
            yield ValidationError(f"{count} entries have {', '.join(keys)} = {values}")


_Validator = extend(Draft202012Validator, {"x-kubernetes-list-map-keys": _check_keys})


def _closed(schema: Any) -> Any:
    """Return a schema that refuses fields it does not name, but where Kubernetes keeps them."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    keeps = schema.get("x-kubernetes-preserve-unknown-fields", False)
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict) and not keeps:
        closed.setdefault("additionalProperties", False)
    return closed
