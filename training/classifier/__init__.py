"""The expression classifier: data, training, calibration, export, evaluation."""
