"""Which parts of the page caches may keep."""

from pathlib import Path

import pytest
from emotion_page.files import PageFiles
from starlette.exceptions import HTTPException


@pytest.fixture
def files(tmp_path: Path) -> PageFiles:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets/page-1a2b.js").write_text("run()")
    (tmp_path / "index.html").write_text("<p>page</p>")
    return PageFiles(directory=tmp_path, html=True)


def scope(method: str = "GET") -> dict[str, object]:
    return {"type": "http", "method": method, "path": "/", "headers": []}


async def test_assets_may_be_kept_for_ever(files: PageFiles) -> None:
    response = await files.get_response("assets/page-1a2b.js", scope())
    assert "immutable" in response.headers["cache-control"]


async def test_the_page_itself_is_asked_for_each_time(files: PageFiles) -> None:
    response = await files.get_response(".", scope())
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-cache"


async def test_a_missing_asset_is_never_kept(files: PageFiles) -> None:
    with pytest.raises(HTTPException) as missing:
        await files.get_response("assets/gone.js", scope())
    assert missing.value.status_code == 404
    assert "cache-control" not in (missing.value.headers or {})


async def test_nothing_outside_the_folder_is_served(files: PageFiles) -> None:
    with pytest.raises(HTTPException) as missing:
        await files.get_response("../test_files.py", scope())
    assert missing.value.status_code == 404
