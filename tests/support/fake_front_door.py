"""A front door in this process: it answers every image alike, after it has failed as it is told."""

import grpc
import numpy as np
from tritonclient.grpc import service_pb2

from hilum.contract import ACCEPTED, ACTIVATION_MAP, PROBABILITIES, SCREENING, VALID_PROBABILITY
from tests.support.grpc_server import Servicer

IN_ENSEMBLE = f"in ensemble '{SCREENING}', "
"""What Triton puts before the message of a step that failed."""

Failure = tuple[grpc.StatusCode, str]
BROKEN: Failure = (grpc.StatusCode.UNAVAILABLE, "Socket closed")


class FakeFrontDoor(Servicer):
    """Fails in the ways that are left, then answers."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self.accepts = True
        self.is_ready = True
        self.requests = 0

    def ModelReady(self, _request: object, _context: object) -> object:  # noqa: N802 - gRPC's name
        return service_pb2.ModelReadyResponse(ready=self.is_ready)

    def ModelInfer(self, _request: object, context: grpc.ServicerContext) -> object:  # noqa: N802
        self.requests += 1
        if self.failures:
            context.abort(*self.failures.pop(0))
        probabilities = [0.2, 0.7, 0.1] if self.accepts else [np.nan] * 3
        outputs = {
            VALID_PROBABILITY: np.array([[0.9 if self.accepts else 0.1]], np.float32),
            ACCEPTED: np.array([[self.accepts]]),
            PROBABILITIES: np.array([probabilities], np.float32),
            ACTIVATION_MAP: np.zeros((1, 3, 2, 2), np.float32),
        }
        response = service_pb2.ModelInferResponse(model_name=SCREENING, model_version="7")
        for tensor, values in outputs.items():
            response.outputs.add(name=tensor.name, datatype=tensor.dtype, shape=values.shape)
            response.raw_output_contents.append(values.tobytes())
        return response

    def ModelConfig(self, _request: object, _context: object) -> object:  # noqa: N802 - gRPC's name
        response = service_pb2.ModelConfigResponse()
        for finding in ("lung_opacity", "covid19"):
            response.config.parameters[f"{finding}_threshold"].string_value = "0.5"
        return response
