"""Runs pods of our manifests with podman, on machines where that is possible."""

import json
import os
import resource
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml
from deploy.manifests import Resource, kustomize

PIECES = ("envoy", "page", "gateway", "detector", "classifier")
NETWORK = "emotion-recognizer-test"
SUBNET = "10.97.83"


class CannotRun(Exception):
    """This machine cannot run containers; the message says why."""


class Podman:
    """podman, with settings under which it works here.

    Where it lacks the right to raise limits or meets a mixture of both kinds of control groups,
    as inside of other containers and small virtual machines, it is told to leave limits as they
    are and to use runc.

    Args:
        folder: for its settings.
        image: one with Python, to try it with.

    Raises:
        CannotRun: there is no podman, or no way in which it starts a container.
    """

    def __init__(self, folder: Path, image: str) -> None:
        if not shutil.which("podman"):
            raise CannotRun("podman is not installed (Debian: apt-get install podman runc)")
        if os.geteuid() != 0:
            raise CannotRun("pods with addresses of their own need root")
        files, processes = (
            min(resource.getrlimit(kind)[1], most)
            for kind, most in ((resource.RLIMIT_NOFILE, 65536), (resource.RLIMIT_NPROC, 4096))
        )
        self.base = image
        limits = f'default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]'
        tries = ["", f"[containers]\n{limits}\n"]
        tries += [f'{tries[1]}[engine]\nruntime = "{r}"\n' for r in ("crun", "runc")]
        said = ""
        for content in tries:
            config = folder / "containers.conf"
            config.write_text(content)
            self.environment = os.environ | {"CONTAINERS_CONF": str(config)}
            done = self.try_("run", "--rm", "--read-only", image, "python3", "-c", "print('up')")
            if done.returncode == 0 and "up" in done.stdout:
                return
            said = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no reason"
        raise CannotRun(f"podman cannot start a container here: {said}")

    def try_(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["podman", *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            env=self.environment,
        )

    def __call__(self, *arguments: str) -> str:
        done = self.try_(*arguments)
        assert done.returncode == 0, f"podman {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    def inspect(self, container: str) -> dict[str, Any]:
        (found,) = json.loads(self("container", "inspect", container))
        return dict(found)


class Pods:
    """The pods of rendered manifests, each with a fixed address and the Services' names.

    What podman does not know is left out: gRPC probes (the tests ask for health themselves),
    preStop hooks, and Services, in whose place each pod's ``/etc/hosts`` stands.
    """

    def __init__(self, podman: Podman, resources: list[Resource], folder: Path) -> None:
        self._podman = podman
        deployments = [r for r in resources if r["kind"] == "Deployment"]
        self.addresses = {
            d["metadata"]["name"]: f"{SUBNET}.{number}" for number, d in enumerate(deployments, 10)
        }
        aliases = [{"ip": ip, "hostnames": [name]} for name, ip in self.addresses.items()]
        maps = [r for r in resources if r["kind"] == "ConfigMap"]
        self._maps = folder / "configmaps.yaml"
        self._maps.write_text(yaml.safe_dump_all(maps))
        self._files = {}
        for deployment in deployments:
            name = deployment["metadata"]["name"]
            pod = deployment["spec"]["template"]["spec"]
            pod["hostAliases"] = aliases
            for container in pod["containers"]:
                for key in ("startupProbe", "readinessProbe", "livenessProbe", "lifecycle"):
                    container.pop(key)
                container.pop("ports")  # else they would be opened on the machine, too
            self._files[name] = folder / f"{name}.yaml"
            self._files[name].write_text(yaml.safe_dump(deployment))

    @property
    def names(self) -> list[str]:
        return [*self._files]

    def start_all(self) -> None:
        self.remove_all()
        self._podman("network", "create", "--disable-dns", "--subnet", f"{SUBNET}.0/24", NETWORK)
        for name in self.names:
            self.start(name)

    def start(self, name: str) -> None:
        address = self.addresses[name]
        # The hardware address stays with a pod's name, or the others would ask the old one first.
        hardware = f"02:00:0a:61:53:{int(address.rpartition('.')[2]):02x}"
        self._podman(
            "play", "kube", "--network", NETWORK, "--ip", address, "--mac-address", hardware,
            "--configmap", str(self._maps), str(self._files[name]),
        )  # fmt: skip

    def container(self, name: str) -> str:
        return f"{name}-pod-0-{name}"

    def stop(self, name: str) -> int:
        """Sends SIGTERM as Kubernetes does; the exit code (137 if it had to be killed)."""
        self._podman("stop", "--time", "30", self.container(name))
        return int(self._podman.inspect(self.container(name))["State"]["ExitCode"])

    def remove(self, name: str) -> None:
        self._podman.try_("pod", "rm", "--force", f"{name}-pod-0")

    def remove_all(self) -> None:
        for name in self.names:
            self.remove(name)
        self._podman.try_("network", "rm", "--force", NETWORK)

    def logs(self, name: str) -> str:
        done = self._podman.try_("logs", "--tail", "20", self.container(name))
        return done.stdout + done.stderr


def needs_kustomize() -> None:
    """Raises CannotRun without a program that renders kustomizations."""
    if kustomize() is None:
        raise CannotRun("neither kubectl nor kustomize is installed")
