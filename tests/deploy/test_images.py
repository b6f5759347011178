"""What can be said of the Dockerfiles without building them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from deploy.manifests import Manifests, kustomize, render
from running import ROOT

DOCKERFILES = sorted(
    p
    for folder in ("gateway", "services", "deploy")
    for p in (ROOT / folder).rglob("Dockerfile*")
    if "node_modules" not in p.parts
)
LOCKS = sorted((ROOT / "requirements/images").glob("*.txt"))
each = pytest.mark.parametrize("file", DOCKERFILES, ids=lambda p: str(p.relative_to(ROOT)))


def stages(file: Path) -> list[list[str]]:
    """The instructions of each stage, continued lines joined."""
    text = re.sub(r"\\\n\s*", " ", file.read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found: list[list[str]] = []
    for line in lines:
        if line.startswith("FROM "):
            found.append([])
        if found:
            found[-1].append(line)
    return found


def pins(file: Path) -> dict[str, str]:
    """Package to version of a lock file."""
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", file.read_text(), re.MULTILINE))


def test_every_piece_has_one() -> None:
    folders = {str(p.parent.relative_to(ROOT)) for p in DOCKERFILES}
    assert folders >= {
        "gateway",
        "gateway/envoy",
        "deploy/load",
        "services/detector",
        "services/classifier",
        "services/page",
    }


@each
def test_hadolint_has_nothing_to_say(file: Path) -> None:
    done = subprocess.run(
        [ROOT / "build/venv/bin/hadolint", "--no-color", str(file)], capture_output=True, text=True
    )
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


def test_hadolint_would_say_something(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM debian\nRUN cd / && apt-get install curl\n")
    done = subprocess.run([ROOT / "build/venv/bin/hadolint", str(bad)], capture_output=True)
    assert done.returncode != 0


@each
def test_every_base_can_be_replaced_and_has_a_version(file: Path) -> None:
    text = file.read_text()
    defaults = dict(re.findall(r"^ARG (\w+_IMAGE)=(\S+)$", text, re.MULTILINE))
    for base in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
        assert (match := re.fullmatch(r"\$\{(\w+)\}", base)), base
        assert ":" in defaults[match[1]].rpartition("/")[2]
        assert not defaults[match[1]].endswith(":latest")


@each
def test_it_runs_as_nobody_with_labels_and_without_a_health_check(file: Path) -> None:
    last = stages(file)[-1]
    assert "USER 65532:65532" in last
    assert last.index("USER 65532:65532") < next(
        i for i, line in enumerate(last) if line.startswith("ENTRYPOINT [")
    )
    labels = " ".join(line for line in last if line.startswith("LABEL "))
    for label in ("title", "description", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in labels
    assert not any(line.startswith("HEALTHCHECK") for line in last)


@each
def test_what_is_installed_is_locked_and_stays_in_the_build_stages(file: Path) -> None:
    *before, last = stages(file)
    assert not any(line.startswith("RUN ") for line in last)
    for line in (line for stage in before for line in stage if "pip install" in line):
        for command in (c for c in line.split("&&") if "pip install" in c):
            ours = "--no-deps" in command and "--no-index" in command
            assert ours or "--require-hashes" in command, command


@each
def test_what_it_copies_exists_and_travels_to_the_builder(file: Path) -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    taken = [line[1:] for line in ignored if line.startswith("!")]
    for line in (line for stage in stages(file) for line in stage):
        if line.startswith("COPY ") and "--from=" not in line:
            for source in line.split()[1:-1]:
                assert list(ROOT.glob(source)), source
                assert any(source == t or source.startswith(f"{t}/") for t in taken), source


@pytest.mark.parametrize("lock", LOCKS, ids=lambda p: p.stem)
def test_images_install_the_versions_that_are_tested(lock: Path) -> None:
    tested = pins(ROOT / "requirements/run.txt")
    mine = pins(lock)
    assert mine
    assert {k: v for k, v in mine.items() if k in tested and tested[k] != v} == {}
    text = lock.read_text()
    assert len(re.findall(r"^[a-z0-9._-]+==", text, re.MULTILINE)) <= text.count("--hash=sha256:")


def test_tensorflow_serving_is_the_version_of_the_stubs_that_test_it() -> None:
    text = (ROOT / "services/classifier/Dockerfile.tfserving").read_text()
    version = pins(ROOT / "requirements/tfserving.txt")["tensorflow-serving-api"]
    assert f"ARG TFSERVING_IMAGE=docker.io/tensorflow/serving:{version}\n" in text


def test_the_build_script_knows_every_dockerfile_and_tells_wrong_names() -> None:
    script = (ROOT / "deploy/images/build.sh").read_text()
    for file in DOCKERFILES:
        assert f"]={file.relative_to(ROOT)}\n" in script
    done = subprocess.run(
        [ROOT / "deploy/images/build.sh", "gatway"],
        env={"PATH": "/usr/bin:/bin", "ENGINE": "true"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "no image 'gatway'" in done.stderr


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """Stands for docker: every image has a digest made of its name."""
    fake = tmp_path / "docker"
    fake.write_text(
        "#!/bin/sh\n"
        "for image; do :; done\n"
        'case "$1" in\n'
        "  pull) echo pulled ;;\n"
        '  image) echo "${image%:*}@sha256:$(echo "$image" | sha256sum | cut -d" " -f1)" ;;\n'
        "esac\n"
    )
    fake.chmod(0o755)
    return fake


def pin(engine: Path, *arguments: str) -> str:
    done = subprocess.run(
        [ROOT / "deploy/images/pin.sh", *arguments],
        env={"PATH": "/usr/bin:/bin", "ENGINE": str(engine)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_built_on_can_be_written_down_by_digest(engine: Path) -> None:
    lines = pin(engine).splitlines()
    names = {re.match(r"export (\w+)=\S+@sha256:[0-9a-f]{64}$", line)[1] for line in lines}
    used = {
        name
        for file in DOCKERFILES
        for name in re.findall(r"^ARG (\w+_IMAGE)=", file.read_text(), re.MULTILINE)
    }
    assert names == used == {"BASE_IMAGE", "BUILD_IMAGE", "TFSERVING_IMAGE"}


@pytest.mark.skipif(kustomize() is None, reason="neither kubectl nor kustomize is installed")
def test_what_runs_can_be_written_down_by_digest(engine: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "deploy/k8s", tmp_path / "k8s")
    overlay = tmp_path / "k8s/overlays/production/kustomization.yaml"
    with overlay.open("a") as file:
        file.write(pin(engine, "registry.example.org/emotion"))
    images = [c.spec["image"] for c in Manifests(render(overlay.parent)).containers()]
    assert len(images) == 5
    for image in images:
        assert re.fullmatch(r"registry\.example\.org/emotion/\w+@sha256:[0-9a-f]{64}", image)
