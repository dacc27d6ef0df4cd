#!/bin/sh
# Every static check. All of them run, also after one has failed; the exit code is non-zero if any did.
set -u
export DO_NOT_TRACK=1 COLUMNS=160
cd "$(dirname "$0")/.."
bin=.venv/bin
failed=

check() {
  name=$1
  shift
  echo "lint: $name"
  "$@" || failed="$failed $name"
}

check "ruff" $bin/ruff check .
check "ruff-format" $bin/ruff format --check --quiet .
check "mypy" $bin/mypy
if [ -f dbt_project/dbt_project.yml ]; then
  check "sqlfluff" $bin/sqlfluff lint --processes 2 --nocolor dbt_project/models
  check "dbt-parse" $bin/dbt --quiet parse --project-dir dbt_project --profiles-dir dbt_project
  check "dbt-bouncer" $bin/dbt-bouncer run --config-file dbt-bouncer.yml --show-all-failures
else
  echo "lint: no dbt_project/dbt_project.yml yet: sqlfluff and dbt-bouncer have nothing to read"
fi

if [ -n "$failed" ]; then
  echo "lint: not clean:$failed" >&2
  exit 1
fi
echo "lint: clean"
