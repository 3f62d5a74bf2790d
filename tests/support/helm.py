"""Renders the chart as `helm template` would, and reads what came of it."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from typing_extensions import override

from tests.support.data import REPOSITORY

CHART = REPOSITORY / "charts" / "hilum"
"""The chart's folder."""

RELEASE = "hilum"
"""Name of every release that tests render."""

NAMESPACE = "screening"
"""Its namespace: not the release's name, so that a template that mixes the two shows."""

Object = dict[str, Any]
"""One Kubernetes object."""


class ChartRefusedError(Exception):
    """Helm refused the values, or a template failed; the message is Helm's."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """What a cluster offers to templates."""

    kube_version: str = "1.37.0"
    """Version of Kubernetes."""
    api_versions: tuple[str, ...] = ()
    """APIs past Kubernetes' own, as `group/version/Kind` and `group/version`."""


@dataclass(frozen=True)
class Rendered:
    """What one render gave. Tests share it: copy an object before changing it."""

    manifests: Mapping[str, str]
    """The text that each template gave, by the template's path below `templates/`."""
    values: Mapping[str, Any]
    """The values in force: defaults, then the user's."""
    cluster: Cluster = field(default_factory=Cluster)
    """What it was rendered for."""

    @cached_property
    def by_template(self) -> dict[str, list[Object]]:
        """Every template's objects; the text must be good YAML without a key given twice."""
        return {
            path: load_objects(path, text) for path, text in self.manifests.items() if path != "NOTES.txt"
        }

    @cached_property
    def objects(self) -> list[Object]:
        """All objects."""
        return [each for objects in self.by_template.values() for each in objects]

    @property
    def notes(self) -> str:
        """What Helm prints after an install."""
        return self.manifests["NOTES.txt"]

    def of_kind(self, *kinds: str) -> list[Object]:
        """Return the objects of some kinds."""
        return [each for each in self.objects if each["kind"] in kinds]

    def find(self, kind: str, name: str) -> Object:
        """Return the one object of a kind and name."""
        found = [each for each in self.of_kind(kind) if each["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} objects {kind}/{name} among {self.names()}"
        return found[0]

    def names(self) -> list[str]:
        """Return `Kind/name` of every object."""
        return [f"{each['kind']}/{each['metadata']['name']}" for each in self.objects]


class Helm:
    """A Helm that runs in another process and remembers what it has rendered."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._remembered: dict[str, Rendered | str] = {}

    def render(
        self,
        values: Mapping[str, Any] | None = None,
        cluster: Cluster | None = None,
        *,
        chart: Path = CHART,
        upgrade: bool = False,
    ) -> Rendered:
        """Render the chart.

        Raises:
            ChartRefusedError: the schema or a template refused the values.
        """
        cluster = cluster or Cluster()
        options = {
            "name": RELEASE,
            "namespace": NAMESPACE,
            "kube_version": cluster.kube_version,
            "api_versions": cluster.api_versions,
            "is_install": not upgrade,
            "is_upgrade": upgrade,
        }
        request = json.dumps([str(chart), values or {}, options])
        if request not in self._remembered:
            self._remembered[request] = self._render(chart, values or {}, options, cluster)
        rendered = self._remembered[request]
        if isinstance(rendered, str):
            raise ChartRefusedError(rendered)
        return rendered

    def lint(self, values: Mapping[str, Any], kube_version: str, *, chart: Path = CHART) -> list[str]:
        """Return what `helm lint --strict` finds."""
        found: list[str] = self._ask("lint", str(chart), values, kube_version)
        return found

    def package(self, destination: Path, *, chart: Path = CHART) -> Path:
        """Pack the chart into an archive in a folder; return the archive."""
        return Path(self._ask("package", str(chart), str(destination)))

    def _render(
        self, chart: Path, values: Mapping[str, Any], options: Mapping[str, Any], cluster: Cluster
    ) -> Rendered | str:
        try:
            texts = self._ask("render", str(chart), values, options)
        except ChartRefusedError as refusal:
            return str(refusal)
        manifests = {path.partition("/templates/")[2]: text for path, text in sorted(texts.items())}
        return Rendered(manifests, self._ask("merge", str(chart), values), cluster)

    def _ask(self, call: str, *arguments: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([call, arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"Helm's process ended with status {self._process.wait()}"
        answer = json.loads(line)
        if "refused" in answer:
            raise ChartRefusedError(answer["refused"])
        return answer["answer"]


@contextmanager
def running_helm() -> Iterator[Helm]:
    """Run Helm's process during the block."""
    command = [sys.executable, "-m", "tests.support.helm_worker"]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Helm(process)  # its input ends with the block, and with it the process


def load_objects(source: str, text: str) -> list[Object]:
    """Return the objects of a manifest.

    Raises:
        AssertionError: it is no YAML, gives a key twice, or holds something that is no object.
    """
    try:
        documents = list(yaml.load_all(text, _StrictLoader))
    except yaml.YAMLError as error:
        raise AssertionError(f"{source} rendered broken YAML: {error}\n{text}") from error
    objects = [each for each in documents if each is not None]
    for each in objects:
        assert isinstance(each, dict), f"{source} rendered something that is no object: {each!r}"
        assert {"apiVersion", "kind", "metadata"} <= each.keys(), f"{source} rendered no object: {each!r}"
    return objects


def values_files() -> Sequence[Path]:
    """Return the chart's example values, one file per way to install it."""
    return sorted((CHART / "ci").glob("*-values.yaml"))


def load_values(path: Path) -> dict[str, Any]:
    """Return the values of a file."""
    return yaml.load(path.read_text(), _StrictLoader) or {}


class _StrictLoader(yaml.CSafeLoader):
    """Refuses a key that is given twice, of which YAML libraries silently take the last."""

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping, its keys checked."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"given twice: {', '.join(map(str, twice))}", node.start_mark
            )
        return super().construct_mapping(node, deep=deep)
