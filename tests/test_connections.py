"""Airflow connections: read in both forms, never repeated."""

from __future__ import annotations

import json

import pytest

from callhouse import connections
from callhouse.errors import ConfigError

URI = "postgres://re%40der:p%2Fss@db.example:5433/asterisk?sslmode=require"


@pytest.fixture
def pbx_db(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("AIRFLOW_CONN_PBX_DB", URI)
    return monkeypatch


@pytest.mark.parametrize(
    "text",
    [
        URI,
        json.dumps({
            "conn_type": "postgres", "login": "re@der", "password": "p/ss", "host": "db.example",
            "port": "5433", "schema": "asterisk", "extra": {"sslmode": "require"},
        }),
        "postgres://re%40der:p%2Fss@db.example:5433/asterisk?__extra__=%7B%22sslmode%22%3A+%22require%22%7D",
    ],
)  # fmt: skip
def test_a_connection_is_the_same_in_each_of_airflows_forms(text: str) -> None:
    found = connections.parse("pbx_db", text)
    assert (found.type, found.host, found.port, found.login, found.password, found.schema) == (
        "postgres", "db.example", 5433, "re@der", "p/ss", "asterisk",
    )  # fmt: skip
    assert found.extra == {"sslmode": "require"}


def test_the_environment_names_it_in_capitals(pbx_db: pytest.MonkeyPatch) -> None:
    assert connections.resolve("pbx_db").host == "db.example"


def test_a_missing_connection_says_what_to_set() -> None:
    with pytest.raises(ConfigError, match=r"there is no connection `nowhere`.*set AIRFLOW_CONN_NOWHERE"):
        connections.resolve("nowhere")


@pytest.mark.parametrize(
    "text",
    [
        "s3cret",
        '{"host": "s3cret"}',
        "{s3cret",
        "mysql://u:s3cret@h:port/x",
        "[]",
        '{"conn_type": 1, "port": "s3cret"}',
    ],
)
def test_what_cannot_be_read_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        connections.parse("pbx_db", text)
    assert "s3cret" not in str(error.value)
    assert error.value.__cause__ is None


def test_its_text_shows_no_password(pbx_db: pytest.MonkeyPatch) -> None:
    found = connections.resolve("pbx_db")
    url = connections.database_url(found)
    assert str(url) == "postgresql+psycopg://re%40der:***@db.example:5433/asterisk?sslmode=require"
    assert "p/ss" not in repr(found) + repr(url)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("sqlite:////data/pbx.db", "sqlite+pysqlite:////data/pbx.db"),
        ('{"conn_type": "sqlite", "host": "/data/pbx.db"}', "sqlite+pysqlite:////data/pbx.db"),
        ("generic://u@h/x?sqlalchemy_scheme=postgresql%2Bpsycopg", "postgresql+psycopg://u@h/x"),
    ],
)
def test_the_type_or_an_extra_names_the_dialect(text: str, url: str) -> None:
    assert str(connections.database_url(connections.parse("x", text))) == url


def test_an_unknown_type_and_a_missing_driver_say_what_to_do() -> None:
    with pytest.raises(ConfigError, match="no database is known by the type 'carrier_pigeon'"):
        connections.database_url(connections.parse("x", "carrier-pigeon://h/x"))
    with pytest.raises(ConfigError, match="install the Python package oracledb"):
        connections.database_url(connections.parse("x", "oracle://u:p@h/x"))
