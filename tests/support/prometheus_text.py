"""Reads what a server shows to Prometheus, with Prometheus's own client."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


def samples(series: Mapping[str, float], name: str, **labels: str) -> list[Sample]:
    """Return the samples of a name that carry all of these labels, in the order of the scrape.

    Args:
        series: values by name and labels, as `tests.support.servers.scrape` returns them.
        name: of the sample, such as `hilum_valid_probability_bucket`.
        labels: which to keep.
    """
    text = "".join(f"{key} {value!r}\n" for key, value in series.items() if key.startswith(name))
    return [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


def by_bound(series: Mapping[str, float], name: str, **labels: str) -> dict[str, float]:
    """Return values by the label `le`."""
    return {sample.labels["le"]: sample.value for sample in samples(series, name, **labels)}
