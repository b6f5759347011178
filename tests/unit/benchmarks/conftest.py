"""Makes ``benchmarks`` importable: it is run from the repository and not installed."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3]))
