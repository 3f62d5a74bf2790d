"""Training: recipes, augmentation, losses, the Lightning loop."""

from training.torchvision_schemas import declare_missing_operators

declare_missing_operators()  # before lightning imports torchvision
