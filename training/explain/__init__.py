"""What a network looks at: activation maps, Grad-CAM, occlusion, and whether to believe them."""

from training.torchvision_schemas import declare_missing_operators

declare_missing_operators()  # before torchmetrics imports torchvision
