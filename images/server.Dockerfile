# Triton with what Hilum's Python models import; one layer on NVIDIA's image, or on another base with Triton.
#   docker build -f images/server.Dockerfile -t hilum-server:0.1.0-triton26.09 .
# The base is the chart's floor or newer (charts/hilum says why); pin it by digest for production:
#   --build-arg BASE=nvcr.io/nvidia/tritonserver@sha256:...
ARG BASE=nvcr.io/nvidia/tritonserver:26.09-py3
FROM ${BASE}

# Debian's and Ubuntu's pip refuses to install beside system packages unless told; an image has no other user.
RUN --mount=type=bind,target=/src \
    pip install --no-cache-dir --break-system-packages --root-user-action=ignore --constraint /src/constraints.txt /src

USER 1000
EXPOSE 8000 8001 8002
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s \
    CMD ["python3", "-c", "import sys; from hilum.probe import answers_ok; sys.exit(not answers_ok('http://127.0.0.1:8000/v2/health/ready'))"]
