"""The rollout watcher: webhooks and polling wake it; a pass brings Triton to what the registry says."""
