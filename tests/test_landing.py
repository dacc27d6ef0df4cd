"""Landing files: bytes unchanged, once each, rebuildable without the database."""

from __future__ import annotations

import datetime
import gzip
import hashlib
import json
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import openpyxl
import psycopg
import pytest

from callhouse import landing, raw, stores
from callhouse.errors import ConfigError, SourceError
from callhouse.settings import Settings
from callhouse.sources import archives, files, object_storage

from .s3_server import S3

FROM, TO = datetime.date(2025, 3, 3), datetime.date(2025, 3, 4)
SOURCES: dict[str, Any] = {
    "crm": {
        "kind": "delimited",
        "streams": {
            "cases": {"files": ["crm/cases*.csv"], "columns": ["no"]},
            "notes": {"files": ["crm/notes*.csv"], "columns": ["no"], "required": False},
        },
    }
}


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    made = make_settings(sources=SOURCES)
    (made.data_dir / "crm").mkdir()
    return made


def put(settings: Settings, name: str, content: bytes) -> Path:
    path = settings.data_dir / name
    path.write_bytes(content)
    return path


def landed_paths(settings: Settings) -> list[str]:
    return sorted(
        p.relative_to(settings.landing_dir).as_posix() for p in settings.landing_dir.rglob("*") if p.is_file()
    )


def extract(settings: Settings) -> list[landing.LandedFile]:
    return landing.extract(settings, "crm", FROM, TO)


def test_a_file_is_landed_with_its_bytes_unchanged_and_a_manifest(
    settings: Settings, connection: psycopg.Connection
) -> None:
    content = b"\xef\xbb\xbfno\r\n1\r\n\0\xff"
    put(settings, "crm/cases März (1).csv", content)
    (landed,) = extract(settings)
    sha256 = hashlib.sha256(content).hexdigest()
    assert landed.path == f"crm/cases/{sha256[:16]}__cases_M_rz_1_.csv"
    assert (settings.landing_dir / landed.path).read_bytes() == content
    manifest = json.loads((settings.landing_dir / f"{landed.path}.json").read_text(encoding="utf-8"))
    assert manifest == {
        "source": "crm",
        "stream": "cases",
        "path": landed.path,
        "original_name": "cases März (1).csv",
        "window_from": "2025-03-03",
        "window_to": "2025-03-04",
        "byte_count": len(content),
        "sha256": sha256,
        "landed_at": landed.landed_at.isoformat(),
        "rows": None,
    }
    assert connection.execute(
        "select path, sha256, byte_count, window_to from ops.landing_files"
    ).fetchall() == [(landed.path, sha256, len(content), TO)]


def test_the_same_bytes_again_under_another_name_make_no_second_copy(settings: Settings) -> None:
    put(settings, "crm/cases_a.csv", b"no\n1\n")
    (first,) = extract(settings)
    before = landed_paths(settings)
    put(settings, "crm/cases_b.csv", b"no\n1\n")
    again = extract(settings)
    assert [(file.path, file.is_new) for file in again] == [(first.path, False)] * 2
    assert first.is_new
    assert landed_paths(settings) == before


def test_the_same_bytes_in_two_streams_are_two_landing_files(settings: Settings) -> None:
    put(settings, "crm/cases.csv", b"no\n1\n")
    put(settings, "crm/notes.csv", b"no\n1\n")
    assert [file.stream for file in extract(settings)] == ["cases", "notes"]


def test_an_empty_file_is_landed(settings: Settings) -> None:
    put(settings, "crm/cases.csv", b"")
    (landed,) = extract(settings)
    assert landed.byte_count == 0


def test_a_stream_that_never_delivered_is_an_error_that_says_what_to_do(settings: Settings) -> None:
    with pytest.raises(SourceError, match=r"no file for crm\.cases \(crm/cases\*\.csv\)") as error:
        extract(settings)
    assert str(settings.data_dir) in error.value.where
    assert "required: false" in error.value.do


def test_a_stream_that_delivered_before_may_be_silent(settings: Settings) -> None:
    path = put(settings, "crm/cases.csv", b"no\n1\n")
    extract(settings)
    path.unlink()
    assert extract(settings) == []


def test_what_can_be_landed_is_landed_before_a_missing_stream_is_reported(settings: Settings) -> None:
    put(settings, "crm/notes.csv", b"no\n1\n")
    with pytest.raises(SourceError):
        extract(settings)
    assert len(landed_paths(settings)) == 2


def test_a_file_still_being_written_is_left_for_the_next_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(settings, "crm/cases.csv", b"no\n1\n")

    def grow_while_copying(chunks: Iterable[bytes], target: Path) -> tuple[str, int]:
        def growing() -> Iterator[bytes]:
            for chunk in chunks:
                with path.open("ab") as file:
                    file.write(b"2\n")
                yield chunk

        return copy(growing(), target)

    copy = landing._copy
    with monkeypatch.context() as patch:
        patch.setattr(landing, "_copy", grow_while_copying)
        assert extract(settings) == []
    assert landed_paths(settings) == []
    (landed,) = extract(settings)
    assert (settings.landing_dir / landed.path).read_bytes() == b"no\n1\n2\n"


def test_a_link_that_leads_out_of_the_data_folder_is_refused(settings: Settings, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_bytes(b"no\n1\n")
    (settings.data_dir / "crm" / "cases.csv").symlink_to(secret)
    with pytest.raises(SourceError, match="leads out of the data folder"):
        extract(settings)
    assert landed_paths(settings) == []


def test_a_copy_cut_short_by_a_kill_leaves_nothing_that_counts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(settings, "crm/cases.csv", b"no\n1\n")

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(landing, "_write_manifest", kill)
        with pytest.raises(KeyboardInterrupt):
            extract(settings)
    assert landing.register(settings) == 0
    (landed,) = extract(settings)
    assert landed.is_new
    assert len(landed_paths(settings)) == 2


def test_a_new_database_learns_its_landing_files_from_the_manifests(
    settings: Settings, connection: psycopg.Connection
) -> None:
    put(settings, "crm/cases.csv", b"no\n1\n")
    put(settings, "crm/notes.csv", b"no\n1\n")
    extract(settings)
    columns = "source, stream, path, original_name, window_from, window_to, byte_count, sha256, landed_at"
    before = connection.execute(f"select {columns} from ops.landing_files order by path").fetchall()
    connection.execute("delete from ops.landing_files")
    assert landing.register(settings) == 2
    assert landing.register(settings) == 0
    assert connection.execute(f"select {columns} from ops.landing_files order by path").fetchall() == before
    assert [result.rows_loaded for result in raw.load(settings)] == [1, 1]


def test_a_file_landed_by_a_run_killed_before_the_bookkeeping_is_entered_by_the_next(
    settings: Settings, connection: psycopg.Connection
) -> None:
    path = put(settings, "crm/cases.csv", b"no\n1\n")
    extract(settings)
    connection.execute("delete from ops.landing_files")
    path.unlink()
    assert extract(settings) == []
    assert connection.execute("select count(*) from ops.landing_files").fetchall() == [(1,)]


def test_a_damaged_manifest_is_named(settings: Settings) -> None:
    put(settings, "crm/cases.csv", b"no\n1\n")
    (landed,) = extract(settings)
    manifest = settings.landing_dir / f"{landed.path}.json"
    manifest.write_text("{")
    with pytest.raises(SourceError, match=re.escape(str(manifest))):
        landing.register(settings)


def test_an_unknown_source_is_an_error_that_lists_the_known_ones(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="declared sources: crm"):
        landing.extract(settings, "cti", FROM, TO)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_cannot_be_read_is_an_error_and_the_others_are_landed(settings: Settings) -> None:
    put(settings, "crm/cases_a.csv", b"no\n1\n").chmod(0)
    put(settings, "crm/cases_b.csv", b"no\n2\n")
    with pytest.raises(SourceError, match="cannot be read"):
        extract(settings)
    assert len(landed_paths(settings)) == 2


def test_a_name_that_is_not_text_is_landed_with_its_bytes_spelled_out(settings: Settings) -> None:
    name = os.fsencode(settings.data_dir / "crm" / "cases") + b"\xff.csv"
    try:
        with open(name, "wb") as file:
            file.write(b"no\n1\n")
    except OSError:
        pytest.skip("this file system takes only names that are text")
    put(settings, "crm/cases_z.csv", b"no\n2\n")
    assert [file.original_name for file in extract(settings)] == ["cases_z.csv", "cases\\xff.csv"]


def test_a_folder_that_matches_is_no_file(settings: Settings) -> None:
    (settings.data_dir / "crm" / "cases.csv").mkdir()
    stream = landing.streams_of(settings.sources["crm"])["cases"]
    assert files.find(stream, settings.data_dir) == []


# -- archives ------------------------------------------------------------------------------------------------


@pytest.fixture
def zipped(make_settings: Callable[..., Settings]) -> Settings:
    """A centre whose cases come in zip archives."""
    cases = {"files": ["crm/*"], "columns": ["no"], "max_bytes": 1_000_000}
    made = make_settings(sources={"crm": {"kind": "delimited", "streams": {"cases": cases}}})
    (made.data_dir / "crm").mkdir()
    return made


def put_zip(settings: Settings, name: str, members: dict[str, bytes], **options: Any) -> Path:
    path = settings.data_dir / "crm" / name
    with zipfile.ZipFile(path, "w", **options) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return path


def test_the_files_in_a_zip_archive_are_landed_by_themselves_under_both_names(zipped: Settings) -> None:
    members = {
        "2025/": b"",
        "2025/march.csv": b"no\n1\n2\n",
        "april.csv.gz": gzip.compress(b"no\n3\n", mtime=0),
        "__MACOSX/._april.csv": b"\0",
        ".DS_Store": b"\0",
    }
    put_zip(zipped, "cases.zip", members, compression=zipfile.ZIP_DEFLATED)
    landed = extract(zipped)
    assert [file.original_name for file in landed] == ["cases.zip/2025/march.csv", "cases.zip/april.csv.gz"]
    assert (zipped.landing_dir / landed[0].path).read_bytes() == b"no\n1\n2\n"
    manifest = json.loads((zipped.landing_dir / f"{landed[0].path}.json").read_text(encoding="utf-8"))
    assert manifest["original_name"] == "cases.zip/2025/march.csv"
    assert [result.rows_loaded for result in raw.load(zipped)] == [2, 1]

    put_zip(zipped, "packed anew.zip", dict(reversed(members.items())))
    assert [file.is_new for file in extract(zipped)] == [False] * 4
    assert raw.load(zipped) == []


def test_a_workbook_is_no_archive_also_inside_one(zipped: Settings, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["no"])
    book.active.append([7])
    book.save(tmp_path / "book.xlsx")
    content = (tmp_path / "book.xlsx").read_bytes()
    put(zipped, "crm/book.xlsx", content)
    put_zip(zipped, "books.zip", {"inner.xlsx": content})
    assert [(file.original_name, file.is_new) for file in extract(zipped)] == [
        ("book.xlsx", True),
        ("book.xlsx", False),
    ]
    assert [result.rows_loaded for result in raw.load(zipped)] == [1]


def link_in_zip(path: Path) -> None:
    info = zipfile.ZipInfo("link.csv")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "/etc/passwd")


def encrypt(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1  # "encrypted" in the directory
    path.write_bytes(content)


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(b"9\n")] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "harm", "message"),
    [
        ("../outside.csv", b"no\n9\n", None, "names a file outside of itself"),
        ("/etc/cron.csv", b"no\n9\n", None, "names a file outside of itself"),
        ("C:\\cron.csv", b"no\n9\n", None, "names a file outside of itself"),
        ("a\\..\\..\\b.csv", b"no\n9\n", None, "names a file outside of itself"),
        ("a.csv", b"no\n9\n", link_in_zip, "or a link"),
        ("a.csv", b"no\n9\n", encrypt, "has a password"),
        ("a.csv", b"no\n9\n", damage, "`a.csv` in the zip archive cannot be unpacked: Bad CRC-32"),
        ("a.csv", b"no\n" + b"9\n" * 600_000, None, "unpacks to 1200003 bytes out of"),
    ],
)
def test_a_zip_archive_that_is_not_plain_files_is_refused_and_harms_no_other(
    zipped: Settings, name: str, content: bytes, harm: Callable[[Path], None] | None, message: str
) -> None:
    is_packed = len(content) > 100
    bad = put_zip(zipped, "bad.zip", {name: content}, compression=zipfile.ZIP_DEFLATED if is_packed else 0)
    if harm:
        harm(bad)
    put_zip(zipped, "good.zip", {"a.csv": b"no\n1\n"})
    with pytest.raises(SourceError, match=re.escape(message)) as refused:
        extract(zipped)
    assert refused.value.do and "bad.zip" in refused.value.where
    (landed,) = (path for path in landed_paths(zipped) if not path.endswith(".json"))
    assert landed.endswith("__good.zip_a.csv")


def test_a_zip_archive_of_more_files_than_anybody_packs_is_refused(
    zipped: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_FILES", 2)
    put_zip(zipped, "many.zip", {f"{n}.csv": b"no\n" for n in range(3)})
    with pytest.raises(SourceError, match="holds 3 files"):
        extract(zipped)


def test_an_archive_in_an_archive_fails_when_it_is_loaded(zipped: Settings) -> None:
    inner = put_zip(zipped, "inner.zip", {"a.csv": b"no\n1\n"})
    put_zip(zipped, "outer.zip", {"inner.zip": inner.read_bytes()})
    inner.unlink()
    extract(zipped)
    (result,) = raw.load(zipped)
    assert (result.state, "zip archive and no spreadsheet" in (result.message or "")) == ("failed", True)


# -- object stores -------------------------------------------------------------------------------------------


@pytest.fixture(params=["file", "s3"])
def stored(
    request: pytest.FixtureRequest, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """The centre with its landing files in an object store."""
    if request.param == "s3":
        location = request.getfixturevalue("s3").location(tmp_path.name)
    else:
        location = f"file://{tmp_path}/bucket"
    monkeypatch.setenv("CALLHOUSE_LANDING", location)
    return settings


def objects(settings: Settings) -> dict[str, bytes]:
    root = object_storage.open_location(settings.landing_location or "")
    return {str(path): path.read_bytes() for path in root.glob("*/*/*")}


def test_landing_files_in_an_object_store_are_landed_once_loaded_and_rebuilt_from_manifests(
    stored: Settings, connection: psycopg.Connection
) -> None:
    put(stored, "crm/cases.csv", b"no\n1\n")
    put(stored, "crm/cases2.csv", b"no\n1\n")
    put(stored, "crm/notes.csv", gzip.compress(b"no\n2\n"))
    assert [file.is_new for file in extract(stored)] == [True, False, True]
    assert [file.is_new for file in extract(stored)] == [False] * 3
    there = objects(stored)
    assert sorted(name.endswith(".json") for name in there) == [False, False, True, True]
    assert b"no\n1\n" in there.values()
    assert landed_paths(stored) == [], "nothing stays on this machine"
    connection.execute("delete from ops.landing_files")
    assert landing.register(stored) == 2
    assert [result.rows_loaded for result in raw.load(stored)] == [1, 1]
    assert landed_paths(stored) == []


def test_a_copy_to_an_object_store_that_was_killed_leaves_nothing_that_counts(
    stored: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(stored, "crm/cases.csv", b"no\n1\n")

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    def kill_half_way(source: IO[bytes], target: IO[bytes], _: int) -> None:
        target.write(source.read(3))
        raise KeyboardInterrupt

    for where, what in [
        ("callhouse.stores.shutil.copyfileobj", kill_half_way),
        ("callhouse.stores.ObjectStore.write_manifest", kill),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(where, what)
            with pytest.raises(KeyboardInterrupt):
                extract(stored)
        assert landing.register(stored) == 0
    (landed,) = extract(stored)
    assert landed.is_new
    assert sorted(map(len, objects(stored).values()))[0] == len(b"no\n1\n")
    assert len(objects(stored)) == 2
    assert raw.load(stored)[0].rows_loaded == 1


def test_a_landing_file_changed_in_its_object_store_is_not_loaded(stored: Settings) -> None:
    put(stored, "crm/cases.csv", b"no\n1\n")
    (landed,) = extract(stored)
    (object_storage.open_location(stored.landing_location or "") / landed.path).write_bytes(b"no\n9\n")
    (result,) = raw.load(stored)
    assert (result.state, result.message) == (
        "failed",
        "the landing file is not what was landed — restore it in the object store, or remove it with its"
        " manifest and extract again",
    )


@pytest.mark.parametrize(
    ("location", "what", "do"),
    [
        ("gs://bucket/landing", "cannot be used", "install the fsspec package of gs"),
        ("bucket/landing", "names no scheme", "s3://connection@bucket/prefix"),
    ],
)
def test_an_object_store_that_cannot_be_used_says_why_and_what_to_do(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, location: str, what: str, do: str
) -> None:
    put(settings, "crm/cases.csv", b"no\n1\n")
    monkeypatch.setenv("CALLHOUSE_LANDING", location)
    with pytest.raises((SourceError, ConfigError), match=what) as refused:
        extract(settings)
    assert location in refused.value.what and do in refused.value.do


def test_a_large_file_goes_to_s3_in_parts_and_comes_back_whole(
    settings: Settings, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLHOUSE_LANDING", s3.location(tmp_path.name))
    put(settings, "crm/cases.csv", b"no\n" + b"0123456789" * 13 * 1_000_000 + b"\n1\n")
    (landed,) = extract(settings)
    key = f"{tmp_path.name}/testcentre/{landed.path}"
    assert s3.client.head_object(Bucket=s3.bucket, Key=key)["ETag"].count("-") == 1, "one upload, in parts"
    with stores.open_store(settings).local(landed.path, landed.sha256) as path:
        assert path.stat().st_size == landed.byte_count
    assert landed_paths(settings) == []
