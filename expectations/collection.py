"""What arrived: everything declared is there, and every row is accounted for."""

from __future__ import annotations

from expectations.crucial import Principle, rule

# The staging tables whose rows belong to a business date (customers, agents and queues belong to none).
_STAGED = (
    "stg_amazon_connect__agent_events",
    "stg_amazon_connect__contact_records",
    "stg_amazon_connect__evaluations",
    "stg_asterisk_cdr__records",
    "stg_asterisk_cel__events",
    "stg_asterisk_queue_log__events",
    "stg_delimited__calls",
    "stg_delimited__cases",
    "stg_delimited__punches",
    "stg_delimited__shifts",
    "stg_delimited__surveys",
    "stg_freeswitch__agent_statuses",
    "stg_freeswitch__calls",
    "stg_genesys_cloud__conversations",
    "stg_genesys_cloud__user_states",
)


def _rows_staged(dates: str, columns: str, if_at_all: str = "true") -> str:
    """SQL of ``columns`` per business date, source and stream, over the staged rows of ``dates``.

    ``if_at_all`` is looked at once: where it is false, no table is.
    """
    return "\n  union all ".join(
        f"select business_date, source, stream, {columns} from staging.{table}"
        f" where business_date = any({dates}) and {if_at_all} group by 1, 2, 3"
        for table in _STAGED
    )


# The newest load that brought rows of a date counts: a corrected file makes up for the broken one. A file of
# which no row could be used says of no date that it is its own: it counts for the last one it was asked for.
_LOADS_OF_A_DATE = f"""
with found as (
  {_rows_staged("%(dates)s", "max(_load_id) as load_id")}
  union all
  select files.window_to, files.source, files.stream, loads.load_id
  from ops.loads as loads
  inner join ops.landing_files as files using (landing_id)
  where
    files.window_to = any(%(dates)s)
    and loads.state = 'staged' and loads.rows_loaded = 0 and loads.rows_duplicate = 0 and loads.rows_rejected > 0
),
newest as (
  select business_date, source, stream, max(load_id) as load_id from found group by 1, 2, 3
)
select newest.business_date,
  sum(loads.rows_in)::bigint as checked_count,
  sum(loads.rows_rejected)::bigint as violation_count
from newest
inner join ops.loads as loads using (load_id)
group by newest.business_date
"""

rule(
    "every_source_delivered",
    Principle.COLLECTABLE,
    "warning",
    en="Every declared source delivered something for the date.",
    zh="每个已声明的数据来源当天都有数据。",
    stage="staging",
    subject="all streams",
    query="""
    select days.business_date, count(*) as checked_count,
      count(*) filter (where not ("""
    + "\n        or ".join(
        f"exists (select from staging.{table} where {table}.business_date = days.business_date"
        f" and {table}.source = declared.source)"
        for table in _STAGED
    )
    + """)) as violation_count
    from unnest(%(dates)s::date[]) as days (business_date), unnest(%(sources)s::text[]) as declared (source)
    group by days.business_date
    """,
    remedy="Look for the source's files of that date and run its extract again; a closed day needs nothing.",
)

rule(
    "no_row_count_has_collapsed",
    Principle.COLLECTABLE,
    "critical",
    en="What arrived for the date is not far less than on the same weekday before.",
    zh="当天到达的数据没有骤减到远低于以往同一星期几的水平。",
    stage="staging",
    subject="all streams",
    # Rows of the date, for records that have one; rows delivered, for directories such as customers. A stream
    # that delivered nothing at all is `every_source_delivered`'s business. No verdict without four weeks.
    query=f"""
    with declared as (
      select * from jsonb_to_recordset(%(row_counts)s::jsonb) as declared (
        source text, stream text, is_dated boolean, below numeric, minimum bigint, excused date[]
      )
    ),
    judged as (
      select days.business_date, declared.*, before.dates
      from unnest(%(dates)s::date[]) as days (business_date)
      cross join declared
      cross join lateral (
        select array_agg(same_weekday.business_date) as dates
        from (
          select distinct publications.business_date
          from ops.publications
          where publications.business_date between days.business_date - 70 and days.business_date - 7
            and (days.business_date - publications.business_date) %% 7 = 0
            and publications.business_date <> all(declared.excused)
          order by publications.business_date desc
          limit 4
        ) as same_weekday
      ) as before
      where cardinality(before.dates) = 4 and days.business_date <> all(declared.excused)
    ),
    needed as (
      select distinct unnest(dates || business_date) as business_date from judged
    ),
    staged as (
      {_rows_staged("array(select business_date from needed)", "count(*) as row_count", "exists (select from needed)")}
    ),
    files as (
      select window_from, window_to, landing_files.source, landing_files.stream, loads.rows_in
      from ops.landing_files
      inner join ops.loads using (landing_id)
      where loads.state in ('loaded', 'staged')
        and exists (select from needed where needed.business_date between window_from and window_to)
    ),
    counted as (
      select *, true as is_dated from staged
      union all
      select window_to, source, stream, sum(rows_in), false from files group by 1, 2, 3
    ),
    compared as (
      select judged.*, coalesce(today.row_count, 0) as row_count, usual.row_count as usual_count
      from judged
      left join counted as today using (business_date, source, stream, is_dated)
      cross join lateral (
        select percentile_cont(0.5) within group (order by coalesce(counted.row_count, 0)) as row_count
        from unnest(judged.dates) as before (business_date)
        left join counted
          on counted.business_date = before.business_date and counted.source = judged.source
          and counted.stream = judged.stream and counted.is_dated = judged.is_dated
      ) as usual
      where today.row_count > 0
        or exists (
          select from files
          where files.source = judged.source and files.stream = judged.stream
            and judged.business_date between files.window_from and files.window_to
        )
    )
    select business_date, count(*) as checked_count,
      count(*) filter (where row_count < below * usual_count) as violation_count,
      string_agg(
        format('%%s.%%s: %%s rows, usually %%s', source, stream, row_count, round(usual_count)), '; '
        order by source, stream
      ) filter (where row_count < below * usual_count) as detail
    from compared
    where usual_count >= minimum
    group by business_date
    """,
    remedy="Have the export delivered whole; if so few rows are right, say so under `row_counts: accept:`.",
)

rule(
    "no_field_is_unknown",
    Principle.COLLECTABLE,
    "warning",
    en="The files of the date have no field that nobody declared.",
    zh="当天文件中没有未声明的字段。",
    stage="staging",
    subject="loads",
    query=f"""
    with found as (
      {_rows_staged("%(dates)s", "max(_load_id) as load_id")}
      union
      select window_to, source, stream, load_id
      from ops.loads
      inner join ops.landing_files using (landing_id, source, stream)
      where window_to = any(%(dates)s) and state = 'staged'
    ),
    drifted as (
      select found.business_date, format('%%s.%%s', found.source, found.stream) as stream, loads.load_id, field
      from found
      inner join ops.loads as loads using (load_id)
      left join lateral unnest(loads.new_fields) as field on true
    )
    select business_date, count(distinct load_id) as checked_count,
      count(distinct load_id) filter (where field is not null) as violation_count,
      string_agg(distinct format('%%s: %%s', stream, field), ', ') filter (where field is not null) as detail
    from drifted
    group by business_date
    """,
    remedy="Declare the field under `columns`, if it is of use; until then it is kept in `_extra` or the document.",
)

rule(
    "landed_files_are_loaded",
    Principle.COLLECTABLE,
    "warning",
    en="Every file that landed was loaded.",
    zh="每个已落地的文件都已装载。",
    stage="staging",
    subject="landing_files",
    date_column=None,
    query="""
    select null::date as business_date, count(*) as checked_count,
      count(*) filter (
        where not exists (
          select from ops.loads
          where loads.landing_id = landing_files.landing_id and loads.state in ('loaded', 'staged')
        )
      ) as violation_count
    from ops.landing_files
    """,
    remedy="`callhouse status` names the file and the reason; have it delivered again or remove it.",
)

rule(
    "loads_add_up",
    Principle.COLLECTABLE,
    "critical",
    en="In every load, rows in are loaded, rejected or duplicates: none is lost.",
    zh="每次装载的行数等于装载、拒收与重复之和，没有丢失。",
    stage="staging",
    subject="loads",
    date_column=None,
    query="""
    select null::date as business_date, count(*) as checked_count,
      count(*) filter (
        where (rows_in = rows_loaded + rows_rejected + rows_duplicate) is not true
      ) as violation_count
    from ops.loads
    where state in ('loaded', 'staged')
    """,
    remedy="The book of loads was changed by hand or a loader is wrong: rebuild raw from the landing files.",
)

rule(
    "rejects_have_a_reason",
    Principle.COLLECTABLE,
    "warning",
    en="No row is set aside without a reason.",
    zh="没有无理由拒收的行。",
    stage="staging",
    subject="rejects",
    date_column=None,
    query="""
    select null::date as business_date, count(*) as checked_count,
      count(*) filter (where coalesce(btrim(reason), '') = '') as violation_count
    from ops.rejects
    """,
    remedy="The reader of that stream must name its reason; see ops.rejects for source and stream.",
)

rule(
    "rejected_rows_are_kept",
    Principle.COLLECTABLE,
    "warning",
    en="Every row that was rejected is kept with its bytes.",
    zh="被拒收的每一行都原样保留。",
    stage="staging",
    subject="rejects",
    date_column=None,
    query="""
    select null::date as business_date,
      coalesce(sum(loads.rows_rejected), 0)::bigint as checked_count,
      coalesce(sum(greatest(loads.rows_rejected - coalesce(kept.row_count, 0), 0)), 0)::bigint as violation_count
    from ops.loads as loads
    left join (
      select load_id, count(*) as row_count from ops.rejects group by load_id
    ) as kept using (load_id)
    where loads.state in ('loaded', 'staged') and loads.rows_rejected > 0
    """,
    remedy="Rows were deleted from ops.rejects, or a reader drops them: load the file again.",
)

rule(
    "few_rows_are_rejected",
    Principle.COLLECTABLE,
    "warning",
    en="At most one row in a hundred was rejected from the files of the date.",
    zh="当天文件的拒收率不超过百分之一。",
    stage="staging",
    subject="loads",
    query=_LOADS_OF_A_DATE,
    tolerance=0.01,
    remedy="Read the reasons in ops.rejects; correct the mapping or have the source corrected, then replay.",
)

rule(
    "rejects_stay_below_a_tenth",
    Principle.COLLECTABLE,
    "critical",
    en="At most one row in ten was rejected from the files of the date.",
    zh="当天文件的拒收率不超过十分之一。",
    stage="staging",
    subject="loads",
    query=_LOADS_OF_A_DATE,
    tolerance=0.1,
    remedy="The file has probably changed its form: compare its header with config/sources.yml.",
)

rule(
    "events_are_staged_without_loss",
    Principle.ACCURATE,
    "critical",
    en="Every telephone event that this run loaded is staged once: loaded rows equal staged rows.",
    zh="本次装载的每个电话事件都入库一次：装载行数等于入库行数。",
    stage="staging",
    subject="stg_asterisk_queue_log__events",
    date_column=None,
    # Events are never replaced by newer versions, and every date they lie on is unpublished until this
    # run ends, so that the search need not go through the whole history.
    query="""
    with events as (
      select _load_id as load_id, count(*) as row_count
      from staging.stg_asterisk_queue_log__events
      where business_date in (select business_date from ops.affected_dates)
      group by _load_id
    )
    select null::date as business_date,
      coalesce(sum(loads.rows_loaded), 0)::bigint as checked_count,
      coalesce(sum(abs(loads.rows_loaded - coalesce(events.row_count, 0))), 0)::bigint as violation_count
    from ops.loads as loads
    left join events using (load_id)
    where loads.run_id = %(run_id)s and loads.state = 'staged' and loads.stream = 'queue_log'
    """,
    remedy="Staging lost or doubled rows: empty the staging table and stage the loads again.",
)
