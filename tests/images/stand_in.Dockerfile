# Stands in for NVIDIA's image in the test of images: a plain Debian with a real tritonserver where NVIDIA's has it.
# The embedded server has no C++ ONNX Runtime backend; Hilum's Python one takes its place, as on a laptop.
ARG BASE
FROM ${BASE}
RUN --mount=type=bind,target=/src \
    pip install --no-cache-dir --break-system-packages --root-user-action=ignore --constraint /src/constraints.txt \
        nvidia-pytriton==0.7.0 onnxruntime && \
    site=$(python3 -c "import sysconfig; print(sysconfig.get_path('purelib'))") && \
    server=$site/pytriton/tritonserver && \
    mkdir -p /opt/tritonserver/bin /opt/tritonserver/backends && \
    ln -s "$server/bin/tritonserver" /opt/tritonserver/bin/ && \
    cp -r "$server/backends/python" /opt/tritonserver/backends/ && \
    cp "$server"/python_backend_stubs/3.11/triton_python_backend_stub /opt/tritonserver/backends/python/ && \
    cp -r /src/hilum/triton/backends/onnxruntime /opt/tritonserver/backends/ && \
    ln -s "$site/nvidia_pytriton.libs" /opt/tritonserver/lib
ENV PATH=/opt/tritonserver/bin:$PATH \
    LD_LIBRARY_PATH=/opt/tritonserver/lib
