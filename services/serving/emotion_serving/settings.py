"""Settings: one typed object a service, from flags and environment variables."""

import sys
from collections.abc import Sequence
from typing import Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, CliApp, CliSettingsSource, SettingsError


class ServiceSettings(BaseSettings):
    """Settings that every server has. Each is a flag (``--port``) and, with the service's
    prefix, an environment variable (``EMOTION_DETECTOR_PORT``); the flag wins."""

    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 for all")
    port: int = Field(0, ge=0, le=65535, description="port; 0 takes a free one")
    drain_seconds: float = Field(
        10.0, ge=0, le=600, description="how long calls may go on after SIGTERM"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="lowest level that is logged"
    )


class GrpcSettings(ServiceSettings):
    """Settings that every gRPC server has."""

    unix_socket: str = Field(
        "",
        description="path of a Unix socket to listen on in place of host and port, for services "
        "on one machine; empty for none",
    )
    max_message_bytes: int = Field(
        8 * 1024 * 1024, ge=65536, description="largest message taken or sent"
    )
    max_connection_age_seconds: float = Field(
        0.0,
        ge=0,
        le=86400,
        description="age at which a client is asked to connect anew, so that new servers get "
        "their share; running calls go on; 0 for never",
    )


SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def load_settings(
    settings_class: type[SettingsT], argv: Sequence[str] | None = None, *, prog: str
) -> SettingsT:
    """Reads settings from ``argv`` (default: the command line) and the environment.

    A wrong value prints which one, what was given and what is expected, and exits with 2;
    so does an unknown flag. ``--help`` prints all of them and exits with 0.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    source: CliSettingsSource[SettingsT] = CliSettingsSource(
        settings_class,
        cli_prog_name=prog,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
    )
    prefix = settings_class.model_config.get("env_prefix", "")
    try:
        return CliApp.run(settings_class, cli_args=arguments, cli_settings_source=source)
    except ValidationError as error:
        for problem in error.errors():
            name = str(problem["loc"][0]) if problem["loc"] else "settings"
            reason = problem["msg"].removeprefix("Value error, ")
            print(
                f"{prog}: --{name.replace('_', '-')} (or {prefix}{name.upper()}) "
                f"is {problem['input']!r}: {reason[0].lower()}{reason[1:]}",
                file=sys.stderr,
            )
    except SettingsError as error:
        print(f"{prog}: {error}", file=sys.stderr)
    sys.exit(2)
