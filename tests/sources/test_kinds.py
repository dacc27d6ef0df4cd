"""Declarations of sources: what they become, and how a wrong one is answered."""

from __future__ import annotations

from typing import Any

import pytest

from callhouse.errors import ConfigError
from callhouse.settings import PROJECT, Source, load_settings
from callhouse.sources import Column, streams_of


def source(kind: str, **streams: dict[str, Any]) -> Source:
    return Source("crm", kind, "CRM", "Asia/Shanghai", {"streams": streams})


def test_every_source_of_the_projects_own_config_is_understood() -> None:
    settings = load_settings(PROJECT / "config")
    assert all(streams_of(entry) for entry in settings.sources.values())


def test_a_delimited_stream_has_the_declared_form() -> None:
    columns = ["no", {"name": "note", "required": False}]
    options = {"files": "crm/*.txt", "columns": columns, "delimiter": "\t", "quote": None, "encoding": "GBK"}
    stream = streams_of(source("delimited", cases=options))["cases"]
    assert stream.columns == (Column("no"), Column("note", required=False))
    assert stream.files == ("crm/*.txt",)
    assert (stream.format.delimiter, stream.format.quote, stream.format.encoding) == ("\t", None, "gbk")
    assert stream.format.header
    assert stream.table == "crm__cases"


def test_a_queue_log_has_ten_columns_of_which_five_are_always_there() -> None:
    stream = streams_of(source("asterisk_queue_log", queue_log={"files": ["queue_log*"]}))["queue_log"]
    assert (len(stream.columns), stream.format.min_fields, stream.format.delimiter) == (10, 5, "|")


CASES: dict[str, Any] = {"files": ["*.csv"], "columns": ["no"]}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (source("delimitd", cases=CASES), "did you mean `delimited`"),
        (source("oracle", cases=CASES), "known kinds: "),
        (source("delimited"), "no `streams`"),
        (source("delimited", cases=CASES | {"colums": []}), "did you mean `columns`"),
        (source("delimited", cases={"files": ["*.csv"]}), "no list of `columns`"),
        (source("delimited", cases={"columns": ["no"]}), "no `files`"),
        (source("delimited", cases=CASES | {"columns": ["no", "no"]}), "declared twice"),
        (source("delimited", cases=CASES | {"columns": ["_line"]}), "cannot be a column"),
        (source("delimited", cases=CASES | {"columns": ["n" * 64]}), "cannot be a column"),
        (source("delimited", cases=CASES | {"columns": [{"name": "no", "requird": 1}]}), "`required`"),
        (source("delimited", cases=CASES | {"files": ["../*.csv"]}), "leads out of the data folder"),
        (source("delimited", cases=CASES | {"files": ["/etc/*"]}), "leads out of the data folder"),
        (source("delimited", cases=CASES | {"encoding": "utf-99"}), "unknown encoding 'utf-99'"),
        (source("delimited", cases=CASES | {"delimiter": "||"}), "is not one character"),
        (source("delimited", cases=CASES | {"missing": [None, "-"]}), "is not a list of words"),
        (source("delimited", cases=CASES | {"missing": "-"}), "is not a list of words"),
        (source("delimited", cases=CASES | {"delimiter": "1"}), "is not one character"),
        (source("delimited", cases=CASES | {"delimiter": '"'}), "are the same"),
        (source("delimited", cases=CASES | {"max_bytes": -1}), "is not a positive number"),
        (source("delimited", **{"Cases-1": CASES}), "is not a plain word"),
        (source("asterisk_queue_log", calls={"files": ["x"]}), "known options: queue_log"),
        (source("asterisk_queue_log", queue_log={"files": ["x"], "delimiter": ","}), "unknown option"),
        (source("asterisk_queue_log"), "no `files`"),
    ],
)
def test_a_wrong_declaration_is_answered_with_what_to_do(entry: Source, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        streams_of(entry)
    assert message in str(error.value)
    assert error.value.where.startswith("config/sources.yml, crm")
    assert error.value.do
