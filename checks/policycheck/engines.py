"""The door to the engine: which evaluator, what it is given, and what norms make of what it derives."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from policycheck_engine import EvaluatorError, Row
from policycheck_engine.norms import Facts, Judgement, judge
from policycheck_engine.readings import possible

from policycheck.agreement import must_agree
from policycheck.errors import UsageError
from policycheck.policy.ready import Ready
from policycheck.records.check import Tables
from policycheck.register import Judging
from policycheck.waivers import Claim, accepting

MEMORY_ROWS = 1_000_000
"""Up to so many rows the evaluator in memory is the faster one; see benchmarks/."""

Evaluate = Callable[..., dict[str, set[Row]]]


def evaluate(ready: Ready, tables: Tables, engine: str, second: str | None = None) -> Sequence[Judgement]:
    """What each norm of a policy makes of the records."""
    return judged_by(ready, tables, engine, second=second).judgements


def judged_by(
    ready: Ready,
    tables: Tables,
    engine: str,
    waivers: Sequence[Claim] = (),
    second: str | None = None,
) -> Judging:
    """What each norm of a policy makes of the records, and the facts behind it. A second evaluator must
    derive the same."""
    if not ready.norms:
        return Judging(ready, {}, ())
    rows = rows_by_relation(tables, ready.basis.reads)
    facts = derived(ready, rows, engine)
    if second is not None:
        must_agree(ready.program, {engine: facts, second: derived(ready, rows, second)})
    rules, as_of = ready.policy.rules, ready.setting.as_of
    judgements = [
        judge(norm, ready.basis.outline, facts, accepting(waivers, rules[norm.rule], as_of))
        for norm in ready.norms
    ]
    return Judging(ready, facts, judgements)


def derived(ready: Ready, rows: dict[str, list[Row]], engine: str) -> Facts:
    """The facts that the norms look at, by one evaluator."""
    if engine == "memory":
        return ready.in_memory(rows)
    try:
        return evaluator(engine)(ready.program, rows, ready.basis.wanted)
    except EvaluatorError as error:
        raise UsageError(str(error)) from error


def chosen_engine(name: str, tables: Tables) -> str:
    """The name of an evaluator; `auto` chooses by the number of rows."""
    if name != "auto":
        return name
    return "memory" if sum(len(t.rows) for t in tables.values()) <= MEMORY_ROWS else "duckdb"


def second_engine(name: str | None, first: str) -> str | None:
    """The name of the evaluator that checks the first one; `auto` is the most different one there is."""
    if name == "auto":
        try:
            evaluator("durable")
            others = ("durable", "duckdb")
        except UsageError:
            others = ("duckdb", "memory")
        return next(other for other in others if other != first)
    if name is not None and name == first:
        raise UsageError(f"`{name}` is what evaluates; name another engine to check it with")
    return name


def evaluator(name: str) -> Evaluate:
    """The evaluator of that name, imported only now."""
    if name == "memory":
        from policycheck_engine import memory

        return memory.evaluate
    if name == "duckdb":
        from policycheck_engine import duck

        return duck.evaluate
    if name == "durable":
        try:
            from policycheck_engine import durable
        except ImportError as error:
            raise UsageError(str(error)) from error
        return durable.evaluate
    if name == "naive":
        from policycheck_engine import naive

        return naive.evaluate
    raise UsageError(f"there is no engine `{name}`; there are auto, memory, duckdb, durable and naive")


def rows_by_relation(tables: Tables, relations: Collection[str]) -> dict[str, list[Row]]:
    """The rows of the base relations, and of their possible readings where they have one."""
    out: dict[str, list[Row]] = {}
    for name, table in tables.items():
        if name not in relations:
            continue
        out[name] = table.rows
        if possible(name) in relations:
            blank: Row = (None,) * len(table.relation.columns)
            out[possible(name)] = [blank] if table.relation.missing else [*table.rows, *table.doubtful]
    return out
