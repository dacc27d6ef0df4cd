"""Airflow connections, at a shell as inside Airflow: host, login and password that no file of ours holds.

A connection ``pbx_db`` is the environment variable ``AIRFLOW_CONN_PBX_DB`` (Airflow's URI or JSON form) or,
in a process of Airflow, whatever Airflow itself keeps under that name. Nothing here logs or repeats a
connection's text: it may hold a password.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from callhouse.errors import ConfigError

if TYPE_CHECKING:
    from sqlalchemy import URL

# SQLAlchemy's dialect and driver for Airflow's connection types; the extra `sqlalchemy_scheme` names another.
SCHEMES = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "mssql": "mssql+pyodbc",
    "oracle": "oracle+oracledb",
    "sqlite": "sqlite+pysqlite",
}
FORM = "write it as type://login:password@host:port/schema, special characters percent-encoded, or as JSON"


@dataclass(frozen=True)
class Connection:
    """An Airflow connection by Airflow's words; ``schema`` is the database of a database server."""

    name: str
    type: str
    host: str = ""
    port: int | None = None
    login: str = ""
    password: str = field(default="", repr=False)
    schema: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def where(self) -> str:
        """How errors name it."""
        return f"Airflow connection `{self.name}` ({variable(self.name)})"


def variable(name: str) -> str:
    """The environment variable that may hold a connection."""
    return f"AIRFLOW_CONN_{name.upper()}"


def resolve(name: str) -> Connection:
    """The connection of this name.

    Raises:
        ConfigError: there is none, or it cannot be read.
    """
    text = os.environ.get(variable(name))
    if text:
        return parse(name, text)
    found = _of_airflow(name) if "airflow.sdk" in sys.modules else None
    if found is None:
        raise ConfigError(
            f"there is no connection `{name}`",
            where=f"Airflow connection `{name}` ({variable(name)})",
            do=f"set {variable(name)}, or make the connection in Airflow; {FORM}",
        )
    return found


def parse(name: str, text: str) -> Connection:
    """A connection from Airflow's URI or JSON form.

    Raises:
        ConfigError: it is neither. The message holds nothing of the text.
    """
    try:
        fields = json.loads(text) if text.lstrip().startswith("{") else _of_uri(text)
        extra = fields.get("extra") or {}
        extra = json.loads(extra) if isinstance(extra, str) else dict(extra)
        return Connection(
            name,
            str(fields["conn_type"]).replace("-", "_"),
            str(fields.get("host") or ""),
            int(fields["port"]) if fields.get("port") else None,
            str(fields.get("login") or ""),
            str(fields.get("password") or ""),
            str(fields.get("schema") or ""),
            extra,
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        # The error's own text could hold the password.
        raise ConfigError(
            "the connection cannot be read", where=f"Airflow connection `{name}` ({variable(name)})", do=FORM
        ) from None


def database_url(connection: Connection) -> URL:
    """What SQLAlchemy needs to reach a database; its text hides the password.

    The type names the dialect (`SCHEMES`), or the extra ``sqlalchemy_scheme`` does (``mysql+mysqldb``); other
    extras that are text or numbers go to the driver.

    Raises:
        ConfigError: no dialect, or its driver is not installed.
    """
    from sqlalchemy import URL
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    extra = {
        key: str(value) for key, value in connection.extra.items() if isinstance(value, str | int | float)
    }
    scheme = extra.pop("sqlalchemy_scheme", None) or SCHEMES.get(connection.type, connection.type)
    is_file = scheme.startswith("sqlite")
    try:
        url = URL.create(
            scheme,
            username=connection.login or None,
            password=connection.password or None,
            host=None if is_file else connection.host or None,
            port=connection.port,
            database=(connection.schema or connection.host if is_file else connection.schema) or None,
            query=extra,
        )
        dialect = url.get_dialect()
    except (ArgumentError, NoSuchModuleError):
        raise ConfigError(
            f"no database is known by the type {connection.type!r}",
            where=connection.where,
            do=f"use one of {', '.join(SCHEMES)}, or name another in the extra `sqlalchemy_scheme`",
        ) from None
    try:
        dialect.import_dbapi()
    except ImportError as error:
        package = {"MySQLdb": "mysqlclient"}.get(error.name or "", error.name)
        raise ConfigError(
            f"the driver of {url.drivername} is not installed",
            where=connection.where,
            do=f"install the Python package {package} beside Callhouse",
        ) from None
    return url


def _of_uri(uri: str) -> dict[str, Any]:
    """Fields of ``type://login:password@host:port/schema?extra``; ``__extra__`` holds extras as JSON."""
    parts = urlsplit(uri)
    extra = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not parts.scheme:
        raise ValueError
    return {
        "conn_type": parts.scheme,
        "host": unquote(parts.hostname or ""),
        "port": parts.port,
        "login": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "schema": unquote(parts.path[1:]),
        "extra": json.loads(extra["__extra__"]) if "__extra__" in extra else extra,
    }


def _of_airflow(name: str) -> Connection | None:
    """The connection as Airflow keeps it (secrets backend, metadata database), None when it keeps none."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        found = BaseHook.get_connection(name)
    except AirflowNotFoundException:
        return None
    return Connection(
        name,
        found.conn_type or "",
        found.host or "",
        found.port,
        found.login or "",
        found.password or "",
        found.schema or "",
        found.extra_dejson,
    )
