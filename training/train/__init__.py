"""Training: recipes, losses, the Lightning loop."""
