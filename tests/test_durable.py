"""The traps of durable-rules, each shown on durable-rules itself, so that an upgrade which changes one is
seen; and what the evaluator does about them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from typing import Any

import pytest
from policycheck.engines import evaluator
from policycheck.errors import UsageError
from policycheck_engine import (
    Atom,
    Column,
    Compare,
    Const,
    EvaluatorError,
    Not,
    Program,
    Relation,
    Row,
    Rule,
    Var,
    naive,
)

from tests.support import MUST_HAVE_IT, WITHOUT_DURABLE, needs_durable

if MUST_HAVE_IT or not WITHOUT_DURABLE:
    import durable.engine
    import durable_rules_engine as core
    from policycheck_engine import durable as evaluating
    from policycheck_engine import rete

pytestmark = needs_durable

Fact = Mapping[str, Any]
SAME_X = {"x": {"a": "x"}}


class Told:
    """A ruleset with one rule, told of facts one batch after the other."""

    def __init__(self, *parts: Mapping[str, Any], **settings: int) -> None:
        self.handle = core.create_ruleset(
            "told", json.dumps({"rule": {"all": parts, "cap": 100, **settings}})
        )

    def __call__(self, *facts: Fact, text: str = "") -> tuple[int, list[dict[str, Fact]]]:
        """What became of the batch (0 accepted, 1 matched nothing, 2 refused), and what matched."""
        code, state = core.assert_facts(self.handle, text or json.dumps(facts))
        begun = core.start_action_for_state(self.handle, state)
        found, matches = begun and begun[1], []
        while found:
            matches += json.loads(found)["rule"]
            found = core.complete_and_start_action(self.handle, state)
        return code, matches

    def held(self) -> list[int]:
        """The ids of the facts in its memory."""
        return [fact["id"] for fact in json.loads(core.get_facts(self.handle, "0"))]


def part(name: str, r: int, *tests: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {"$and": [{"r": r}, *tests]}}


def pairs() -> Told:
    """A rule that joins facts of two kinds by x."""
    return Told(part("a", 1), part("b", 2, SAME_X, {"$neq": {"r": {"a": "r"}}}))


# Facts


def test_a_negated_fact_that_comes_late_undoes_nothing() -> None:
    negated = {"id": 2, "r": 2, "x": 7}
    late, early = (Told(part("a", 1), part("b$not", 2, SAME_X)) for _ in range(2))
    assert len(late({"id": 1, "r": 1, "x": 7})[1]) == 1
    assert late(negated) == (0, [])
    assert early(negated) == (0, [])
    assert early({"id": 1, "r": 1, "x": 7}) == (0, [])


def test_different_facts_without_ids_can_be_taken_for_the_same() -> None:
    told = Told(part("a", 1))
    assert told({"r": 1, "x": 993})[0] == 0
    assert told({"r": 1, "x": 53816})[0] == 2


def test_different_ids_can_be_taken_for_the_same() -> None:
    told = Told(part("a", 1))
    assert told({"id": 40189, "r": 1})[0] == 0
    assert told({"id": 797186, "r": 1})[0] == 2


def test_an_id_is_refused_in_another_relation_too() -> None:
    told = pairs()
    assert told({"id": 1, "r": 1, "x": 1})[0] == 0
    assert told({"id": 1, "r": 2, "x": 1}) == (2, [])


def test_no_two_of_our_ids_are_taken_for_the_same() -> None:
    def hashed(text: str) -> int:
        found = 0x811C9DC5
        for byte in text.encode():
            found = (found ^ byte) * 16777619 & 0xFFFFFFFF
        return found

    assert hashed("40189") == hashed("797186")
    ids = ["sid-0", "$pulse", "begin", "end", *map(str, range(rete.LIMIT + rete.BATCH))]
    assert len(set(map(hashed, ids))) == len(ids)


def test_one_fact_fills_two_places_only_when_told_so() -> None:
    both = (part("a", 1), part("b", 1, SAME_X))
    assert Told(*both)({"id": 1, "r": 1, "x": 7}) == (0, [])
    assert len(Told(*both, dist=0)({"id": 1, "r": 1, "x": 7})[1]) == 1


def test_a_batch_covers_up_that_a_fact_was_refused() -> None:
    told = Told(part("a", 1))
    assert told({"id": 1, "r": 1}, {"id": 1, "r": 1}, {"id": 2, "r": 1})[0] == 2
    assert told({"id": 1, "r": 1}, {"id": 3, "r": 1}, {"id": 4, "r": 9})[0] == 1
    assert sorted(told.held()) == [1, 2, 3]


def test_a_batch_ends_without_a_word_at_a_fact_that_cannot_be_read() -> None:
    told = Told(part("a", 1))
    assert told(text='[{"id":1,"r":1},{"id":2,"r":one},{"id":3,"r":1}]')[0] == 0
    assert told.held() == [1]


# Values


@pytest.mark.parametrize(
    ("one", "other", "joined"),
    [
        (1, 1, True),
        (1, 1.0, False),
        (1, "1", True),
        (None, None, True),
        ("é", "é", True),
        (0.1234567, 0.1234567, True),
    ],
)
def test_what_is_equal_to_what(one: object, other: object, joined: bool) -> None:
    told = pairs()
    assert told({"id": 1, "r": 1, "x": one})[1] == []
    assert bool(told({"id": 2, "r": 2, "x": other})[1]) is joined


def test_texts_are_compared_as_they_are_written() -> None:
    told = pairs()
    told(text='[{"id":1,"r":1,"x":"\\u00e9"}]')
    assert told(text='[{"id":2,"r":2,"x":"é"}]')[1] == []


def test_facts_with_different_sids_never_meet() -> None:
    told = pairs()
    assert told({"id": 1, "r": 1, "x": 1, "sid": "L1"}) == (0, [])
    assert told({"id": 2, "r": 2, "x": 1, "sid": "L2"}) == (0, [])


# The host, which the evaluator does without


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A host whose own threads do not act."""
    monkeypatch.setattr(durable.engine.Host, "_run", lambda self: None)
    return durable.engine.Host()


def both(act: Callable[[Any], None]) -> dict[str, Any]:
    return {"stage": {"rule": {"all": [{"s": {"r": 1}}, {"b": {"r": 2}}], "run": act}}}


def test_an_action_that_raises_is_swallowed(host: Any) -> None:
    acted: list[int] = []

    def act(c: Any) -> None:
        acted.append(c.b.id)
        raise ValueError

    host.register_rulesets(both(act))
    host.assert_fact("stage", {"id": 1, "r": 1})
    host.assert_fact("stage", {"id": 2, "r": 2})
    assert acted == [2]


def test_an_alias_s_is_something_else(host: Any) -> None:
    seen: list[Any] = []
    host.register_rulesets(both(lambda c: seen.append(c.s.id)))
    host.assert_fact("stage", {"id": 1, "r": 1})
    host.assert_fact("stage", {"id": 2, "r": 2})
    assert seen == ["sid-0"]


def test_a_slow_action_ends_the_run(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    acted: list[int] = []
    now = [0.0]
    monkeypatch.setattr(durable.engine, "_unix_now", lambda: now[0])

    def act(c: Any) -> None:
        acted.append(c.b.id)
        now[0] += 11

    host.register_rulesets(both(act))
    for number in (1, 2, 3):
        host.assert_fact("stage", {"id": number, "r": 1})
    host.assert_fact("stage", {"id": 4, "r": 2})
    assert acted == [4], "and not three times"


def test_what_is_told_while_another_thread_acts_is_left_to_it(host: Any) -> None:
    acted: list[int] = []
    inside, let_go = threading.Event(), threading.Event()

    def act(c: Any) -> None:
        if c.b.id == 2:
            inside.set()
            let_go.wait(10)
        acted.append(c.b.id)

    host.register_rulesets(both(act))
    host.assert_fact("stage", {"id": 1, "r": 1})
    other = threading.Thread(target=host.assert_fact, args=("stage", {"id": 2, "r": 2}))
    other.start()
    inside.wait(10)
    host.assert_fact("stage", {"id": 3, "r": 2})
    assert acted == [], "the second was told, matches, and nothing was done"
    let_go.set()
    other.join()
    assert acted == [2, 3]


# Memory


GROWTH = """
import json, sys
import durable_rules_engine as core
facts = json.dumps([{"id": i, "r": 1} for i in range(1000)])
peaks = []
for _ in range(20):
    handle = core.create_ruleset("x", '{"v": {"all": [{"a": {"r": 1}}], "cap": 1000}}')
    state = core.assert_facts(handle, facts)[1]
    found = core.start_action_for_state(handle, state)
    while found:
        found = core.complete_and_start_action(handle, state)
    if sys.argv[1] == "facts too":
        core.delete_state(handle, "0")
    core.delete_ruleset(handle)
    peaks.append(int(open("/proc/self/statm").read().split()[1]))
print((peaks[-1] - peaks[2]) / peaks[2])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is read from /proc")
@pytest.mark.parametrize(("deleted", "grows"), [("the ruleset", True), ("facts too", False)])
def test_a_deleted_ruleset_keeps_its_facts(deleted: str, grows: bool) -> None:
    done = subprocess.run([sys.executable, "-c", GROWTH, deleted], capture_output=True, text=True, check=True)
    assert (float(done.stdout) > 0.5) is grows


WILD = """
import durable_rules_engine as core
handle = core.create_ruleset("x", '{"v": {"all": [{"a": {"r": 1}}, {"b": {"r": 2}}]}}')
core.assert_fact(handle, '{"id":1,"r":1}')
core.delete_state(handle, "0")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what new memory holds is set for the C library of Linux")
def test_deleting_facts_that_nothing_was_done_with_frees_a_wild_pointer() -> None:
    filled = {**os.environ, "MALLOC_PERTURB_": "90"}
    done = subprocess.run([sys.executable, "-c", WILD], env=filled, capture_output=True, check=False)
    assert done.returncode < 0


# What the evaluator does about it


def relation(name: str, width: int, unknown: bool = False) -> Relation:
    return Relation(name, tuple(Column(f"c{i}", "int", unknown=unknown) for i in range(width)))


def atom(name: str, *variables: str) -> Atom:
    return Atom(name, tuple((f"c{i}", Var(v)) for i, v in enumerate(variables)))


def head(*variables: str) -> tuple[tuple[str, Var], ...]:
    return tuple((f"c{i}", Var(v)) for i, v in enumerate(variables))


def program(rules: Iterable[Rule], *relations: Relation) -> Program:
    return Program({r.name: r for r in relations}, tuple(rules))


def derived(of: Program, tables: Mapping[str, list[Row]], wanted: str = "out") -> set[Row]:
    """What both the naive evaluator and durable-rules derive."""
    found = evaluating.evaluate(of, tables, [wanted])
    assert found == naive.evaluate(of, tables, [wanted])
    return found[wanted]


def joined() -> Program:
    rule = Rule("out", head("x", "y"), (atom("p", "x", "k"), atom("q", "k", "y")))
    return program([rule], relation("p", 2), relation("q", 2), relation("out", 2))


def test_a_fact_that_is_refused_is_an_error() -> None:
    rules = {"v": {"all": [part("a", 1)], "cap": 10}}
    with pytest.raises(EvaluatorError, match="a fact was refused"), rete.Memory(rules) as memory:
        memory.tell(['{"id":1,"r":1}', '{"id":1,"r":1}'])
    with pytest.raises(EvaluatorError, match="a fact was refused"), rete.Memory(rules) as memory:
        memory.tell(['{"id":1,"r":1}', '{"id":2,"r":7}'])


def test_a_fact_that_is_lost_is_an_error() -> None:
    rules = {"v": {"all": [part("a", 1)], "cap": 10}}
    with pytest.raises(EvaluatorError, match="told 5 facts and holds 3"), rete.Memory(rules) as memory:
        memory.tell(['{"id":1,"r":1}', '{"id":2,"r":one}', '{"id":3,"r":1}'])


def test_no_rule_ends_with_a_test_that_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the last of several tests fails, durable-rules reads on, past the end of its rule."""
    rules: list[dict[str, Any]] = []
    create = core.create_ruleset

    def created(name: str, text: str) -> int:
        rules.extend(json.loads(text).values())
        return int(create(name, text))

    monkeypatch.setattr(core, "create_ruleset", created)
    rule = Rule(
        "out",
        head("x"),
        (atom("p", "x", "k"), atom("q", "k", "y"), Compare("<", Var("x"), Var("y")), Not((atom("r", "k"),))),
    )
    of = program([rule], relation("p", 2), relation("q", 2), relation("r", 1), relation("out", 1))
    assert derived(of, {"p": [(1, 1), (2, 2)], "q": [(1, 5), (2, 5)], "r": [(2,)]}) == {(1,)}
    conditions = [c for rule in rules for place in rule["all"] for c in place.values() if "$and" in c]
    assert len(conditions) == 3
    for condition in conditions:
        _, *tests = condition["$and"]
        assert not tests or list(tests[-1]) == ["$neq"]
        assert not tests or list(tests[-1]["$neq"]) == ["r"]


def test_values_of_every_kind_are_what_they_are() -> None:
    values: list[Any] = [0, 1, 1.0, 2.5, "1", "1.0", "", "a", "A", "é", "2021-01-29", "2021-01-30", None]
    values += [10**30, -(10**30), "\0", '"', "\\", "null"]
    numbers = [v for v in values if not isinstance(v, str)]
    texts = [v for v in values if not isinstance(v, int | float)]
    for some in (numbers, texts):
        rows: list[Row] = list(product(range(2), some))
        assert derived(joined(), {"p": rows, "q": [(v, k) for k, v in rows]})
    for op in ("=", "!=", "<", "<=", ">", ">="):
        for sure in (True, False):
            test = Compare(op, Var("k"), Var("l"), sure)
            rule = Rule("out", head("k", "l"), (atom("p", "k"), atom("q", "l"), test))
            of = program([rule], relation("p", 1, True), relation("q", 1, True), relation("out", 2, True))
            for some in (numbers, texts):
                assert derived(of, {"p": [(v,) for v in some], "q": [(v,) for v in some]})


def test_a_row_meets_itself() -> None:
    rule = Rule("out", head("x", "z"), (atom("p", "x", "y"), atom("p", "y", "z")))
    assert derived(program([rule], relation("p", 2), relation("out", 2)), {"p": [(1, 1), (1, 2)]}) == {
        (1, 1),
        (1, 2),
    }


def test_recursion_is_chained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(evaluating.World, "derive_until_stable")
    rules = (
        Rule("out", head("x", "y"), (atom("p", "x", "y"),)),
        Rule("out", head("x", "z"), (atom("out", "x", "y"), atom("p", "y", "z"))),
    )
    rows: list[Row] = [(i, (i + 1) % 40) for i in range(40)]
    assert len(derived(program(rules, relation("p", 2), relation("out", 2)), {"p": rows})) == 1_600


@pytest.mark.parametrize("small", [4, 50, 1_000])
def test_what_is_large_is_split(small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rete, "SMALL", small)
    tables: dict[str, list[Row]] = {
        "p": [(i, i % 7) for i in range(300)],
        "q": [(i % 7, i) for i in range(30)],
    }
    assert derived(joined(), tables) == {(i, j) for i in range(300) for j in range(30) if i % 7 == j % 7}
    less = Compare("<", Var("x"), Var("y"))
    crossed = Rule("out", head("x", "y"), (atom("p", "x", "_"), atom("q", "_k", "y"), less))
    of = program([crossed], relation("p", 2), relation("q", 2), relation("out", 2))
    assert len(derived(of, tables)) == 30 * 29 // 2


def test_what_cannot_be_split_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    later = Not((atom("q", "y"), Compare(">", Var("y"), Var("x"))))
    rule = Rule("out", head("x"), (atom("p", "x"), later))
    of = program([rule], relation("p", 1), relation("q", 1), relation("out", 1))
    tables: dict[str, list[Row]] = {"p": [(i,) for i in range(20)], "q": [(i,) for i in range(10)]}
    assert derived(of, tables) == {(i,) for i in range(9, 20)}
    monkeypatch.setattr(rete, "SMALL", 4)
    assert derived(of, tables) == {(i,) for i in range(9, 20)}
    monkeypatch.setattr(rete, "LIMIT", 8)
    with pytest.raises(EvaluatorError, match="hold 11 facts at once, and is trusted with 8: use"):
        derived(of, tables)


def test_too_many_ties_are_refused() -> None:
    names = [f"v{i}" for i in range(40)]
    rule = Rule("out", head("v0"), (atom("p", *names), atom("q", *names)))
    of = program([rule], relation("p", 40), relation("q", 40), relation("out", 1))
    with pytest.raises(EvaluatorError, match="Could not create ruleset"):
        derived(of, {"p": [tuple(range(40))] * 2, "q": [tuple(range(40))]})


def test_nothing_is_held_when_it_is_done() -> None:
    text = f"""
import resource
from tests.test_durable import evaluating, joined
rows = [(i, i) for i in range({rete.SMALL})]
peaks = []
for _ in range(8):
    assert len(evaluating.evaluate(joined(), {{"p": rows, "q": rows}}, ["out"])["out"]) == len(rows)
    peaks.append(int(open("/proc/self/statm").read().split()[1]))
assert peaks[-1] < 1.2 * peaks[2], peaks
"""
    subprocess.run([sys.executable, "-c", text], check=True)


def test_absence_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("policycheck_engine.durable", "policycheck_engine.rete"):
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delattr("policycheck_engine.durable")
    monkeypatch.setitem(sys.modules, "durable_rules_engine", None)
    with pytest.raises(UsageError, match=r"C compiler .*: pip install 'policycheck\[durable\]'"):
        evaluator("durable")


def test_a_constant_alone_is_no_match_for_durable_rules() -> None:
    rule = Rule("out", (("c0", Const(3)),), (Atom("p", (("c0", Const(1)), ("c1", Var("_")))),))
    of = program([rule], relation("p", 2), relation("out", 1))
    assert derived(of, {"p": [(1, 2), (1, 3)]}) == {(3,)}
    assert derived(of, {"p": [(2, 2)]}) == set()
