"""Measures what the product costs, against the arithmetic alone and against the usual way.

``python -m benchmarks`` prints a table and writes ``build/bench.json``. Read in this order:

``parts``       what is measured, a file a part; ``bench`` is what they share
``kernel``      the arithmetic of a frame and nothing else, as a process of its own
``load``        many clients in one cheap process: ``session`` is one client (pure), ``http2``
                and ``websocket`` its two ways to talk (pure)
``peers``       what people otherwise write
``frames``      the pictures
``measures``    percentiles, fairness, bisection (pure); ``figures`` medians, spread and targets
``processes``   CPU time and memory by the operating system's accounting
``report``      table, JSON and docs/performance.md; ``plots`` its pictures
``worker``      a child process that answers questions, one line of JSON each
"""
