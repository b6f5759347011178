"""The backends' answers, right and wrong, from real gRPC servers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
import numpy as np
import pytest
from emotion.detector.v1 import detector_pb2
from emotion.tfserving import serving_pb2, tensor_pb2
from emotion_gateway.backends import (
    MAX_FACES_PER_CALL,
    ClassifierBackend,
    DetectorBackend,
    open_channel,
)
from emotion_serving import Unavailable
from unit.gateway.pictures import answer, box_of, detected, picture, scores

Answer = Callable[[bytes, grpc.aio.ServicerContext], Awaitable[bytes]]
Stream = Callable[[AsyncIterator[bytes], grpc.aio.ServicerContext], Awaitable[None]]
DETECTOR = "emotion.detector.v1.FaceDetectorService"
LIMIT = 1 << 20


@asynccontextmanager
async def server(method: Answer, stream: Stream | None = None) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server that answers both backends' methods with raw bytes.

    Unless told otherwise, a stream has the same answers as single calls.
    """

    async def one_by_one(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:
        async for request in requests:
            await context.write(await method(request, context))

    grpc_server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(method)
    streaming = grpc.stream_stream_rpc_method_handler(stream or one_by_one)
    for service, handlers in (
        (DETECTOR, {"Detect": handler, "DetectStream": streaming}),
        ("tensorflow.serving.PredictionService", {"Predict": handler}),
    ):
        grpc_server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, handlers),)
        )
    port = grpc_server.add_insecure_port("127.0.0.1:0")
    await grpc_server.start()
    channel = open_channel(f"127.0.0.1:{port}", LIMIT)
    try:
        yield channel
    finally:
        await channel.close()
        await grpc_server.stop(None)


def always(data: bytes) -> Answer:
    async def method(request: bytes, context: grpc.aio.ServicerContext) -> bytes:  # noqa: ARG001
        return data

    return method


def failing(code: grpc.StatusCode) -> Answer:
    async def method(request: bytes, context: grpc.aio.ServicerContext) -> bytes:  # noqa: ARG001
        await context.abort(code, "as told")
        raise AssertionError

    return method


async def hanging(request: bytes, context: grpc.aio.ServicerContext) -> bytes:  # noqa: ARG001
    await asyncio.sleep(60)
    raise AssertionError


def tensor(**changes: object) -> tensor_pb2.TensorProto:
    fields: dict[str, object] = {
        "dtype": tensor_pb2.DT_FLOAT,
        "tensor_shape": tensor_pb2.TensorShapeProto(
            dim=[
                tensor_pb2.TensorShapeProto.Dim(size=2),
                tensor_pb2.TensorShapeProto.Dim(size=8),
            ]
        ),
    }
    return tensor_pb2.TensorProto(**(fields | changes))  # type: ignore[arg-type]


def predicted(**outputs: tensor_pb2.TensorProto) -> bytes:
    return serving_pb2.PredictResponse(outputs=outputs).SerializeToString()


GOOD = scores(10, 200)


@pytest.mark.parametrize("field", ["tensor_content", "float_val"])
async def test_both_encodings_of_the_classifiers_answer_are_read(field: str) -> None:
    value = GOOD.tobytes() if field == "tensor_content" else GOOD.ravel().tolist()
    requests = []

    async def predict(request: bytes, context: grpc.aio.ServicerContext) -> bytes:  # noqa: ARG001
        requests.append(serving_pb2.PredictRequest.FromString(request))
        return predicted(probabilities=tensor(**{field: value}))

    chips = bytes(range(256)) * 18
    async with server(predict) as channel:
        answer = await ClassifierBackend(channel, 5.0, "emotion").classify(chips)
    np.testing.assert_array_equal(answer, GOOD)
    assert answer.dtype == np.float32
    [request] = requests
    sent = request.inputs["faces"]
    assert request.model_spec.name == "emotion"
    assert sent.dtype == tensor_pb2.DT_UINT8
    assert [dim.size for dim in sent.tensor_shape.dim] == [2, 48, 48, 1]
    assert sent.tensor_content == chips


NOT_NUMBERS = GOOD.copy()
NOT_NUMBERS[1, 3] = np.nan


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff\xff\xff", id="not a message"),
        pytest.param(b"", id="no output"),
        pytest.param(predicted(a=tensor(), b=tensor()), id="two outputs"),
        pytest.param(predicted(p=tensor()), id="no numbers"),
        pytest.param(predicted(p=tensor(float_val=[0.5] * 15)), id="too few"),
        pytest.param(predicted(p=tensor(float_val=[0.5] * 17)), id="too many"),
        pytest.param(predicted(p=tensor(tensor_content=b"x" * 63)), id="odd bytes"),
        pytest.param(predicted(p=tensor(tensor_content=NOT_NUMBERS.tobytes())), id="not a number"),
        pytest.param(predicted(p=tensor(float_val=[-3.0] * 16)), id="negative"),
        pytest.param(predicted(p=tensor(float_val=[7.0] * 16)), id="above one"),
        pytest.param(
            predicted(p=tensor(dtype=tensor_pb2.DT_DOUBLE, tensor_content=bytes(128))), id="dtype"
        ),
        pytest.param(
            predicted(
                p=tensor(
                    tensor_shape=tensor_pb2.TensorShapeProto(
                        dim=[tensor_pb2.TensorShapeProto.Dim(size=16)]
                    ),
                    tensor_content=GOOD.tobytes(),
                )
            ),
            id="shape",
        ),
    ],
)
async def test_a_nonsense_answer_of_the_classifier_counts_as_away(data: bytes) -> None:
    async with server(always(data)) as channel:
        with pytest.raises(Unavailable):
            await ClassifierBackend(channel, 5.0, "emotion").classify(bytes(2 * 48 * 48))


async def test_the_detectors_answer_comes_image_for_image() -> None:
    async with server(detect_truly) as channel:
        assert await boxes(DetectorBackend([channel], 5.0), *range(5)) == [
            box_of(i)[0] for i in range(5)
        ]


async def detect_truly(request: bytes, context: grpc.aio.ServicerContext) -> bytes:  # noqa: ARG001
    images = detector_pb2.DetectRequest.FromString(request).images
    return detector_pb2.DetectResponse(
        detections=[answer(image) for image in images]
    ).SerializeToString()


async def boxes(backend: DetectorBackend, *numbers: int) -> list[float]:
    found = await backend.detect([detector_pb2.Image(data=picture(i)) for i in numbers])
    return [detection.faces.faces[0].x for detection in found]


async def test_batches_share_a_stream_while_it_is_young() -> None:
    streams: list[list[bytes]] = []

    async def stream(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:
        streams.append([])
        async for request in requests:
            streams[-1].append(request)
            await context.write(await detect_truly(request, context))

    async with server(hanging, stream) as channel:
        backend = DetectorBackend([channel], 5.0, stream_seconds=2.0)
        for i in range(3):
            assert await boxes(backend, i) == [box_of(i)[0]]
        assert [len(requests) for requests in streams] == [3]
        await asyncio.sleep(2.0)
        assert await boxes(backend, 4) == [box_of(4)[0]]
    assert [len(requests) for requests in streams] == [3, 1]


async def test_batches_at_once_never_mix() -> None:
    async def detect(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        await asyncio.sleep(0.02 * (len(request) % 3))
        return await detect_truly(request, context)

    async with server(detect) as channel:
        backend = DetectorBackend([channel], 5.0)
        batches = [tuple(range(k, k + 1 + k % 4)) for k in range(20)]
        for _ in range(3):
            found = await asyncio.gather(*(boxes(backend, *batch) for batch in batches))
            assert found == [[box_of(i)[0] for i in batch] for batch in batches]


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda context: context.abort(grpc.StatusCode.UNAVAILABLE, "x"), id="aborts"),
        pytest.param(
            lambda context: context.abort(grpc.StatusCode.UNIMPLEMENTED, "x"), id="unknown"
        ),
        pytest.param(lambda _: asyncio.sleep(0), id="ends"),
    ],
)
@pytest.mark.parametrize("answered", [0, 1])
async def test_a_batch_whose_stream_breaks_is_answered_all_the_same(
    end: Callable[[grpc.aio.ServicerContext], Awaitable[None]], answered: int
) -> None:
    async def stream(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:
        for _ in range(answered):
            await context.write(await detect_truly(await anext(aiter(requests)), context))
        await end(context)

    async with server(detect_truly, stream) as channel:
        backend = DetectorBackend([channel], 5.0)
        for i in range(4):
            assert await boxes(backend, i, i + 1) == [box_of(i)[0], box_of(i + 1)[0]]
            await asyncio.sleep(0.02)  # the end of the stream may come before the next batch


async def test_the_least_busy_of_several_detectors_is_asked() -> None:
    asked = [0, 0]
    busy = [0, 0]
    most = [0, 0]

    def counting(k: int) -> Answer:
        async def detect(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
            asked[k] += 1
            busy[k] += 1
            most[k] = max(most[k], busy[k])
            await asyncio.sleep(0.01)
            busy[k] -= 1
            return await detect_truly(request, context)

        return detect

    async with server(counting(0)) as first, server(counting(1)) as second:
        backend = DetectorBackend([first, second], 5.0)
        for i in range(10):
            found = await asyncio.gather(boxes(backend, i), boxes(backend, i + 1))
            assert found == [[box_of(i)[0]], [box_of(i + 1)[0]]]
        assert asked == [10, 10]
        assert most == [1, 1]
        assert await boxes(backend, 1) == [box_of(1)[0]]
        assert asked == [11, 10], "the first while all are idle: its caches are warm"


async def test_a_detector_that_is_away_is_replaced_by_the_next_one() -> None:
    async with server(failing(grpc.StatusCode.UNAVAILABLE)) as away, server(detect_truly) as here:
        backend = DetectorBackend([away, here], 5.0)
        for i in range(3):
            assert await boxes(backend, i) == [box_of(i)[0]]
    async with server(failing(grpc.StatusCode.UNAVAILABLE)) as away:
        with pytest.raises(Unavailable):
            await boxes(DetectorBackend([away, away], 5.0), 1)


async def test_a_stream_that_hangs_is_not_used_again() -> None:
    hangs = True

    async def stream(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:
        late = hangs
        async for request in requests:
            if late:
                await asyncio.sleep(0.3)
            await context.write(await detect_truly(request, context))

    async with server(hanging, stream) as channel:
        backend = DetectorBackend([channel], 0.2)
        with pytest.raises(Unavailable):
            await boxes(backend, 1)
        hangs = False
        # On the same stream the next answer would be that of the first batch.
        assert await boxes(backend, 2) == [box_of(2)[0]]


def detections(*faces: detector_pb2.DetectedFaces) -> bytes:
    return detector_pb2.DetectResponse(
        detections=[detector_pb2.Detection(faces=f) for f in faces]
    ).SerializeToString()


def changed(**changes: object) -> detector_pb2.DetectedFaces:
    faces = detected((0.25, 0.25, 0.5, 0.5))
    for name, value in changes.items():
        if name == "landmarks":
            faces.faces[0].landmarks[:] = value  # type: ignore[assignment]
        else:
            setattr(faces.faces[0], name, value)
    return faces


ONE_CHIP_SHORT = detected((0.25, 0.25, 0.5, 0.5))
ONE_CHIP_SHORT.chips = ONE_CHIP_SHORT.chips[:-1]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff\xff\xff", id="not a message"),
        pytest.param(b"", id="nothing"),
        pytest.param(detections(detected(), detected()), id="two for one"),
        pytest.param(detections(ONE_CHIP_SHORT), id="chips cut short"),
        pytest.param(
            detector_pb2.DetectResponse(detections=[detector_pb2.Detection()]).SerializeToString(),
            id="neither faces nor an error",
        ),
        pytest.param(detections(changed(landmarks=[0.5] * 9)), id="half a landmark"),
        pytest.param(detections(changed(width=-0.5)), id="negative width"),
        pytest.param(detections(changed(x=float("nan"))), id="box not a number"),
        pytest.param(detections(changed(y=float("inf"))), id="box infinite"),
        pytest.param(detections(changed(score=float("nan"))), id="score not a number"),
    ],
)
async def test_a_nonsense_answer_of_the_detector_counts_as_away(data: bytes) -> None:
    async with server(always(data)) as channel:
        with pytest.raises(Unavailable):
            await DetectorBackend([channel], 5.0).detect([detector_pb2.Image(data=b"x")])


@pytest.mark.parametrize("code", [c for c in grpc.StatusCode if c is not grpc.StatusCode.OK])
async def test_any_error_status_counts_as_away(code: grpc.StatusCode) -> None:
    async with server(failing(code)) as channel:
        with pytest.raises(Unavailable):
            await DetectorBackend([channel], 5.0).detect([detector_pb2.Image(data=b"x")])
        with pytest.raises(Unavailable):
            await ClassifierBackend(channel, 5.0, "emotion").classify(bytes(48 * 48))


async def test_a_backend_that_hangs_is_away_after_its_deadline() -> None:
    async with server(hanging) as channel, asyncio.timeout(10):
        with pytest.raises(Unavailable):
            await DetectorBackend([channel], 0.05).detect([detector_pb2.Image(data=b"x")])
        with pytest.raises(Unavailable):
            await ClassifierBackend(channel, 0.05, "emotion").classify(bytes(48 * 48))


async def test_an_outage_is_logged_once_and_its_end_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away = True

    async def detect(request: bytes, context: grpc.aio.ServicerContext) -> bytes:  # noqa: ARG001
        if away:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        return detections(detected())

    caplog.set_level("INFO", "emotion_gateway")
    async with server(detect) as channel:
        backend = DetectorBackend([channel], 5.0)
        for _ in range(3):
            with pytest.raises(Unavailable):
                await backend.detect([detector_pb2.Image(data=b"x")])
        away = False
        for _ in range(3):
            await backend.detect([detector_pb2.Image(data=b"x")])
    events = [r.message for r in caplog.records if r.name.startswith("emotion_gateway")]
    assert events == ["backend away", "backend back"]


@pytest.mark.parametrize("label", ["", "stable"])
async def test_the_classifier_is_asked_for_the_version_with_the_label(label: str) -> None:
    asked: list[serving_pb2.PredictRequest] = []

    async def method(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        asked.append(serving_pb2.PredictRequest.FromString(request))
        await context.abort(grpc.StatusCode.UNAVAILABLE, "no answer needed")
        raise AssertionError

    async with server(method) as channel:
        with pytest.raises(Unavailable):
            await ClassifierBackend(channel, 5.0, "emotion", label).classify(bytes(48 * 48))
    assert asked[0].model_spec.name == "emotion"
    assert asked[0].model_spec.version_label == label
    assert (asked[0].model_spec.WhichOneof("version_choice") == "version_label") == bool(label)


async def test_a_crowd_is_scored_in_calls_that_every_classifier_takes() -> None:
    faces = 2 * MAX_FACES_PER_CALL + 3
    shades = [i % 250 for i in range(faces)]
    calls = []

    async def predict(data: bytes, context: grpc.aio.ServicerContext) -> bytes:  # noqa: ARG001
        tensor = serving_pb2.PredictRequest.FromString(data).inputs["faces"]
        chips = np.frombuffer(tensor.tensor_content, np.uint8).reshape(-1, 48 * 48)
        assert [dim.size for dim in tensor.tensor_shape.dim] == [len(chips), 48, 48, 1]
        calls.append(len(chips))
        answered = scores(*chips[:, 0].tolist())
        output = tensor_pb2.TensorProto(
            dtype=tensor_pb2.DT_FLOAT, tensor_content=answered.tobytes()
        )
        for size in answered.shape:
            output.tensor_shape.dim.add(size=size)
        return serving_pb2.PredictResponse(outputs={"output_0": output}).SerializeToString()

    chips = b"".join(bytes([shade]) * 48 * 48 for shade in shades)
    async with server(predict) as channel:
        found = await ClassifierBackend(channel, 5.0, "emotion").classify(chips)
    assert sorted(calls) == [3, MAX_FACES_PER_CALL, MAX_FACES_PER_CALL]
    assert np.allclose(found, scores(*shades))
