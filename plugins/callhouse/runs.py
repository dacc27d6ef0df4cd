"""Runs: which business dates a run covers, and how it ended."""

from __future__ import annotations

from datetime import date

import psycopg

from callhouse import postgres
from callhouse.settings import Settings


def begin(settings: Settings, date_from: date, date_to: date, label: str) -> int:
    """Open a run over ``[date_from, date_to]`` and return its ``run_id``, the token of all it writes."""
    with postgres.connect(settings, name="begin a run") as connection:
        row = connection.execute(
            "insert into ops.runs (label, date_from, date_to) values (%s, %s, %s) returning run_id",
            (label, date_from, date_to),
        ).fetchone()
        assert row is not None
        return int(row[0])


def finish(settings: Settings, run_id: int, state: str, message: str | None = None) -> None:
    """Write how a run ended: ``published``, ``held`` or ``failed``."""
    with postgres.connect(settings, name="finish a run") as connection:
        connection.execute(
            "update ops.runs set state = %s, message = %s, finished_at = now() where run_id = %s",
            (state, message, run_id),
        )


def dates_to_build(connection: psycopg.Connection, run_id: int) -> list[date]:
    """The business dates of a run, in order.

    Those asked for, and every date up to the last of them that news has touched since it was published.
    Dates the staging rules hold are left out: they keep their published figures.
    """
    rows = connection.execute(
        """
        select asked.business_date::date
        from ops.runs as run,
            generate_series(run.date_from::timestamp, run.date_to::timestamp, interval '1 day')
                as asked (business_date)
        where run.run_id = %(run)s
            and not exists (
                select from ops.affected_dates as affected
                where affected.business_date = asked.business_date and affected.state = 'held'
            )
        union
        select affected.business_date
        from ops.affected_dates as affected, ops.runs as run
        where run.run_id = %(run)s and affected.business_date <= run.date_to and affected.state = 'pending'
        order by 1
        """,
        {"run": run_id},
    ).fetchall()
    return [row[0] for row in rows]
