"""Generates the Python stubs when the package is built; they are never committed."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class StubsBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs grpcio-tools' protoc over emotion/**/*.proto and adds its output to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self._out = tempfile.TemporaryDirectory(prefix="emotion-stubs-")
        out = Path(self._out.name)
        root = Path(self.root)
        protos = sorted(str(p.relative_to(root)) for p in root.glob("emotion/**/*.proto"))
        bin_dir = Path(sys.executable).parent
        subprocess.run(
            [
                sys.executable,
                "-m",
                "grpc_tools.protoc",
                f"--proto_path={root}",
                f"--plugin=protoc-gen-mypy={bin_dir / 'protoc-gen-mypy'}",
                f"--plugin=protoc-gen-mypy_grpc={bin_dir / 'protoc-gen-mypy_grpc'}",
                f"--python_out={out}",
                f"--grpc_python_out={out}",
                f"--mypy_out=quiet:{out}",
                f"--mypy_grpc_out=quiet:{out}",
                *protos,
            ],
            check=True,
            cwd=root,
        )
        for folder in {p.parent for p in out.rglob("*_pb2.py")} | {out / "emotion"}:
            (folder / "__init__.py").touch()
        (out / "emotion" / "py.typed").touch()
        build_data["force_include"][str(out / "emotion")] = "emotion"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Removes the generated files, which are in the wheel now."""
        self._out.cleanup()
