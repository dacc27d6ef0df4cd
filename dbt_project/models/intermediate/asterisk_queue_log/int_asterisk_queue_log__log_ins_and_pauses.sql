{#-
  Log-ins and pauses as spans. What a date sees depends on the date before and after it alone, whatever other dates
  the run covers: a span reaches from one date into the next at most.

  Logged in (available): from log-in to log-off. Where the log-off is lost, to the earliest of the next log-in, a
  restart of the telephone system, local midnight, and the end of the data. A log-off without its log-in says how
  long it was, else it counts from midnight. Who never logs in or off on a date is logged in while a member of a
  queue. Away: pauses of one queue and of all queues are spans of their own, from the first PAUSE to the next
  UNPAUSE or log-off.
-#}
with paired as (
    select
        *,
        lag(is_start) over one_state
        and lag(business_date) over one_state >= business_date - 1 as was_started,
        lag(event_at) over one_state as previous_at,
        lead(event_at) over one_state as next_at,
        lead(is_start) over one_state as next_is_start,
        min(event_at) filter (where not is_start) over (
            one_state rows between current row and unbounded following
        ) as next_end_at
    from {{ ref('int_asterisk_queue_log__state_lines') }}
    window one_state as (
        partition by source, agent_id, thread, queue_id, next_restart_at order by event_at, is_start
    )
),

bounded as (
    select
        paired.*,
        {{ local_midnight('paired.business_date') }} as day_began_at,
        {{ local_midnight('paired.business_date - 1') }} as day_before_began_at,
        least(
            {{ local_midnight('paired.business_date + 1') }},
            known_to.known_to,
            paired.next_restart_at,
            case when paired.thread = 'session' then paired.next_at end
        ) as closed_at_last,
        {#- An end is this start's own until the end of the next day. #}
        case
            when paired.thread = 'session' and paired.next_is_start then null
            else least(
                case when {{ local_date('paired.next_end_at') }} <= paired.business_date + 1
                    then paired.next_end_at
                end,
                case
                    when paired.thread = 'pause'
                        and {{ local_date('paired.next_log_off_at') }} <= paired.business_date + 1
                        and coalesce(paired.next_log_off_at <= paired.next_restart_at, true)
                        then paired.next_log_off_at
                end
            )
        end as closed_at
    from paired
    inner join {{ ref('int_asterisk_queue_log__known_to') }} as known_to
        on paired.source = known_to.source and paired.business_date = known_to.business_date
    where paired.thread <> 'membership' or not paired.has_sessions
),

opened as (
    select
        source,
        agent_id,
        case when thread = 'pause' then 'away' else 'available' end as state,
        case when thread = 'pause' then coalesce(reason, reason_of_the_second) end as reason,
        event_at as started_at,
        coalesce(closed_at, closed_at_last) as ended_at,
        closed_at is null as is_end_inferred
    from bounded
    where is_start
),

begun_before as (
    select
        source,
        agent_id,
        'available' as state,
        null as reason,
        greatest(
            coalesce(event_at - make_interval(secs => said_seconds), day_began_at),
            day_before_began_at,
            restarted_at,
            case when previous_at >= day_before_began_at then previous_at end
        ) as started_at,
        event_at as ended_at,
        false as is_end_inferred
    from bounded
    where
        not is_start
        and thread <> 'pause'
        and not coalesce(was_started, false)
        and (said_seconds is not null or previous_at is null or previous_at < day_began_at)
)

select * from opened
union all
select * from begun_before
