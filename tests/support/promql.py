"""Reads PromQL: which series an expression asks for, by which labels, and whether there are any such."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import promql_parser
import yaml

Labels = frozenset[str]

TARGET_LABELS = frozenset(
    {"job", "instance", "namespace", "pod", "container", "endpoint", "service", "node", "cluster"}
)
"""What Prometheus adds to every series that it scrapes from a pod or a Service."""


@dataclass(frozen=True)
class Expression:
    """One PromQL expression, and where it stands."""

    source: str
    """File, and the rule, panel or trigger in it."""
    text: str
    """The expression, Grafana's variables replaced by values."""
    records: str | None = None
    """The series that it makes, where it is a recording rule."""
    adds: Labels = frozenset()
    """Labels that the recording rule adds."""


@dataclass(frozen=True)
class Selector:
    """One selection of series."""

    name: str
    """The series' name."""
    labels: Labels
    """Labels that its matchers name."""


@dataclass
class Known:
    """Series that exist, with the labels that each can have."""

    series: dict[str, Labels] = field(default_factory=dict)
    """Labels by the series' name."""

    def add(self, name: str, labels: Labels) -> None:
        """Add one series, or more labels to it."""
        self.series[name] = self.series.get(name, frozenset()) | labels

    def add_scrape(self, text: str) -> None:
        """Add every series of a scrape in Prometheus's text format."""
        for line in text.splitlines():
            if found := _SAMPLE.match(line):
                self.add(found[1], frozenset(_LABEL.findall(found[2] or "")) | TARGET_LABELS)

    def add_recorded(self, expressions: Sequence[Expression]) -> None:
        """Add what recording rules make; rules may build on each other in any order."""
        waiting = [each for each in expressions if each.records]
        for _ in range(len(waiting) + 1):
            for each in waiting:
                assert each.records is not None
                self.add(each.records, self.labels_of(promql_parser.parse(each.text)) | each.adds)

    def problems(self, expression: Expression) -> Iterator[str]:
        """Say which series or labels of an expression do not exist."""
        try:
            tree = promql_parser.parse(expression.text)
        except ValueError as error:
            yield f"{expression.source}: no PromQL: {error}\n{expression.text}"
            return
        for selector in selectors(tree):
            if selector.name not in self.series:
                yield f"{expression.source}: nothing has the series {selector.name!r}"
            elif unknown := selector.labels - self.series[selector.name]:
                yield f"{expression.source}: {selector.name} has no label {', '.join(sorted(unknown))}"
        for labels, below in _groupings(tree):
            if unknown := labels - self.labels_of(below):
                names = ", ".join(sorted(unknown))
                yield f"{expression.source}: nothing below `by` or `on` has a label {names}"

    def labels_of(self, tree: Any) -> Labels:
        """Return the labels that the result of an expression can have."""
        match tree:
            case promql_parser.VectorSelector():
                return self.series.get(tree.name or "", frozenset())
            case promql_parser.MatrixSelector():
                return self.labels_of(tree.vector_selector)
            case promql_parser.AggregateExpr():
                return self._aggregated(tree)
            case promql_parser.BinaryExpr():
                return self._joined(tree)
            case promql_parser.Call() if tree.func.name in ("label_replace", "label_join"):
                return self.labels_of(tree.args[0]) | {tree.args[1].val}
            case promql_parser.Call() if tree.func.name == "absent":
                return frozenset().union(*(each.labels for each in selectors(tree)))
            case promql_parser.Call():
                below = frozenset().union(*map(self.labels_of, tree.args))
                return below - {"le"} if tree.func.name == "histogram_quantile" else below
            case promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr():
                return self.labels_of(tree.expr)
            case _:
                return frozenset()

    def _aggregated(self, tree: Any) -> Labels:
        below = self.labels_of(tree.expr)
        if str(tree.op) in ("topk", "bottomk", "limitk"):  # which pick series, and keep them whole
            return below
        own = frozenset({tree.param.val} if str(tree.op) == "count_values" else ())
        if tree.modifier is None:
            return own
        named = frozenset(tree.modifier.labels)
        kept = named if tree.modifier.type == promql_parser.AggModifierType.By else below - named
        return own | kept

    def _joined(self, tree: Any) -> Labels:
        left, right = self.labels_of(tree.lhs), self.labels_of(tree.rhs)
        modifier = tree.modifier
        if str(tree.op) in ("and", "unless"):
            return left
        if modifier is None or str(tree.op) == "or":
            return left | right
        extra = frozenset(modifier.group_labels or ())
        if modifier.card == promql_parser.VectorMatchCardinality.ManyToOne:
            return left | extra
        if modifier.card == promql_parser.VectorMatchCardinality.OneToMany:
            return right | extra
        if modifier.matching is None:
            return left | right
        named = frozenset(modifier.matching.labels)
        on = modifier.matching.type == promql_parser.LabelModifierType.Include
        return named if on else (left | right) - named


_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? +\S+")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="(?:[^"\\]|\\.)*"')


def selectors(tree: Any) -> list[Selector]:
    """Return every selection of series in an expression."""
    found: list[Selector] = []

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            matchers = [*node.matchers.matchers, *chain.from_iterable(node.matchers.or_matchers)]
            names = [each.value for each in matchers if each.name == "__name__"]
            labels = frozenset(each.name for each in matchers) - {"__name__"}
            found.extend(Selector(name, labels) for name in [node.name, *names] if name)

    promql_parser.walk(tree, pre_visit=visit)
    return found


def rule_expressions(path: Path) -> list[Expression]:
    """Return the expressions of a file of Prometheus rules."""
    return group_expressions(yaml.safe_load(path.read_text())["groups"], path.name)


def group_expressions(groups: Sequence[Mapping[str, Any]], source: str) -> list[Expression]:
    """Return the expressions of groups of rules."""
    return [
        Expression(
            f"{source}, {rule.get('alert') or rule['record']}",
            str(rule["expr"]),
            rule.get("record"),
            frozenset(rule.get("labels", {})),
        )
        for group in groups
        for rule in group["rules"]
    ]


def dashboard_expressions(dashboard: Mapping[str, Any], source: str) -> list[Expression]:
    """Return the expressions of a Grafana dashboard: its panels', its variables' and its annotations'."""
    found = []
    for panel in _panels(dashboard):
        for target in panel.get("targets", ()):
            if target.get("expr"):
                found.append((panel.get("title", "?"), target["expr"]))
    for variable in dashboard.get("templating", {}).get("list", ()):
        query = variable.get("query", "")
        text = query.get("query", "") if isinstance(query, dict) else query
        if variable.get("type") == "query" and text:
            found.append((f"variable {variable['name']}", text))
    for annotation in dashboard.get("annotations", {}).get("list", ()):
        if annotation.get("expr"):
            found.append((f"annotation {annotation['name']}", annotation["expr"]))
    return [Expression(f"{source}, {where}", _without_variables(text)) for where, text in found]


def _panels(part: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for panel in part.get("panels", ()):
        yield panel
        yield from _panels(panel)


_LABEL_VALUES = re.compile(r"label_values\((?:(?P<query>.*), *)?(?P<label>[a-zA-Z_]\w*)\)$")
_QUERY_RESULT = re.compile(r"query_result\((?P<query>.*)\)$")


def _without_variables(text: str) -> str:
    """Return a dashboard's expression as Grafana would send it, its variables replaced by likely values."""
    text = text.strip()
    for name in ("__rate_interval", "__interval", "__range"):
        text = re.sub(rf"\$(?:{name}\b|\{{{name}\}})", "5m", text)
    if found := _LABEL_VALUES.match(text):
        # asks for a label of a series: as strict as grouping by it
        text = f"count by ({found['label']}) ({found['query']})" if found["query"] else "vector(1)"
    elif found := _QUERY_RESULT.match(text):
        text = found["query"]
    return re.sub(r"\$(?:\w+|\{\w+(?::\w+)?\})", "1", text)


def _groupings(tree: Any) -> list[tuple[Labels, Any]]:
    """Return the labels that an expression groups or joins by, each with what it groups or joins."""
    found: list[tuple[Labels, Any]] = []

    def visit(node: Any) -> None:
        modifier = getattr(node, "modifier", None)
        if modifier and getattr(modifier, "type", None) == promql_parser.AggModifierType.By:
            found.append((frozenset(modifier.labels), node.expr))
        matching = getattr(modifier, "matching", None)
        if matching and matching.type == promql_parser.LabelModifierType.Include:
            found.extend((frozenset(matching.labels), side) for side in (node.lhs, node.rhs))

    promql_parser.walk(tree, pre_visit=visit)
    return found
