"""Writes a model version's warm-up requests, which TensorFlow Serving runs before it serves it.

``build/venv-tfserving/bin/python services/classifier/tfserving/write_warmup.py FOLDER`` with the
version's folder, e.g. ``services/classifier/models/emotion/3``. The requests are the gateway's:
batches of the sizes that it forms most, so that no first call of a size is slow.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

BATCH_SIZES = (1, 2, 3, 4, 8, 16)
FILE = Path("assets.extra/tf_serving_warmup_requests")


def request(faces: int) -> predict_pb2.PredictRequest:
    """A call for uint8 [faces, 48, 48, 1] chips: a gray ramp each, of no person."""
    ramp = np.arange(48 * 48, dtype=np.uint32) * 255 // (48 * 48 - 1)
    chips = np.broadcast_to(ramp.astype(np.uint8).reshape(1, 48, 48, 1), (faces, 48, 48, 1))
    made = predict_pb2.PredictRequest()
    made.model_spec.name = "emotion"
    made.model_spec.signature_name = "serving_default"
    tensor = made.inputs["faces"]
    tensor.dtype = tf.uint8.as_datatype_enum
    tensor.tensor_shape.CopyFrom(tf.TensorShape(chips.shape).as_proto())
    tensor.tensor_content = chips.tobytes()
    return made


def write(version: Path) -> Path:
    """Writes the requests into a version's folder and returns the file."""
    file = version / FILE
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for faces in BATCH_SIZES:
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request(faces))
            )
            writer.write(log.SerializeToString(deterministic=True))
    return file


if __name__ == "__main__":
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / "saved_model.pb").is_file():
        sys.exit("usage: write_warmup.py FOLDER, the folder of a version with a saved_model.pb")
    print(write(Path(sys.argv[1])))
