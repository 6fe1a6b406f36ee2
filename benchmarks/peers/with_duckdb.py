"""The six rules as SQL: `with_duckdb.py OUTDIR` prints the findings, rule TAB key, sorted."""

import sys
from pathlib import Path

import duckdb

SQL = """
WITH RECURSIVE
deployments AS (SELECT lesson, mentor FROM read_json('{0}/deployments.ndjson')),
lessons AS (SELECT id, class, date, period, starts_at FROM read_json('{0}/lessons.ndjson',
    columns={{id: 'VARCHAR', class: 'VARCHAR', date: 'VARCHAR', period: 'INT', starts_at: 'VARCHAR'}})),
classes AS (SELECT * FROM read_json('{0}/classes.ndjson')),
sheets AS (SELECT * FROM read_json('{0}/planning_sheets.ndjson',
    columns={{lesson: 'VARCHAR', mentor: 'VARCHAR', shared_at: 'VARCHAR', has_targets: 'BOOLEAN'}})),
logs AS (SELECT * FROM read_json('{0}/lesson_logs.ndjson')),
waivers AS (SELECT * FROM read_json('{0}/waivers.ndjson')),
training AS (SELECT mentor, topic, min(date) AS first FROM read_json('{0}/training.ndjson',
    columns={{mentor: 'VARCHAR', topic: 'VARCHAR', date: 'VARCHAR'}}) GROUP BY ALL),
mentors AS (SELECT id FROM read_json('{0}/mentors.ndjson')),
staff AS (SELECT * FROM read_json('{0}/staff.ndjson')),
covers AS (SELECT * FROM read_json('{0}/covers.ndjson')),
above AS (
    SELECT staff, manager FROM covers
    UNION
    SELECT above.staff, covers.manager FROM above JOIN covers ON above.manager = covers.staff),
placed AS (
    SELECT l.id, l.date, l.period, c.subject, c.key_stage, c.set_no, c.ehcp_count
    FROM lessons l JOIN classes c ON l.class = c.id),
highest AS (
    SELECT date, period, subject, key_stage, min(set_no) AS set_no FROM placed
    WHERE id IN (SELECT lesson FROM deployments) GROUP BY ALL),
findings AS (
    SELECT 'R1' AS rule, lesson || '|' || mentor AS key FROM logs
    WHERE list_has_any(tasks, ['behaviour_control', 'photocopying', 'cutting_resources'])
      AND NOT EXISTS (FROM waivers w WHERE w.rule = 'R1' AND w.lesson = logs.lesson)
    UNION ALL
    SELECT 'R2', d.lesson || '|' || d.mentor FROM deployments d ANTI JOIN (
        SELECT s.lesson, s.mentor FROM sheets s JOIN lessons l ON s.lesson = l.id
        WHERE s.has_targets AND s.shared_at < l.starts_at) p USING (lesson, mentor)
    UNION ALL
    SELECT 'R3', d.lesson || '|' || d.mentor
    FROM deployments d JOIN placed p ON d.lesson = p.id
    LEFT JOIN training t ON t.mentor = d.mentor AND t.topic = p.subject
    WHERE t.first IS NULL OR t.first >= p.date
    UNION ALL
    SELECT 'R4', p.id FROM placed p JOIN highest h USING (date, period, subject, key_stage)
    WHERE p.ehcp_count > 0 AND h.set_no < p.set_no AND p.id NOT IN (SELECT lesson FROM deployments)
    UNION ALL
    SELECT 'R5', mentor FROM logs GROUP BY mentor
    HAVING count(*) FILTER (feedback_given) * 10 < count(*) * 9
    UNION ALL
    SELECT 'R6', id FROM mentors WHERE NOT EXISTS (
        FROM above a JOIN staff s ON a.manager = s.id WHERE a.staff = mentors.id AND s.role = 'SENDCO'))
SELECT rule, key FROM findings ORDER BY ALL
"""


def main() -> None:
    rows = duckdb.connect().execute(SQL.format(Path(sys.argv[1]).as_posix())).fetchall()
    sys.stdout.write("".join(f"{rule}\t{key}\n" for rule, key in rows))


if __name__ == "__main__":
    main()
