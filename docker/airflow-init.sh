#!/bin/sh
# Run once before Airflow's services start: Airflow's tables, the warehouse's tables, and the administrator's password.
set -eu
umask 077
python -c 'import json, os, sys; json.dump({"admin": os.environ["AIRFLOW_ADMIN_PASSWORD"]}, sys.stdout)' \
  >"$AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
airflow db migrate
python -c 'from callhouse import postgres, settings; postgres.open_warehouse(settings.load_settings())'
