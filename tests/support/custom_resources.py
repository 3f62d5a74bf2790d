"""Checks objects against KServe's own CustomResourceDefinition, unknown fields refused."""

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from tests.support.data import crd_folder


def violations(service: dict[str, Any]) -> list[str]:
    """Return where an InferenceService is not as its schema says, with paths; needs `crd_folder()`."""
    errors = _validator().iter_errors(service)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in errors]


@cache
def _validator() -> Draft202012Validator:
    folder = crd_folder()
    assert folder is not None
    definition = json.loads((folder / "inferenceservices.serving.kserve.io.json").read_text())
    (version,) = definition["spec"]["versions"]
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
    return Draft202012Validator(_closed(schema))


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
