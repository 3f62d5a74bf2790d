"""Every way to install the chart, on old and new clusters, with and without what can be installed on them."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.chart.checks import CHECKS
from tests.support.chart.clusters import INSTALLED, KUBE_VERSIONS, cluster
from tests.support.chart.schemas import has_no_schema, schema_violations
from tests.support.data import crd_folder
from tests.support.helm import CHART, ChartRefusedError, Helm, Rendered, load_values, values_files

WAYS: dict[str, Path | None] = {"defaults": None} | {path.stem: path for path in values_files()}
"""Values files by name; None stands for the chart's defaults."""

NEEDS = {"kserve-values": "serving.kserve.io/v1beta1"}
"""What some ways need, and are refused without."""

WITHOUT_SCHEMA = {"GRPCRoute", "TrainJob", "TrainingRuntime"}
"""Kinds whose definitions are nowhere at hand: no test here can say whether they are well formed."""


def _values(way: str) -> dict[str, Any]:
    path = WAYS[way]
    return load_values(path) if path else {}


def _rendered(helm: Helm, way: str, kube_version: str, installed: str) -> Rendered:
    """Render; where the cluster lacks what this way needs, see it refused by a sentence, and end the test."""
    where = cluster(kube_version, installed)
    need = NEEDS.get(way)
    if need is None or need in where.api_versions:
        return helm.render(_values(way), where)
    with pytest.raises(ChartRefusedError, match=f"needs the API {need}, which this cluster does not have"):
        helm.render(_values(way), where)
    return Rendered({"NOTES.txt": "refused"}, {}, where)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """One way to install the chart."""
    name: str = request.param
    return name


@pytest.mark.parametrize("installed", INSTALLED)
@pytest.mark.parametrize("kube_version", KUBE_VERSIONS)
def test_renders_objects_that_kubernetes_takes(
    helm: Helm, way: str, kube_version: str, installed: str
) -> None:
    rendered = _rendered(helm, way, kube_version, installed)
    wrong = {
        name: found
        for name, each in zip(rendered.names(), rendered.objects, strict=True)
        if (found := schema_violations(each, kube_version))
    }
    assert wrong == {}
    assert rendered.notes.strip()


@pytest.mark.parametrize("installed", INSTALLED)
def test_renders_objects_that_fit_together(helm: Helm, way: str, installed: str) -> None:
    rendered = _rendered(helm, way, KUBE_VERSIONS[-1], installed)
    found = {check.__name__: list(check(rendered.objects, rendered.values)) for check in CHECKS}
    assert {name: problems for name, problems in found.items() if problems} == {}


@pytest.mark.parametrize("kube_version", KUBE_VERSIONS)
def test_lints_strictly(helm: Helm, way: str, kube_version: str) -> None:
    assert helm.lint(_values(way), kube_version) == []


def test_every_promised_way_is_there() -> None:
    promised = {"laptop-cpu", "one-gpu", "mig", "kserve", "external-mlflow", "production"}
    assert promised <= {way.removesuffix("-values") for way in WAYS}


def test_the_oldest_version_is_the_one_that_the_chart_names() -> None:
    chart = load_values(CHART / "Chart.yaml")
    assert chart["kubeVersion"].startswith(f">={KUBE_VERSIONS[0]}-0 ")


def test_every_custom_resource_has_a_definition_to_meet(helm: Helm) -> None:
    if crd_folder() is None:
        pytest.skip("no CustomResourceDefinitions here: set HILUM_CRDS to a folder with them")
    every = [each for way in WAYS for each in helm.render(_values(way), cluster()).objects]
    assert {each["kind"] for each in every if has_no_schema(each)} <= WITHOUT_SCHEMA


def test_an_upgrade_renders_what_an_install_renders(helm: Helm, way: str) -> None:
    """Nothing is made anew at each upgrade: no random name, no date."""
    first, again = (helm.render(_values(way), cluster(), upgrade=upgrade) for upgrade in (False, True))
    assert first.manifests == {**again.manifests, "NOTES.txt": first.notes}


def test_a_package_renders_what_the_folder_renders(helm: Helm, tmp_path: Path) -> None:
    """What the chart reads is in the archive, and `.helmignore` leaves none of it out."""
    archive = helm.package(tmp_path)
    assert helm.render({}, cluster(), chart=archive).manifests == helm.render({}, cluster()).manifests
