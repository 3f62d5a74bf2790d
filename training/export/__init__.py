"""Export: one self-contained ONNX file per network, proven equal to its torch original."""
