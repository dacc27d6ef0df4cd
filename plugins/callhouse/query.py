"""Questions to the warehouse from a shell: one read-only statement, as the auditor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from callhouse.errors import CallhouseError
from callhouse.settings import Settings

ROLE = "callhouse_audit"


class QueryError(CallhouseError):
    """The database does not take the statement as it is written."""

    exit_code = 2


@contextmanager
def ask(settings: Settings, statement: str) -> Iterator[tuple[list[str], Iterator[tuple[Any, ...]]]]:
    """Column names and the rows of one statement, streamed from a read-only transaction.

    Raises:
        QueryError: no statement, more than one, a wrong one, one that writes, or one without rows.
        WarehouseError: the database cannot be reached.
    """
    import psycopg

    from callhouse.postgres import connect

    if not statement.strip().strip(";"):
        raise QueryError("no statement", do='ask like: callhouse sql "select * from marts.dim_queue"')
    with connect(settings, ROLE, name="callhouse sql") as connection:
        connection.rollback()
        connection.read_only = True
        cursor = connection.cursor()
        try:
            rows = cursor.stream(statement.encode())
            first = next(rows, None)
            columns = [column.name for column in cursor.description or ()]

            def everything() -> Iterator[tuple[Any, ...]]:
                if first is not None:
                    yield first
                    yield from rows

            yield columns, everything()
        except psycopg.OperationalError as error:
            raise QueryError(_first_line(error), do="see the message") from None
        except psycopg.Error as error:
            raise QueryError(_first_line(error), where=_position(statement, error), do=_hint(error)) from None


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _position(statement: str, error: Any) -> str:
    """``line 2, column 8: select <here>foo``."""
    if not (found := error.diag.statement_position):
        return ""
    offset = int(found) - 1
    line = statement.count("\n", 0, offset) + 1
    column = offset - (statement.rfind("\n", 0, offset) + 1)
    text = statement.splitlines()[line - 1]
    return f"line {line}, column {column + 1}: {text[:column]}▸{text[column:]}"


def _hint(error: Any) -> str:
    if hint := error.diag.message_hint:
        return str(hint)
    if error.sqlstate == "25006":
        return "`callhouse sql` only reads"
    if error.sqlstate in ("42P01", "3F000"):
        return "the tables are in the schemas marts, reports, staging, raw, ops"
    return "correct the statement"
