"""Networks: backbones from timm, and the filter and classifier built on them."""
