"""The rules for manifests see the faults that they are there for."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from deploy.manifests import K8S, Manifests, Resource, kustomize, problems, quantity, render_with

pytestmark = pytest.mark.skipif(
    kustomize() is None, reason="neither kubectl nor kustomize is installed: manifests not checked"
)


@pytest.fixture(scope="module")
def sound() -> list[Resource]:
    return render_with("overlays/production", "monitoring", "tls")


def find(resources: list[Resource], kind: str, name: str) -> Any:
    (found,) = [r for r in resources if (r["kind"], r["metadata"]["name"]) == (kind, name)]
    return found


def gateway(resources: list[Resource]) -> Any:
    return find(resources, "Deployment", "gateway")["spec"]["template"]["spec"]


def container(resources: list[Resource]) -> Any:
    return gateway(resources)["containers"][0]


def change(path: str, value: object) -> Callable[[Any], None]:
    """Sets, or with None removes, what stands at a path of keys and indices."""

    def apply(node: Any) -> None:
        *way, last = [int(k) if k.isdigit() else k for k in path.split(".")]
        for key in way:
            node = node[key]
        if value is None:
            del node[last]
        else:
            node[last] = value

    return apply


FAULTS: dict[str, tuple[Callable[[list[Resource]], Any], str, object]] = {
    "does not select its own pods": (
        lambda r: find(r, "Deployment", "page"),
        "spec.selector.matchLabels",
        {"app": "page"},
    ),
    "Service/page selects not exactly one": (
        lambda r: find(r, "Service", "page"),
        "spec.selector",
        {"app.kubernetes.io/name": "pages"},
    ),
    "PodDisruptionBudget/page selects not exactly one": (
        lambda r: find(r, "PodDisruptionBudget", "page"),
        "spec.selector.matchLabels",
        {"app.kubernetes.io/part-of": "emotion-recognizer"},
    ),
    "NetworkPolicy/page selects no pod": (
        lambda r: find(r, "NetworkPolicy", "page"),
        "spec.podSelector.matchLabels",
        {"app": "page"},
    ),
    "spreads over pods that are not its own": (
        gateway,
        "topologySpreadConstraints.0.labelSelector.matchLabels",
        {"app.kubernetes.io/name": "page"},
    ),
    "ServiceMonitor/gateway selects not exactly one": (
        lambda r: find(r, "ServiceMonitor", "gateway"),
        "spec.selector.matchLabels",
        {"app": "gateway"},
    ),
    "Service/gateway goes to port 'grcp'": (
        lambda r: find(r, "Service", "gateway"),
        "spec.ports.0.targetPort",
        "grcp",
    ),
    "readinessProbe asks port 50061": (container, "readinessProbe.grpc.port", 50061),
    "readinessProbe asks port 'web'": (
        lambda r: find(r, "Deployment", "page")["spec"]["template"]["spec"]["containers"][0],
        "readinessProbe.httpGet.port",
        "web",
    ),
    "lets in port 'web'": (
        lambda r: find(r, "NetworkPolicy", "page"),
        "spec.ingress.0.ports.0.port",
        "web",
    ),
    "lets out to port 50062": (
        lambda r: find(r, "NetworkPolicy", "gateway"),
        "spec.egress.0.ports.0.port",
        50062,
    ),
    "ServiceMonitor/gateway asks port": (
        lambda r: find(r, "ServiceMonitor", "gateway"),
        "spec.endpoints.0.port",
        "stats",
    ),
    "no ServiceAccount 'nobody'": (gateway, "serviceAccountName", "nobody"),
    "no PriorityClass 'urgent'": (gateway, "priorityClassName", "urgent"),
    "no ConfigMap 'none'": (
        gateway,
        "volumes",
        [{"name": "x", "configMap": {"name": "none"}}],
    ),
    "no Secret 'none'": (gateway, "volumes", [{"name": "x", "secret": {"secretName": "none"}}]),
    "no PersistentVolumeClaim 'none'": (
        gateway,
        "volumes",
        [{"name": "x", "persistentVolumeClaim": {"claimName": "none"}}],
    ),
    "no volumes {'x'}": (container, "volumeMounts", [{"name": "x", "mountPath": "/x"}]),
    "comes from somewhere that is not looked at": (
        container,
        "env.0",
        {"name": "A", "valueFrom": {}},
    ),
    "scales 'gatway'": (
        lambda r: find(r, "HorizontalPodAutoscaler", "gateway"),
        "spec.scaleTargetRef.name",
        "gatway",
    ),
    "both set the number of pods": (
        lambda r: find(r, "Deployment", "gateway"),
        "spec.replicas",
        2,
    ),
    "no memory in requests or limits": (container, "resources.limits.memory", None),
    "no cpu in requests or limits": (container, "resources.requests.cpu", None),
    "requests more memory": (container, "resources.requests.memory", "2Gi"),
    "runAsNonRoot is not True": (gateway, "securityContext.runAsNonRoot", None),
    "seccompProfile is not": (gateway, "securityContext.seccompProfile.type", "Unconfined"),
    "runs as root": (gateway, "securityContext.runAsUser", 0),
    "automountServiceAccountToken is not false": (gateway, "automountServiceAccountToken", True),
    "enableServiceLinks is not false": (gateway, "enableServiceLinks", None),
    "hostNetwork": (gateway, "hostNetwork", True),
    "reads the node's files": (gateway, "volumes", [{"name": "x", "hostPath": {"path": "/"}}]),
    "allowPrivilegeEscalation is not False": (
        container,
        "securityContext.allowPrivilegeEscalation",
        True,
    ),
    "readOnlyRootFilesystem is not True": (
        container,
        "securityContext.readOnlyRootFilesystem",
        None,
    ),
    "capabilities is not": (container, "securityContext.capabilities", {"drop": []}),
    "gateway:latest is not pinned": (container, "image", "localhost:5000/gateway:latest"),
    "/gateway is not pinned": (container, "image", "localhost:5000/gateway"),
    "no livenessProbe": (container, "livenessProbe", None),
    "no preStop hook": (container, "lifecycle", None),
    "30 s are too short": (gateway, "terminationGracePeriodSeconds", 30),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_seen(sound: list[Resource], fault: str) -> None:
    part, path, value = FAULTS[fault]
    broken = copy.deepcopy(sound)
    change(path, value)(part(broken))
    assert any(fault in problem for problem in problems(Manifests(broken)))
    assert problems(Manifests(sound)) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("250m", 0.25),
        ("2", 2.0),
        (2, 2.0),
        ("1500m", 1.5),
        ("64Mi", 2**26),
        ("1Gi", 2**30),
        ("1G", 1e9),
    ],
)
def test_quantities(text: str | int, number: float) -> None:
    assert quantity(text) == pytest.approx(number)


def test_temporary_overlays_leave_nothing_behind() -> None:
    render_with("base")
    assert list(K8S.glob(".test-*")) == []
