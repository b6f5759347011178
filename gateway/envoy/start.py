"""The Envoy image's entry point: fills in ``envoy.yaml`` from the environment, then becomes Envoy.

``python3 start.py``        renders, adds what a pod needs besides, starts Envoy
``python3 start.py drain``  tells the running Envoy to send its clients elsewhere, and returns after
                            ``EMOTION_ENVOY_DRAIN_SECONDS``: the preStop hook

Each setting is an environment variable with the prefix ``EMOTION_ENVOY_``.
What a pod needs besides: an admin interface for the pod alone, a port that shows its metrics and
nothing else, and TLS if there is a certificate.
"""

import copy
import http.client
import json
import os
import string
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

PREFIX = "EMOTION_ENVOY_"
RENDERED = {
    "LISTEN_ADDRESS": "0.0.0.0",
    "LISTEN_PORT": "8080",
    "GATEWAY_HOST": "gateway",
    "GATEWAY_PORT": "50051",
    "GATEWAY_WEBSOCKET_PORT": "50052",
    "PAGE_HOST": "page",
    "PAGE_PORT": "50070",
    "ALLOWED_ORIGINS": r"https?://(localhost|127\.0\.0\.1)(:\d+)?",
}
"""What ``envoy.yaml`` is filled in from, and the values in a cluster."""

OWN = {
    "TEMPLATE": str(Path(__file__).with_name("envoy.yaml")),
    "BINARY": "/usr/local/bin/envoy",
    "LOG_LEVEL": "warning",
    "CONCURRENCY": "2",
    "ADMIN_PORT": "9901",
    "METRICS_PORT": "9902",
    "TLS_DIRECTORY": "",
    "TLS_PORT": "8443",
    "DRAIN_SECONDS": "20",
}
"""What this program itself is told. ``TLS_DIRECTORY`` has ``tls.crt`` and ``tls.key``, as a mounted
Secret does; empty for no TLS."""

_NUMBERS = {name for name in RENDERED | OWN if name.endswith(("_PORT", "_SECONDS"))}
_EXTENSIONS = "type.googleapis.com/envoy.extensions"


class StartError(Exception):
    """The environment is wrong; the message says what is and what is expected."""


def settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Every setting by its name without the prefix, defaults where the environment has none.

    Raises:
        StartError: a variable with our prefix that nothing reads, or a number that is none.
    """
    given = {k.removeprefix(PREFIX): v for k, v in environment.items() if k.startswith(PREFIX)}
    known = RENDERED | OWN
    if unknown := sorted(set(given) - set(known)):
        raise StartError(
            f"unknown: {', '.join(PREFIX + name for name in unknown)}; "
            f"expected only {', '.join(PREFIX + name for name in known)}"
        )
    chosen = known | given
    for name in sorted(_NUMBERS | {"CONCURRENCY"}):
        if not (chosen[name].isascii() and chosen[name].isdigit()):
            raise StartError(f"{PREFIX}{name} is {chosen[name]!r}: expected a whole number")
    return chosen


def configuration(template: str, values: Mapping[str, str]) -> dict[str, Any]:
    """Envoy's configuration: the rendered template, admin interface, metrics and TLS.

    Raises:
        StartError: the template has a placeholder without a value.
    """
    host = values["GATEWAY_HOST"]
    placeholders = dict(values) | {
        "GATEWAY_DISCOVERY": "STRICT_DNS",
        "GATEWAY_ADDRESS": json.dumps(_address(host, values["GATEWAY_PORT"])),
        "GATEWAY_WEBSOCKET_ADDRESS": json.dumps(_address(host, values["GATEWAY_WEBSOCKET_PORT"])),
        "ALLOWED_ORIGINS": values["ALLOWED_ORIGINS"].replace("'", "''"),
    }
    try:
        config: dict[str, Any] = yaml.safe_load(string.Template(template).substitute(placeholders))
    except (KeyError, ValueError) as error:
        raise StartError(f"the template has a placeholder that is not known: {error}") from error
    resources = config["static_resources"]
    if values["TLS_DIRECTORY"]:
        (edge,) = resources["listeners"]
        resources["listeners"].append(_with_tls(edge, values))
    admin = _address("127.0.0.1", values["ADMIN_PORT"])
    config["admin"] = {"address": admin}
    resources["listeners"].append(_metrics_listener(values))
    resources["clusters"].append(
        {
            "name": "admin",
            "type": "STATIC",
            "load_assignment": {
                "cluster_name": "admin",
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": admin}}]}],
            },
        }
    )
    return config


def _with_tls(edge: dict[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """The same listener again, for TLS; a renewed certificate is taken up without a restart."""
    folder = values["TLS_DIRECTORY"]
    listener = copy.deepcopy(edge) | {
        "name": "edge_tls",
        "address": _address(values["LISTEN_ADDRESS"], values["TLS_PORT"]),
    }
    (chain,) = listener["filter_chains"]
    chain["transport_socket"] = {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_EXTENSIONS}.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                "tls_certificates": [
                    {
                        "certificate_chain": {"filename": f"{folder}/tls.crt"},
                        "private_key": {"filename": f"{folder}/tls.key"},
                        "watched_directory": {"path": folder},
                    }
                ],
            },
        },
    }
    return listener


def _metrics_listener(values: Mapping[str, str]) -> dict[str, Any]:
    """Prometheus' metrics: the one page of the admin interface that others may see."""
    filters = f"{_EXTENSIONS}.filters"
    manager = {
        "@type": f"{filters}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "metrics",
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{filters}.http.router.v3.Router"},
            }
        ],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "metrics",
                    "domains": ["*"],
                    "routes": [
                        {"match": {"path": "/stats/prometheus"}, "route": {"cluster": "admin"}}
                    ],
                }
            ]
        },
    }
    connection_manager = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": manager,
    }
    return {
        "name": "metrics",
        "address": _address(values["LISTEN_ADDRESS"], values["METRICS_PORT"]),
        "filter_chains": [{"filters": [connection_manager]}],
    }


def _address(host: str, port: str) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": int(port)}}


def command(values: Mapping[str, str], folder: Path) -> list[str]:
    """Writes the configuration into ``folder`` and returns the command that runs it."""
    config = folder / "envoy.yaml"
    template = Path(values["TEMPLATE"]).read_text()
    config.write_text(yaml.safe_dump(configuration(template, values), sort_keys=False))
    return [
        values["BINARY"],
        "--config-path",
        str(config),
        "--disable-hot-restart",
        "--concurrency",
        values["CONCURRENCY"],
        "--log-level",
        values["LOG_LEVEL"],
        "--drain-time-s",
        values["DRAIN_SECONDS"],
    ]


def drain(values: Mapping[str, str]) -> None:
    """Has Envoy answer every further request with a wish to close the connection, and waits
    until its clients had the time to go."""
    admin = http.client.HTTPConnection("127.0.0.1", int(values["ADMIN_PORT"]), timeout=5)
    admin.request("POST", "/drain_listeners?graceful&skip_exit")
    answer = admin.getresponse()
    answer.read()
    if answer.status != 200:
        raise StartError(f"Envoy's admin interface answered {answer.status} to a drain")
    time.sleep(int(values["DRAIN_SECONDS"]))


def main() -> None:
    """Exits with 2 for a wrong environment."""
    try:
        values = settings(os.environ)
        if sys.argv[1:] == ["drain"]:
            drain(values)
            return
        run = command(values, Path(tempfile.mkdtemp(prefix="envoy-")))
    except (StartError, OSError) as error:
        print(f"envoy: {error}", file=sys.stderr)
        sys.exit(2)
    os.execv(run[0], run)


if __name__ == "__main__":
    main()
