"""The examples' configuration on the public data, which this repository does not hold."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from callhouse.postgres import Warehouse
from callhouse.settings import PROJECT, Settings

from ..conftest import cloned, warehouse_uri

SHARED = Path(os.environ.get("CALLHOUSE_SHARED_DATA") or PROJECT.parent / "shared" / "data")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of the public data."""
    if not SHARED.is_dir():
        pytest.skip(f"no public data in {SHARED}: set CALLHOUSE_SHARED_DATA")
    return SHARED


Example = Callable[[str, list[Path]], AbstractContextManager[Settings]]


@pytest.fixture(scope="session")
def example(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Example:
    """``with example(name, files) as settings``: examples/<name> on copies of these files."""

    @contextmanager
    def open_example(name: str, files: list[Path]) -> Iterator[Settings]:
        folder = tmp_path_factory.mktemp(name)
        settings = Settings(PROJECT / "examples" / name, folder / "home", folder / "data")
        settings.home.mkdir()
        settings.data_dir.mkdir()
        for file in files:
            shutil.copy(file, settings.data_dir)
        with cloned(server) as database, pytest.MonkeyPatch.context() as patch:
            for key, value in settings.environment().items():
                patch.setenv(key, value)
            patch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse_uri(database))
            yield settings

    return open_example
