"""What images leave out of packages: our programs do without it, and say the same."""

import importlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import cv2
import numpy
import onnxruntime
import pytest
import uvloop
from running import ROOT

# Every way in which the detector uses OpenCV, and a digest of what comes out.
DETECT = """
import hashlib, sys
import cv2, numpy, onnxruntime
assert cv2.__file__.startswith(sys.argv[1]), cv2.__file__
from emotion_detector.chips import cut_chips
from emotion_detector.boxes import Faces
from emotion_detector.network import letterbox, scale_onto
from emotion_detector.picture import Limits, PictureError, decode, _upright

colour = numpy.random.default_rng(1).integers(0, 256, (480, 640, 3), dtype=numpy.uint8)
noise = numpy.ascontiguousarray(colour[:, :, 0])
digest = hashlib.sha256()
def update(picture):
    digest.update(picture.pixels)
    digest.update(picture.luma(1))
    digest.update(picture.luma(2))
for suffix in (".jpg", ".png", ".webp"):
    data = cv2.imencode(suffix, colour)[1].tobytes()
    update(decode(data, Limits(), 320))
    for length in range(0, len(data), len(data) // 9):
        broken = bytearray(data)
        broken[length : length + 40] = b"\\xff" * 40
        for damaged in (data[:length], bytes(broken)):
            try:
                update(decode(damaged, Limits(), 320))
            except PictureError as error:
                digest.update(str(error).encode())
for orientation in range(1, 9):
    digest.update(numpy.ascontiguousarray(_upright(colour, orientation)))
    digest.update(numpy.ascontiguousarray(_upright(noise, orientation)))
scaled = scale_onto(colour, letterbox(640, 480, 320))
for plane in cv2.split(scaled):
    digest.update(plane)
boxes = numpy.array([[100, 90, 60, 70], [-20, 300, 400, 420]], numpy.float32)
landmarks = (numpy.arange(20, dtype=numpy.float32) * 7).reshape(2, 5, 2)
digest.update(cut_chips(noise, Faces(boxes, landmarks, numpy.ones(2, numpy.float32))))
print(digest.hexdigest())
"""


@pytest.fixture(scope="module", autouse=True)
def on_path() -> Iterator[None]:
    sys.path.insert(0, str(ROOT / "deploy/images"))
    yield
    sys.path.remove(str(ROOT / "deploy/images"))


@pytest.fixture(scope="module")
def slim() -> ModuleType:
    return importlib.import_module("slim")


@pytest.fixture(scope="module")
def elf() -> ModuleType:
    return importlib.import_module("elf")


@pytest.fixture(scope="module")
def packages() -> list[Path]:
    """What is installed of OpenCV, ONNX Runtime and NumPy."""
    site = Path(cv2.__file__).parents[1]
    found = [Path(str(m.__file__)).parent for m in (cv2, onnxruntime, numpy)]
    return [*found, *site.glob("opencv_python*.libs"), *site.glob("numpy.libs")]


@pytest.fixture(scope="module")
def app(packages: list[Path], slim: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, slimmed."""
    app = tmp_path_factory.mktemp("app")
    for package in packages:
        shutil.copytree(package, app / package.name)
    slim.slim(app)
    return app


def megabytes(*folders: Path) -> float:
    return sum(p.stat().st_size for f in folders for p in f.rglob("*") if p.is_file()) / 1e6


def detect(site: Path) -> str:
    """What the detector makes of pictures with the packages in a folder."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, sys.argv[1])\n{DETECT}", site],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_detector_does_the_same_with_half_of_it(app: Path, packages: list[Path]) -> None:
    assert megabytes(app) < 0.65 * megabytes(*packages)
    assert detect(app) == detect(packages[0].parent)


def test_only_libraries_that_something_needs_are_left(app: Path, elf: ModuleType) -> None:
    needed = {name for p in app.rglob("*.so*") for name in elf.Elf(p.read_bytes()).needed()}
    left = {p.name for p in app.glob("*.libs/*")}
    assert left
    assert left <= needed
    assert not any(name.startswith(("libavcodec", "libopenblasp", "libvpx")) for name in left)
    # NumPy's own BLAS is one that it needs.
    assert any("openblas" in name for name in left)


def test_what_nobody_imports_is_gone(app: Path) -> None:
    assert list(app.rglob("*.pyi")) == []
    assert not (app / "onnxruntime/transformers").exists()
    assert not (app / "numpy/f2py").exists()
    assert (app / "numpy/linalg").is_dir()


def test_a_library_that_is_not_linked_is_told(app: Path, slim: ModuleType, elf: ModuleType) -> None:
    module = app / "cv2/cv2.abi3.so"
    before = module.read_bytes()
    (other,) = (app / "numpy.libs").glob("libgfortran*")
    with pytest.raises(elf.ElfError, match=r"is not linked with libgfortran.*adapt UNLINKED"):
        slim.unlink(module, [other])
    assert module.read_bytes() == before


def test_a_library_that_binds_at_once_is_left_alone(
    app: Path, slim: ModuleType, elf: ModuleType
) -> None:
    (module,) = (app / "onnxruntime/capi").glob("onnxruntime_pybind11_state*.so")
    with pytest.raises(elf.ElfError, match="no link can be cut"):
        slim.unlink(module, [])


@pytest.mark.parametrize("content", [b"", b"\x7fELF\x01\x01" + bytes(60), b"!<arch>\n"])
def test_other_files_are_no_shared_libraries(content: bytes, elf: ModuleType) -> None:
    with pytest.raises(elf.ElfError, match="not an ELF file of 64 bits"):
        elf.Elf(content)


def test_the_page_is_installed_without_grpc() -> None:
    done = subprocess.run(
        [
            sys.executable, "-c",
            "import sys\nsys.modules['grpc'] = sys.modules['google'] = None\n"
            "import emotion_page.__main__",
        ],
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "grpcio" not in (ROOT / "requirements/images/page.txt").read_text()


def test_a_library_works_without_what_only_debuggers_read(slim: ModuleType, tmp_path: Path) -> None:
    installed = Path(str(uvloop.__file__)).parent
    shutil.copytree(installed, tmp_path / "uvloop")
    slim.slim(tmp_path)
    (whole,), (stripped,) = (
        list(folder.glob("loop.*.so")) for folder in (installed, tmp_path / "uvloop")
    )
    assert stripped.stat().st_size <= whole.stat().st_size
    assert stripped.stat().st_size < 3_000_000
    program = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
import uvloop
assert uvloop.__file__.startswith(sys.argv[1]), uvloop.__file__
async def told():
    process = await asyncio.create_subprocess_exec("echo", "told", stdout=-1)
    return (await process.communicate())[0].decode()
print(uvloop.run(told()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["told"]
