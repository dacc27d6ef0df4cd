"""What Airflow itself loads: the timetable of business days."""

from __future__ import annotations

from typing import ClassVar

from airflow.plugins_manager import AirflowPlugin

from callhouse.scheduling import BusinessDays


class CallhousePlugin(AirflowPlugin):
    """Registers Callhouse with Airflow."""

    name = "callhouse"
    timetables: ClassVar = [BusinessDays]
