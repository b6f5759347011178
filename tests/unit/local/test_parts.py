"""What the launcher plans to run."""

import os
import re
from pathlib import Path

import yaml
from emotion_detector.settings import DetectorSettings
from emotion_local import LocalSettings, plan
from emotion_local.parts import ENVOY_TEMPLATE, render_envoy

SOCKETS = Path("/run/emotion")


def test_every_part_gets_an_address_of_its_own() -> None:
    parts = plan(LocalSettings(), SOCKETS)
    assert len({part.address for part in parts}) == len(parts)
    assert {part.port for part in parts} - {None} == set(LocalSettings().ports())


def test_a_part_that_listens_everywhere_is_asked_here() -> None:
    parts = {part.name: part for part in plan(LocalSettings(host="0.0.0.0", port=1234), SOCKETS)}
    assert parts["envoy"].address == "127.0.0.1:1234"
    assert parts["envoy"].host == "0.0.0.0"


def test_the_gateway_stops_first_so_that_clients_hear_of_it() -> None:
    names = [part.name for part in plan(LocalSettings(), SOCKETS)]
    assert names[0] == "gateway"
    assert set(names) == {"gateway", "envoy", "detector", "classifier", "page"}


def test_the_gateway_is_told_where_its_backends_are() -> None:
    settings = LocalSettings(detector_processes=3)
    parts = {part.name: part for part in plan(settings, SOCKETS)}
    assert f"--classifier={parts['classifier'].address}" in parts["gateway"].command
    assert "--processes=3" in parts["detector"].command
    served = DetectorSettings(unix_socket=str(SOCKETS / "detector"), processes=3)
    addresses = [f"unix:{served.of_process(k).unix_socket}" for k in range(3)]
    assert f"--detector={' '.join(addresses)}" in parts["gateway"].command
    assert parts["detector"].address == addresses[0]
    assert len(set(addresses)) == 3


def test_there_is_a_detector_process_for_each_usable_core() -> None:
    (detector,) = (part for part in plan(LocalSettings(), SOCKETS) if part.name == "detector")
    assert f"--processes={len(os.sched_getaffinity(0))}" in detector.command


def test_every_placeholder_of_envoys_configuration_is_filled_in() -> None:
    settings = LocalSettings(port=1234, allowed_origins="https://it's\\.me")
    rendered = render_envoy(settings, SOCKETS)
    assert not re.search(r"\$\{", rendered)
    config = yaml.safe_load(rendered)
    listener = config["static_resources"]["listeners"][0]
    assert listener["address"]["socket_address"]["port_value"] == 1234
    assert "https://it''s\\.me" in rendered
    for cluster in config["static_resources"]["clusters"][:2]:
        assert cluster["type"] == "STATIC"
        (group,) = cluster["load_assignment"]["endpoints"]
        (endpoint,) = group["lb_endpoints"]
        assert Path(endpoint["endpoint"]["address"]["pipe"]["path"]).parent == SOCKETS


def test_the_template_lists_the_placeholders_that_it_uses() -> None:
    text = ENVOY_TEMPLATE.read_text()
    used = set(re.findall(r"\$\{(\w+)\}", text))
    comment = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    assert used == set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", comment))
