"""Where a paper's tables contradict each other: its numbers against the counts of its confusion matrices."""

from collections.abc import Iterator, Sequence

import numpy as np

from training.evaluate.averages import class_rates
from training.study.paper.plan import OTHER
from training.train.published import Published, PublishedConfusion, PublishedMetrics

TOLERANCE = 0.005
"""Largest difference that rounding to whole per cent can make."""


def contradictions(tables: Sequence[Published]) -> tuple[str, ...]:
    """Return a sentence for each printed number that the same paper's counts contradict.

    A mean over runs is compared with the sum of their confusion matrices, which it equals but for the runs'
    different sizes.
    """
    matrices = [table for table in tables if table.kind == "confusion"]
    return tuple(
        f"The paper contradicts itself: {table.table} prints {metric} {printed:g}"
        f"{f' of {matrix.variant}' if matrix.variant else ''}, the counts of {matrix.table} make "
        f"{counted:.3f}."
        for table in tables
        if table.kind == "metrics"
        for matrix in matrices
        for metric, printed, counted in _compared(table, matrix)
        if abs(printed - counted) > TOLERANCE
    )


def _compared(table: PublishedMetrics, matrix: PublishedConfusion) -> Iterator[tuple[str, float, float]]:
    """Yield each metric that a table prints of a matrix's network: its name, as printed, and as counted."""
    if table.model != matrix.model:
        return
    counted = rates_of(matrix)
    for metric, printed in table.rows.get(matrix.variant, {}).items():
        if metric in counted:
            yield metric, printed[0] if isinstance(printed, tuple) else printed, counted[metric]


def rates_of(matrix: PublishedConfusion) -> dict[str, float]:
    """Return the metrics that follow from a published confusion matrix, by the names of `measure_names`."""
    counts = np.array(matrix.counts, dtype=np.float64)
    rates = class_rates(counts[None])
    values = {
        f"{label}.{'sensitivity' if rate == 'recall' else rate}": float(of_classes[0, k])
        for rate, of_classes in rates.items()
        for k, label in enumerate(matrix.labels)
        if label != OTHER
    }
    total = counts.sum()
    if "covid19" in matrix.labels:
        k = matrix.labels.index("covid19")
        crossed = counts[k].sum() + counts[:, k].sum() - 2 * counts[k, k]
        values["accuracy_2_class"] = float(1 - crossed / total)
    if OTHER not in matrix.labels:
        values["accuracy"] = float(np.trace(counts) / total)
    return values
