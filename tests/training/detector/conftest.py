"""Makes ``drawn`` importable: ``tests/training`` can be no package beside ``training``."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
