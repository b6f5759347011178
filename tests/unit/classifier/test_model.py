"""A loaded version agrees with itself; what is no model is refused, not crashed on."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from emotion_classifier.model import Model, ModelError
from emotion_classifier.workers import Workers

SIGNATURE = "serving_default"


@pytest.fixture(scope="module")
def model(tflite: bytes) -> Model:
    return Model(tflite, threads=3)


def faces(count: int) -> np.ndarray:
    """Pictures that differ from each other, uint8 [count,48,48,1]."""
    return np.random.default_rng(7).integers(0, 256, (count, 48, 48, 1), np.uint8)


def test_the_signature_comes_from_the_file(model: Model) -> None:
    signature = model.signatures[SIGNATURE]
    assert signature.input_name == "faces"
    assert (signature.input.dtype, signature.input.shape) == (np.uint8, (-1, 48, 48, 1))
    ((name, output),) = signature.outputs.items()
    assert name in ("output_0", "probabilities")
    assert (output.dtype, output.shape) == (np.float32, (-1, 8))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 32])
async def test_many_faces_answer_as_each_alone_in_order(model: Model, count: int) -> None:
    workers = Workers(3)
    batch = faces(count)
    (together,) = (await workers.run(model, SIGNATURE, batch)).values()
    alone = [
        next(iter((await workers.run(model, SIGNATURE, batch[k : k + 1])).values()))[0]
        for k in range(count)
    ]
    assert together.shape == (count, 8)
    np.testing.assert_array_equal(together, np.array(alone, np.float32).reshape(count, 8))
    assert np.allclose(together.sum(axis=1), 1, atol=0.03)
    workers.close()


async def test_calls_at_once_do_not_mix(model: Model) -> None:
    workers = Workers(3)
    batches = [faces(20)[k : k + 5] for k in range(10)]
    expected = [(await workers.run(model, SIGNATURE, batch)) for batch in batches]
    answers = await asyncio.gather(*(workers.run(model, SIGNATURE, batch) for batch in batches))
    for answer, wanted in zip(answers, expected, strict=True):
        for name in wanted:
            np.testing.assert_array_equal(answer[name], wanted[name])
    workers.close()


async def test_a_cancelled_call_stops_after_the_row_it_is_at(model: Model) -> None:
    workers = Workers(1)
    many = np.broadcast_to(faces(1), (50_000, 48, 48, 1))  # 20 s at 0.4 ms a face
    call = asyncio.create_task(workers.run(model, SIGNATURE, many))
    await asyncio.sleep(0.02)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.wait_for(workers.run(model, SIGNATURE, faces(1)), 5)
    workers.close()


@pytest.mark.parametrize("kept", [0, 1, 8, 1000, 0.5, 0.9, 0.999, -1])
def test_a_truncated_file_is_refused(tflite: bytes, kept: float) -> None:
    size = int(len(tflite) * kept) if isinstance(kept, float) else kept
    with pytest.raises(ModelError):
        Model(tflite[:size], threads=1)


@pytest.mark.parametrize("content", [b"not a model" * 1000, bytes(100_000)])
def test_garbage_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match="not a valid Flatbuffer"):
        Model(content, threads=1)


def test_a_file_whose_end_is_missing_but_reserved_is_refused(tflite: bytes) -> None:
    half = len(tflite) // 2
    with pytest.raises(ModelError):
        Model(tflite[:half] + bytes(len(tflite) - half), threads=1)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read .*model\.tflite: No such file"):
        Model.load(tmp_path, threads=1)
