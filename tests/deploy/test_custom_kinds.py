"""Kinds of other projects keep to the definitions that those projects give of them.

cert-manager's, KEDA's, Gateway API's and Prometheus operator's own types, from which
``@kubernetes-models`` makes npm packages.
"""

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from deploy.manifests import Resource, kustomize
from deploy.test_manifests import COMBINATIONS, CUSTOM, manifests
from deploy.test_rules import change
from running import ROOT

pytestmark = pytest.mark.skipif(
    kustomize() is None, reason="neither kubectl nor kustomize is installed: manifests not checked"
)


def faults(resources: list[Resource]) -> list[str]:
    done = subprocess.run(
        [ROOT / "build/node/bin/node", Path(__file__).with_name("custom_kinds") / "check.mjs"],
        input=json.dumps(resources),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@pytest.fixture(scope="module")
def custom() -> list[Resource]:
    """Every resource of another project's kind that any combination has."""
    found: list[Resource] = []
    for combination in COMBINATIONS:
        for resource in manifests(combination).resources:
            if resource["apiVersion"] in CUSTOM and resource not in found:
                found.append(resource)
    return found


def test_they_are_as_their_projects_define_them(custom: list[Resource]) -> None:
    assert {r["apiVersion"] for r in custom} == CUSTOM
    assert faults(custom) == []


FAULTS: dict[str, tuple[str, str, object]] = {
    "'\"prot\"' does not exist in type": ("ServiceMonitor", "spec.endpoints.0.prot", "metrics"),
    "endpoints/0/interval must match": ("ServiceMonitor", "spec.endpoints.0.interval", "15 s"),
    "required property selector": ("ServiceMonitor", "spec.selector", None),
    "metadata/value must be string": ("ScaledObject", "spec.triggers.0.metadata.value", 60),
    "must have required property triggers": ("ScaledObject", "spec.triggers", None),
    "'\"dnsName\"' does not exist in type": ("Certificate", "spec.dnsName", "example.org"),
    "must have required property issuerRef": ("Certificate", "spec.issuerRef", None),
    "must be <= 65535": ("GRPCRoute", "spec.rules.0.backendRefs.0.port", 500510),
    "path/type must be equal to one of": (
        "HTTPRoute",
        "spec.rules.0.matches.0.path.type",
        "Prefix",
    ),
    "timeouts/request must match": ("HTTPRoute", "spec.rules.0.timeouts.request", "15 s"),
    "must have required property gatewayClassName": ("Gateway", "spec.gatewayClassName", None),
    "has no such kind": ("PrometheusRule", "kind", "PrometheusRules"),
}


@pytest.fixture(scope="module")
def found(custom: list[Resource]) -> list[str]:
    """What is said of all faults at once, each in a copy of its own."""
    broken: list[Any] = []
    for kind, path, value in FAULTS.values():
        broken.append(copy.deepcopy(next(r for r in custom if r["kind"] == kind)))
        change(path, value)(broken[-1])
    return faults(broken)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_seen(found: list[str], fault: str) -> None:
    kind = "PrometheusRules" if fault == "has no such kind" else FAULTS[fault][0]
    assert any(f.startswith(f"{kind}/") and fault in f for f in found), found
