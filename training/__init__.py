"""The offline half: everything that makes a model and releases it."""

import os

# MLflow reads this while it is imported; a data set's name and size are nobody else's business.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
