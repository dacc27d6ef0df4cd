"""Runs: which business dates a run covers, and how it ended."""

from __future__ import annotations

from datetime import date

import psycopg

from callhouse import postgres
from callhouse.errors import SourceError
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


def account(settings: Settings, run_id: int) -> None:
    """Say of a run that is done which files it could not load; the others' figures are published.

    Raises:
        SourceError: a file could not be loaded; it is tried again by the next run.
    """
    with postgres.connect(settings, name="account for a run") as connection:
        failed = connection.execute(
            """
            select load.source, load.stream, file.original_name, load.message
            from ops.loads as load
            inner join ops.landing_files as file on load.landing_id = file.landing_id
            where load.run_id = %s and load.state = 'failed'
            order by load.load_id
            """,
            (run_id,),
        ).fetchall()
        if failed:
            message = "; ".join(
                f"{source}.{stream} {name}: {reason}" for source, stream, name, reason in failed
            )
            connection.execute("update ops.runs set message = %s where run_id = %s", (message, run_id))
            connection.commit()
            raise SourceError(
                f"{len(failed)} files could not be loaded: {message}",
                where="ops.loads",
                do="correct the files or their entry in sources.yml and run again; the rest is published",
            )
