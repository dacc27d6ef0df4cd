"""Installation: the locks, the scripts behind make, and that no file names where packages come from."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parents[1]
LOCKS = sorted(PROJECT.glob("requirements*.txt"))
PYTHONS = ("3.11", "3.12", "3.13")
# Put together here, so that this file does not name them either.
REGISTRY_HOSTS = [
    ".".join(words)
    for words in (
        ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("yarnpkg", "com"),
        ("deb", "debian", "org"), ("docker", "io"), ("ghcr", "io"), ("quay", "io"), ("anaconda", "org"),
        ("huggingface", "co"), ("crates", "io"), ("proxy", "golang", "org"),
    )
]  # fmt: skip


def pyproject() -> dict:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


def locked(path: Path) -> list[tuple[Requirement, int]]:
    """Each requirement of a lock file with the number of its hashes."""
    entries = path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    pins = [line for line in entries if line and not line.lstrip().startswith("#")]
    return [(Requirement(pin.split(" --hash=")[0].strip()), pin.count("--hash=sha256:")) for pin in pins]


def versions(path: Path, python: str, micro: int = 4) -> dict[str, str]:
    """Name -> version of what the lock file installs on Linux with this Python."""
    environment = {
        "python_version": python, "python_full_version": f"{python}.{micro}",
        "sys_platform": "linux", "os_name": "posix", "platform_system": "Linux", "platform_machine": "x86_64",
        "platform_python_implementation": "CPython", "implementation_name": "cpython",
    }  # fmt: skip
    chosen: dict[str, str] = {}
    for requirement, _ in locked(path):
        if requirement.marker is None or Marker(str(requirement.marker)).evaluate(environment):
            name = canonicalize_name(requirement.name)
            assert name not in chosen, f"{path.name} pins {name} twice for Python {python}"
            chosen[name] = str(requirement.specifier).removeprefix("==")
    return chosen


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_one_version_and_hashes(lock: Path) -> None:
    pins = locked(lock)
    assert pins
    for requirement, hashes in pins:
        assert re.fullmatch(r"==[^=,*]+", str(requirement.specifier)), requirement
        assert hashes > 0, f"{requirement} has no hash"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_no_lock_file_names_an_index_or_an_address(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host|https?://|file://| @ ", text)


def test_no_tracked_file_names_a_package_registry() -> None:
    words = [argument for host in REGISTRY_HOSTS for argument in ("-e", host)]
    found = subprocess.run(["git", "grep", "-nIF", *words], cwd=PROJECT, capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (1, "")


@pytest.mark.parametrize("python", PYTHONS)
def test_the_locks_agree_with_each_other_and_with_pyproject(python: str) -> None:
    runtime = versions(PROJECT / "requirements.txt", python)
    dev = versions(PROJECT / "requirements-dev.txt", python)
    bootstrap = versions(PROJECT / "requirements-bootstrap.txt", python)
    assert runtime.items() <= dev.items(), "the development lock is not the runtime lock and more"
    shared = bootstrap.keys() & dev.keys()
    assert {name: bootstrap[name] for name in shared} == {name: dev[name] for name in shared}

    project = pyproject()["project"]
    for lock, needed in ((runtime, project["dependencies"]), (dev, project["optional-dependencies"]["dev"])):
        for requirement in map(Requirement, needed):
            name = canonicalize_name(requirement.name)
            assert name in lock, f"{name} stands in pyproject.toml but is not locked: make lock"
            assert requirement.specifier.contains(lock[name], prereleases=True), (
                f"{name} {lock[name]}: make lock"
            )


def test_each_supported_python_gets_a_locked_set_and_others_are_refused() -> None:
    supported = pyproject()["project"]["requires-python"]
    assert supported == ">=3.11,<3.14"
    script = (PROJECT / "scripts/install.sh").read_text(encoding="utf-8")
    assert " | ".join(PYTHONS) in script


def test_the_environment_in_use_is_the_locked_one() -> None:
    major, minor, micro = sys.version_info[:3]
    lock = versions(PROJECT / "requirements-dev.txt", f"{major}.{minor}", micro)
    from importlib.metadata import distributions

    installed = {canonicalize_name(d.metadata["Name"]): d.version for d in distributions()}
    different = {
        name: (installed.get(name), wanted) for name, wanted in lock.items() if installed.get(name) != wanted
    }
    assert different == {}


# scripts/install.sh, with interpreters that only say their version


def fake_python(folder: Path, name: str, version: str, *, complete: bool = True) -> None:
    """A stand-in interpreter: says its version, and lacks ensurepip when incomplete."""
    path = folder / name
    path.write_text(
        "#!/bin/sh\n"
        'case "$2" in\n'
        f'*version_info*) echo {version} ;;\n'
        f'*ensurepip*) exit {0 if complete else 1} ;;\n'
        "*) echo \"made with $0 $*\" >&2; exit 9 ;;\n"
        "esac\n"
    )  # fmt: skip
    path.chmod(0o755)


def install(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """scripts/install.sh in a new project, where PATH holds only a few tools and stand-ins."""
    project = tmp_path / "a project"
    (project / "scripts").mkdir(parents=True)
    shutil.copy(PROJECT / "scripts/install.sh", project / "scripts")
    for lock in LOCKS:
        shutil.copy(lock, project)
    tools = tmp_path / "tools"
    tools.mkdir(parents=True)
    for tool in ("sh", "cat", "rm", "grep", "dirname"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    (tmp_path / "bin").mkdir(exist_ok=True)
    return subprocess.run(
        ["sh", "scripts/install.sh", "requirements.txt"],
        cwd=project,
        env={"PATH": f"{tmp_path / 'bin'}:{tools}", **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.14", "2.7"])
def test_an_unsupported_python_is_refused_with_what_to_do(tmp_path: Path, version: str) -> None:
    (tmp_path / "bin").mkdir()
    fake_python(tmp_path / "bin", "python3", version)
    done = install(tmp_path)
    assert done.returncode == 2
    assert f"python3 here is {version}" in done.stderr
    assert "make PYTHON=" in done.stderr


def test_no_python_at_all_is_said_plainly(tmp_path: Path) -> None:
    done = install(tmp_path)
    assert done.returncode == 2
    assert "python3 here is not installed" in done.stderr


def test_a_supported_python_is_preferred_to_a_newer_default(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    fake_python(tmp_path / "bin", "python3", "3.14")
    fake_python(tmp_path / "bin", "python3.12", "3.12")
    done = install(tmp_path)
    assert "1/3 creating the virtual environment .venv (Python 3.12)" in done.stdout
    assert f"made with {tmp_path}/bin/python3.12 -m venv .venv" in done.stderr


def test_a_python_without_ensurepip_is_told_which_package_to_install(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    fake_python(tmp_path / "bin", "python3", "3.11", complete=False)
    done = install(tmp_path)
    assert done.returncode == 2
    assert "apt-get install python3.11-venv" in done.stderr


def test_a_shim_that_does_not_run_and_an_incomplete_python_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    fake_python(tmp_path / "bin", "python3.12", "3.12", complete=False)
    fake_python(tmp_path / "bin", "python3.11", "3.11")
    shim = tmp_path / "bin/python3.13"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    assert "(Python 3.11)" in install(tmp_path).stdout


def test_a_python_named_by_hand_must_be_supported_and_may_have_spaces_in_its_path(tmp_path: Path) -> None:
    (tmp_path / "my pythons").mkdir()
    fake_python(tmp_path / "my pythons", "old", "3.10")
    fake_python(tmp_path / "my pythons", "good", "3.13")
    refused = install(tmp_path / "first", PYTHON=str(tmp_path / "my pythons/old"))
    assert refused.returncode == 2
    assert "is no Python 3.11, 3.12 or 3.13 (3.10)" in refused.stderr
    taken = install(tmp_path / "second", PYTHON=str(tmp_path / "my pythons/good"))
    assert "1/3 creating the virtual environment .venv (Python 3.13)" in taken.stdout


# make


def make(*arguments: str, cwd: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *arguments], cwd=cwd, env=environment, capture_output=True, text=True)


def test_make_alone_lists_every_target_with_its_purpose() -> None:
    listed = make().stdout
    phony = set(re.findall(r"(?m)^\.PHONY: (\S+)$", (PROJECT / "Makefile").read_text(encoding="utf-8"))) - {
        "FORCE"
    }
    assert phony == set(re.findall(r"(?m)^  make (\S+) +\S", listed))
    assert {
        "demo",
        "test",
        "test-long",
        "lint",
        "format",
        "bench",
        "up",
        "down",
        "lock",
        "docs",
        "clean",
    } <= phony


def test_make_n_changes_nothing(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", *(lock.name for lock in LOCKS)):
        shutil.copy(PROJECT / name, tmp_path)
    shutil.copytree(PROJECT / "scripts", tmp_path / "scripts")
    before = sorted(tmp_path.rglob("*"))
    for target in ("demo", "test", "lint", "lock", "clean", "up", "down"):
        done = make("-n", target, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_the_demo_needs_no_development_packages_and_a_development_environment_serves_it(
    tmp_path: Path,
) -> None:
    for name in ("Makefile", "pyproject.toml", *(lock.name for lock in LOCKS)):
        shutil.copy(PROJECT / name, tmp_path)
    shutil.copytree(PROJECT / "scripts", tmp_path / "scripts")
    assert "install.sh requirements.txt" in make("-n", "demo", cwd=tmp_path).stdout
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/.path").write_text(f"{tmp_path}\n")
    (tmp_path / ".venv/.dev").touch()
    assert "install.sh" not in make("-n", "demo", cwd=tmp_path).stdout
    os.utime(tmp_path / "requirements-dev.txt", (4e9, 4e9))
    assert "install.sh requirements-dev.txt" in make("-n", "demo", cwd=tmp_path).stdout
    os.utime(tmp_path / "requirements-dev.txt", (1e9, 1e9))
    (tmp_path / ".venv/.path").write_text("/somewhere/else\n")
    assert "install.sh requirements-dev.txt" in make("-n", "demo", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    "script", sorted([*(PROJECT / "scripts").glob("*.sh"), PROJECT / ".ci/run"]), ids=lambda p: p.name
)
def test_the_scripts_are_valid_shell_and_executable(script: Path) -> None:
    shell = "bash" if "bash" in script.read_text(encoding="utf-8").splitlines()[0] else "sh"
    subprocess.run([shell, "-n", str(script)], check=True)
    assert os.access(script, os.X_OK)
