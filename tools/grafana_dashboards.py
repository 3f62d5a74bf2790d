"""Writes the chart's Grafana dashboards with Grafana's own types: `make dashboards`.

Panels ask the recording rules of `charts/hilum/rules` where there is one. Windows are fixed (5 minutes), not
Grafana's `$__rate_interval`, so that every expression is plain PromQL, which the tests parse.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from string import ascii_uppercase

from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions, VizTooltipOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, QueryVariable, Row
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as StatPanel
from grafana_foundation_sdk.builders.timeseries import Panel as TimeseriesPanel
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueTextMode, LegendPlacement, TooltipDisplayMode
from grafana_foundation_sdk.models.dashboard import DataSourceRef

FOLDER = Path(__file__).parents[1] / "charts" / "hilum" / "dashboards"

HERE = 'namespace=~"$namespace"'
"""Matches the installation that was chosen; a laptop's series have no namespace, which `.*` matches too."""


DOOR = 'model="xray_screening"'
"""Matches the front door."""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One panel: a line plot, or a number where `is_number`."""

    title: str
    unit: str
    """Grafana's name of the unit."""
    queries: dict[str, str]
    """PromQL by legend."""
    description: str = ""
    is_number: bool = False
    maximum: float | None = None


@dataclass(frozen=True, kw_only=True)
class Page:
    """One dashboard."""

    uid: str
    title: str
    description: str
    rows: dict[str, Sequence[Plot]] = field(default_factory=dict)
    """Panels by the heading of their row."""


OPERATIONS = Page(
    uid="hilum-operations",
    title="Hilum: operations",
    description="Is the service well? Traffic, errors, waiting, capacity and rollouts.",
    rows={
        "Now": [
            Plot(
                title="Replicas that answer",
                unit="short",
                is_number=True,
                queries={"replicas": f'sum(up{{job="triton",{HERE}}})'},
                description="Triton servers whose metrics can be read.",
            ),
            Plot(
                title="Release that answers",
                unit="none",
                is_number=True,
                queries={"{{role}} {{release}}": f"max by (role, release) (hilum_release_info{{{HERE}}})"},
                description="By the server's own word, as the rollout watcher last saw it; always 1.",
            ),
            Plot(
                title="Registry and server disagree",
                unit="bool_yes_no",
                is_number=True,
                queries={"drift": f"max(hilum_registry_drift{{{HERE}}})"},
            ),
            Plot(
                title="Alerts that fire",
                unit="short",
                is_number=True,
                queries={
                    "alerts": f'count(ALERTS{{alertname=~"Hilum.+",alertstate="firing",{HERE}}}) or vector(0)'
                },
            ),
        ],
        "Traffic": [
            Plot(
                title="Images",
                unit="reqps",
                queries={"{{outcome}}": f"sum by (outcome) (rate(hilum_images_total{{{HERE}}}[5m]))"},
                description="Through the front door: accepted and rejected by the filter, or not decodable.",
            ),
            Plot(
                title="Requests that the server failed",
                unit="percentunit",
                queries={
                    "5 minutes": f"max(hilum:front_door_failures:ratio_rate5m{{{HERE}}})",
                    "1 hour": f"max(hilum:front_door_failures:ratio_rate1h{{{HERE}}})",
                    "1 day": f"max(hilum:front_door_failures:ratio_rate1d{{{HERE}}})",
                },
                description="Share of the requests that were the server's to answer. Images that cannot be "
                "decoded are the sender's and do not count.",
            ),
            Plot(
                title="Requests that wait or are under way",
                unit="short",
                queries={
                    "{{model}}": f"sum by (model) (nv_inference_pending_request_count{{{HERE}}})",
                },
            ),
        ],
        "Time": [
            Plot(
                title="Mean time of a request in the server",
                unit="s",
                queries={
                    "front door": f"sum(rate(nv_inference_request_duration_us{{{DOOR},{HERE}}}[5m])) / 1e6 "
                    f"/ sum(rate(nv_inference_request_success{{{DOOR},{HERE}}}[5m]))",
                },
                description="Triton has no quantiles; clients do: hilum_client_request_duration_seconds.",
            ),
            Plot(
                title="Mean wait before each step",
                unit="s",
                queries={"{{model}}": f"hilum:queue_seconds_per_request:rate5m{{{HERE}}}"},
                description="What autoscaling should follow: it grows before callers notice.",
            ),
            Plot(
                title="Mean computing per request of each step",
                unit="s",
                queries={
                    "{{model}}": "sum by (model) "
                    f"(rate(nv_inference_compute_infer_duration_us{{{HERE}}}[5m])) / 1e6 "
                    f"/ sum by (model) (rate(nv_inference_request_success{{{HERE}}}[5m]))",
                },
            ),
            Plot(
                title="Decoding of one image",
                unit="s",
                queries={
                    "median": "histogram_quantile(0.5, sum by (le) "
                    f"(rate(hilum_decode_duration_seconds_bucket{{{HERE}}}[5m])))",
                    "95 of 100": "histogram_quantile(0.95, sum by (le) "
                    f"(rate(hilum_decode_duration_seconds_bucket{{{HERE}}}[5m])))",
                },
            ),
        ],
        "Capacity": [
            Plot(
                title="Images per execution",
                unit="short",
                queries={"{{model}}": f"hilum:images_per_execution:rate5m{{{HERE}}}"},
                description="What batching achieves; 1 on CPUs, where it gains nothing.",
            ),
            Plot(
                title="Memory used",
                unit="percentunit",
                maximum=1,
                queries={"{{instance}} {{memory}}": f"hilum:memory_used:ratio{{{HERE}}}"},
            ),
            Plot(
                title="Processors busy",
                unit="percentunit",
                maximum=1,
                queries={
                    "{{instance}} CPU": f"nv_cpu_utilization{{{HERE}}}",
                    "{{instance}} GPU": f"nv_gpu_utilization{{{HERE}}}",
                },
            ),
        ],
        "Rollouts": [
            Plot(
                title="Rollouts by what came of them",
                unit="short",
                queries={"{{result}}": f"sum by (result) (increase(hilum_rollout_total{{{HERE}}}[1h]))"},
                description="In the hour before.",
            ),
            Plot(
                title="How long a rollout took",
                unit="s",
                queries={
                    "95 of 100": "histogram_quantile(0.95, sum by (le) "
                    f"(rate(hilum_rollout_duration_seconds_bucket{{{HERE}}}[1h])))",
                },
            ),
            Plot(
                title="Since the champion was promoted",
                unit="s",
                queries={
                    "{{role}}": "time() - max by (role) "
                    f"(hilum_release_promoted_timestamp_seconds{{{HERE}}})",
                },
            ),
            Plot(
                title="Until certificates expire",
                unit="s",
                queries={
                    "{{certificate}}": "min by (certificate) "
                    f"(hilum_certificate_expiry_timestamp_seconds{{{HERE}}}) - time()",
                },
            ),
        ],
    },
)

MODEL = Page(
    uid="hilum-model",
    title="Hilum: model",
    description="Is the model still right? What it sees and says, and how far both are from its reference.",
    rows={
        "What is shown to it": [
            Plot(
                title="Rejected by the filter",
                unit="percentunit",
                queries={
                    "last hour": f"hilum:rejected_images:share1h{{{HERE}}}",
                    "week before": f"hilum:rejected_images:share1w{{{HERE}}}",
                },
                description="Of the images that could be decoded.",
            ),
            Plot(
                title="Not decodable, by reason",
                unit="reqps",
                queries={"{{reason}}": f"sum by (reason) (rate(hilum_undecodable_total{{{HERE}}}[5m])) > 0"},
            ),
        ],
        "What it says": [
            Plot(
                title="Findings of the champion",
                unit="percentunit",
                queries={
                    "{{finding}}, last hour": f"hilum:findings:share1h{{{HERE}}}",
                    "{{finding}}, week before": f"hilum:findings:share1w{{{HERE}}}",
                },
                description="Shares of the accepted images.",
            ),
            Plot(
                title="Findings of the challenger",
                unit="reqps",
                queries={
                    "{{finding}}": f"sum by (finding) (rate(hilum_challenger_findings_total{{{HERE}}}[5m]))",
                },
                description="On copies of the champion's images; only while a challenger is mirrored.",
            ),
            Plot(
                title="Median probability",
                unit="percentunit",
                maximum=1,
                queries={
                    "{{finding}}": "histogram_quantile(0.5, sum by (finding, le) "
                    f"(rate(hilum_finding_probability_bucket{{{HERE}}}[1h])))",
                    "frontal radiograph": "histogram_quantile(0.5, sum by (le) "
                    f"(rate(hilum_valid_probability_bucket{{{HERE}}}[1h])))",
                },
            ),
        ],
        "Drift from the release's reference sample": [
            Plot(
                title="Kolmogorov-Smirnov distance over six hours",
                unit="percentunit",
                queries={
                    "{{signal}}, release {{release}}": f"hilum:drift_ks:6h{{{HERE}}}",
                    "bound of {{signal}}": f"hilum:drift_ks_bound:6h{{{HERE}}}",
                },
                description="Largest gap of cumulative shares; chance exceeds the bound once in 1,000 tests.",
            ),
            Plot(
                title="Images that this is about",
                unit="short",
                queries={"{{signal}}": f"hilum:signal_images:increase6h{{{HERE}}}"},
                description="Fewer than 100 say little, and alert nobody.",
            ),
            Plot(
                title="Median distance of the embedding",
                unit="short",
                queries={
                    "release {{release}}": "histogram_quantile(0.5, sum by (release, le) "
                    f"(rate(hilum_embedding_distance_bucket{{{HERE}}}[1h])))",
                },
                description="About 1 on the reference sample.",
            ),
        ],
    },
)

PAGES = {"operations": OPERATIONS, "model": MODEL}
"""Dashboards by the name of their file."""


def build(page: Page) -> Dashboard:
    """Return a dashboard in Grafana's own types."""
    dashboard = (
        Dashboard(page.title)
        .uid(page.uid)
        .description(page.description)
        .tags(["hilum"])
        .refresh("30s")
        .time("now-6h", "now")
        .with_variable(DatasourceVariable("datasource").type("prometheus").label("Prometheus"))
        .with_variable(
            QueryVariable("namespace")
            .label("Namespace")
            .datasource(_source())
            .query('label_values(up{job="triton"}, namespace)')
            .include_all(include_all=True)
            .all_value(".*")
        )
    )
    number = count(1)
    for heading, plots in page.rows.items():
        dashboard.with_row(Row(heading).id(next(number)))
        for plot in plots:
            dashboard.with_panel(_panel(plot, width=24 // len(plots)).id(next(number)))
    return dashboard


def _panel(plot: Plot, *, width: int) -> StatPanel | TimeseriesPanel:
    panel: StatPanel | TimeseriesPanel
    if plot.is_number:
        panel = (
            StatPanel()
            .text_mode(BigValueTextMode.VALUE_AND_NAME)
            .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
            .height(5)
        )
    else:
        panel = (
            TimeseriesPanel()
            .min(0)
            .fill_opacity(8)
            .legend(VizLegendOptions().placement(LegendPlacement.BOTTOM).show_legend(show_legend=True))
            .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
            .height(8)
        )
    panel.title(plot.title).description(plot.description).unit(plot.unit).datasource(_source()).span(width)
    if plot.maximum is not None:
        panel.max(plot.maximum)
    for letter, (legend, expression) in zip(ascii_uppercase, plot.queries.items(), strict=False):
        panel.with_target(Dataquery().expr(expression).legend_format(legend).ref_id(letter))
    return panel


def _source() -> DataSourceRef:
    return DataSourceRef(type_val="prometheus", uid="${datasource}")


def render(page: Page) -> str:
    """Return a dashboard as the JSON that Grafana imports."""
    dashboard = json.loads(JSONEncoder(sort_keys=True).encode(build(page).build()))
    del dashboard["style"]  # which Grafana's schema no longer has
    for variable in dashboard["templating"]["list"]:
        for key in ("auto", "auto_count", "auto_min", "id"):  # not of this kind of variable
            del variable[key]
    return json.dumps(dashboard, indent=1) + "\n"


def main() -> None:
    """Write every dashboard."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / f"{name}.json").write_text(render(page))


if __name__ == "__main__":
    main()
