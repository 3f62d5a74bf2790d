"""What is refused of a template or a service, and what is left alone."""

import copy
from pathlib import Path
from typing import Any

import pytest

from hilum.errors import UsageError
from training.promote.targets.inference_service import first_service, load_template, mode_of

TEMPLATE: dict[str, Any] = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {"labels": {"team": "lung"}, "annotations": {"serving.kserve.io/deploymentMode": "Standard"}},
    "spec": {"predictor": {"minReplicas": 2, "model": {"modelFormat": {"name": "triton"}, "name": "triton"}}},
}


def make(template: dict[str, Any]) -> dict[str, Any]:
    return first_service(template, name="hilum", namespace="models", release=3, uri="s3://b/release-3")


def test_a_template_gets_a_name_and_a_release_and_keeps_the_rest() -> None:
    before = copy.deepcopy(TEMPLATE)
    service = make(TEMPLATE)
    assert before == TEMPLATE
    assert service["metadata"] == {**TEMPLATE["metadata"], "name": "hilum", "namespace": "models"}
    assert service["spec"]["predictor"] == {
        "name": "release-3",
        "minReplicas": 2,
        "model": {"modelFormat": {"name": "triton"}, "name": "triton", "storageUri": "s3://b/release-3"},
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "ServingRuntime"},
        {"apiVersion": "serving.kserve.io/v1alpha1"},
        {"spec": {}},
        {"spec": {"predictor": {"triton": {"storageUri": "s3://b/x"}}}},
    ],
)
def test_another_object_is_no_template(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="The template must be one InferenceService"):
        make(TEMPLATE | changes)


@pytest.mark.parametrize("annotation", [{}, {"serving.kserve.io/deploymentMode": "ModelMesh"}])
def test_a_service_must_say_how_it_shifts_traffic(annotation: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"Standard or Knative.*found (none|ModelMesh)"):
        mode_of({"metadata": {"name": "hilum", "annotations": annotation}, "spec": {}})


def test_what_kserve_reports_counts_where_nothing_is_annotated() -> None:
    standard = mode_of({"metadata": {"name": "a"}, "status": {"deploymentMode": "Standard"}})
    assert mode_of({"metadata": {"name": "a"}, "status": {"deploymentMode": "RawDeployment"}}).__class__ is (
        standard.__class__
    )


@pytest.mark.parametrize("text", ["- a list", "kind: [", "\xff"])
def test_a_file_that_is_no_object_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(UsageError, match=str(path)):
        load_template(path)
