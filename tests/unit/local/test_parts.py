"""What the launcher plans to run."""

import re

import yaml
from emotion_local import LocalSettings, plan
from emotion_local.parts import ENVOY_TEMPLATE, render_envoy


def test_every_part_gets_its_own_ports() -> None:
    ports = [port for part in plan(LocalSettings()) for port in part.ports.values()]
    assert len(ports) == len(set(ports)) == len(LocalSettings().ports())


def test_the_gateway_stops_first_so_that_clients_hear_of_it() -> None:
    names = [part.name for part in plan(LocalSettings())]
    assert names[0] == "gateway"
    assert set(names) == {"gateway", "envoy", "detector", "classifier", "page"}


def test_the_gateway_is_told_where_its_backends_are() -> None:
    settings = LocalSettings(detector_port=1111, classifier_port=2222)
    (gateway,) = (part for part in plan(settings) if part.name == "gateway")
    assert "--detector=127.0.0.1:1111" in gateway.command
    assert "--classifier=127.0.0.1:2222" in gateway.command


def test_every_placeholder_of_envoys_configuration_is_filled_in() -> None:
    rendered = render_envoy(LocalSettings(port=1234, allowed_origins="https://it's\\.me"))
    assert not re.search(r"\$\{", rendered)
    config = yaml.safe_load(rendered)
    listener = config["static_resources"]["listeners"][0]
    assert listener["address"]["socket_address"]["port_value"] == 1234
    assert "https://it''s\\.me" in rendered


def test_the_template_lists_the_placeholders_that_it_uses() -> None:
    text = ENVOY_TEMPLATE.read_text()
    used = set(re.findall(r"\$\{(\w+)\}", text))
    comment = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    assert used == set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", comment))
