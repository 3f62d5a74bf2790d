"""Networks: backbones from timm, and the one head that filter and classifier share."""

from training.torchvision_schemas import declare_missing_operators

declare_missing_operators()  # before timm imports torchvision
