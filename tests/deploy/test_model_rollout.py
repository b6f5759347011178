"""A new model is rolled out and back by its label, as docs/kubernetes.md says."""

import re
import shutil
from pathlib import Path

import grpc
import pytest
from deploy.manifests import Resource, kustomize, render
from emotion.tfserving import serving_pb2, serving_pb2_grpc, tensor_pb2
from emotion_classifier.config import read_config
from running import ROOT, SHIPPED_VERSION, RunningService

MODELS = ROOT / "services/classifier/models"
CONFIG = ROOT / "services/classifier/tfserving/models.config"
NEXT = SHIPPED_VERSION + 1


def labelled(version: int) -> str:
    """``models.config`` with the line that the document says."""
    (line,) = re.findall(
        rf'`(version_labels \{{ key: "stable" value: {NEXT} \}})`',
        (ROOT / "docs/kubernetes.md").read_text(),
    )
    text, changed = re.subn(
        r'version_labels \{ key: "stable" value: \d+ \}',
        line.replace(f"value: {NEXT}", f"value: {version}"),
        CONFIG.read_text(),
    )
    assert changed == 1
    return text


def by_name(resources: list[Resource]) -> dict[tuple[str, str], Resource]:
    return {(r["kind"], r["metadata"]["name"]): r for r in resources}


@pytest.mark.skipif(kustomize() is None, reason="neither kubectl nor kustomize is installed")
def test_moving_the_label_starts_no_pod_anew(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "deploy/k8s", tmp_path / "k8s")
    overlay = tmp_path / "k8s/overlays/production"
    before = by_name(render(overlay))
    (tmp_path / "k8s/base/tfserving/models.config").write_text(labelled(NEXT))
    after = by_name(render(overlay))
    assert {key for key in before if before[key] != after[key]} == {("ConfigMap", "classifier")}
    arguments = after["Deployment", "classifier"]["spec"]["template"]["spec"]["containers"][0]
    assert "--model_config_file_poll_wait_seconds=10" in arguments["args"]


def test_gateways_of_production_ask_for_the_label_that_is_moved() -> None:
    patch = (ROOT / "deploy/k8s/overlays/production/resources.yaml").read_text()
    assert "{ name: EMOTION_GATEWAY_MODEL_LABEL, value: stable }" in patch
    (model,) = read_config(CONFIG, MODELS)
    assert model.labels.keys() == {"stable"}
    assert (MODELS / "emotion" / str(model.labels["stable"])).is_dir()


def test_out_and_back(tmp_path: Path) -> None:
    """With the embedded classifier, which reads labels when it starts."""
    for version in (1, 2):
        shutil.copytree(next(MODELS.glob("emotion/[0-9]*")), tmp_path / f"emotion/{version}")
    config = tmp_path / "models.config"
    for version in (1, 2, 1):
        config.write_text(labelled(version))
        assert served(config, tmp_path) == version


def served(config: Path, models: Path) -> int:
    """The version that a gateway gets by the label."""
    with (
        RunningService(
            "emotion_classifier", f"--model-config-file={config}", f"--models-root={models}"
        ) as service,
        grpc.insecure_channel(service.address) as channel,
    ):
        faces = tensor_pb2.TensorProto(
            dtype=tensor_pb2.DT_UINT8,
            tensor_shape=tensor_pb2.TensorShapeProto(
                dim=[tensor_pb2.TensorShapeProto.Dim(size=n) for n in (1, 48, 48, 1)]
            ),
            tensor_content=bytes(48 * 48),
        )
        answer = serving_pb2_grpc.PredictionServiceStub(channel).Predict(
            serving_pb2.PredictRequest(
                model_spec=serving_pb2.ModelSpec(name="emotion", version_label="stable"),
                inputs={"faces": faces},
            ),
            timeout=5,
        )
    return int(answer.model_spec.version.value)


def test_a_label_to_a_version_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    config = tmp_path / "models.config"
    config.write_text(labelled(7))
    service = RunningService(
        "emotion_classifier", f"--model-config-file={config}", f"--models-root={MODELS}"
    )
    assert service.process.wait(30) == 2
    assert "stable" in service.log
