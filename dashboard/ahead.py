"""What pages import when they are first drawn, imported while no reader waits for it.

MLflow, pandas and SciPy take seconds; the modules that need them are imported where they are used, so that a
page that needs none is drawn at once. A thread does it from the server's start; a reader who is sooner waits
for what is not there yet, as without it.
"""

import logging
from importlib import import_module
from threading import Thread

MODULES = (
    "plotly.graph_objects",
    "training.registry",
    "training.promote.release",
    "training.evaluate.evaluation",
    "training.evaluate.comparison",
    "training.ledger.sentences",
    "sklearn.decomposition",
)
"""In the order of need: what most pages ask for comes first."""


def import_ahead() -> None:
    """Start to import; returns at once."""
    Thread(target=_import_all, name="import-ahead", daemon=True).start()


def _import_all() -> None:
    for module in MODULES:
        try:
            import_module(module)
        except ImportError:  # the page that needs it says so
            logging.getLogger(__name__).warning("%s cannot be imported", module, exc_info=True)
