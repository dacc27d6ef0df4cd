"""Where landing files lie: a folder of this machine, or an object store.

::

    <root>/pbx/queue_log/0f3a…__queue_log         a landing file, never changed
    <root>/pbx/queue_log/0f3a…__queue_log.json    its manifest, written last: without it no file counts

A landing file is first a draft on this machine, so that its name can be its content's. From a folder it is
read where it lies; from an object store it is fetched for the time of its load, and its SHA-256 compared.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from callhouse.errors import SourceError
from callhouse.settings import Settings
from callhouse.sources import object_storage

DRAFT = ".part"
MANIFEST = ".json"
CHUNK = 1 << 20
ROUND_TRIPS = 16  # at once, where each file costs one


@dataclass(frozen=True)
class Folder:
    """Landing files in a folder; paths are relative to it."""

    root: Path

    def drafts(self, folder: str) -> Path:
        """Where drafts of a folder's files are written, without those a killed run left."""
        place = self.root / folder
        place.mkdir(parents=True, exist_ok=True)
        for left_over in place.glob(f".*{DRAFT}"):
            left_over.unlink()
        return place

    def keep(self, draft: Path, path: str) -> None:
        """Make a draft, already on the disk, the landing file ``path``."""
        draft.chmod(0o440)
        draft.replace(self.root / path)

    def write_manifest(self, path: str, text: str) -> None:
        """Write a landing file's manifest: from now on it counts."""
        target = self.root / (path + MANIFEST)
        draft = target.parent / f".{os.getpid()}{MANIFEST}{DRAFT}"
        with draft.open("w", encoding="utf-8") as manifest:
            manifest.write(text)
            manifest.flush()
            os.fsync(manifest.fileno())
        draft.replace(target)
        descriptor = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def manifests(self, folder: str | None = None) -> Iterator[tuple[str, bytes]]:
        """Place and text of the manifests whose files are there, of one folder or of all."""
        for path in sorted(self.root.glob(f"{folder or '*/*'}/*{MANIFEST}")):
            if path.with_name(path.name.removesuffix(MANIFEST)).is_file():
                yield str(path), path.read_bytes()

    @contextmanager
    def local(self, path: str, sha256: str) -> Iterator[Path]:
        """A landing file on this machine, for reading."""
        yield self.root / path


@dataclass(frozen=True)
class ObjectStore(Folder):
    """Landing files below a location such as ``s3://bucket/prefix``; ``root`` holds only drafts."""

    location: str

    def keep(self, draft: Path, path: str) -> None:
        with self._explained():
            target = self._root() / path
            target.parent.mkdir(parents=True, exist_ok=True)  # where a store has folders
            with draft.open("rb") as file, target.open("wb") as copy:
                shutil.copyfileobj(file, copy, CHUNK)

    def write_manifest(self, path: str, text: str) -> None:
        with self._explained():
            (self._root() / (path + MANIFEST)).write_bytes(text.encode())

    def manifests(self, folder: str | None = None) -> Iterator[tuple[str, bytes]]:
        with self._explained(), ThreadPoolExecutor(ROUND_TRIPS) as at_once:
            found = {str(path): path for path in self._root().glob(f"{folder or '*/*'}/*")}
            named = sorted(
                name for name in found if name.endswith(MANIFEST) and name.removesuffix(MANIFEST) in found
            )
            texts = list(at_once.map(lambda name: found[name].read_bytes(), named))
        yield from zip(named, texts, strict=True)

    @contextmanager
    def local(self, path: str, sha256: str) -> Iterator[Path]:
        source_name, _, name = path.partition("/")
        folder = self.root / source_name / ".fetched"  # the loads of a source come one after the other
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            target, digest = folder / Path(name).name, hashlib.sha256()
            with self._explained(), (self._root() / path).open("rb") as file, target.open("wb") as copy:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
                    copy.write(chunk)
            if digest.hexdigest() != sha256:
                raise SourceError(
                    "the landing file is not what was landed",
                    where=f"{self.location}/{path}",
                    do="restore it in the object store, or remove it with its manifest and extract again",
                )
            yield target
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _root(self) -> Any:
        return object_storage.open_location(self.location)

    def _explained(self) -> Any:
        where = "`landing` in centre.yml or CALLHOUSE_LANDING"
        return object_storage.explained(self.location, where, "it and the Airflow connection it names")


def open_store(settings: Settings) -> Folder:
    """The landing files of a centre."""
    location = settings.landing_location
    return ObjectStore(settings.landing_dir, location) if location else Folder(settings.landing_dir)
