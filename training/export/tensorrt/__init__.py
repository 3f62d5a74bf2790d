"""TensorRT: from a registered network to a build that runs in the server's own container, and its checks."""
