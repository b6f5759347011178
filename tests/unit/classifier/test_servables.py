"""Versions come and go as their folders do, and what serves keeps serving."""

import asyncio
import functools
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from emotion.tfserving import serving_pb2
from emotion_classifier.config import ConfigError, read_config
from emotion_classifier.model import Model
from emotion_classifier.servables import Servables, find_versions
from emotion_serving import InvalidArgument, NotFound

State = serving_pb2.ModelVersionStatus.State
Start = Callable[..., "asyncio.Future[Servables]"]


def spec(version: int | None = None, label: str | None = None) -> serving_pb2.ModelSpec:
    message = serving_pb2.ModelSpec(name="emotion")
    if version is not None:
        message.version.value = version
    if label is not None:
        message.version_label = label
    return message


def states(servables: Servables) -> dict[int, str]:
    return {s.version: State.Name(s.state) for s in servables.statuses(spec())}


def error_of(servables: Servables, version: int) -> serving_pb2.StatusProto:
    return servables.statuses(spec(version))[0].status


async def refresh(servables: Servables, times: int = 1) -> None:
    for _ in range(times):
        await servables.refresh()
    await asyncio.sleep(0)  # an idle version ends in a task of its own
    await asyncio.sleep(0)


@pytest.fixture
async def start(
    models_root: Path, write_config: Callable[..., Path]
) -> AsyncIterator[Callable[..., object]]:
    """Loads what models.config with the given lines asks for."""
    started: list[Servables] = []

    async def load(extra: str = "") -> Servables:
        models = read_config(write_config(extra), models_root)
        started.append(Servables(models, functools.partial(Model.load, threads=1)))
        await started[-1].load_first()
        return started[-1]

    yield load
    for servables in started:
        servables.close()


@pytest.fixture
def add(models_root: Path) -> Callable[[int], Path]:
    """Adds a complete version folder, a copy of version 1."""

    def copy(version: int) -> Path:
        folder = models_root / f"emotion/{version}"
        shutil.copytree(models_root / "emotion/1", folder)
        return folder

    return copy


async def test_a_new_version_replaces_the_old(start: Start, add: Callable[[int], Path]) -> None:
    servables = await start()
    add(2)
    await refresh(servables)
    assert states(servables) == {2: "START", 1: "AVAILABLE"}
    await refresh(servables)
    assert states(servables) == {2: "AVAILABLE", 1: "END"}
    assert servables.find(spec()).version == 2
    assert error_of(servables, 1).error_code == 0


async def test_the_old_version_ends_when_its_calls_are_done(
    start: Start, add: Callable[[int], Path]
) -> None:
    servables = await start()
    add(2)
    with servables.find(spec()).call():
        await refresh(servables, 3)
        assert states(servables) == {2: "AVAILABLE", 1: "UNLOADING"}
        with pytest.raises(NotFound, match=r"Specific\(emotion, 1\)"):
            servables.find(spec(1))
    await refresh(servables)
    assert states(servables) == {2: "AVAILABLE", 1: "END"}


async def test_a_broken_version_disturbs_nothing_and_is_tried_when_it_changes(
    start: Start, models_root: Path, tflite: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    servables = await start()
    folder = models_root / "emotion/2"
    folder.mkdir()
    (folder / "model.tflite").write_bytes(tflite[:1000])
    await refresh(servables, 5)
    assert states(servables) == {2: "END", 1: "AVAILABLE"}
    assert error_of(servables, 2).error_code != 0
    assert "not a valid Flatbuffer" in error_of(servables, 2).error_message
    assert servables.find(spec()).version == 1
    assert [r.getMessage() for r in caplog.records].count("version cannot be loaded") == 1
    (folder / "model.tflite").write_bytes(tflite)
    await refresh(servables, 2)
    assert states(servables) == {2: "AVAILABLE", 1: "END"}


async def test_a_folder_that_grows_is_loaded_once_complete(
    start: Start, models_root: Path, tflite: bytes
) -> None:
    servables = await start()
    folder = models_root / "emotion/2"
    folder.mkdir()
    with (folder / "model.tflite").open("wb", buffering=0) as file:
        for part in range(8):
            file.write(tflite[part * len(tflite) // 8 : (part + 1) * len(tflite) // 8])
            await refresh(servables)
            assert states(servables) == {2: "START", 1: "AVAILABLE"}
    await refresh(servables, 2)
    assert states(servables) == {2: "AVAILABLE", 1: "END"}


async def test_a_folder_without_a_model_is_told(start: Start, models_root: Path) -> None:
    servables = await start()
    (models_root / "emotion/2").mkdir()
    await refresh(servables, 3)
    assert states(servables) == {2: "END", 1: "AVAILABLE"}
    assert "cannot read" in error_of(servables, 2).error_message


async def test_a_removed_version_goes_and_the_one_before_answers(
    start: Start, add: Callable[[int], Path], models_root: Path
) -> None:
    add(2)
    servables = await start("model_version_policy { latest { num_versions: 2 } }")
    assert states(servables) == {2: "AVAILABLE", 1: "AVAILABLE"}
    shutil.rmtree(models_root / "emotion/2")
    await refresh(servables)
    assert states(servables) == {2: "END", 1: "AVAILABLE"}
    add(2)
    await refresh(servables, 2)
    assert servables.find(spec()).version == 2


async def test_the_version_before_is_loaded_again_when_the_newest_is_removed(
    start: Start, add: Callable[[int], Path]
) -> None:
    folder = add(2)
    servables = await start()
    assert states(servables) == {2: "AVAILABLE"}
    shutil.rmtree(folder)
    await refresh(servables)
    assert states(servables) == {2: "AVAILABLE", 1: "START"}
    await refresh(servables)
    assert states(servables) == {2: "END", 1: "AVAILABLE"}


async def test_the_last_version_stays_even_if_its_folder_goes(
    start: Start, models_root: Path
) -> None:
    servables = await start()
    shutil.rmtree(models_root / "emotion/1")
    await refresh(servables, 3)
    assert states(servables) == {1: "AVAILABLE"}
    shutil.rmtree(models_root / "emotion")
    await refresh(servables, 3)
    assert states(servables) == {1: "AVAILABLE"}


async def test_a_version_removed_before_it_was_loaded_is_forgotten(
    start: Start, add: Callable[[int], Path]
) -> None:
    servables = await start()
    folder = add(2)
    await refresh(servables)
    shutil.rmtree(folder)
    await refresh(servables)
    assert states(servables) == {1: "AVAILABLE"}


async def test_labels(start: Start, add: Callable[[int], Path], models_root: Path) -> None:
    add(2)
    labels = 'version_labels { key: "stable" value: 1 } version_labels { key: "new" value: 2 }'
    servables = await start("model_version_policy { all { } } " + labels)
    assert servables.find(spec(label="stable")).version == 1
    assert servables.find(spec(label="new")).version == 2
    with pytest.raises(InvalidArgument, match=r"^Unrecognized servable version label: old$"):
        servables.find(spec(label="old"))
    shutil.rmtree(models_root / "emotion/1")
    await refresh(servables)
    with pytest.raises(NotFound, match=r"Specific\(emotion, 1\)"):
        servables.find(spec(label="stable"))


async def test_specific_versions(start: Start, add: Callable[[int], Path]) -> None:
    for version in (2, 3):
        add(version)
    servables = await start("model_version_policy { specific { versions: 1 versions: 3 } }")
    assert states(servables) == {3: "AVAILABLE", 1: "AVAILABLE"}


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            'version_labels { key: "stable" value: 7 }',
            "label 'stable' of model 'emotion' points to version 7, which is not loaded; "
            r"loaded: \[1\]",
        ),
        ("model_version_policy { specific { versions: 5 } }", "holds no version to load"),
    ],
)
async def test_a_config_that_fits_no_version_is_refused(
    start: Start, extra: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        await start(extra)


async def test_a_model_without_a_usable_version_is_refused(start: Start, models_root: Path) -> None:
    os.truncate(models_root / "emotion/1/model.tflite", 1000)
    with pytest.raises(ConfigError, match="model 'emotion' cannot be loaded: version 1: cannot"):
        await start()


async def test_one_broken_version_among_good_ones_does_not_stop_the_start(
    start: Start, add: Callable[[int], Path]
) -> None:
    os.truncate(add(2) / "model.tflite", 1000)
    servables = await start("model_version_policy { latest { num_versions: 2 } }")
    assert states(servables) == {2: "END", 1: "AVAILABLE"}
    assert servables.find(spec()).version == 1


def test_only_folders_named_by_a_number_are_versions(tmp_path: Path) -> None:
    for name in ("1", "007", "-3", "v2", "1.5", "٣", ".4", "5-tmp", "9" * 30):
        (tmp_path / name).mkdir()
    (tmp_path / "8").write_text("a file")
    assert sorted(find_versions(tmp_path)) == [1, 7]
