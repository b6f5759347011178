"""The Envoy image's entry point: fills in ``envoy.yaml`` from the environment, then becomes Envoy.

``python3 start.py``        renders, adds the admin interface on 127.0.0.1, starts Envoy
``python3 start.py drain``  tells the running Envoy to take no new connections and to close idle
                            ones, and returns after ``EMOTION_ENVOY_DRAIN_SECONDS``: the preStop
                            hook

Each placeholder of ``envoy.yaml`` is an environment variable with the prefix ``EMOTION_ENVOY_``.
Only the standard library is imported, because the image has nothing else.
"""

import http.client
import os
import string
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

PREFIX = "EMOTION_ENVOY_"
DEFAULTS = {
    "LISTEN_ADDRESS": "0.0.0.0",
    "LISTEN_PORT": "8080",
    "GATEWAY_HOST": "gateway",
    "GATEWAY_PORT": "50051",
    "GATEWAY_WEBSOCKET_PORT": "50052",
    "PAGE_HOST": "page",
    "PAGE_PORT": "50070",
    "ALLOWED_ORIGINS": r"https?://(localhost|127\.0\.0\.1)(:\d+)?",
}
"""The placeholders of ``envoy.yaml`` and their values in a cluster."""

OWN_DEFAULTS = {
    "TEMPLATE": str(Path(__file__).with_name("envoy.yaml")),
    "BINARY": "/usr/local/bin/envoy",
    "ADMIN_PORT": "9901",
    "METRICS_PORT": "9902",
    "LOG_LEVEL": "warning",
    "CONCURRENCY": "2",
    "DRAIN_SECONDS": "20",
    "TLS_DIRECTORY": "",
    "TLS_PORT": "8443",
}
"""What this entry point itself is told: the file, the program, its ports and threads, how long to
drain, and a folder with ``tls.crt`` and ``tls.key`` (a Secret) if it is to speak TLS as well."""

# Merged by Envoy into the file: the admin interface, for draining, is open to this pod alone;
# of it only the metrics are shown outside.
_ADMIN = """
admin:
  address: { socket_address: { address: 127.0.0.1, port_value: ${ADMIN_PORT} } }
static_resources:
  listeners:
    - name: metrics
      address: { socket_address: { address: "${LISTEN_ADDRESS}", port_value: ${METRICS_PORT} } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: metrics
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
                route_config:
                  virtual_hosts:
                    - name: metrics
                      domains: ["*"]
                      routes:
                        - match: { path: /stats/prometheus }
                          route: { cluster: admin }
  clusters:
    - name: admin
      type: STATIC
      load_assignment:
        cluster_name: admin
        endpoints:
          - lb_endpoints:
              - endpoint:
                  address: { socket_address: { address: 127.0.0.1, port_value: ${ADMIN_PORT} } }
"""  # noqa: E501

# TLS for the same listener: ends it and goes on to the plain port of this pod, with the client's
# address in front. A renewed certificate is taken up without a restart.
_TLS = """
static_resources:
  listeners:
    - name: tls
      address: { socket_address: { address: "${LISTEN_ADDRESS}", port_value: ${TLS_PORT} } }
      filter_chains:
        - transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context:
                alpn_protocols: [h2, http/1.1]
                tls_params: { tls_minimum_protocol_version: TLSv1_2 }
                tls_certificates:
                  - certificate_chain: { filename: "${TLS_DIRECTORY}/tls.crt" }
                    private_key: { filename: "${TLS_DIRECTORY}/tls.key" }
                    watched_directory: { path: "${TLS_DIRECTORY}" }
          filters:
            - name: envoy.filters.network.tcp_proxy
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
                stat_prefix: tls
                cluster: plain
                idle_timeout: 3600s
  clusters:
    - name: plain
      type: STATIC
      load_assignment:
        cluster_name: plain
        endpoints:
          - lb_endpoints:
              - endpoint:
                  address: { socket_address: { address: 127.0.0.1, port_value: ${LISTEN_PORT} } }
"""  # noqa: E501


class StartError(Exception):
    """The environment is wrong; the message says what is and what is expected."""


def settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Every setting by its name without the prefix, defaults where the environment has none.

    Raises:
        StartError: a variable with our prefix that nothing reads, or a number that is none.
    """
    given = {k.removeprefix(PREFIX): v for k, v in environment.items() if k.startswith(PREFIX)}
    known = DEFAULTS | OWN_DEFAULTS
    if unknown := sorted(set(given) - set(known)):
        raise StartError(
            f"unknown: {', '.join(PREFIX + name for name in unknown)}; "
            f"expected only {', '.join(PREFIX + name for name in known)}"
        )
    chosen = known | given
    for name, value in chosen.items():
        if name.endswith("_PORT") and not (value.isascii() and value.isdigit()):
            raise StartError(f"{PREFIX}{name} is {value!r}: expected a number")
    return chosen


def render(template: str, values: Mapping[str, str]) -> str:
    """Envoy's configuration.

    Raises:
        StartError: the template has a placeholder without a value.
    """
    quoted = dict(values) | {"ALLOWED_ORIGINS": values["ALLOWED_ORIGINS"].replace("'", "''")}
    try:
        return string.Template(template).substitute(quoted)
    except (KeyError, ValueError) as error:
        raise StartError(f"the template has a placeholder that is not known: {error}") from error


def command(values: Mapping[str, str], folder: Path) -> list[str]:
    """Writes the configuration into ``folder`` and returns the command that runs it."""
    config = folder / "envoy.yaml"
    config.write_text(render(Path(values["TEMPLATE"]).read_text(), values))
    return [
        values["BINARY"],
        "--config-path",
        str(config),
        "--config-yaml",
        render(_ADMIN, values),
        "--disable-hot-restart",
        "--log-level",
        values["LOG_LEVEL"],
        "--drain-time-s",
        values["DRAIN_SECONDS"],
    ]


def drain(values: Mapping[str, str]) -> None:
    """Drains the Envoy that runs in this container, and waits until it had its time."""
    admin = http.client.HTTPConnection("127.0.0.1", int(values["ADMIN_PORT"]), timeout=5)
    admin.request("POST", "/healthcheck/fail")
    admin.getresponse().read()
    admin.request("POST", "/drain_listeners?graceful")
    admin.getresponse().read()
    time.sleep(float(values["DRAIN_SECONDS"]))


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
