"""The face detector: data, labels, augmentation, targets, network, training, export, evaluation.

Read in order: ``data`` and ``labels`` (pictures with faces, with the help of ``reference``),
``augment`` and ``batches`` (canvases), ``targets`` and ``losses`` (what the network should answer),
``network``, ``train`` and ``mining``, ``export`` and ``calibrate``, ``evaluate`` with ``scoring``,
``conditions`` and ``still``, ``report``.
"""
