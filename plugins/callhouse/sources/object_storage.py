"""Object stores (S3 and others) by Airflow's ObjectStoragePath, and their errors in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from callhouse.errors import SourceError


def open_location(location: str, connection: str | None = None) -> Any:
    """A path like ``s3://bucket/prefix``, opened by an Airflow connection (also ``s3://connection@bucket/…``)."""
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(location, conn_id=connection) if connection else ObjectStoragePath(location)


@contextmanager
def explained(location: str, where: str, settings_to_check: str) -> Iterator[None]:
    """Whatever goes wrong with an object store (each has errors of its own) as a SourceError.

    Args:
        where: the entry of the configuration that names the location.
        settings_to_check: what the reader may have to correct.
    """
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        scheme = location.partition("://")[0]
        package = (
            "apache-airflow-providers-amazon[s3fs]" if scheme == "s3" else f"the fsspec package of {scheme}"
        )
        if isinstance(error, ImportError) or "filesystem" in str(error):
            do = f"install {package} beside Callhouse"
        else:
            do = f"check {settings_to_check}"
        raise SourceError(
            f"{location} cannot be used: {error or type(error).__name__}", where=where, do=do
        ) from error
