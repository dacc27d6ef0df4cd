"""The documentation says what the code does: pages, links, commands, options, exit codes, files."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
import typer

from callhouse import __main__ as command
from callhouse import errors, settings
from callhouse.postgres import ROLE_SETTINGS
from callhouse.quality.rulebook import rules
from callhouse.sources import delimited, kinds

PROJECT = settings.PROJECT
README = PROJECT / "README.md"
SKIPPED = {".venv", ".git", ".callhouse", "node_modules", ".pytest_cache"}
PAGES = sorted(
    page for page in PROJECT.rglob("*.md") if not SKIPPED & set(page.relative_to(PROJECT).parts[:-1])
)
# Addresses a reader may be sent to; everything else a page needs is in the repository.
HOSTS = {"127.0.0.1", "docs.asterisk.org"}


def ids(page: Path) -> str:
    return str(page.relative_to(PROJECT))


every_page = pytest.mark.parametrize("page", PAGES, ids=ids)


@cache
def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def section(page: Path, heading: str) -> str:
    """A page's text below a heading, up to the next one of its level or above."""
    level = heading.split()[0]
    after = text(page).split(f"\n{heading}\n", 1)[1]
    return re.split(rf"^#{{1,{len(level)}}} ", after, maxsplit=1, flags=re.MULTILINE)[0]


def first_cells(table: str) -> list[str]:
    """The first cell of each row of a Markdown table, without its head."""
    return [row.split("|")[1].strip() for row in table.splitlines() if row.startswith("|")][2:]


# --- pages written from the code -----------------------------------------------------------------------


def test_the_pages_written_from_the_code_are_up_to_date() -> None:
    check = [sys.executable, "-m", "callhouse.catalogue", "--check"]
    done = subprocess.run(check, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_the_readme_counts_the_rules_and_the_packages() -> None:
    assert f"{len(rules())} questions" in text(README)
    locked = len(re.findall(r"^[a-z0-9].*==", text(PROJECT / "requirements.txt"), re.MULTILINE))
    assert f"{locked} packages" in text(PROJECT / "DECISIONS.md")


# --- links and files -----------------------------------------------------------------------------------


def links(page: Path) -> Iterator[str]:
    yield from re.findall(r"\]\(([^)\s]+)\)", text(page))
    yield from re.findall(r'src="([^"]+)"', text(page))


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(PROJECT), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", text(target), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", name).lower().replace(" ", "-") for name in headings}, (
                link
            )


@every_page
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    for name in re.findall(r"`([\w.-]+(?:/[\w.-]+)+\.(?:py|md|yml|sql|sh|txt|toml))`", text(page)):
        assert any((base / name).exists() for base in (PROJECT, page.parent, PROJECT / "plugins")), name


@every_page
def test_a_page_names_no_machine_and_no_foreign_address(page: Path) -> None:
    assert not re.findall(r"(?<![\w.])/(?:home|root|tmp|work|Users|opt)/", text(page))
    hosts = set(re.findall(r"https?://([\w.-]+)", text(page)))
    assert hosts <= HOSTS


def test_the_pictures_are_small() -> None:
    pictures = [PROJECT / link for link in links(README) if link.endswith(".png")]
    assert pictures
    assert all(picture.stat().st_size < 200_000 for picture in pictures)


# --- commands ------------------------------------------------------------------------------------------


def commands() -> dict[str, set[str]]:
    """The command's subcommands with their options; the empty name holds the options before them."""
    return {
        name: {option for parameter in each.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for name, each in subcommands().items()
    }


def subcommands() -> dict[str, Any]:
    """The commands by name, those of a group by both words; the empty name is the command itself."""
    group: Any = typer.main.get_command(command.app)
    found = {"": group}
    for name, each in group.commands.items():
        inner = getattr(each, "commands", {})
        found |= {f"{name} {word}": inner[word] for word in inner} or {name: each}
    return found


def shell_lines(page: Path) -> Iterator[str]:
    """What a reader would type: lines of code blocks and code in the text."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text(page), re.MULTILINE | re.DOTALL)
    inline = re.findall(
        r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text(page), flags=re.MULTILINE | re.DOTALL)
    )
    for block in blocks:
        yield from re.sub(r'"[^"]*"', '"…"', block).splitlines()
    yield from inline


@every_page
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text(PROJECT / "Makefile"), re.MULTILINE))
    for line in shell_lines(page):
        for named in re.findall(r"^(?:\$ )?(?:\w+=\S+ )*make ([a-z][a-z -]*)", line):
            assert set(named.split()) <= targets, line


@every_page
def test_every_command_that_a_page_names_exists_with_its_options(page: Path) -> None:
    known = commands()
    for line in shell_lines(page):
        found = re.match(r"^(?:\$ )?(?:\.venv/bin/)?callhouse (.+)$", line.strip())
        if not found:
            continue
        words = shlex.split(found[1].split("  ")[0], comments=True)
        name = ""
        for position, word in enumerate(words):
            if word.startswith("-"):
                assert word.split("=")[0] in known[name] | {"--help"}, line
            elif not name and not (position and words[position - 1].startswith("--")):
                name = word if word in known else " ".join(words[position : position + 2])
                assert name in known, line


def test_every_option_that_the_readme_names_by_itself_exists() -> None:
    known = set().union(*commands().values())
    assert set(re.findall(r"`(--[a-z-]+)", text(README))) <= known | {"--help"}


def test_the_readme_lists_every_command() -> None:
    visible = {f"`callhouse {name}`" for name, each in subcommands().items() if name and not each.hidden}
    assert set(first_cells(section(README, "## The command").split("**Exit codes**")[0])) == visible


def test_the_readme_lists_every_exit_code() -> None:
    listed = first_cells(section(README, "## The command").split("**Exit codes**")[1])
    kinds_of_errors = {
        each.exit_code
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.CallhouseError)
    }
    assert {int(code) for code in listed} == kinds_of_errors | {0, 130}
    assert [int(code) for code in re.findall(r"(?:\] |· |\[/\]: )(\d+) ", command.EXIT_CODES)] == [
        int(code) for code in listed
    ]


def test_the_readme_lists_every_variable_with_its_option() -> None:
    chosen = settings.Settings(Path("config"), Path("home"), Path("data"))
    table = section(README, "## Your own centre")
    for variable in chosen.environment():
        option = f"--{variable.removeprefix('CALLHOUSE_').lower()}"
        assert f"| `{variable}` | `{option}` |" in table
        assert option in commands()[""]


def test_the_login_for_bi_tools_reads_marts_and_nothing_else(
    settings: settings.Settings, database: psycopg.Connection
) -> None:
    script = re.search(
        r"<<'EOF'\n(.*?)^EOF$", section(README, "## What BI tools read"), re.DOTALL | re.MULTILINE
    )
    assert script
    subprocess.run([sys.executable, "-"], input=script[1], text=True, check=True, cwd=PROJECT)
    try:
        login = {"user": "dashboards", "password": "choose-one"}
        with psycopg.connect(database.conninfo(**login), autocommit=True) as connection:  # type: ignore[attr-defined]
            assert connection.execute("select count(*) from marts.quality_results").fetchone() == (0,)
            for setting, value in ROLE_SETTINGS["callhouse_bi"].items():
                assert connection.execute(f"show {setting}").fetchone() == (value,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("select from ops.runs")
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                connection.execute("create table marts.mine ()")
    finally:
        with psycopg.connect(database.conninfo(), autocommit=True) as connection:  # type: ignore[attr-defined]
            connection.execute("drop role dashboards")


# --- configuration and dependencies --------------------------------------------------------------------


def test_the_config_page_names_every_option_of_a_stream() -> None:
    page = text(PROJECT / "config" / "README.md")
    for option in kinds.FILE_OPTIONS | kinds.STAGING_OPTIONS | delimited.OPTIONS:
        assert f"`{option}`" in page, option


def test_the_config_page_names_every_field_of_every_record_and_marks_the_required() -> None:
    macro = text(PROJECT / "dbt_project" / "macros" / "delimited.sql").split("{% endmacro %}")[0]
    records = re.findall(r"^        '(\w+)': \{\n(.*?)^        \},", macro, re.MULTILINE | re.DOTALL)
    rows = {
        row.split("|")[1].strip(): row
        for row in section(PROJECT / "config" / "README.md", "### Records and their fields").splitlines()
        if row.startswith("| `")
    }
    assert set(rows) == {f"`{name}`" for name, _ in records}
    for name, body in records:
        fields = re.findall(r"'(\w+)': \{'type'([^}]*)\}", body)
        listed = re.findall(r"(\**)`(\w+)`", rows[f"`{name}`"].split("|")[2])
        assert [(field, "required" in rest) for field, rest in fields] == [
            (field, bool(stars)) for stars, field in listed
        ]


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads(text(PROJECT / "pyproject.toml"))["project"]
    reasons = text(PROJECT / "DECISIONS.md").split("## Dependencies")[1]
    for dependency in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
        name = re.split(r"[\[=<>]", dependency)[0]
        word = name.removeprefix("apache-airflow-providers-").removeprefix("types-").removesuffix("-stubs")
        assert word in reasons, name
