"""The face detector: data, labels, augmentation, targets, network, training, export, evaluation.

Read in order: ``data`` and ``labels`` (pictures with faces), ``augment`` (canvases), ``targets``
and ``losses`` (what the network should answer), ``network``, ``train``, ``export``, ``evaluate``.
"""
