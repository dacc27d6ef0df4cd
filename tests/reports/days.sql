-- Three days of two queues, counted by hand. Monday 2 March 2026, visits by half-hour of entry:
--            offered  answered  abandoned  flowed out  answered <= 20 s
-- 09:00 sales      3         3          0           0
--       support    2         1          1           0   together 4 of 4 + 1
-- 10:00 sales      3         2          1           0
--       support    2         1          0           1   together 1 of 3 + 1
-- the day         10         7          2           1            5 of 9 = 55.6 %
-- Waits of the answered 350 s / 7 = 50 s; talk, hold, after-call 1,841 s / 7 = 263 s = 4:23. No survey.
insert into marts.dim_kpi (kpi_id, label_en, label_zh, unit, direction, definition, sort_order) values
('offered', 'Offered', '排队量', 'count', 'none', 'Visits that entered a queue.', 10),
('answered', 'Answered', '接通量', 'count', 'higher', 'Visits connected to an agent.', 20),
('abandonment_rate', 'Abandonment rate', '放弃率', 'ratio', 'lower', 'Abandoned / offered.', 30),
('service_level_f2', 'Service level F2', '服务水平 F2', 'ratio', 'higher', 'Answered in T / answered.', 40),
('service_level_f3', 'Service level F3', '服务水平 F3', 'ratio', 'higher', 'Answered in T / (answered + abandoned).', 50),
('asa', 'Average speed of answer', '平均应答速度', 'seconds', 'lower', 'Wait of the answered / answered.', 60),
('aht', 'Average handling time', '平均处理时间', 'seconds', 'none', 'Talk + hold + after-call / answered.', 70),
('satisfaction', 'Satisfaction', '客户满意度', 'ratio', 'higher', 'Satisfied / valid answers.', 80),
('left_in_ivr', 'Left in the menu', '菜单中离开', 'count', 'lower', 'Contacts that ended in the menu.', 90);

insert into reports.rpt_daily
select figures.business_date, figures.unit_type, figures.unit_key, figures.unit_label, dim_kpi.kpi_id,
    dim_kpi.sort_order, dim_kpi.label_en, dim_kpi.label_zh, dim_kpi.unit, dim_kpi.direction, figures.value,
    null, null, figures.target, figures.status, figures.day_before, figures.week_before
from (values
    ('2026-03-02'::date, 'centre', 'centre', 'Centre', 'offered', 10::numeric, null::numeric, 'no_target', 8::numeric, 12::numeric),
    ('2026-03-02', 'centre', 'centre', 'Centre', 'answered', 7, null, 'no_target', 8, 6),
    ('2026-03-02', 'centre', 'centre', 'Centre', 'abandonment_rate', 0.2, 0.1, 'missed', 0, 0.25),
    ('2026-03-02', 'centre', 'centre', 'Centre', 'service_level_f2', 5::numeric / 7, 0.8, 'missed', 1, null),
    ('2026-03-02', 'centre', 'centre', 'Centre', 'service_level_f3', 5::numeric / 9, 0.8, 'missed', 1, 0.5),
    ('2026-03-02', 'centre', 'centre', 'Centre', 'asa', 50, 60, 'met', 50.2, 62),
    ('2026-03-02', 'centre', 'centre', 'Centre', 'aht', 263, null, 'no_target', 200, 300),
    ('2026-03-02', 'centre', 'centre', 'Centre', 'satisfaction', null, 0.85, 'no_value', 0.9, null),
    ('2026-03-02', 'centre', 'centre', 'Centre', 'left_in_ivr', 0, null, 'no_target', 4, null),
    ('2026-03-02', 'queue', 'a', 'support', 'offered', 4, null, 'no_target', 4, 6),
    ('2026-03-02', 'queue', 'a', 'support', 'answered', 2, null, 'no_target', 4, 3),
    ('2026-03-02', 'queue', 'a', 'support', 'asa', null, 60, 'no_value', null, null),
    ('2026-03-02', 'queue', 'b', 'sales', 'offered', 6, null, 'no_target', 4, 6),
    ('2026-03-02', 'queue', 'b', 'sales', 'answered', 5, null, 'no_target', 4, 3),
    ('2026-03-02', 'queue', 'b', 'sales', 'asa', 0, 60, 'met', 12, null),
    ('2026-03-01', 'centre', 'centre', 'Centre', 'offered', 8, null, 'no_target', null, null),
    ('2026-02-23', 'centre', 'centre', 'Centre', 'offered', 12, null, 'no_target', null, null)
) as figures (business_date, unit_type, unit_key, unit_label, kpi_id, value, target, status, day_before, week_before)
inner join marts.dim_kpi using (kpi_id);

-- Of 8 hours logged in, 40 minutes at lunch and 8 for no reason; the one that flowed out pressed a key.
insert into reports.rpt_reasons values
('2026-03-02', 'flow_out_rate', 48, 'Flow-out rate', '溢出率', 'count', 'key', 1, 10, 0.1),
('2026-03-02', 'away_rate', 190, 'Away rate', '离席率', 'seconds', null, 480, 28800, 0.0166667),
('2026-03-02', 'away_rate', 190, 'Away rate', '离席率', 'seconds', 'lunch', 2400, 28800, 0.0833333),
('2026-03-01', 'away_rate', 190, 'Away rate', '离席率', 'seconds', 'lunch', 60, 600, 0.1);

-- Two half-hours with calls and one without between them; Shanghai is eight hours ahead.
insert into marts.fct_queue_intervals values
(md5('sales')::uuid, '2026-03-02 01:00+00', '2026-03-02', 3, 3, 0),
(md5('support')::uuid, '2026-03-02 01:00+00', '2026-03-02', 2, 1, 1),
(md5('sales')::uuid, '2026-03-02 02:00+00', '2026-03-02', 3, 2, 1),
(md5('support')::uuid, '2026-03-02 02:00+00', '2026-03-02', 2, 1, 0),
(md5('sales')::uuid, '2026-03-01 01:00+00', '2026-03-01', 8, 8, 0);
insert into marts.kpi_values (kpi_id, period_type, period_start_at, period_start_date, unit_type, unit_key, value) values
('service_level_f3', 'half_hour', '2026-03-02 01:00+00', '2026-03-02', 'centre', 'centre', 0.8),
('service_level_f3', 'half_hour', '2026-03-02 02:00+00', '2026-03-02', 'centre', 'centre', 0.25),
('service_level_f2', 'half_hour', '2026-03-02 01:00+00', '2026-03-02', 'centre', 'centre', 1);
insert into marts.fct_contacts (business_date, started_at) values
('2026-03-02', '2026-03-02 01:05+00'), ('2026-03-02', '2026-03-02 02:29+00'), ('2026-03-01', '2026-03-01 01:00+00');

insert into ops.runs (run_id, date_from, date_to, state) overriding system value values
(1, '2026-02-23', '2026-02-23', 'published'), (2, '2026-03-01', '2026-03-01', 'published'),
(3, '2026-03-02', '2026-03-02', 'published'), (4, '2026-03-03', '2026-03-03', 'held'),
(5, '2026-03-03', '2026-03-03', 'published');
insert into ops.publications (run_id, business_date, published_at) values
(1, '2026-02-23', '2026-02-23 23:00+00'), (2, '2026-03-01', '2026-03-01 23:00+00'),
(3, '2026-03-02', '2026-03-02 22:30+00');
insert into marts.quality_results (
    run_id, stage, rule, principle, severity, sentence_en, sentence_zh, business_date, outcome, violation_count
) values
(3, 'build', 'identity', 'logical', 'critical', 'Offered adds up.', '排队量相符。', '2026-03-02', 'pass', 0),
(3, 'build', 'no_gap', 'cyclical', 'warning', 'No half-hour is missing.', '无缺失半小时。', '2026-03-02', 'fail', 1),
(3, 'staging', 'arrived', 'collectable', 'critical', 'Every source arrived.', '数据齐全。', null, 'pass', 0),
(3, 'build', 'curiosity', 'usable', 'info', 'Worth knowing.', '仅记录。', '2026-03-02', 'fail', 9),
(2, 'build', 'identity', 'logical', 'critical', 'Offered adds up.', '排队量相符。', '2026-03-01', 'pass', 0);
