"""The launcher's flags."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parents[3]


class LocalSettings(BaseSettings):
    """Runs Emotion Recognizer on one machine. Ports: 0 takes a free one."""

    model_config = SettingsConfigDict(env_prefix="EMOTION_")

    host: str = Field(
        "127.0.0.1", description="address of the page; 0.0.0.0 lets other machines connect"
    )
    port: int = Field(8080, ge=0, le=65535, description="port of the page and of every call")
    page_port: int = Field(50070, ge=0, le=65535, description="page files")
    allowed_origins: str = Field(
        r"https?://(localhost|127\.0\.0\.1)(:\d+)?",
        description="regular expression for origins of pages on other hosts that may connect",
    )
    detector_processes: int = Field(
        0,
        ge=0,
        le=256,
        description="processes that look for faces; 0 for one a usable core, as Python computes on "
        "one core a process",
    )
    gateway_arguments: list[str] = Field([], description="further flags for the gateway")
    page_directory: Path = Field(ROOT / "web/page/dist", description="the built page")
    work_directory: Path = Field(
        ROOT / "build/local", description="folder for logs and the rendered Envoy configuration"
    )
    give_way: bool = Field(
        True,
        description="gateway and Envoy never interrupt the analysis; false treats all parts alike",
    )
    start_seconds: float = Field(60.0, gt=0, description="how long the parts may take to start")

    def ports(self) -> dict[str, int]:
        """Every port setting by name."""
        return {
            name: getattr(self, name) for name in type(self).model_fields if name.endswith("port")
        }
