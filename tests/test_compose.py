"""docker-compose.yml and the files it stands on, checked without a Docker engine."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[1]
COMPOSE = PROJECT / "docker-compose.yml"
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?::(?P<mark>[?-])(?P<rest>[^}]*))?\}")
SECRET = re.compile(r"PASSWORD|SECRET|KEY|TOKEN")


def compose(text: str | None = None) -> dict[str, Any]:
    return yaml.safe_load(text if text is not None else COMPOSE.read_text(encoding="utf-8"))


def services() -> dict[str, dict[str, Any]]:
    return compose()["services"]


def settings_of(env_file: str) -> dict[str, str]:
    return dict(re.findall(r"(?m)^(\w+)=(.*)$", env_file))


def complaints(text: str) -> list[str]:
    """What a careful operator would refuse in a compose file."""
    found = []
    for variable in VARIABLE.finditer(text):
        if variable["mark"] != "?" and SECRET.search(variable["name"]):
            found.append(f"{variable['name']} may be left out")
    document = compose(text)
    for name, service in document["services"].items():
        for key, value in (service.get("environment") or {}).items():
            if (
                SECRET.search(key)
                and not key.endswith("_FILE")
                and not re.fullmatch(r"\$\{\w+:\?[^}]+\}", str(value))
            ):
                found.append(f"{name}: {key} has a value in the file")
            if re.search(r"://\w+:(?!\$\{\w+:\?)[^@]*@", str(value)):
                found.append(f"{name}: {key} holds a password")
        for port in service.get("ports") or []:
            if not str(port).startswith("127.0.0.1:"):
                found.append(f"{name}: port {port} is open to the network")
        if not re.search(r":v?\d+\.\d+\S*$", str(service.get("image", ""))):
            found.append(f"{name}: image {service.get('image')} names no version")
        if "healthcheck" not in service:
            found.append(f"{name}: nobody can tell whether it is well")
        if "mem_limit" not in service or "restart" not in service:
            found.append(f"{name}: no memory limit or restart policy")
        for mount in service.get("volumes") or []:
            if str(mount).startswith((".", "/", "$")) and not str(mount).endswith(":ro"):
                found.append(f"{name}: {mount} is writable from inside")
        for needed, how in (service.get("depends_on") or {}).items():
            if needed not in document["services"]:
                found.append(f"{name}: waits for {needed}, which does not exist")
            elif how["condition"] not in ("service_healthy", "service_completed_successfully"):
                found.append(f"{name}: does not wait until {needed} is well")
        if service.get("privileged") or "network_mode" in service:
            found.append(f"{name}: has more rights than it needs")
    return found


def test_the_compose_file_has_no_default_password_open_port_or_unpinned_image() -> None:
    assert complaints(COMPOSE.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        (
            "${POSTGRES_PASSWORD:?set it in .env}",
            "${POSTGRES_PASSWORD:-postgres}",
            "POSTGRES_PASSWORD may be left out",
        ),
        ("${AIRFLOW_JWT_SECRET:?set it in .env}", "hunter2", "AIRFLOW__API_AUTH__JWT_SECRET has a value"),
        (
            "callhouse:${WAREHOUSE_PASSWORD:?set it in .env}@",
            "callhouse:callhouse@",
            "WAREHOUSE holds a password",
        ),
        ("127.0.0.1:${AIRFLOW_PORT:-8080}", "${AIRFLOW_PORT:-8080}", "open to the network"),
        ("postgres:18.1-bookworm", "postgres:latest", "names no version"),
        ("./config:/opt/callhouse/config:ro", "./config:/opt/callhouse/config", "is writable from inside"),
        ("{condition: service_healthy}", "{condition: service_started}", "does not wait until"),
    ],
)
def test_a_planted_weakness_in_the_compose_file_is_found(before: str, after: str, complaint: str) -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    assert before in text
    assert any(complaint in found for found in complaints(text.replace(before, after)))


def test_every_variable_of_the_compose_file_is_explained_in_the_env_example() -> None:
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    variables = {v["name"]: v["mark"] for v in VARIABLE.finditer(COMPOSE.read_text(encoding="utf-8"))}
    needed = {name for name, mark in variables.items() if mark == "?"}
    assert set(settings_of(example)) == needed
    assert set(re.findall(r"(?m)^#(\w+)=", example)) == set(variables) - needed


def test_the_env_example_holds_no_value_and_its_command_makes_a_secret_for_each(tmp_path: Path) -> None:
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    assert set(settings_of(example).values()) == {""}
    command = re.search(r"(?m)^#   (\(umask .*> \.env\))$", example)
    assert command, "the command that makes .env is missing"
    (tmp_path / ".env.example").write_text(example, encoding="utf-8")
    subprocess.run(["sh", "-c", command[1]], cwd=tmp_path, check=True)
    made = settings_of((tmp_path / ".env").read_text(encoding="utf-8"))
    assert set(made) == set(settings_of(example))
    assert len(set(made.values())) == len(made)
    assert all(re.fullmatch(r"[\w-]{43,}=?", value) for value in made.values())
    assert len(base64.urlsafe_b64decode(made["AIRFLOW_FERNET_KEY"])) == 32
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0


def test_git_and_the_image_leave_secrets_and_data_out() -> None:
    ignored = ["git", "check-ignore", ".env", ".callhouse/", ".venv/"]
    assert subprocess.run(ignored, cwd=PROJECT, capture_output=True, text=True).stdout.split() == ignored[2:]
    lines = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines, "the image must take what is named, not what is not forgotten"
    assert not {"!.env", "!.callhouse", "!.git"} & set(lines)


def test_all_airflow_services_share_one_image_and_one_set_of_secrets() -> None:
    airflow = {name: s for name, s in services().items() if str(s.get("image", "")).startswith("callhouse:")}
    assert set(airflow) == {"airflow-init", "api-server", "scheduler", "dag-processor"}
    for key in ("AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__CORE__FERNET_KEY", "AIRFLOW_CONN_WAREHOUSE"):
        assert len({service["environment"][key] for service in airflow.values()}) == 1
    host = airflow["scheduler"]["environment"]["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]
    assert host.split("/")[2].split(":")[0] == "api-server"


def test_the_image_runs_as_an_ordinary_user_from_locked_requirements() -> None:
    dockerfile = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"(?m)^USER (?!root|0)\w+$", dockerfile)
    assert all("--require-hashes" in line for line in re.findall(r"pip install [^\n]*-r [^\n]*", dockerfile))
    assert all(re.search(r":\d+\.\d+\S*( |$)", image) for image in re.findall(r"(?m)^FROM (.*)$", dockerfile))
    for copied in re.findall(r"(?m)^COPY (?!--from)(.*) \S+$", dockerfile):
        assert all((PROJECT / name).exists() for name in copied.split())


def test_every_file_the_services_mount_or_run_is_there() -> None:
    for service in services().values():
        for mount in service.get("volumes") or []:
            source = str(mount).split(":")[0]
            assert not source.startswith("./") or (PROJECT / source).exists(), mount
        for word in service.get("command") or []:
            assert not str(word).startswith("docker/") or (PROJECT / word).exists(), word
    named = [
        line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    ]
    assert "docker/airflow-init.sh" in named


@pytest.mark.parametrize("script", sorted((PROJECT / "docker").glob("*.sh")), ids=lambda path: path.name)
def test_the_scripts_of_the_image_are_valid_shell(script: Path) -> None:
    shell = script.read_text(encoding="utf-8").splitlines()[0].removeprefix("#!").strip()
    subprocess.run([shell, "-n", str(script)], check=True)


def test_docker_compose_itself_reads_the_file(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not installed here")
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    env_file = tmp_path / "env"
    env_file.write_text(re.sub(r"(?m)^(\w+)=$", r"\1=x", example), encoding="utf-8")
    command = [docker, "compose", "-f", str(COMPOSE), "--env-file", str(env_file), "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# The services themselves, each by the command and environment that docker-compose.yml gives it.


class Native:
    """The compose file's Airflow services as processes of this machine, on an embedded PostgreSQL.

    Only names and places differ from the containers: hosts become loopback, ports free ones, the volumes and
    the project's folder in the image lie under ``folder`` and here.
    """

    def __init__(self, folder: Path, postgres_port: int) -> None:
        self.folder = folder
        self.api_port = free_port()
        self.secrets = {
            name: secrets.token_urlsafe(32) for name in settings_of((PROJECT / ".env.example").read_text())
        }
        self.secrets["AIRFLOW_FERNET_KEY"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        self.places = {
            "postgres:5432": f"127.0.0.1:{postgres_port}",
            "api-server:8080": f"127.0.0.1:{self.api_port}",
            "127.0.0.1:8080": f"127.0.0.1:{self.api_port}",
            "/var/lib/airflow": str(folder / "airflow"),
            "/var/lib/callhouse": str(folder / "callhouse"),
            "/opt/callhouse": str(PROJECT),
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("airflow", "callhouse"):
            (folder / name).mkdir()

    def here(self, text: str) -> str:
        text = VARIABLE.sub(lambda variable: self.secrets[variable["name"]], text)
        for place, ours in self.places.items():
            text = text.replace(place, ours)
        return text

    def environment(self, service: str) -> dict[str, str]:
        image = dict(
            re.findall(
                r"(?m)^(?:ENV|   ) (\w+)=(\S+)", (PROJECT / "Dockerfile").read_text().split("FROM ")[2]
            )
        )
        image.pop("PATH")
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "CALLHOUSE"))
        }
        own = {key: self.here(str(value)) for key, value in services()[service]["environment"].items()}
        return {
            **kept,
            **{key: self.here(value) for key, value in image.items()},
            **own,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.api_port),
        }

    def run(self, service: str, command: list[str]) -> subprocess.CompletedProcess[str]:
        command = [self.here(word) for word in command]
        environment = self.environment(service)
        return subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=240
        )

    def start(self, service: str) -> None:
        with (self.folder / f"{service}.log").open("wb") as log:
            self.processes[service] = subprocess.Popen(
                services()[service]["command"],
                cwd=PROJECT,
                env=self.environment(service),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_well(self, service: str, seconds: float = 150) -> None:
        end = time.monotonic() + seconds
        while (check := self.run(service, services()[service]["healthcheck"]["test"][1:])).returncode:
            assert self.processes[service].poll() is None, (self.folder / f"{service}.log").read_text()[
                -3000:
            ]
            assert time.monotonic() < end, (
                check.stderr[-1000:] + (self.folder / f"{service}.log").read_text()[-3000:]
            )
            time.sleep(2)

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def bare_server(tmp_path: Path) -> Iterator[tuple[Path, int, str]]:
    """A PostgreSQL as its image starts it, with nothing of ours: (its programs, port, password)."""
    from callhouse import postgres

    folder = Path(tempfile.mkdtemp(prefix="callhouse-compose-"))
    account = postgres._account(folder / "data")
    binaries = postgres._binaries(folder, account)
    account.own(folder)
    password, port = secrets.token_urlsafe(16), free_port()
    (folder / "password").write_text(password)
    account.own(folder / "password")
    made = [
        binaries / "initdb",
        "-D",
        folder / "data",
        "-U",
        "postgres",
        "-A",
        "scram-sha-256",
        "-E",
        "UTF8",
        "--locale=C",
    ]
    subprocess.run([*made, f"--pwfile={folder}/password"], check=True, capture_output=True, **account.popen())
    started = [binaries / "postgres", "-D", folder / "data", "-p", str(port), "-h", "127.0.0.1", "-k", ""]
    with (tmp_path / "postgres.log").open("wb") as log:
        server = subprocess.Popen(started, stdout=log, stderr=log, **account.popen())
    try:
        while subprocess.run([binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]).returncode:
            assert server.poll() is None, (tmp_path / "postgres.log").read_text()
            time.sleep(0.1)
        yield binaries, port, password
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        shutil.rmtree(folder)
        shutil.rmtree(postgres._runtime_folder(folder), ignore_errors=True)


@pytest.mark.long
def test_each_airflow_service_starts_by_its_command_and_is_well(
    tmp_path: Path, bare_server: tuple[Path, int, str]
) -> None:
    binaries, port, password = bare_server
    system = Native(tmp_path, port)
    superuser = {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGPASSWORD": password}
    subprocess.run(
        ["bash", "docker/postgres-init.sh"],
        cwd=PROJECT,
        env={**os.environ, **superuser, **system.secrets, "PATH": f"{binaries}:{os.environ['PATH']}"},
        check=True,
        capture_output=True,
    )
    init = system.run("airflow-init", services()["airflow-init"]["command"])
    assert init.returncode == 0, init.stdout[-2000:] + init.stderr[-2000:]
    assert (tmp_path / "airflow/passwords.json").stat().st_mode & 0o077 == 0
    try:
        for service in ("api-server", "scheduler", "dag-processor"):
            system.start(service)
        for service in ("api-server", "scheduler", "dag-processor"):
            system.wait_until_well(service)
        address = f"http://127.0.0.1:{system.api_port}"
        login = {"username": "admin", "password": system.secrets["AIRFLOW_ADMIN_PASSWORD"]}
        token = ask(f"{address}/auth/token", login)["access_token"]
        deadline = time.monotonic() + 120
        while (
            not (dags := ask(f"{address}/api/v2/dags", token=token)["dags"]) and time.monotonic() < deadline
        ):
            time.sleep(2)
        assert "warehouse_daily" in {dag["dag_id"] for dag in dags}
    finally:
        system.stop()


def ask(address: str, data: dict[str, str] | None = None, *, token: str = "") -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    body = json.dumps(data).encode() if data else None
    with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=30) as answer:
        return json.load(answer)
