# Everything of Hilum that is not Triton, as one virtual environment on a slim Python.
#   docker build -f images/platform.Dockerfile -t hilum-platform:0.1.0 .                               rollout, MLflow
#   docker build -f images/platform.Dockerfile -t hilum-training:0.1.0-gpu --build-arg EXTRAS=training .
#   docker build -f images/platform.Dockerfile -t hilum-dashboard:0.1.0 --build-arg EXTRAS=dashboard --target dashboard .
# PyPI's torch is built for CUDA; a training image for CPUs takes PyTorch's own index:
#   --build-arg EXTRAS=training --build-arg PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE} AS build
ARG EXTRAS=cluster
ARG PIP_EXTRA_INDEX_URL=
RUN --mount=type=bind,target=/src \
    python3 -m venv /opt/hilum && \
    /opt/hilum/bin/pip install --no-cache-dir --constraint /src/constraints.txt "/src[${EXTRAS}]"

FROM ${BASE} AS runtime
COPY --from=build /opt/hilum /opt/hilum
# HILUM_HOME is the only folder written to, besides /tmp.
ENV PATH=/opt/hilum/bin:$PATH \
    HILUM_HOME=/var/lib/hilum \
    HOME=/tmp \
    GIT_PYTHON_REFRESH=quiet
RUN mkdir /var/lib/hilum && chown 1000:1000 /var/lib/hilum
USER 1000
WORKDIR /var/lib/hilum

FROM runtime AS dashboard
EXPOSE 8501
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python3", "-c", "import sys; from hilum.probe import answers_ok; sys.exit(not answers_ok('http://127.0.0.1:8501/_stcore/health'))"]
CMD ["hilum", "dashboard", "--host", "0.0.0.0"]

FROM runtime AS platform
EXPOSE 8003
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python3", "-c", "import sys; from hilum.probe import answers_ok; sys.exit(not answers_ok('http://127.0.0.1:8003/healthz'))"]
CMD ["hilum", "rollout", "watch"]
