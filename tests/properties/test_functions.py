"""Each function means the same in Python and in DuckDB, and calendars count as one would by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from policycheck_engine import NEVER, Calendar, Column, Relation, Type, Value
from policycheck_engine.duck import MACROS, add_calendar, create, fill
from policycheck_engine.functions import FUNCTIONS, Days, apply, week_of
from policycheck_engine.sql import SQL_TYPE

from tests.properties.profile import examples

ENDS = [date(2020, 2, 29), date(2021, 1, 31), date(2020, 12, 31), date(2021, 8, 31), date(2021, 1, 1)]
DATES = st.one_of(
    st.dates(date(1990, 1, 1), date(2050, 12, 31)).map(date.isoformat),
    st.sampled_from(ENDS).map(date.isoformat),
    st.just(NEVER["date"]),
)
DATETIMES = st.one_of(
    st.datetimes(datetime(1990, 1, 1), datetime(2050, 12, 31)).map(
        lambda t: t.replace(microsecond=0).isoformat()
    ),
    st.just(NEVER["datetime"]),
)
INTS = st.integers(-400, 400)
DECIMALS = st.decimals(-400, 400, places=3).map(float)
VALUES: dict[Type, st.SearchStrategy[Value]] = {
    "text": st.text(st.sampled_from("ab \t\n\u00a0é"), max_size=4),
    "int": INTS,
    "decimal": DECIMALS,
    "date": DATES,
    "datetime": DATETIMES,
}
TYPES: dict[str, tuple[Type, ...]] = {
    "moment": ("date", "datetime"),
    "number": ("int", "decimal"),
    "any": ("text", "int", "decimal", "date", "datetime"),
}
"""What stands for what in `takes`; two of `any` are of one type."""

PLAIN = [name for name in FUNCTIONS if name not in ("add", "between")]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        made.execute(MACROS)
        yield made


@st.composite
def arguments(draw: st.DrawFn, name: str) -> list[tuple[Type, Value]]:
    """Typed arguments for a function; now and then one is unknown."""
    kinds: dict[str, Type] = {}
    out: list[tuple[Type, Value]] = []
    for takes in FUNCTIONS[name].takes:
        fits = TYPES.get(takes, (takes,))
        type_: Any = draw(st.sampled_from(fits))
        type_ = kinds.setdefault("any", type_) if takes == "any" else type_
        out.append((type_, draw(st.one_of(VALUES[type_], VALUES[type_], st.none()))))
    return out


@pytest.mark.parametrize("name", PLAIN)
@given(st.data())
@examples(40)
def test_python_and_duckdb_agree(
    connection: duckdb.DuckDBPyConnection, name: str, data: st.DataObject
) -> None:
    args = data.draw(arguments(name))
    expected = apply(name, [value for _, value in args])
    places = ", ".join(f"CAST(? AS {SQL_TYPE.get(type_, 'VARCHAR')})" for type_, _ in args)
    found = connection.execute(f"SELECT pc_{name}({places})", [value for _, value in args]).fetchone()
    assert found == (expected,)


# Calendars

DAYS = st.dates(date(2021, 1, 1), date(2021, 2, 10)).map(date.isoformat)
CALENDARS = st.tuples(st.lists(DAYS, max_size=12), st.booleans())
STEPS = st.integers(-5, 5)


@given(
    CALENDARS,
    st.lists(st.tuples(st.one_of(DAYS, DATES), st.one_of(DAYS, DATES), STEPS), min_size=1, max_size=6),
)
@examples(60)
def test_calendars_in_duckdb_count_as_in_python(
    calendar: tuple[list[str], bool], asked: list[tuple[str, str, int]]
) -> None:
    days = Days(*calendar)
    with duckdb.connect() as connection:
        connection.execute(MACROS)
        relation = Relation("days", (Column("day", "date"),))
        create(connection, relation)
        fill(connection, relation, [(day,) for day in calendar[0]])
        add_calendar(connection, Calendar("open", "days", "day", calendar[1]), relation)
        for a, b, steps in asked:
            found = connection.execute(
                "SELECT pc_between_in_open(?, ?), pc_add_in_open(?, ?)", [a, b, a, steps]
            ).fetchone()
            assert found == (days.between(a, b), days.shift(a, steps))


@given(CALENDARS, DAYS, DAYS)
@examples(100)
def test_between_counts_the_days_after_the_first_and_up_to_the_second(
    calendar: tuple[list[str], bool], a: str, b: str
) -> None:
    dates, by_week = calendar
    unit = week_of if by_week else str
    counted = {unit(d) for d in dates if unit(a) < unit(d) <= unit(b)}
    assert Days(*calendar).between(a, b) == len(counted)


@given(CALENDARS, DAYS, st.integers(0, 8))
@examples(100)
def test_a_shift_goes_as_far_as_between_counts(calendar: tuple[list[str], bool], a: str, steps: int) -> None:
    days = Days(*calendar)
    there = days.shift(a, steps)
    assert there is not None
    if there == NEVER["date"]:
        assert days.between(a, days.days[-1]) < steps if days.days else steps > 0
    else:
        assert days.between(a, there) == steps
        assert steps == 0 or there in days.days


@given(CALENDARS, st.integers(0, 8), st.data())
@examples(100)
def test_a_shift_back_undoes_a_shift(
    calendar: tuple[list[str], bool], steps: int, data: st.DataObject
) -> None:
    days = Days(*calendar)
    assume(days.days)
    a = data.draw(st.sampled_from(days.days))
    there = days.shift(a, steps)
    assert there is not None
    assert there == NEVER["date"] or days.shift(there, -steps) == a


@given(CALENDARS, DAYS, DAYS, STEPS)
@examples(100)
def test_a_later_date_never_shifts_to_an_earlier_one(
    calendar: tuple[list[str], bool], a: str, b: str, steps: int
) -> None:
    days = Days(*calendar)
    early, late = (days.shift(day, steps) for day in sorted((a, b)))
    assert early is None or (late is not None and early <= late)


@given(DAYS, st.integers(0, 60))
@examples(100)
def test_days_after_lie_so_many_days_off(a: str, number: int) -> None:
    there = apply("add_days", [a, number])
    assert there == (date.fromisoformat(a) + timedelta(number)).isoformat()
    assert apply("days_between", [a, there]) == number
    assert apply("add_days", [there, -number]) == a
