"""The MLflow deployment target `triton`: releases deployed by the `mlflow deployments` command."""
