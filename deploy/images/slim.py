"""Removes from a folder of installed Python packages what no server of ours uses.

    python3 slim.py /app

Build stages run it after installing; then they import the program, and the tests of the
containers drive it. Four kinds of things go:

- files that nothing imports at run time: type stubs, headers, tests, scripts;
- parts of packages that our programs do not use (``UNUSED``);
- what only debuggers read of a library (``UNSTRIPPED``);
- shared libraries that a wheel brings along and nothing is linked with, after the links of
  ``UNLINKED`` were cut: OpenCV's Python module is linked with FFmpeg and a BLAS of its own, 74 MB
  that only its video and linear algebra functions call. Such a call would end the process; the
  detector makes none.
"""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from elf import Elf, ElfError

FOLDERS = ("tests", "include")
SUFFIXES = (".pyi", ".pxd", ".pyx", ".h", ".a")
UNUSED = (
    "bin",
    "ai_edge_litert/libLiteRtWebGpuAccelerator.so",
    "ai_edge_litert/tools",
    "ai_edge_litert/vendors",
    "numpy/distutils",
    "numpy/f2py",
    "onnxruntime/backend",
    # For callers in C; Python's module has its own copy inside.
    "onnxruntime/capi/libonnxruntime.so.*",
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
)
UNSTRIPPED = ("uvloop/loop.*.so",)
UNLINKED = {
    "cv2/cv2.abi3.so": ("libavcodec", "libavformat", "libavutil", "libswscale", "libopenblas"),
}


def slim(app: Path) -> None:
    """Slims the packages in ``app``, for which nothing may run from it.

    Raises:
        ElfError: a library of ``UNLINKED`` is not what is expected.
    """
    unwanted = [p for p in app.rglob("*") if p.name in FOLDERS or p.suffix in SUFFIXES]
    for path in [*unwanted, *(p for pattern in UNUSED for p in app.glob(pattern))]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for name, libraries in UNLINKED.items():
        if (app / name).exists():
            unlink(app / name, [p for p in bundled(app) if p.name.startswith(libraries)])
    remove_orphans(app)
    for path in (p for pattern in UNSTRIPPED for p in app.glob(pattern)):
        elf = Elf(path.read_bytes())
        elf.strip()
        path.write_bytes(elf.data)


def bundled(app: Path) -> list[Path]:
    """Shared libraries that wheels bring along, in folders ``*.libs``."""
    return sorted(app.glob("*.libs/*.so*"))


def remove_orphans(app: Path) -> None:
    """Deletes bundled libraries that nothing is linked with."""
    orphans = {p.name: p for p in bundled(app)}
    waiting = [p for p in app.rglob("*.so*") if p.is_file() and p.name not in orphans]
    while waiting:
        needed = Elf(waiting.pop().read_bytes()).needed()
        waiting += [orphans.pop(name) for name in needed if name in orphans]
    for path in orphans.values():
        path.unlink()


def unlink(path: Path, libraries: Iterable[Path]) -> None:
    """Makes a shared library load without others that it is linked with.

    Args:
        path: the library, changed in place.
        libraries: those that it is to load without.

    Raises:
        ElfError: it is not linked with one of them, or it binds all functions when it is loaded.
    """
    elf = Elf(path.read_bytes())
    if elf.binds_at_once():
        raise ElfError(f"{path} binds every function when it is loaded: no link can be cut")
    for library in libraries:
        if library.name not in elf.needed():
            raise ElfError(f"{path} is not linked with {library.name}: adapt UNLINKED")
        elf.cut(library.name, Elf(library.read_bytes()).defined())
    path.write_bytes(elf.data)


def main() -> None:
    (app,) = sys.argv[1:]
    slim(Path(app))


if __name__ == "__main__":
    main()
