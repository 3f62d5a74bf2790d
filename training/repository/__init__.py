"""The model repository: configurations, folders, and the lint that compares them with the ONNX files."""
