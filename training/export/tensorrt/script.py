"""Writes `build.sh`, which builds the engine in the server's container and asks it the cases.

It trusts no exit status: TensorRT has built FP32 engines where FP16 was asked, and ended with 0. What it
leaves (the engine, the inspector's listing, the answers) is judged by `hilum export passport`.
"""

import shlex

from training.export.tensorrt.plan import CASES_FOLDER, ENGINE_FILE, FACTS_FILE, ONNX_FILE, BuildPlan

SCRIPT_FILE = "build.sh"

TRTEXEC = "/usr/src/tensorrt/bin/trtexec"
"""Where NVIDIA's containers hold it."""

_TEMPLATE = """\
#!/usr/bin/env bash
# Builds {engine} from {onnx} and asks it the cases. Written by `hilum export tensorrt`.
# Run it in {image} on a machine with a GPU:
#   docker run --rm --gpus all -v "$PWD":/build -w /build {image} bash build.sh
# then, anywhere: hilum export passport FOLDER
set -euo pipefail
cd "$(dirname "$0")"

trtexec="$(command -v trtexec || true)"
if [ -z "$trtexec" ]; then trtexec={trtexec}; fi
if [ ! -x "$trtexec" ]; then
  echo "There is no trtexec here. Use {image}," >&2
  echo "or NVIDIA's TensorRT container of the same month." >&2
  exit 1
fi
echo "{sha256}  {onnx}" | sha256sum --check --quiet

gpu="$(nvidia-smi --query-gpu=compute_cap,name --format=csv,noheader | head -n 1)"
capability="${{gpu%%,*}}"
device="${{gpu#*, }}"
{check_capability}
rm -f {engine} {facts}
"$trtexec" {build} 2>&1 | tee build.log

# The banner reads [TensorRT v100500] for 10.5.0.
number="$(sed -n 's/.*\\[TensorRT v\\([0-9]*\\)\\].*/\\1/p' build.log | head -n 1)"
if [ -z "$number" ]; then echo "build.log does not say which TensorRT this is." >&2; exit 1; fi
version="$((number / 10000)).$((number / 100 % 100)).$((number % 100))"
if [ "$((number / 10000))" != "{major}" ]; then
  echo "This container has TensorRT $version, the plan is for {major}: export again with --tensorrt." >&2
  exit 1
fi
if [ ! -s {engine} ]; then echo "trtexec ended without an engine: see build.log." >&2; exit 1; fi

{ask}
printf '{{"tensorrt": "%s", "compute_capability": "%s", "device": "%s"}}\\n' \\
  "$version" "$capability" "$device" > {facts}
echo "Built. Now run: hilum export passport FOLDER"
"""

_CHECK_CAPABILITY = """\
if [ "$capability" != "{wanted}" ]; then
  echo "This GPU ($device) has compute capability $capability; the plan is for {wanted}." >&2
  exit 1
fi
"""


def build_script(plan: BuildPlan, batches: list[int]) -> str:
    """Return the text of `build.sh`; `batches` holds the number of images of each batch of cases."""
    wanted = plan.compute_capability
    return _TEMPLATE.format(
        engine=ENGINE_FILE,
        onnx=ONNX_FILE,
        facts=FACTS_FILE,
        image=plan.image,
        trtexec=TRTEXEC,
        sha256=plan.onnx_sha256,
        major=plan.tensorrt,
        check_capability=_CHECK_CAPABILITY.format(wanted=wanted) if wanted else "",
        build=shlex.join(plan.build_arguments),
        ask="\n".join(_ask(plan, number, size) for number, size in enumerate(batches)),
    )


def _ask(plan: BuildPlan, number: int, size: int) -> str:
    log = f"{CASES_FOLDER}/{number}/trtexec.log"
    return (
        f'"$trtexec" {shlex.join(plan.ask_arguments(number, size))} > {log} 2>&1 || {{\n'
        f'  echo "The engine did not answer: see {log}." >&2\n'
        "  exit 1\n"
        "}"
    )
