"""Prometheus and Alertmanager of the local stack, with the same rules as on Kubernetes."""
