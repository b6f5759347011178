"""Renders kustomizations and looks for faults in them that Kubernetes' schemas do not see."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from running import ROOT

K8S = ROOT / "deploy/k8s"
Resource = dict[str, Any]
Problems = Iterator[str]

WORKLOADS = ("Deployment", "Job")


def kustomize() -> list[str] | None:
    """The command that renders a folder, or None if this machine has none."""
    if shutil.which("kubectl"):
        return ["kubectl", "kustomize"]
    return ["kustomize", "build"] if shutil.which("kustomize") else None


def render(folder: Path) -> list[Resource]:
    """All resources of a kustomization."""
    command = kustomize()
    assert command is not None
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", done.stderr  # warnings of deprecated fields
    return list(yaml.safe_load_all(done.stdout))


def render_with(base: str, *components: str) -> list[Resource]:
    """A folder of ``deploy/k8s`` with components on top, as a user's own overlay has them."""
    with tempfile.TemporaryDirectory(prefix=".test-", dir=K8S) as folder:
        (Path(folder) / "kustomization.yaml").write_text(
            yaml.safe_dump(
                {
                    "resources": [f"../{base}"],
                    "components": [f"../components/{name}" for name in components],
                }
            )
        )
        return render(Path(folder))


@dataclass(frozen=True)
class Container:
    """A container and where it stands."""

    where: str
    spec: dict[str, Any]

    @property
    def piece(self) -> str:
        """The last part of its image's name: which of our images it is."""
        return str(self.spec["image"]).rpartition("/")[2].partition(":")[0].partition("@")[0]

    @property
    def ports(self) -> dict[str, int]:
        return {p["name"]: p["containerPort"] for p in self.spec.get("ports", [])}

    @property
    def environment(self) -> dict[str, str]:
        return {e["name"]: e.get("value", "") for e in self.spec.get("env", [])}


class Manifests:
    """Everything that one ``kubectl apply`` would send."""

    def __init__(self, resources: Sequence[Resource]) -> None:
        self.resources = list(resources)

    def of(self, *kinds: str) -> list[Resource]:
        return [r for r in self.resources if r["kind"] in kinds]

    def names(self, kind: str) -> set[str]:
        return {r["metadata"]["name"] for r in self.of(kind)}

    def containers(self) -> list[Container]:
        return [
            Container(f"{name(workload)}/{container['name']}", container)
            for workload in self.of(*WORKLOADS)
            for container in pod(workload).get("initContainers", []) + pod(workload)["containers"]
        ]

    def selected(self, labels: Mapping[str, str]) -> list[Resource]:
        """The workloads whose pods have all of these labels."""
        return [w for w in self.of(*WORKLOADS) if labels.items() <= pod_labels(w).items()]


def name(resource: Resource) -> str:
    return f"{resource['kind']}/{resource['metadata']['name']}"


def pod(workload: Resource) -> dict[str, Any]:
    spec: dict[str, Any] = workload["spec"]["template"]["spec"]
    return spec


def pod_labels(workload: Resource) -> dict[str, str]:
    labels: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return labels


def port_names(workloads: Sequence[Resource]) -> dict[str, int]:
    """The containers' ports of all of the workloads, by name."""
    return {
        port["name"]: port["containerPort"]
        for workload in workloads
        for container in pod(workload)["containers"]
        for port in container.get("ports", [])
    }


def selectors(m: Manifests) -> Problems:
    """Every selector finds what it is there for."""
    for workload in m.of("Deployment"):
        if not workload["spec"]["selector"]["matchLabels"].items() <= pod_labels(workload).items():
            yield f"{name(workload)} does not select its own pods"
        for spread in pod(workload).get("topologySpreadConstraints", []):
            if workload not in m.selected(spread["labelSelector"]["matchLabels"]):
                yield f"{name(workload)} spreads over pods that are not its own"
        affinity = pod(workload).get("affinity", {}).get("podAntiAffinity", {})
        for term in affinity.get("preferredDuringSchedulingIgnoredDuringExecution", []):
            labels = term["podAffinityTerm"]["labelSelector"]["matchLabels"]
            if workload not in m.selected(labels):
                yield f"{name(workload)} keeps away from pods that are not its own"
    for service in m.of("Service"):
        if len(m.selected(service["spec"]["selector"])) != 1:
            yield f"{name(service)} selects not exactly one workload"
    for budget in m.of("PodDisruptionBudget"):
        if len(m.selected(budget["spec"]["selector"]["matchLabels"])) != 1:
            yield f"{name(budget)} selects not exactly one workload"
    for policy in m.of("NetworkPolicy"):
        peers = [
            peer["podSelector"]["matchLabels"]
            for rule in policy["spec"].get("ingress", []) + policy["spec"].get("egress", [])
            for peer in rule.get("from", []) + rule.get("to", [])
            if "namespaceSelector" not in peer
        ]
        for labels in [policy["spec"]["podSelector"]["matchLabels"], *peers]:
            if not m.selected(labels):
                yield f"{name(policy)} selects no pod by {labels}"
    for monitor in m.of("ServiceMonitor"):
        if len(_monitored(m, monitor)) != 1:
            yield f"{name(monitor)} selects not exactly one Service"


def _monitored(m: Manifests, monitor: Resource) -> list[Resource]:
    labels = monitor["spec"]["selector"]["matchLabels"]
    return [s for s in m.of("Service") if labels.items() <= s["metadata"].get("labels", {}).items()]


def ports(m: Manifests) -> Problems:
    """Every port that is named somewhere is a port of the container that is meant."""
    for service in m.of("Service"):
        known = port_names(m.selected(service["spec"]["selector"]))
        for port in service["spec"]["ports"]:
            if port.get("targetPort") not in known:
                yield f"{name(service)} goes to port {port.get('targetPort')!r}, not in {[*known]}"
    for container in m.containers():
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe = container.spec.get(kind, {})
            if "grpc" in probe and probe["grpc"]["port"] not in container.ports.values():
                yield f"{container.where}: {kind} asks port {probe['grpc']['port']}"
            if "httpGet" in probe and probe["httpGet"]["port"] not in container.ports:
                yield f"{container.where}: {kind} asks port {probe['httpGet']['port']!r}"
    for policy in m.of("NetworkPolicy"):
        own = port_names(m.selected(policy["spec"]["podSelector"]["matchLabels"]))
        for rule in policy["spec"].get("ingress", []):
            for port in rule["ports"]:
                if port["port"] not in own:
                    yield f"{name(policy)} lets in port {port['port']!r}, not in {[*own]}"
        for rule in policy["spec"].get("egress", []):
            for peer in rule["to"]:
                if "namespaceSelector" in peer:
                    continue
                theirs = port_names(m.selected(peer["podSelector"]["matchLabels"])).values()
                for port in rule["ports"]:
                    if port["port"] not in theirs:
                        yield f"{name(policy)} lets out to port {port['port']}"
    for monitor in m.of("ServiceMonitor"):
        for service in _monitored(m, monitor):
            known_names = {port["name"] for port in service["spec"]["ports"]}
            for endpoint in monitor["spec"]["endpoints"]:
                if endpoint["port"] not in known_names:
                    yield f"{name(monitor)} asks port {endpoint['port']!r} of {name(service)}"


def references(m: Manifests) -> Problems:
    """Everything that is named exists."""
    secrets = m.names("Secret") | {c["spec"]["secretName"] for c in m.of("Certificate")}
    for workload in m.of(*WORKLOADS):
        spec = pod(workload)
        where = name(workload)
        if spec.get("serviceAccountName") not in m.names("ServiceAccount"):
            yield f"{where}: no ServiceAccount {spec.get('serviceAccountName')!r}"
        if (priority := spec.get("priorityClassName")) and priority not in m.names("PriorityClass"):
            yield f"{where}: no PriorityClass {priority!r}"
        volumes = {v["name"]: v for v in spec.get("volumes", [])}
        for volume in volumes.values():
            if "configMap" in volume and volume["configMap"]["name"] not in m.names("ConfigMap"):
                yield f"{where}: no ConfigMap {volume['configMap']['name']!r}"
            if "secret" in volume and volume["secret"]["secretName"] not in secrets:
                yield f"{where}: no Secret {volume['secret']['secretName']!r}"
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim and claim not in m.names("PersistentVolumeClaim"):
                yield f"{where}: no PersistentVolumeClaim {claim!r}"
        for container in spec["containers"]:
            mounted = {v["name"] for v in container.get("volumeMounts", [])}
            if not mounted <= set(volumes):
                yield f"{where}: no volumes {mounted - set(volumes)}"
            for variable in container.get("env", []):
                if "valueFrom" in variable:
                    yield f"{where}: {variable['name']} comes from somewhere that is not looked at"
    for scaler in m.of("HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]["name"]
        if target not in m.names("Deployment"):
            yield f"{name(scaler)} scales {target!r}, which does not exist"
        elif any(
            d["metadata"]["name"] == target and "replicas" in d["spec"] for d in m.of("Deployment")
        ):
            yield f"{name(scaler)} and the Deployment both set the number of pods"
    for route in m.of("HTTPRoute", "GRPCRoute"):
        offered = {
            (s["metadata"]["name"], port["port"])
            for s in m.of("Service")
            for port in s["spec"]["ports"]
        }
        for rule in route["spec"]["rules"]:
            for backend in rule["backendRefs"]:
                if (backend["name"], backend["port"]) not in offered:
                    yield f"{name(route)} goes to {backend['name']}:{backend['port']}"
        for parent in route["spec"]["parentRefs"]:
            gateways = [g for g in m.of("Gateway") if g["metadata"]["name"] == parent["name"]]
            sections = {x["name"] for g in gateways for x in g["spec"]["listeners"]}
            if parent["sectionName"] not in sections:
                yield f"{name(route)} belongs to no listener {parent['sectionName']!r}"


def resources(m: Manifests) -> Problems:
    """Every container requests CPU and memory, limits memory, and requests no more than that."""
    for container in m.containers():
        given = container.spec.get("resources", {})
        requests, limits = given.get("requests", {}), given.get("limits", {})
        for kind, where in (("cpu", requests), ("memory", requests), ("memory", limits)):
            if kind not in where:
                yield f"{container.where}: no {kind} in requests or limits"
        for kind in set(requests) & set(limits):
            if quantity(requests[kind]) > quantity(limits[kind]):
                yield f"{container.where}: requests more {kind} than its limit"


def quantity(text: str | int) -> float:
    """A Kubernetes quantity as a number of cores or bytes."""
    factors = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
    text = str(text)
    number = text.rstrip("kmMGKi")
    return float(number) * factors.get(text[len(number) :], 1.0)


def security(m: Manifests) -> Problems:
    """What the restricted Pod Security Standard asks for, and more."""
    for workload in m.of(*WORKLOADS):
        spec = pod(workload)
        context = spec.get("securityContext", {})
        wanted = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        for key, value in wanted.items():
            if context.get(key) != value:
                yield f"{name(workload)}: securityContext.{key} is not {value}"
        if not context.get("runAsUser") or not context.get("runAsGroup"):
            yield f"{name(workload)}: runs as root or as whom the image says"
        for key in ("automountServiceAccountToken", "enableServiceLinks"):
            if spec.get(key) is not False:
                yield f"{name(workload)}: {key} is not false"
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            if spec.get(key):
                yield f"{name(workload)}: {key}"
        for volume in spec.get("volumes", []):
            if "hostPath" in volume:
                yield f"{name(workload)}: reads the node's files"
    for container in m.containers():
        context = container.spec.get("securityContext", {})
        wanted = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        for key, value in wanted.items():
            if context.get(key) != value:
                yield f"{container.where}: securityContext.{key} is not {value}"
        if context.get("privileged"):
            yield f"{container.where}: privileged"


def images(m: Manifests) -> Problems:
    """Every image has a version or a digest."""
    for container in m.containers():
        image = str(container.spec["image"])
        tag = image.rpartition("/")[2].partition(":")[2]
        if "@sha256:" not in image and tag in ("", "latest"):
            yield f"{container.where}: {image} is not pinned"


def probes(m: Manifests) -> Problems:
    """Every server has all three probes, and time to stop."""
    for deployment in m.of("Deployment"):
        grace = pod(deployment).get("terminationGracePeriodSeconds", 30)
        for container in pod(deployment)["containers"]:
            where = f"{name(deployment)}/{container['name']}"
            for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
                if kind not in container:
                    yield f"{where}: no {kind}"
            pause = pause_seconds(container)
            if pause is None:
                yield f"{where}: no preStop hook"
            elif pause + drain_seconds(container) >= grace:
                yield f"{where}: {grace} s are too short for {pause} s and the drain after them"


def pause_seconds(container: dict[str, Any]) -> float | None:
    """How long the preStop hook takes."""
    hook = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command")
    if not hook:
        return None
    if hook[-1] == "drain":
        environment = {e["name"]: e["value"] for e in container["env"]}
        return float(environment["EMOTION_ENVOY_DRAIN_SECONDS"])
    return float(hook[-1].rpartition("sleep(")[2].strip(")"))


def drain_seconds(container: dict[str, Any]) -> float:
    """How long a program takes after SIGTERM: its setting, or the setting's default."""
    for variable in container.get("env", []):
        if variable["name"].endswith("_DRAIN_SECONDS") and "ENVOY" not in variable["name"]:
            return float(variable["value"])
    image = container["image"].rpartition("/")[2].partition(":")[0]
    return 10.0 if image in ("gateway", "detector", "classifier", "page") else 0.0


RULES: tuple[Callable[[Manifests], Problems], ...] = (
    selectors,
    ports,
    references,
    resources,
    security,
    images,
    probes,
)


def problems(m: Manifests) -> list[str]:
    """Everything that any rule objects to."""
    return [problem for rule in RULES for problem in rule(m)]
