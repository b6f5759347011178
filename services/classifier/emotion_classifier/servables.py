"""The life of the loaded versions: found, loading, available, unloading, gone."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import grpc
from emotion.tfserving import serving_pb2
from emotion_serving import InvalidArgument, NotFound

from emotion_classifier.config import ConfigError, ServedModel
from emotion_classifier.model import Model, ModelError
from emotion_classifier.versions import surplus

_log = logging.getLogger(__name__)

R = TypeVar("R")
Fingerprint = tuple[tuple[str, int, int], ...]
State = serving_pb2.ModelVersionStatus.State
_LARGEST_VERSION = 2**63 - 1
_BROKEN: int = grpc.StatusCode.FAILED_PRECONDITION.value[0]


@dataclass
class Servable:
    """One version of one model.

    Attributes:
        name: the model.
        version: the version.
        state: stage of its life; ``model`` is there while AVAILABLE and UNLOADING.
        error: why it could not be loaded, if so.
        seen: what its folder held when last looked at.
        calls: how many run on it now.
        idle: set while none does.
    """

    name: str
    version: int
    state: State.ValueType = serving_pb2.ModelVersionStatus.START
    error: str = ""
    model: Model | None = None
    seen: Fingerprint | None = None
    calls: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.idle.set()

    @contextlib.contextmanager
    def call(self) -> Iterator[Model]:
        """The model, kept loaded for the length of the block."""
        assert self.model is not None, "only AVAILABLE versions are called"
        self.calls += 1
        self.idle.clear()
        try:
            yield self.model
        finally:
            self.calls -= 1
            if not self.calls:
                self.idle.set()

    def status(self) -> serving_pb2.ModelVersionStatus:
        """Its state as GetModelStatus tells it."""
        return serving_pb2.ModelVersionStatus(
            version=self.version,
            state=self.state,
            status=serving_pb2.StatusProto(
                error_code=_BROKEN if self.error else 0, error_message=self.error
            ),
        )


def find_versions(folder: Path) -> dict[int, Path]:
    """The version folders in a model's folder: those whose name is a number (int64).

    Raises:
        OSError: the folder is missing or unreadable.
    """
    found: dict[int, Path] = {}
    for entry in sorted(folder.iterdir()):
        if not (entry.name.isascii() and entry.name.isdigit() and entry.is_dir()):
            continue
        version = int(entry.name)
        if version <= _LARGEST_VERSION:
            found.setdefault(version, entry)
    return found


def fingerprint(folder: Path) -> Fingerprint | None:
    """Path, size in bytes and time of change in ns of every file; None while files come and go."""
    try:
        return tuple(
            (str(file.relative_to(folder)), file.stat().st_size, file.stat().st_mtime_ns)
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        )
    except OSError:
        return None


class ModelVersions:
    """The versions of one model. Lives on the event loop; folders and models are read in a thread.

    Args:
        served: name, folder, policy and labels.
        load: makes a Model of a version folder; raises ModelError.
        loader: the thread that ``load`` and looks at the folder run in.
    """

    def __init__(
        self, served: ServedModel, load: Callable[[Path], Model], loader: ThreadPoolExecutor
    ) -> None:
        self._served = served
        self._load = load
        self._loader = loader
        self._servables: dict[int, Servable] = {}
        self._unreadable = False
        self._unloading: set[asyncio.Task[None]] = set()

    @property
    def available(self) -> dict[int, Servable]:
        """The versions that answer calls."""
        return {
            version: servable
            for version, servable in self._servables.items()
            if servable.state == serving_pb2.ModelVersionStatus.AVAILABLE
        }

    @property
    def statuses(self) -> list[serving_pb2.ModelVersionStatus]:
        """The state of every version known, newest first."""
        return [self._servables[version].status() for version in sorted(self._servables)[::-1]]

    def latest(self) -> Servable | None:
        """The newest version that answers calls."""
        available = self.available
        return available[max(available)] if available else None

    async def load_first(self) -> None:
        """Loads what the policy wants now.

        Raises:
            ConfigError: the folder is missing, holds no such version, none of them could be
                loaded, or a label points to a version that is not loaded.
        """
        name, folder = self._served.name, self._served.folder
        try:
            folders = await self._in_loader(find_versions, folder)
        except OSError as error:
            raise ConfigError(
                f"cannot read folder {folder} of model {name!r}: {error.strerror}"
            ) from error
        wanted = self._served.policy.choose(folders.keys())
        if not wanted:
            raise ConfigError(
                f"folder {folder} of model {name!r} holds no version to load: "
                f"the policy is {self._served.policy}, version folders are {sorted(folders)}"
            )
        for version in sorted(wanted):
            self._servables[version] = Servable(name, version)
            self._servables[version].seen = await self._in_loader(fingerprint, folders[version])
            await self._load_version(self._servables[version], folders[version])
        if not self.available:
            errors = "; ".join(
                f"version {version}: {servable.error}"
                for version, servable in sorted(self._servables.items())
            )
            raise ConfigError(f"model {name!r} cannot be loaded: {errors}")
        for label, version in self._served.labels.items():
            if version not in self.available:
                raise ConfigError(
                    f"label {label!r} of model {name!r} points to version {version}, "
                    f"which is not loaded; loaded: {sorted(self.available)}"
                )

    async def refresh(self) -> None:
        """Looks at the folder once: loads what is new and complete, unloads what is surplus.

        A folder is complete when it held the same files at two looks in a row. A version that
        could not be loaded is tried again when its folder changes. While the folder cannot be
        read, everything stays as it is.
        """
        try:
            folders = await self._in_loader(find_versions, self._served.folder)
        except OSError as error:
            if not self._unreadable:
                _log.warning(
                    "model folder unreadable, keeping what is loaded",
                    extra={"model": self._served.name, "error": str(error)},
                )
            self._unreadable = True
            return
        self._unreadable = False
        wanted = self._served.policy.choose(folders.keys())
        for version in sorted(wanted):
            await self._look_at(version, folders[version])
        for version, servable in list(self._servables.items()):
            if servable.state == serving_pb2.ModelVersionStatus.START and version not in wanted:
                del self._servables[version]
        for version in surplus(wanted, self.available.keys(), folders.keys()):
            self._unload(self._servables[version])

    async def _look_at(self, version: int, folder: Path) -> None:
        servable = self._servables.get(version)
        if servable is not None and servable.state in (
            serving_pb2.ModelVersionStatus.AVAILABLE,
            serving_pb2.ModelVersionStatus.UNLOADING,
        ):
            return
        seen = await self._in_loader(fingerprint, folder)
        unchanged = servable is not None and seen is not None and seen == servable.seen
        if servable is None or servable.state == serving_pb2.ModelVersionStatus.END:
            if servable is not None and servable.error and unchanged:
                return
            self._servables[version] = Servable(self._served.name, version, seen=seen)
        elif unchanged:
            await self._load_version(servable, folder)
        else:
            servable.seen = seen

    async def _load_version(self, servable: Servable, folder: Path) -> None:
        event = {"model": servable.name, "version": servable.version}
        servable.state = serving_pb2.ModelVersionStatus.LOADING
        try:
            servable.model = await self._in_loader(self._load, folder)
        except ModelError as error:
            servable.state = serving_pb2.ModelVersionStatus.END
            servable.error = str(error)
            _log.error("version cannot be loaded", extra=event | {"error": servable.error})
        else:
            servable.state = serving_pb2.ModelVersionStatus.AVAILABLE
            _log.info("version available", extra=event)

    def _unload(self, servable: Servable) -> None:
        """Gives the version no new calls; it ends when the running ones are done."""
        servable.state = serving_pb2.ModelVersionStatus.UNLOADING
        _log.info("version unloading", extra={"model": servable.name, "version": servable.version})
        task = asyncio.create_task(self._end_when_idle(servable))
        self._unloading.add(task)
        task.add_done_callback(self._unloading.discard)

    async def _end_when_idle(self, servable: Servable) -> None:
        await servable.idle.wait()
        servable.model = None
        servable.state = serving_pb2.ModelVersionStatus.END
        _log.info("version ended", extra={"model": servable.name, "version": servable.version})

    def labelled(self, label: str) -> int | None:
        """The version that a label points to, loaded or not."""
        return self._served.labels.get(label)

    async def _in_loader(self, function: Callable[[Path], R], folder: Path) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._loader, function, folder)


class Servables:
    """All models that are served: lookup by ModelSpec, first load, and the watch on the folders.

    Args:
        models: the configuration.
        load: makes a Model of a version folder; raises ModelError.
    """

    def __init__(self, models: Sequence[ServedModel], load: Callable[[Path], Model]) -> None:
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._models = {model.name: ModelVersions(model, load, self._loader) for model in models}

    async def load_first(self) -> None:
        """Loads what the policies want now.

        Raises:
            ConfigError: a model cannot be served.
        """
        for versions in self._models.values():
            await versions.load_first()

    async def refresh(self) -> None:
        """Looks at every model's folder once."""
        for name, versions in self._models.items():
            try:
                await versions.refresh()
            except Exception:
                _log.exception("model folder not handled", extra={"model": name})

    async def watch(self, poll_seconds: float) -> None:
        """Refreshes every ``poll_seconds`` until cancelled."""
        while True:
            await asyncio.sleep(poll_seconds)
            await self.refresh()

    def close(self) -> None:
        """Ends the loader thread."""
        self._loader.shutdown(cancel_futures=True)

    def find(self, spec: serving_pb2.ModelSpec) -> Servable:
        """The AVAILABLE version that ``spec`` asks for; hold it with ``call`` before any await.

        Raises:
            InvalidArgument: no name, or an unknown label.
            NotFound: no such model, or its version is not AVAILABLE.
        """
        if not spec.name:
            raise InvalidArgument("ModelSpec has no name specified.")
        versions = self._models.get(spec.name)
        match spec.WhichOneof("version_choice"):
            case "version_label":
                number = versions.labelled(spec.version_label) if versions else None
                if number is None:
                    raise InvalidArgument(
                        f"Unrecognized servable version label: {spec.version_label}"
                    )
            case "version":
                number = spec.version.value
            case _:
                servable = versions.latest() if versions else None
                if servable is None:
                    raise NotFound(f"Servable not found for request: Latest({spec.name})")
                return servable
        servable = versions.available.get(number) if versions else None
        if servable is None:
            raise NotFound(f"Servable not found for request: Specific({spec.name}, {number})")
        return servable

    def statuses(self, spec: serving_pb2.ModelSpec) -> list[serving_pb2.ModelVersionStatus]:
        """The state of one version, or of all of a model, newest first; labels are not looked at.

        Raises:
            NotFound: no such model or version.
        """
        versions = self._models.get(spec.name)
        statuses = versions.statuses if versions else []
        if spec.HasField("version"):
            number = spec.version.value
            statuses = [status for status in statuses if status.version == number]
            if not statuses:
                raise NotFound(f"Could not find version {number} of model {spec.name}")
        if not statuses:
            raise NotFound(f"Could not find any versions of model {spec.name}")
        return statuses
