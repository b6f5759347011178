"""The built page as plain files."""

from typing import Any

from starlette.responses import Response
from starlette.staticfiles import StaticFiles

_ASSETS = "assets/"


class PageFiles(StaticFiles):
    """Static files that tell caches what they may keep.

    Names under ``assets/`` carry a hash of their content and never change; anything else is
    asked for again each time. Only found files are marked, so that no cache keeps a 404.
    """

    async def get_response(self, path: str, scope: Any) -> Response:
        """The file at ``path``, below the directory."""
        response = await super().get_response(path, scope)
        if response.status_code < 400:
            immutable = path.startswith(_ASSETS)
            response.headers["cache-control"] = (
                "public, max-age=31536000, immutable" if immutable else "no-cache"
            )
        return response
