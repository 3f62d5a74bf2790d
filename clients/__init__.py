"""The online half: what a caller of the served models imports; never torch, training or mlflow."""
