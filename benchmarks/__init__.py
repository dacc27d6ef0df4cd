"""How fast Callhouse is, beside hand-written PostgreSQL on the same machine, bytes and tables.

``python -m benchmarks`` (``make bench``):

=============  ===========================================================================================
``queue_log``  a simulated centre's Asterisk queue log of a million calls (4.4 million lines) of one day
``calls``      a CSV file with one row per call, a million calls of one day
``load``       that CSV into ``raw`` alone, beside a COPY of the same bytes; also with five times the lines
``states``     a million spans of agents' states, split over half-hours by the model's SQL and by hand
=============  ===========================================================================================

In the first two, ours is all that a run does between the source's files and the published marts, on a new
warehouse: extract, load, stage, check, build, check, publish. It is the code of the DAGs' tasks, without
Airflow around it, with its imports done before the clock starts. The baseline is one transaction: COPY, then
the statements of ``<case>.sql``; the tables of no weight (calendar, KPI catalogue and values) come from the
very SQL that dbt ran. It ends in the same tables with the same keys, and in the same rows: a digest of each
mart is compared. It does without all that makes a warehouse: unchanged raw rows, rejects, duplicates,
versions, late or second days, checks.

Each run has a process and a database of its own.
"""
