"""compose.yaml says the same as the manifests, and its override takes TensorFlow Serving away."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy.test_images import pins
from deploy.test_manifests import SETTINGS, envoy_start
from running import ROOT

Services = dict[str, Any]


def merged(podman: Path, *files: str) -> Services:
    """What podman-compose makes of the files."""
    arguments = [part for file in files for part in ("-f", str(ROOT / file))]
    done = subprocess.run(
        [
            ROOT / "build/venv/bin/podman-compose",
            "--podman-path",
            podman,
            *arguments,
            "config",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    services: Services = yaml.safe_load(done.stdout)["services"]
    return services


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stands in for podman, of which ``config`` asks only the version: it may not be here."""
    file = tmp_path_factory.mktemp("bin") / "podman"
    file.write_text("#!/bin/sh\necho podman version 5.0.0\n")
    file.chmod(0o755)
    return file


@pytest.fixture(scope="module")
def with_tfserving(podman: Path) -> Services:
    return merged(podman, "compose.yaml")


@pytest.fixture(scope="module")
def embedded(podman: Path) -> Services:
    return merged(podman, "compose.yaml", "compose.embedded.yaml")


def test_everything_is_closed_down(embedded: Services, with_tfserving: Services) -> None:
    for services in (embedded, with_tfserving):
        assert set(services) == {"envoy", "page", "gateway", "detector", "classifier"}
        for service in services.values():
            assert service["read_only"] is True
            assert service["user"] == "65532:65532"
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]


def test_only_this_machine_can_connect(with_tfserving: Services) -> None:
    published = [str(p) for s in with_tfserving.values() for p in s.get("ports", [])]
    assert published == ["127.0.0.1:8080:8080"]


def test_images_are_those_of_the_manifests(embedded: Services, with_tfserving: Services) -> None:
    for name, service in embedded.items():
        assert service["image"] == f"emotion-recognizer/{name}:0.1.0"
        assert (ROOT / service["build"]["dockerfile"]).is_file()
    version = pins(ROOT / "requirements/tfserving.txt")["tensorflow-serving-api"]
    assert with_tfserving["classifier"]["image"] == f"docker.io/tensorflow/serving:{version}"


def test_nothing_of_tensorflow_serving_is_left_in_the_override(embedded: Services) -> None:
    classifier = embedded["classifier"]
    assert not classifier.get("volumes")
    assert not classifier.get("command")
    assert classifier["entrypoint"] == ["python3", "-m", "emotion_classifier"]


def test_variables_are_known_and_addresses_are_names_of_services(embedded: Services) -> None:
    for name, service in embedded.items():
        environment = dict(service.get("environment") or {})
        if name == "envoy":
            envoy_start().settings(environment)
        else:
            kind = SETTINGS[name]
            prefix = kind.model_config["env_prefix"]
            known = {f"{prefix}{field.upper()}" for field in kind.model_fields}
            assert set(environment) <= known
        for value in environment.values():
            assert str(value).partition(":")[0] in embedded
