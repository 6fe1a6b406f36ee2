"""The DuckDB evaluator: set at a time, for inputs of any size; in memory, or spilling to disk."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import duckdb

from policycheck_engine.functions import FAR, Days, add_days, days_between
from policycheck_engine.program import Calendar, Program, Relation, Rule
from policycheck_engine.sql import SQL_TYPE, Writer, quoted
from policycheck_engine.strata import recursive, strata
from policycheck_engine.values import NEVER, NEVER_DATE, Row

Tables = Mapping[str, Iterable[Row]]

BLANKS = "".join(c for c in map(chr, range(0x3001)) if c.isspace())
"""What Python's `strip` takes off a text."""

MACROS = f"""
CREATE MACRO pc_never(x) AS starts_with(x, '{NEVER_DATE}');
CREATE MACRO pc_date(x) AS CAST(left(x, 10) AS DATE);
CREATE MACRO pc_day(x) AS date_diff('day', DATE '1970-01-01', pc_date(x));
CREATE MACRO pc_text(d) AS CAST(CAST(d AS DATE) AS VARCHAR);
CREATE MACRO pc_rounded(x) AS
    CASE WHEN x >= 0 THEN floor(x * 1000000 + 0.5) ELSE ceil(x * 1000000 - 0.5) END / 1000000;
CREATE MACRO pc_date_of(x) AS left(x, 10);
CREATE MACRO pc_time_of(x) AS CASE WHEN pc_never(x) THEN '{NEVER["time"]}' ELSE substr(x, 12) END;
CREATE MACRO pc_week_of(x) AS
    CASE WHEN pc_never(x) THEN '{NEVER_DATE}' ELSE pc_text(date_trunc('week', pc_date(x))) END;
CREATE MACRO pc_month_of(x) AS CASE WHEN pc_never(x) THEN '{NEVER_DATE}' ELSE left(x, 8) || '01' END;
CREATE MACRO pc_weekday_of(x) AS isodow(pc_date(x));
CREATE MACRO pc_within(d) AS CASE WHEN d < DATE '0001-01-01' THEN NULL
    WHEN d > DATE '{NEVER_DATE}' THEN '{NEVER_DATE}' ELSE pc_text(d) END;
CREATE MACRO pc_add_days(x, n) AS CASE WHEN n IS NULL THEN NULL WHEN pc_never(x) THEN '{NEVER_DATE}'
    ELSE pc_within(pc_date(x) + CAST(n AS INTEGER)) END;
CREATE MACRO pc_add_weeks(x, n) AS pc_add_days(x, 7 * n);
CREATE MACRO pc_add_months(x, n) AS CASE WHEN n IS NULL THEN NULL WHEN pc_never(x) THEN '{NEVER_DATE}'
    ELSE pc_within(CAST(pc_date(x) + to_months(CAST(n AS INTEGER)) AS DATE)) END;
CREATE MACRO pc_add_years(x, n) AS pc_add_months(x, 12 * n);
CREATE MACRO pc_add_minutes(x, n) AS CASE WHEN n IS NULL THEN NULL WHEN x = '{NEVER["datetime"]}' THEN x
    WHEN CAST(x AS TIMESTAMP) + to_minutes(n) < TIMESTAMP '0001-01-01' THEN NULL
    WHEN CAST(x AS TIMESTAMP) + to_minutes(n) > TIMESTAMP '{NEVER_DATE} 23:59:59' THEN '{NEVER["datetime"]}'
    ELSE strftime(CAST(x AS TIMESTAMP) + to_minutes(n), '%Y-%m-%dT%H:%M:%S') END;
CREATE MACRO pc_far(a, b, never, near) AS CASE
    WHEN a IS NULL OR b IS NULL THEN NULL WHEN a = b THEN 0
    WHEN b = never THEN {FAR} WHEN a = never THEN 0 ELSE greatest(0, near) END;
CREATE MACRO pc_days_between(a, b) AS
    pc_far(left(a, 10), left(b, 10), '{NEVER_DATE}', date_diff('day', pc_date(a), pc_date(b)));
CREATE MACRO pc_weeks_between(a, b) AS pc_rounded(pc_days_between(a, b) / 7);
CREATE MACRO pc_minutes_between(a, b) AS pc_far(a, b, '{NEVER["datetime"]}',
    CAST(floor(date_diff('second', CAST(a AS TIMESTAMP), CAST(b AS TIMESTAMP)) / 60) AS BIGINT));
CREATE MACRO pc_arithmetic(x) AS CASE WHEN typeof(x) = 'BIGINT' THEN x ELSE pc_rounded(x) END;
CREATE MACRO pc_plus(a, b) AS pc_arithmetic(a + b);
CREATE MACRO pc_minus(a, b) AS pc_arithmetic(a - b);
CREATE MACRO pc_times(a, b) AS pc_arithmetic(a * b);
CREATE MACRO pc_over(a, b) AS CASE WHEN b = 0 THEN NULL ELSE pc_rounded(CAST(a AS DOUBLE) / b) END;
CREATE MACRO pc_earlier(a, b) AS CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE least(a, b) END;
CREATE MACRO pc_later(a, b) AS CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE greatest(a, b) END;
CREATE MACRO pc_is_blank(x) AS trim(x, '{BLANKS}') = '';
CREATE MACRO pc_same(a, b) AS CASE WHEN a = b THEN a ELSE NULL END;
"""


def evaluate(program: Program, tables: Tables, wanted: Sequence[str]) -> dict[str, set[Row]]:
    """The facts of the wanted relations.

    `tables` has the rows of each base relation, in the order of its columns.
    """
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(MACROS)
        for relation in program.relations.values():
            create(connection, relation)
            if relation.name in tables:
                fill(connection, relation, list(tables[relation.name]))
        for calendar in program.calendars.values():
            if calendar.relation in program.relations:
                add_calendar(connection, calendar, program.relations[calendar.relation])
        loops, heads = recursive(program), program.heads
        for group in strata(program):
            rules = [rule for head in group for rule in heads[head]]
            if loops.isdisjoint(group):
                derive(connection, program, group[0], rules)
            else:
                derive_until_stable(connection, program, rules)
        return {name: set(rows(connection, program.relations[name])) for name in wanted}


def create(connection: duckdb.DuckDBPyConnection, relation: Relation) -> None:
    """An empty table."""
    columns = ", ".join(f"{quoted(c.name)} {SQL_TYPE.get(c.type, 'VARCHAR')}" for c in relation.columns)
    connection.execute(f"CREATE TABLE {quoted(relation.name)} ({columns})")


def fill(connection: duckdb.DuckDBPyConnection, relation: Relation, facts: list[Row]) -> None:
    """Put rows into a table, column by column."""
    if facts:
        lists = [list(column) for column in zip(*facts, strict=True)]
        kinds = [SQL_TYPE.get(c.type, "VARCHAR") for c in relation.columns]
        columns = ", ".join(f"unnest(CAST(? AS {kind}[]))" for kind in kinds)
        connection.execute(f"INSERT INTO {quoted(relation.name)} SELECT {columns}", lists)


def rows(connection: duckdb.DuckDBPyConnection, relation: Relation) -> Iterator[Row]:
    """All rows of a table."""
    yield from connection.execute(f"SELECT * FROM {quoted(relation.name)}").fetchall()


def add_calendar(connection: duckdb.DuckDBPyConnection, calendar: Calendar, relation: Relation) -> None:
    """The functions that count by a calendar. Its days are lists that the functions look up by position."""
    column = quoted(calendar.column)
    found = connection.execute(f"SELECT DISTINCT {column} FROM {quoted(calendar.relation)}").fetchall()
    days = Days([row[0] for row in found if row[0] is not None], calendar.by_week)
    name = calendar.name
    first, last = (days.days[0], days.days[-1]) if days.days else (NEVER_DATE, NEVER_DATE)
    ranks = dense_ranks(days)
    for end, day in (("first", first), ("last", last)):
        connection.execute(f"SET VARIABLE {quoted(f'{name}_{end}')} = CAST(? AS VARCHAR)", [day])
    for variable, value in (("days", days.days), ("ranks", ranks)):
        connection.execute(
            f"SET VARIABLE {quoted(f'{name}_{variable}')} = CAST(? AS {kind(value)}[])", [value]
        )
    own = "pc_week_of(d)" if calendar.by_week else "left(d, 10)"
    unknown = relation.missing or relation.doubtful or any(row[0] is None for row in found)
    missing = "TRUE" if unknown else "FALSE"
    connection.execute(
        f"""
        CREATE MACRO {quoted(f"pc_rank_in_{name}")}(d) AS CASE WHEN d IS NULL OR {missing} THEN NULL
            WHEN {own} < getvariable('{name}_first') THEN 0
            WHEN {own} >= getvariable('{name}_last') THEN {len(days.days)}
            ELSE getvariable('{name}_ranks')[
                date_diff('day', CAST(getvariable('{name}_first') AS DATE), CAST({own} AS DATE)) + 1] END;
        CREATE MACRO {quoted(f"pc_between_in_{name}")}(a, b) AS CASE WHEN {missing} THEN NULL ELSE
            pc_far(left(a, 10), left(b, 10), '{NEVER_DATE}',
            {quoted(f"pc_rank_in_{name}")}(b) - {quoted(f"pc_rank_in_{name}")}(a)) END;
        CREATE MACRO {quoted(f"pc_before_in_{name}")}(d) AS {quoted(f"pc_rank_in_{name}")}(d) -
            CAST(list_contains(getvariable('{name}_days'), {own}) AS BIGINT);
        CREATE MACRO {quoted(f"pc_at_in_{name}")}(place) AS CASE WHEN place < 1 THEN NULL
            WHEN place > {len(days.days)} THEN '{NEVER_DATE}' ELSE getvariable('{name}_days')[place] END;
        CREATE MACRO {quoted(f"pc_add_in_{name}")}(d, n) AS CASE WHEN d IS NULL OR {missing} THEN NULL
            WHEN n IS NULL THEN NULL WHEN n = 0 OR pc_never(d) THEN left(d, 10)
            WHEN n > 0 THEN {quoted(f"pc_at_in_{name}")}({quoted(f"pc_rank_in_{name}")}(d) + n)
            ELSE {quoted(f"pc_at_in_{name}")}({quoted(f"pc_before_in_{name}")}(d) + n + 1) END;
        """
    )


def kind(values: Sequence[object]) -> str:
    """The SQL type of a list's members."""
    return "BIGINT" if values and isinstance(values[0], int) else "VARCHAR"


def dense_ranks(days: Days) -> list[int]:
    """The rank of every date from the first to the last day, in order."""
    if not days.days:
        return [0]
    first = days.days[0]
    return [days.rank(str(add_days(first, i))) for i in range(days_between(first, days.days[-1]) + 1)]


def derive(connection: duckdb.DuckDBPyConnection, program: Program, head: str, rules: Sequence[Rule]) -> None:
    """The rows of a relation that does not need itself."""
    writer = Writer(program.relations)
    union = " UNION ".join(writer.rule(rule) for rule in rules)
    execute(connection, f"INSERT INTO {quoted(head)} {union}", writer)


def derive_until_stable(
    connection: duckdb.DuckDBPyConnection, program: Program, rules: Sequence[Rule]
) -> None:
    """The rows of relations that need each other: again until nothing new comes."""
    grown = True
    while grown:
        grown = False
        for rule in rules:
            writer = Writer(program.relations)
            head = quoted(rule.head)
            new = f"INSERT INTO {head} {writer.rule(rule)} EXCEPT SELECT * FROM {head}"
            result = execute(connection, new, writer).fetchone()
            grown = grown or bool(result and result[0])


def execute(connection: duckdb.DuckDBPyConnection, query: str, writer: Writer) -> duckdb.DuckDBPyConnection:
    """Run a query with the values that it refers to, which may be fewer than were written down."""
    used = sorted({int(number) for number in re.findall(r"\$(\d+)", query)})
    numbers = {number: i + 1 for i, number in enumerate(used)}
    query = re.sub(r"\$(\d+)", lambda m: f"${numbers[int(m[1])]}", query)
    return connection.execute(query, [writer.parameters[n - 1] for n in used] or None)
