"""Where a rollout goes past one machine: a bucket that Triton reads, or KServe's objects on a cluster."""
