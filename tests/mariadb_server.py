"""A MariaDB server on loopback, in a folder of its own, without anything that makes it durable.

It knows the time zone America/New_York by name and no other; its own is Europe/Berlin.
"""

from __future__ import annotations

import os
import secrets
import select
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

SHARES = ("/usr/share/mysql", "/usr/share/mariadb", "/usr/local/share/mariadb", "/opt/homebrew/share/mariadb")
MISSING = "no MariaDB server on this machine: apt-get install mariadb-server-core, or the like"
_numbers = count(1)


@dataclass(frozen=True)
class MariaDB:
    """A server, and a login that may do everything."""

    port: int
    password: str
    login: str = "owner"

    def connect(self, schema: str | None = None) -> Any:
        """An autocommit connection of PyMySQL."""
        import pymysql

        return pymysql.connect(
            host="127.0.0.1", port=self.port, user=self.login, password=self.password, database=schema,
            autocommit=True,
        )  # fmt: skip

    def uri(self, schema: str, conn_type: str = "mysql", port: int | None = None) -> str:
        """A database of it as an Airflow connection."""
        return f"{conn_type}://{self.login}:{self.password}@127.0.0.1:{port or self.port}/{schema}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """The name of an empty database for the time of a block."""
        name = f"test_{next(_numbers)}"
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"create database {name} character set utf8mb4")
            yield name
            cursor.execute(f"drop database {name}")


@contextmanager
def mariadb_server(folder: Path) -> Iterator[MariaDB]:
    """The server for the time of a block; skips the test where there is none to start."""
    program = shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    share = next((Path(place) for place in SHARES if any(Path(place).glob("*_system_tables.sql"))), None)
    if program is None or share is None:
        pytest.skip(MISSING)
    data = folder / "data"
    data.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = MariaDB(listener.getsockname()[1], secrets.token_urlsafe(16))
    command = [
        program, "--no-defaults", f"--datadir={data}", "--innodb-buffer-pool-size=32M",
        "--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync",
        *(["--user=root"] if os.geteuid() == 0 else []),
    ]  # fmt: skip
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "Europe/Berlin"}
    log = folder / "log"
    with log.open("wb") as out:
        made = subprocess.run(
            [*command, "--bootstrap"], input=_system_tables(share, server), stdout=out, stderr=out,
            env=environment,
        )  # fmt: skip
        assert made.returncode == 0, log.read_text(errors="replace")[-2000:]
        listen = ["--bind-address=127.0.0.1", f"--port={server.port}", f"--socket={folder / 'socket'}"]
        process = subprocess.Popen([*command, *listen], stdout=out, stderr=out, env=environment)
    try:
        _wait(process, server, log)
        yield server
    finally:
        process.kill()  # nothing of it is needed any more
        process.wait()


def _system_tables(share: Path, server: MariaDB) -> bytes:
    """The statements that make a new server's own tables, and one login with a password."""
    scripts = [path for name in ("", "_data") for path in share.glob(f"*_system_tables{name}.sql")]
    zone = "America/New_York"
    statements = [
        "delete from global_priv where User = 'root';",
        f"insert into time_zone_name values ('{zone}', 1);",
        "insert into time_zone values (1, 'N');",
        *_zone_changes(ZoneInfo(zone)),
        "flush privileges;",
        f"create user {server.login}@'127.0.0.1' identified by '{server.password}';",
        f"grant all on *.* to {server.login}@'127.0.0.1' with grant option;",
    ]
    made = "create database mysql;\nuse mysql;\nset @auth_root_socket = null;\n"
    return b"".join([made.encode(), *(path.read_bytes() for path in scripts), "\n".join(statements).encode()])


def _zone_changes(zone: ZoneInfo) -> Iterator[str]:
    """A time zone whose clocks change on Sundays, from 2000 to 2037, for the server's tables."""
    offsets: dict[timedelta | None, int] = {}
    sunday, before = datetime(2000, 1, 2, tzinfo=UTC), None
    for hour in (sunday + timedelta(weeks=week, hours=hour) for week in range(38 * 52) for hour in range(24)):
        offset = hour.astimezone(zone).utcoffset()
        if offset == before:
            continue
        if offset not in offsets:
            offsets[offset] = len(offsets)
            seconds = round(offset.total_seconds()) if offset else 0
            yield f"insert into time_zone_transition_type values (1, {offsets[offset]}, {seconds}, 0, '');"
        yield f"insert into time_zone_transition values (1, {hour.timestamp():.0f}, {offsets[offset]});"
        before = offset


def _wait(process: subprocess.Popen[bytes], server: MariaDB, log: Path) -> None:
    from pymysql.err import OperationalError

    deadline = time.monotonic() + 60
    while True:
        try:
            server.connect().close()
            return
        except OperationalError:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.05)


@contextmanager
def cut_off(server_port: int, after: int) -> Iterator[int]:
    """A port that passes everything on to a server, and breaks off after so many bytes of its answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_pass_on, args=(listener, server_port, after), daemon=True).start()
        yield listener.getsockname()[1]


def _pass_on(listener: socket.socket, server_port: int, left: int) -> None:
    with suppress(OSError):
        client, _ = listener.accept()
        with client, socket.create_connection(("127.0.0.1", server_port)) as server:
            while left > 0:
                for side in select.select([client, server], [], [])[0]:
                    block = side.recv(1 << 14)
                    if not block:
                        return
                    (server if side is client else client).sendall(block)
                    left -= len(block) if side is server else 0
