"""TensorFlow Serving's gRPC methods."""

from collections.abc import Iterable
from typing import Any

import grpc
from emotion.tfserving import serving_pb2, serving_pb2_grpc, tensor_pb2
from emotion_serving import FailedPrecondition, InvalidArgument
from google.protobuf import any_pb2

from emotion_classifier.model import Model, Signature
from emotion_classifier.servables import Servable, Servables
from emotion_classifier.tensors import decode_tensor, encode_tensor
from emotion_classifier.workers import Workers

DEFAULT_SIGNATURE = "serving_default"
METHOD_NAME = "tensorflow/serving/predict"
_SIGNATURE_DEF = "signature_def"

# The order of the checks and the words of the messages are TensorFlow Serving's.


class PredictionService(serving_pb2_grpc.PredictionServiceServicer):
    """Runs models and tells their signatures.

    Args:
        servables: what is loaded.
        workers: run it.
        max_batch_faces: largest first dimension of an input.
    """

    def __init__(self, servables: Servables, workers: Workers, max_batch_faces: int) -> None:
        self._servables = servables
        self._workers = workers
        self._max_batch_faces = max_batch_faces

    async def Predict(  # noqa: N802
        self,
        request: serving_pb2.PredictRequest,
        context: grpc.aio.ServicerContext,  # noqa: ARG002
    ) -> serving_pb2.PredictResponse:
        """Runs a batch; outputs come in typed fields, as TensorFlow Serving sends them.

        Raises:
            NotFound, InvalidArgument, FailedPrecondition: as TensorFlow Serving answers.
        """
        _require_spec(request)
        servable = self._servables.find(request.model_spec)
        with servable.call() as model:
            name = request.model_spec.signature_name or DEFAULT_SIGNATURE
            signature = _signature(model, name)
            _check_inputs(request, signature)
            faces = decode_tensor(
                signature.input_name,
                request.inputs[signature.input_name],
                signature.input,
                self._max_batch_faces,
            )
            wanted = _wanted_outputs(request.output_filter, signature)
            outputs = await self._workers.run(model, name, faces)
        return serving_pb2.PredictResponse(
            outputs={alias: encode_tensor(outputs[alias]) for alias in wanted},
            model_spec=_effective_spec(servable, name),
        )

    async def GetModelMetadata(  # noqa: N802
        self,
        request: serving_pb2.GetModelMetadataRequest,
        context: grpc.aio.ServicerContext,  # noqa: ARG002
    ) -> serving_pb2.GetModelMetadataResponse:
        """Tells the signatures of a version, as a SignatureDefMap under ``signature_def``.

        Raises:
            NotFound, InvalidArgument: as TensorFlow Serving answers.
        """
        _require_spec(request)
        if not request.metadata_field:
            raise InvalidArgument(
                "GetModelMetadataRequest must specify at least one metadata_field"
            )
        for field in request.metadata_field:
            if field != _SIGNATURE_DEF:
                raise InvalidArgument(f"Metadata field {field} is not supported")
        servable = self._servables.find(request.model_spec)
        with servable.call() as model:
            packed = any_pb2.Any()
            packed.Pack(
                serving_pb2.SignatureDefMap(
                    signature_def={
                        name: _signature_def(signature)
                        for name, signature in model.signatures.items()
                    }
                )
            )
            return serving_pb2.GetModelMetadataResponse(
                model_spec=_effective_spec(servable), metadata={_SIGNATURE_DEF: packed}
            )


class ModelService(serving_pb2_grpc.ModelServiceServicer):
    """Tells the state of the versions.

    Args:
        servables: what is loaded.
    """

    def __init__(self, servables: Servables) -> None:
        self._servables = servables

    async def GetModelStatus(  # noqa: N802
        self,
        request: serving_pb2.GetModelStatusRequest,
        context: grpc.aio.ServicerContext,  # noqa: ARG002
    ) -> serving_pb2.GetModelStatusResponse:
        """Tells the state of one version, or of all of a model, newest first.

        Raises:
            NotFound, InvalidArgument: as TensorFlow Serving answers.
        """
        _require_spec(request)
        return serving_pb2.GetModelStatusResponse(
            model_version_status=self._servables.statuses(request.model_spec)
        )


def _require_spec(request: Any) -> None:
    if not request.HasField("model_spec"):
        raise InvalidArgument("Missing ModelSpec")


def _signature(model: Model, name: str) -> Signature:
    signature = model.signatures.get(name)
    if signature is None:
        raise FailedPrecondition(f'Serving signature key "{name}" not found.')
    return signature


def _check_inputs(request: serving_pb2.PredictRequest, signature: Signature) -> None:
    given, expected = set(request.inputs), {signature.input_name}
    if len(given) != len(expected):
        raise InvalidArgument(
            f"input size does not match signature: {len(given)}!={len(expected)} "
            f"len({_set(given)}) != len({_set(expected)}). Sent extra: {_set(given - expected)}. "
            f"Missing but required: {_set(expected - given)}."
        )
    if given != expected:
        raise InvalidArgument(
            f"input tensor alias not found in signature: {given.pop()}. "
            f"Inputs expected to be in the set {_set(expected)}."
        )


def _wanted_outputs(output_filter: Iterable[str], signature: Signature) -> list[str]:
    wanted: list[str] = []
    for alias in output_filter:
        if alias not in signature.outputs:
            raise InvalidArgument(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_set(signature.outputs)}."
            )
        if alias in wanted:
            raise InvalidArgument(f"duplicate output tensor alias: {alias}")
        wanted.append(alias)
    return wanted or list(signature.outputs)


def _effective_spec(servable: Servable, signature_name: str = "") -> serving_pb2.ModelSpec:
    spec = serving_pb2.ModelSpec(name=servable.name, signature_name=signature_name)
    spec.version.value = servable.version
    return spec


def _signature_def(signature: Signature) -> tensor_pb2.SignatureDef:
    return tensor_pb2.SignatureDef(
        inputs={signature.input_name: signature.input.to_proto()},
        outputs={name: spec.to_proto() for name, spec in signature.outputs.items()},
        method_name=METHOD_NAME,
    )


def _set(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
