"""Makes both models from data that the user has: training, evaluation, export.

``python -m training.classifier`` and ``python -m training.detector``; see the README beside this
file.

Keras trains on PyTorch where it is installed, which is quicker on a CPU, and on TensorFlow where
it is not; ``KERAS_BACKEND`` says otherwise. Exports for TensorFlow Serving always use TensorFlow.
"""

import os
from importlib.util import find_spec

# Keras reads it once, when it is imported.
os.environ.setdefault("KERAS_BACKEND", "torch" if find_spec("torch") else "tensorflow")
