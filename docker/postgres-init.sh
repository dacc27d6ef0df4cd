#!/bin/bash
# Run once by the postgres image on an empty data folder: a database and an owner for Airflow, and the same for the
# warehouse. The warehouse's owner may create roles, because its migrations make the callhouse_* groups.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username postgres \
  --set airflow_password="$AIRFLOW_DB_PASSWORD" --set warehouse_password="$WAREHOUSE_PASSWORD" <<'SQL'
create role airflow login password :'airflow_password';
create database airflow owner airflow;
create role callhouse login createrole password :'warehouse_password';
create database callhouse owner callhouse;
revoke connect on database airflow, callhouse from public;
SQL
