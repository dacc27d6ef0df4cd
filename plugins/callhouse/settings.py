"""The only module that reads the environment and the config folder.

Three variables, the same as the command's options: ``CALLHOUSE_CONFIG`` (config folder),
``CALLHOUSE_DATA`` (where that config's source files lie), ``CALLHOUSE_HOME`` (database, landing files,
outbox, logs). Cheap to import: DAG files read it at parse time.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from callhouse.errors import ConfigError

PROJECT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

# Every component's telemetry, off before any of them is imported (DECISIONS.md, "No telemetry").
for _key, _value in {
    "DO_NOT_TRACK": "1",
    "SCARF_NO_ANALYTICS": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}.items():
    os.environ.setdefault(_key, _value)


@dataclass(frozen=True)
class RowCounts:
    """When a stream's row count has collapsed: below ``below`` times the usual one, if that is ``minimum``.

    ``accepted`` are the dates on which an operator said that few rows are right, with the reason.
    """

    below: float = 0.5
    minimum: int = 100
    accepted: dict[date, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """One entry of ``config/sources.yml``.

    ``options`` is everything the source's kind understands beside ``kind`` and ``label`` (documented in
    the kind's module); ``streams`` maps a stream's name to its own options. ``row_counts`` is None where
    nobody is to look at them.
    """

    name: str
    kind: str
    label: str
    time_zone: str
    options: dict[str, Any] = field(default_factory=dict)
    row_counts: RowCounts | None = RowCounts()

    @property
    def streams(self) -> dict[str, dict[str, Any]]:
        return dict(self.options.get("streams") or {})


@dataclass(frozen=True)
class Settings:
    """What a run of Callhouse knows about its surroundings."""

    config_dir: Path
    home: Path
    data_dir: Path

    @cached_property
    def centre(self) -> dict[str, Any]:
        """``centre.yml``: name, label, time zone, service levels by valid-from date, opening hours."""
        centre = _read_yaml(self.config_dir / "centre.yml")
        name = str(centre.get("name", ""))
        if not NAME.fullmatch(name):
            raise ConfigError(
                f"the centre's name {name!r} is not a plain word",
                where=str(self.config_dir / "centre.yml"),
                do="set `name:` to lower-case letters, digits and _ (it names the database)",
            )
        _zone(str(centre.get("time_zone", "")), self.config_dir / "centre.yml")
        return centre

    @property
    def centre_name(self) -> str:
        return str(self.centre["name"])

    @property
    def time_zone(self) -> str:
        """The centre's zone: business dates and half-hours are cut in it."""
        return str(self.centre["time_zone"])

    @cached_property
    def sources(self) -> dict[str, Source]:
        """The declared sources by name, in the file's order."""
        path = self.config_dir / "sources.yml"
        entries = _read_yaml(path).get("sources") or {}
        sources = {}
        for name, entry in entries.items():
            if not NAME.fullmatch(str(name)) or not isinstance(entry, dict) or "kind" not in entry:
                raise ConfigError(
                    f"source {name!r} has no `kind` or a name that is not a plain word",
                    where=str(path),
                    do="see config/README.md for the form of an entry",
                )
            zone = str(entry.get("time_zone", self.time_zone))
            _zone(zone, path)
            options = {
                key: value
                for key, value in entry.items()
                if key not in ("kind", "label", "time_zone", "row_counts")
            }
            row_counts = _row_counts(entry.get("row_counts", {}), f"{path}, {name}.row_counts")
            label = str(entry.get("label", name))
            sources[name] = Source(name, str(entry["kind"]), label, zone, options, row_counts)
        return sources

    @property
    def holidays(self) -> frozenset[date]:
        """Days of ``centre.yml`` on which fewer rows than usual are no surprise."""
        where = str(self.config_dir / "centre.yml")
        return frozenset(_day(day, f"{where}, holidays") for day in self.centre.get("holidays") or [])

    @cached_property
    def reports(self) -> dict[str, dict[str, Any]]:
        """``reports.yml``: the reports by name, each with model, template, schedule and recipients."""
        path = self.config_dir / "reports.yml"
        return dict(_read_yaml(path).get("reports") or {}) if path.exists() else {}

    @property
    def landing_dir(self) -> Path:
        """The folder of landing files; of their drafts alone, where there is a `landing_location`."""
        return self.home / "landing" / self.centre_name

    @property
    def landing_location(self) -> str | None:
        """Where in an object store landing files lie, as a URL (``s3://connection@bucket/prefix``)."""
        given = os.environ.get("CALLHOUSE_LANDING") or self.centre.get("landing")
        if not given:
            return None
        if "://" not in str(given):
            raise ConfigError(
                f"`{given}` names no scheme",
                where="`landing` in centre.yml or CALLHOUSE_LANDING",
                do="write it like s3://connection@bucket/prefix, or leave it out for a folder",
            )
        return f"{str(given).rstrip('/')}/{self.centre_name}"

    @property
    def outbox_dir(self) -> Path:
        return self.home / "outbox" / self.centre_name

    @property
    def logs_dir(self) -> Path:
        return self.home / "logs"

    def environment(self) -> dict[str, str]:
        """The variables that make a child process see the same settings."""
        return {
            "CALLHOUSE_CONFIG": str(self.config_dir),
            "CALLHOUSE_DATA": str(self.data_dir),
            "CALLHOUSE_HOME": str(self.home),
        }


def load_settings(
    config: str | Path | None = None, data: str | Path | None = None, home: str | Path | None = None
) -> Settings:
    """Settings from the arguments, else the environment, else the defaults.

    Raises:
        ConfigError: the config folder does not exist.
    """
    config_dir = Path(config or os.environ.get("CALLHOUSE_CONFIG") or PROJECT / "config").absolute()
    if not (config_dir / "sources.yml").is_file():
        raise ConfigError(
            "no sources.yml in the config folder",
            where=str(config_dir),
            do="give a folder with sources.yml and centre.yml (--config or CALLHOUSE_CONFIG)",
        )
    home_dir = Path(home or os.environ.get("CALLHOUSE_HOME") or PROJECT / ".callhouse").absolute()
    data_dir = Path(data or os.environ.get("CALLHOUSE_DATA") or home_dir / "data").absolute()
    return Settings(config_dir, home_dir, data_dir)


def warehouse_uri() -> str | None:
    """The server of the Airflow connection ``warehouse``, when the environment sets one."""
    return os.environ.get("AIRFLOW_CONN_WAREHOUSE") or None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            "the file is missing", where=str(path), do="copy it from config/ and edit it"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"not readable as YAML: {error}", where=str(path), do="correct the file") from None
    if not isinstance(loaded, dict):
        raise ConfigError(
            "the file holds no settings", where=str(path), do="copy it from config/ and edit it"
        )
    return loaded


def _row_counts(given: Any, where: str) -> RowCounts | None:
    if given is False:
        return None
    try:
        known = {"below", "minimum", "accept"}
        if set(given) - known:
            raise ValueError(f"unknown option `{min(map(str, set(given) - known))}`")
        below, minimum = float(given.get("below", 0.5)), int(given.get("minimum", 100))
        accepted = {
            _day(each["date"], where): str(each["reason"]).strip() for each in given.get("accept") or []
        }
        if not 0 <= below <= 1 or minimum < 1 or not all(accepted.values()):
            raise ValueError("a value out of its range, or an empty reason")
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"not understood: {error}",
            where=where,
            do="write `false`, or {below: 0.5, minimum: 100, accept: [{date: 2025-03-10, reason: …}]}",
        ) from None
    return RowCounts(below, minimum, accepted)


def _day(given: Any, where: str) -> date:
    if isinstance(given, date) and not isinstance(given, datetime):
        return given
    raise ConfigError(f"{given!r} is no date", where=where, do="write YYYY-MM-DD, without quotes")


def _zone(name: str, path: Path) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"unknown time zone {name!r}", where=str(path), do="use an IANA name such as Asia/Shanghai"
        ) from None
