"""Kind ``genesys_cloud``: conversation details and user details of Genesys Cloud, asked for or exported.

::

    POST /api/v2/analytics/conversations/details/query ─┐  one landing file per day asked for:
    POST /api/v2/analytics/users/details/query ─────────┴▶ the answers' bodies, page after page, unchanged

    connection: genesys              # Airflow connection; without it the streams are files
    look_back_days: 1                # days before the window that are asked for again
    streams:                         # either or both
      conversations: {}              # or files: ["genesys/conversations*.json"]
      user_details: {}

The connection holds ``host`` (``https://api.mypurecloud.de``), ``login`` and ``password`` (id and secret of
an OAuth client with the grant Client Credentials and the permissions Analytics > Conversation Detail > View
and Analytics > User Detail > View) and, where it is not the host with ``login`` for ``api``, the extra
``login_url``. Files hold the same answers, or conversations one by one.

Traps: a token ends in the middle of a query (401): one new token per request. 429 says in ``Retry-After``
how long to wait. An answer that is cut short, is no JSON or fails with 5xx is asked for again, its page
alone. What is not over yet is told without its end, and complete only by a later query of the day on which it
began, for a query finds nothing that began before its interval: so earlier days are asked for again.
"""

from __future__ import annotations

import datetime
import json
import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from callhouse import connections
from callhouse.errors import ConfigError, SourceError
from callhouse.settings import Source
from callhouse.sources import kinds
from callhouse.sources.kinds import Delivery, Kind, Stream, Window

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

# Stream → what is asked, and the name of the list in the answer.
QUERIES = {
    "conversations": ("/api/v2/analytics/conversations/details/query", "conversations"),
    "user_details": ("/api/v2/analytics/users/details/query", "userDetails"),
}
# The objects in them whose keys are fields (not a participant's attributes), in answers and one by one.
OBJECTS = {
    "conversations": (
        "participants", "participants.sessions", "participants.sessions.flow",
        "participants.sessions.metrics", "participants.sessions.segments",
    ),
    "user_details": ("primaryPresence", "routingStatus"),
}  # fmt: skip
PAGE_SIZE = 100  # the API's largest
MAX_PAGES = 1000  # it answers no more than 100,000 hits
MAX_BODY = 64 << 20
TIMEOUT = 60  # seconds without a byte
ATTEMPTS = 5
MAX_WAIT = 300  # seconds that one 429 may ask for
MAX_WAITS = 10
LOOK_BACK_DAYS = 1
MAX_LOOK_BACK_DAYS = 31  # staging looks no further for what a conversation's later days change
_ONE_DAY = datetime.timedelta(days=1)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def streams(source: Source) -> dict[str, Stream]:
    """The streams declared: ``conversations``, ``user_details``.

    Raises:
        ConfigError: an option is missing, unknown or has a value that cannot be used.
    """
    where = f"config/sources.yml, {source.name}"
    kinds.check_options(source.options, ("streams", "connection", "look_back_days"), where)
    kinds.check_options(source.streams, QUERIES, f"{where}.streams")
    if not source.streams:
        raise ConfigError("no `streams`", where=where, do=f"declare one or both of {', '.join(QUERIES)}")
    connection = source.options.get("connection")
    if connection is not None and not (isinstance(connection, str) and connection):
        raise ConfigError(
            f"`connection: {connection!r}` names none", where=where, do="name an Airflow connection"
        )
    look_back = _look_back_days(source)
    if (
        isinstance(look_back, bool)
        or not isinstance(look_back, int)
        or not 0 <= look_back <= MAX_LOOK_BACK_DAYS
    ):
        raise ConfigError(
            f"`look_back_days: {look_back!r}` is no number of days",
            where=where,
            do=f"give a whole number from 0 to {MAX_LOOK_BACK_DAYS}",
        )
    return {
        name: kinds.document_stream(source, name, objects=_objects(name), needs_files=connection is None)
        for name in source.streams
    }


def _objects(stream: str) -> list[str]:
    answer = QUERIES[stream][1]
    return [*OBJECTS[stream], answer, *(f"{answer}.{each}" for each in OBJECTS[stream])]


def _look_back_days(source: Source) -> Any:
    return source.options.get("look_back_days", LOOK_BACK_DAYS)


def pull(source: Source, stream: Stream, window: Window) -> Iterator[Delivery] | None:
    """What Genesys Cloud says of each date of the window, and of those before on which something may have
    begun that went on; None for a source of files.

    Raises:
        ConfigError: the connection is missing or wrong.
        SourceError: the API refuses, or does not answer. While reading, too.
    """
    if "connection" not in source.options:
        return None
    return _answers(source, stream, window)


def _answers(source: Source, stream: Stream, window: Window) -> Iterator[Delivery]:
    first, last = window
    first -= _look_back_days(source) * _ONE_DAY
    zone = ZoneInfo(source.time_zone)
    with _open(str(source.options["connection"]), stream.where) as api:
        for number in range((last - first).days + 1):
            day = first + number * _ONE_DAY
            interval = f"{_midnight(day, zone)}/{_midnight(day + _ONE_DAY, zone)}"
            yield Delivery(stream.name, f"{stream.name}-{day}.json", _pages(api, stream.name, interval))


def _midnight(day: datetime.date, zone: ZoneInfo) -> str:
    local = datetime.datetime.combine(day, datetime.time(), zone)
    return local.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _pages(api: Api, stream: str, interval: str) -> Iterator[bytes]:
    """The bodies of all pages, a line end behind each."""
    path, hits = QUERIES[stream]
    for page in range(1, MAX_PAGES + 1):
        query: dict[str, Any] = {
            "interval": interval,
            "order": "asc",
            "paging": {"pageSize": PAGE_SIZE, "pageNumber": page},
        }
        if stream == "conversations":
            query["orderBy"] = "conversationStart"
        body, answer = api.ask(path, query)
        yield body + b"\n"
        found, total = answer.get(hits), answer.get("totalHits")
        if not isinstance(found, list) or len(found) < PAGE_SIZE or total == page * PAGE_SIZE:
            return
    raise SourceError(
        f"more than {MAX_PAGES * PAGE_SIZE} hits on one date",
        where=api.where,
        do="load this date from an export of the analytics jobs API, through `files`",
    )


class Api:
    """Genesys Cloud's API at one host, with a token that is renewed when it ends.

    Nothing is asked of any other host than the connection's two: redirects are refused.
    """

    def __init__(
        self, client: httpx.Client, host: str, login_url: str, login: str, password: str, where: str
    ):
        self.where = where
        self._client, self._host, self._login_url = client, host, login_url
        self._credentials = (login, password)
        self._token = ""

    def ask(self, path: str, query: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
        """The body of an answer, unchanged, and what it says.

        Raises:
            SourceError: the API refuses, or does not answer after `ATTEMPTS` attempts.
        """
        has_renewed = False
        while True:
            if not self._token:
                self._token = self._new_token()
            status, body, answer = self._send(
                self._host + path, json=query, headers={"Authorization": f"Bearer {self._token}"}
            )
            if status == 200 and answer is not None:
                return body, answer
            if status == 401 and not has_renewed:
                has_renewed, self._token = True, ""
                continue
            raise self._refusal(status, answer)

    def _new_token(self) -> str:
        status, _, answer = self._send(
            f"{self._login_url}/oauth/token",
            data={"grant_type": "client_credentials"},
            auth=self._credentials,
        )
        token = (answer or {}).get("access_token")
        if status != 200 or not isinstance(token, str) or not token:
            raise self._refusal(401 if status == 400 else status, answer)
        return token

    def _refusal(self, status: int, answer: dict[str, Any] | None) -> SourceError:
        code = (answer or {}).get("code") or (answer or {}).get("error")
        named = f" ({code})" if isinstance(code, str) and re.fullmatch(r"[\w.]{1,60}", code) else ""
        do = {
            301: "correct the connection's host: answers that point elsewhere are not followed",
            400: "the query is not accepted: the API may have changed",
            401: "check the OAuth client's id and secret in the Airflow connection",
            403: "give the OAuth client's role Analytics > Conversation Detail > View and User Detail > View",
        }
        hint = do.get(301 if 300 <= status < 400 else status, "see the status of Genesys Cloud and run again")
        return SourceError(f"Genesys Cloud answers {status}{named}", where=self.where, do=hint)

    def _send(self, url: str, **request: Any) -> tuple[int, bytes, dict[str, Any] | None]:
        """Status, body and JSON object of an answer; waits where it is told to, tries again when it fails."""
        from httpx import RequestError

        failures = waits = 0
        while True:
            pause, problem = 0.5 * 2**failures, ""
            try:
                with self._client.stream("POST", url, **request) as response:
                    body = self._read(response)
                status, answer = response.status_code, _json_object(body)
                if status == 429:
                    pause, problem = _retry_after(response.headers), "too many requests"
                elif status >= 500:
                    problem = f"status {status}"
                elif status == 200 and answer is None:
                    problem = "an answer that is no JSON object"
            except RequestError as error:
                status, problem = 0, type(error).__name__
            if not problem:
                return status, body, answer
            waits, failures = (waits + 1, failures) if status == 429 else (waits, failures + 1)
            if failures >= ATTEMPTS or waits > MAX_WAITS:
                raise SourceError(
                    f"Genesys Cloud does not answer: {problem}",
                    where=self.where,
                    do="check the connection's host and the network, and run again",
                )
            logger.info("%s: %s, asked again in %.1f s", self.where, problem, pause)
            time.sleep(pause)

    def _read(self, response: httpx.Response) -> bytes:
        chunks, size = [], 0
        for chunk in response.iter_bytes():
            size += len(chunk)
            if size > MAX_BODY:
                raise SourceError(f"an answer of more than {MAX_BODY >> 20} MiB", where=self.where)
            chunks.append(chunk)
        return b"".join(chunks)


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _retry_after(headers: httpx.Headers) -> float:
    """Seconds that a 429 asks to wait, as a number or until a date; a minute where it does not say."""
    given = headers.get("Retry-After", "")
    if given.isdecimal():
        return min(float(given), MAX_WAIT)
    try:
        wait = parsedate_to_datetime(given) - datetime.datetime.now(datetime.UTC)
    except (ValueError, TypeError):  # no date, or one without a zone
        return 60
    return min(max(wait.total_seconds(), 1), MAX_WAIT)


@contextmanager
def _open(connection: str, where: str) -> Iterator[Api]:
    """The API that an Airflow connection leads to.

    Raises:
        ConfigError: there is no such connection, or it lacks what is needed.
    """
    import httpx

    found = connections.resolve(connection)
    host = _address(found.host, found.port, found)
    login_url = found.extra.get("login_url") or host.replace("//api.", "//login.", 1)
    if not found.login or not found.password:
        raise ConfigError(
            "the connection has no login or no password",
            where=found.where,
            do="set them to id and secret of the OAuth client",
        )
    with httpx.Client(timeout=TIMEOUT, follow_redirects=False) as client:
        yield Api(client, host, _address(str(login_url), None, found), found.login, found.password, where)


def _address(given: str, port: int | None, connection: connections.Connection) -> str:
    """``https://host[:port]``; without encryption only on this machine, for the secret goes there."""
    text = given.rstrip("/")
    if "://" not in text:
        text = f"https://{text}"
    if port and urlsplit(text).port is None:
        text = f"{text}:{port}"
    parts = urlsplit(text)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not is_safe or not parts.hostname or parts.path or parts.query or parts.username:
        raise ConfigError(
            "the connection has no usable address",
            where=connection.where,
            do="write host and login_url like https://api.mypurecloud.de, with nothing behind",
        )
    return text


KIND = Kind("genesys_cloud", streams, pull)
