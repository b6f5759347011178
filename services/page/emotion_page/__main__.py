"""``python -m emotion_page``: starts the page's server."""

import logging
import sys
from pathlib import Path

import uvicorn
from emotion_serving import ServiceSettings, load_settings
from emotion_serving.logs import configure_logs
from pydantic import DirectoryPath, Field
from pydantic_settings import SettingsConfigDict
from starlette.applications import Starlette
from starlette.routing import Mount

from emotion_page.files import PageFiles

_log = logging.getLogger("emotion_page")


class PageSettings(ServiceSettings):
    """Server of the built page of Emotion Recognizer."""

    model_config = SettingsConfigDict(env_prefix="EMOTION_PAGE_")

    port: int = Field(50070, ge=1, le=65535, description="HTTP port")
    directory: DirectoryPath = Field(
        Path("web/page/dist"),
        description="folder that `npm run build` has made",
        validate_default=True,
    )


def main() -> None:
    """Reads the settings and serves; exits with 2 for bad settings, 1 for a taken port."""
    settings = load_settings(PageSettings, prog="emotion-page")
    configure_logs("page", settings.log_level)
    app = Starlette(routes=[Mount("/", PageFiles(directory=settings.directory, html=True))])
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=round(settings.drain_seconds),
        )
    )
    _log.info("serving", extra={"port": settings.port, "directory": str(settings.directory)})
    server.run()
    sys.exit(0 if server.started else 1)


if __name__ == "__main__":
    main()
