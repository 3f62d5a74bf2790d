"""Stands in for `trtexec` where there is no GPU: its "engine" is the ONNX file, and ONNX Runtime answers.

It reads the arguments and writes the files that NVIDIA's tool reads and writes, so that the script, its
arguments and the formats are tested; what TensorRT itself does is not.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import onnxruntime

DTYPES = {"tensor(uint8)": np.uint8, "tensor(bool)": np.bool_}
KNOWN_FLAGS = {
    "--onnx", "--saveEngine", "--loadEngine", "--skipInference", "--stronglyTyped", "--noTF32",
    "--timingCacheFile", "--minShapes", "--optShapes", "--maxShapes", "--shapes",
    "--profilingVerbosity", "--exportLayerInfo",
    "--loadInputs", "--exportOutput", "--iterations", "--warmUp", "--duration",
}  # fmt: skip
"""Flags that `trtexec` of TensorRT 10 and 11 has, as NVIDIA's documents spell them; any other fails."""
ONLY_10 = {"--fp16", "--int8", "--best"}
"""Flags that TensorRT 11 removed."""


def install_fakes(folder: Path, *, version: str = "100500") -> dict[str, str]:
    """Write `trtexec` and `nvidia-smi` into `folder`; return the environment in which they are found."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("trtexec", f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "$@"\n'),
        ("nvidia-smi", "#!/bin/sh\necho '9.0, NVIDIA H100 80GB HBM3'\n"),
    ):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "FAKE_TENSORRT": version}


def main() -> None:
    """Build or ask, as the arguments say."""
    version = os.environ["FAKE_TENSORRT"]
    print(f"&&&& RUNNING TensorRT.trtexec [TensorRT v{version}] [b18] # trtexec {' '.join(sys.argv[1:])}")
    arguments = dict(argument.partition("=")[::2] for argument in sys.argv[1:])
    known = KNOWN_FLAGS | (ONLY_10 if int(version) // 10000 == 10 else set())
    if unknown := arguments.keys() - known:
        sys.exit(f"Unknown option: {', '.join(sorted(unknown))}")
    if "--onnx" in arguments:
        shutil.copy(arguments["--onnx"], arguments["--saveEngine"])
        Path(arguments["--timingCacheFile"]).write_bytes(b"measured")
    else:
        ask(arguments)
    print("&&&& PASSED TensorRT.trtexec")


def ask(arguments: dict[str, str]) -> None:
    """Answer one batch and list the layers."""
    session = onnxruntime.InferenceSession(arguments["--loadEngine"], providers=["CPUExecutionProvider"])
    shapes = dict(item.split(":") for item in arguments["--shapes"].split(","))
    files = dict(item.split(":") for item in arguments["--loadInputs"].split(","))
    inputs = {
        value.name: np.fromfile(files[value.name], DTYPES[value.type]).reshape(
            [int(size) for size in shapes[value.name].split("x")]
        )
        for value in session.get_inputs()
    }
    names = [output.name for output in session.get_outputs()]
    tensors = [
        f'{{ "name" : "{name}", "dimensions" : "{"x".join(map(str, value.shape))}", '
        f'"values" : [ {", ".join(f"{number:.8g}" for number in value.astype(np.float32).ravel())} ] }}'
        for name, value in zip(names, session.run(names, inputs), strict=True)
    ]
    Path(arguments["--exportOutput"]).write_text(f"[ {', '.join(tensors)} ]")
    half, full = ({"Format/Datatype": f"Channel major {name} format"} for name in ("FP16", "FP32"))
    convolution = {"Name": "/conv0/Conv", "LayerType": "CaskConvolution", "Inputs": [half]}
    name = "Reformatting CopyNode for Input Tensor 0 to /conv0/Conv"
    cast = {"Name": name, "LayerType": "Reformat", "Inputs": [full]}
    layers = {"Layers": [cast, convolution, convolution]}
    Path(arguments["--exportLayerInfo"]).write_text(json.dumps(layers))


if __name__ == "__main__":
    main()
