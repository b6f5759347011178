"""Every combination of manifests that the documentation names is valid and sound."""

import importlib.util
import json
import re
from functools import cache
from types import ModuleType

import kubernetes_validate
import pytest
import yaml
from deploy.manifests import (
    K8S,
    Manifests,
    Resource,
    kustomize,
    pause_seconds,
    pod,
    problems,
    quantity,
    render,
    render_with,
)
from emotion.detector.v1 import detector_pb2
from emotion.tfserving import serving_pb2
from emotion_classifier.settings import ClassifierSettings
from emotion_detector.settings import DetectorSettings
from emotion_gateway.grpc_front import SERVICE
from emotion_gateway.settings import GatewaySettings
from emotion_page.__main__ import PageSettings
from emotion_serving import ServiceSettings
from running import ROOT, RunningService

pytestmark = pytest.mark.skipif(
    kustomize() is None, reason="neither kubectl nor kustomize is installed: manifests not checked"
)

OLDEST, NEWEST = "1.27", "1.37"

COMBINATIONS = {
    "base": ("base",),
    "local": ("overlays/local",),
    "production": ("overlays/production",),
    "frames-in-flight": ("base", "monitoring", "autoscaling/frames-in-flight"),
    "keda": ("base", "monitoring", "autoscaling/keda"),
    "cpu": ("base", "autoscaling/cpu"),
    "network-policies": ("base", "network-policies"),
    "tls": ("base", "tls"),
    "production-tls": ("overlays/production", "monitoring", "tls"),
    "monitoring": ("base", "monitoring"),
    "gateway-api": ("base", "gateway-api"),
    "embedded-classifier": ("base", "embedded-classifier"),
    "model-volume": ("base", "model-volume"),
    "load": ("base", "load"),
}

CUSTOM = {
    "cert-manager.io/v1",
    "gateway.networking.k8s.io/v1",
    "keda.sh/v1alpha1",
    "monitoring.coreos.com/v1",
}
"""Kinds of other projects, for which Kubernetes has no schema."""

SETTINGS: dict[str, type[ServiceSettings]] = {
    "gateway": GatewaySettings,
    "detector": DetectorSettings,
    "classifier": ClassifierSettings,
    "page": PageSettings,
}

HEALTH = {
    "gateway": {SERVICE},
    "detector": {s.full_name for s in detector_pb2.DESCRIPTOR.services_by_name.values()},
    "classifier": {s.full_name for s in serving_pb2.DESCRIPTOR.services_by_name.values()},
    "tfserving": {""},
}
"""The names that each image's program answers health checks for."""


@cache
def manifests(combination: str) -> Manifests:
    base, *components = COMBINATIONS[combination]
    return Manifests(render_with(base, *components))


@cache
def envoy_start() -> ModuleType:
    spec = importlib.util.spec_from_file_location("start", ROOT / "gateway/envoy/start.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


every = pytest.mark.parametrize("combination", COMBINATIONS)


def test_every_component_is_in_a_combination_and_has_a_readme() -> None:
    found = {p.parent for p in (K8S / "components").rglob("kustomization.yaml")}
    used = {K8S / "components" / c for names in COMBINATIONS.values() for c in names[1:]}
    assert found == used
    assert [p for p in found if not (p / "README.md").is_file()] == []


@every
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_takes_it(combination: str, version: str) -> None:
    for resource in manifests(combination).resources:
        if resource["apiVersion"] not in CUSTOM:
            assert kubernetes_validate.validate(resource, version, strict=True) == version


def test_the_newest_version_is_the_newest_there_are_schemas_for() -> None:
    assert kubernetes_validate.latest_version().startswith(f"{NEWEST}.")


@every
def test_it_is_sound(combination: str) -> None:
    assert problems(manifests(combination)) == []


@every
def test_every_probe_asks_for_a_service_that_the_program_registers(combination: str) -> None:
    for container in manifests(combination).containers():
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            if "grpc" in (probe := container.spec.get(kind, {})):
                asked = probe["grpc"].get("service", "")
                assert asked in HEALTH[container.piece], (container.where, kind)


@pytest.mark.parametrize("piece", ["gateway", "detector", "classifier"])
def test_programs_register_these_services(piece: str) -> None:
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    extra = ("--websocket-port", "0") if piece == "gateway" else ()
    with (
        RunningService(f"emotion_{piece}", *extra) as service,
        grpc.insecure_channel(service.address) as channel,
    ):
        for name in HEALTH[piece]:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service=name), timeout=5
            )
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


@every
def test_every_variable_is_one_that_the_program_takes(
    combination: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for container in manifests(combination).containers():
        environment = container.environment
        if container.piece == "envoy":
            envoy_start().settings(environment)
        elif kind := SETTINGS.get(container.piece):
            prefix = kind.model_config["env_prefix"]
            known = {f"{prefix}{field.upper()}" for field in kind.model_fields}
            assert set(environment) <= known, container.where
            with monkeypatch.context() as patch:
                patch.setenv("EMOTION_PAGE_DIRECTORY", "/")
                for variable, value in environment.items():
                    patch.setenv(variable, value)
                kind()
        else:
            assert container.piece in ("tfserving", "load")


@every
def test_ports_are_those_that_the_program_is_told_to_open(combination: str) -> None:
    for container in manifests(combination).containers():
        told = {
            name: int(value)
            for name, value in container.environment.items()
            if name.endswith("_PORT")
        }
        for argument in container.spec.get("args", []):
            if match := re.fullmatch(r"--(?:rest_api_)?port=(\d+)", argument):
                told[argument] = int(match[1])
        assert set(container.ports.values()) <= set(told.values()), container.where


@every
def test_addresses_are_those_of_services(combination: str) -> None:
    m = manifests(combination)
    offered = {
        f"{s['metadata']['name']}:{port['port']}"
        for s in m.of("Service")
        for port in s["spec"]["ports"]
    }
    for container in m.containers():
        env = container.environment
        if container.piece == "gateway":
            assert {env["EMOTION_GATEWAY_DETECTOR"], env["EMOTION_GATEWAY_CLASSIFIER"]} <= offered
        if container.piece == "envoy":
            host = env["EMOTION_ENVOY_GATEWAY_HOST"]
            assert {
                f"{host}:{env['EMOTION_ENVOY_GATEWAY_PORT']}",
                f"{host}:{env['EMOTION_ENVOY_GATEWAY_WEBSOCKET_PORT']}",
                f"{env['EMOTION_ENVOY_PAGE_HOST']}:{env['EMOTION_ENVOY_PAGE_PORT']}",
            } <= offered


@every
def test_callers_see_every_pod_of_what_they_call(combination: str) -> None:
    """A name that stood for one address would give one pod everything."""
    services = {s["metadata"]["name"]: s["spec"] for s in manifests(combination).of("Service")}
    for name in ("gateway", "detector", "classifier", "page"):
        assert services[name]["clusterIP"] == "None"


@every
def test_connections_end_so_that_new_pods_get_their_share(combination: str) -> None:
    for container in manifests(combination).containers():
        if container.piece in ("gateway", "detector", "classifier"):
            prefix = f"EMOTION_{container.piece.upper()}"
            assert float(container.environment[f"{prefix}_MAX_CONNECTION_AGE_SECONDS"]) > 0
        if container.piece == "tfserving":
            pause = container.spec["lifecycle"]["preStop"]["exec"]["command"][-1]
            ages = [
                int(a.rpartition("=")[2]) / 1000
                for a in container.spec["args"]
                if "max_connection_age_ms" in a
            ]
            # Names lag behind by 30 s, and a connection that is made then ends after its age and
            # the tenth by which gRPC varies it: every gateway has left before SIGTERM.
            assert float(pause) > 30 + 1.1 * ages[0] + 5


@every
def test_envoy_and_the_gateway_let_in_pages_of_the_same_hosts(combination: str) -> None:
    origins = {
        value
        for container in manifests(combination).containers()
        for name, value in container.environment.items()
        if name.endswith("_ALLOWED_ORIGINS")
    }
    assert len(origins) == 1


def test_the_classifiers_configuration_is_that_of_one_machine() -> None:
    source = ROOT / "services/classifier/tfserving"
    for file in source.glob("*.config"):
        assert (K8S / "base/tfserving" / file.name).read_bytes() == file.read_bytes()
    assert len(list((K8S / "base/tfserving").iterdir())) == 3


def test_local_fits_into_two_cpus_and_two_gigabytes() -> None:
    m = manifests("local")
    assert [d["spec"]["replicas"] for d in m.of("Deployment")] == [1] * 5
    given = [c.spec["resources"] for c in m.containers()]
    # The cluster's own pods take about three quarters of a CPU and of a gigabyte.
    assert sum(quantity(r["requests"]["cpu"]) for r in given) <= 1.25
    assert sum(quantity(r["limits"]["memory"]) for r in given) <= 1.25 * 2**30


@pytest.mark.parametrize("overlay", ["local", "production"])
def test_a_detector_has_memory_for_the_largest_picture(overlay: str) -> None:
    [detector] = [c for c in manifests(overlay).containers() if c.spec["name"] == "detector"]
    pixels = int(detector.environment["EMOTION_DETECTOR_MAX_IMAGE_PIXELS"])
    threads = int(detector.environment["EMOTION_DETECTOR_THREADS"])
    # In bytes. A WebP takes 8 a pixel while it is decoded, one at a time; so does a progressive
    # JPEG of four colours, one a thread.
    idle, largest = 125 * 2**20, 8 * pixels
    assert quantity(detector.spec["resources"]["limits"]["memory"]) >= idle + threads * largest


def test_production_has_at_least_two_of_each_and_keeps_one_through_maintenance() -> None:
    m = manifests("production")
    scaled = {
        h["spec"]["scaleTargetRef"]["name"]: h["spec"]["minReplicas"]
        for h in m.of("HorizontalPodAutoscaler")
    }
    for deployment in m.of("Deployment"):
        name = deployment["metadata"]["name"]
        assert deployment["spec"].get("replicas", scaled.get(name, 0)) >= 2, name
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        assert pod(deployment)["topologySpreadConstraints"]
        assert pod(deployment)["priorityClassName"]
    assert m.names("PodDisruptionBudget") == m.names("Deployment")


def test_keda_scales_like_the_other_autoscalers() -> None:
    plain = {
        h["spec"]["scaleTargetRef"]["name"]: h["spec"]
        for h in manifests("frames-in-flight").of("HorizontalPodAutoscaler")
    }
    m = manifests("keda")
    assert m.names("HorizontalPodAutoscaler") == {"envoy", "classifier"}
    for scaled in m.of("ScaledObject"):
        spec, same = scaled["spec"], plain.pop(scaled["spec"]["scaleTargetRef"]["name"])
        assert spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == same["behavior"]
        assert spec["minReplicaCount"] == same["minReplicas"]
        assert spec["maxReplicaCount"] == same["maxReplicas"]
        cpu, frames = same["metrics"]
        assert [t["type"] for t in spec["triggers"]] == ["cpu", "prometheus"]
        assert (
            int(spec["triggers"][0]["metadata"]["value"])
            == (cpu["resource"]["target"]["averageUtilization"])
        )
        assert spec["triggers"][1]["metadata"]["threshold"] in str(frames)
    assert set(plain) == {"envoy", "classifier"}


@every
def test_pods_leave_only_once_everybody_can_know_who_comes_in_their_place(
    combination: str,
) -> None:
    """Name servers may remember answers for 30 s, and Envoy asks every 5 s: the new pod is ready
    for ``minReadySeconds`` before the old one pauses. ``test_rolling`` shows that it is needed."""
    m = manifests(combination)
    headless = [s for s in m.of("Service") if s["spec"].get("clusterIP") == "None"]
    for service in headless:
        for workload in m.selected(service["spec"]["selector"]):
            (container,) = pod(workload)["containers"]
            pause = pause_seconds(container)
            assert pause is not None
            assert workload["spec"]["minReadySeconds"] + pause >= 30 + 5


def test_the_network_is_closed_but_for_the_arrows_of_the_picture() -> None:
    arrows = set()
    m = manifests("production")
    policies = {p["metadata"]["name"]: p["spec"] for p in m.of("NetworkPolicy")}
    denied = policies.pop("deny-all")
    assert denied.get("ingress", []) == denied.get("egress", []) == []
    assert set(denied["policyTypes"]) == {"Ingress", "Egress"}
    assert len(m.selected(denied["podSelector"]["matchLabels"])) == 5

    def called(peer: Resource) -> str:
        return str(peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"])

    for name, policy in policies.items():
        for rule in policy.get("egress", []):
            arrows |= {(name, called(p)) for p in rule["to"] if "namespaceSelector" not in p}
        for rule in policy["ingress"]:
            for peer in rule.get("from", []):
                if "namespaceSelector" not in peer:
                    assert (called(peer), name) in {
                        ("envoy", "gateway"),
                        ("envoy", "page"),
                        ("gateway", "detector"),
                        ("gateway", "classifier"),
                    }
    assert arrows == {
        ("envoy", "gateway"),
        ("envoy", "page"),
        ("gateway", "detector"),
        ("gateway", "classifier"),
    }


def test_the_gateway_api_has_the_routes_and_headers_of_envoy() -> None:
    edge = yaml.safe_load(
        re.sub(r"\$\{\w+\}", "1", (ROOT / "gateway/envoy/envoy.yaml").read_text())
    )["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    (page,) = [
        r
        for r in edge["route_config"]["virtual_hosts"][0]["routes"]
        if r["match"] == {"prefix": "/"}
    ]
    headers = {h["header"]["key"]: h["header"]["value"] for h in page["response_headers_to_add"]}
    (route,) = manifests("gateway-api").of("HTTPRoute")
    rule = route["spec"]["rules"][-1]
    (filter_,) = rule["filters"]
    assert {h["name"]: h["value"] for h in filter_["responseHeaderModifier"]["set"]} == headers
    assert rule["timeouts"]["request"] == page["route"]["timeout"]
    for live in route["spec"]["rules"][:-1]:
        assert live["matches"][0]["path"]["value"] == f"/{SERVICE}/"
        assert live["timeouts"]["request"] == "0s"
    assert "envoy" not in manifests("gateway-api").names("Deployment")


def test_monitoring_asks_only_for_what_there_is() -> None:
    """Names of the gateway's metrics; Envoy's are compared with a real one in test_envoy."""
    told = (ROOT / "gateway/emotion_gateway/__main__.py").read_text()
    for metric in metrics_asked_for():
        if metric.startswith("emotion_"):
            assert f'"{metric}"' in told, metric


def metrics_asked_for() -> set[str]:
    """Every metric in an alert, a panel or an autoscaler."""
    folder = K8S / "components"
    files = [folder / "monitoring/rules.yaml", folder / "monitoring/dashboard.json"]
    text = "".join(p.read_text() for p in [*files, *folder.glob("autoscaling/*/*.yaml")])
    found = set(re.findall(r"\b(?:emotion_gateway|envoy)_[a-z0-9_]+", text))
    return (
        found
        - {"envoy_cluster_name", "envoy_response_code_class"}
        - {"envoy_http_conn_manager_prefix"}
    )


def test_the_pod_that_fills_the_model_volume_may_run_in_our_namespaces() -> None:
    """They enforce the restricted Pod Security Standard."""
    readme = (K8S / "components/model-volume/README.md").read_text()
    (overrides,) = re.findall(r"--overrides='(\{.*?\})'$", readme, re.DOTALL | re.MULTILINE)
    spec = json.loads(overrides)["spec"]
    about = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "models"}, "spec": spec}
    assert kubernetes_validate.validate(about, NEWEST, strict=True) == NEWEST
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = spec["containers"]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    (claim,) = [v["persistentVolumeClaim"]["claimName"] for v in spec["volumes"]]
    assert claim in manifests("model-volume").names("PersistentVolumeClaim")


def test_render_follows_no_link_out_of_the_folder() -> None:
    """``kubectl apply -k`` on a copy of deploy/k8s works."""
    assert [p for p in K8S.rglob("*") if p.is_symlink()] == []
    assert render(K8S / "overlays/local")
