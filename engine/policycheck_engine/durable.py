"""The durable-rules evaluator: fact by fact, the independent second opinion.

durable-rules joins facts, looks for the absence of facts and chains derived facts in a rete of its own,
written in C. Each stage of a body is a small ruleset with a working memory of its own, which is given up
when the stage is done. What durable-rules cannot say (functions, aggregates, tests across parts that call
functions) is worked out here, on the rows that it is given or has matched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from policycheck_engine.aggregates import aggregated
from policycheck_engine.functions import Days
from policycheck_engine.program import (
    Aggregate,
    Bind,
    Body,
    Either,
    Literal,
    Not,
    Program,
    Rule,
    names_in,
    nested,
    taken,
    variables,
)
from policycheck_engine.rete import BATCH, LIMIT, MOST_VARIANTS, Code, Join, Memory, Shape, tests_of
from policycheck_engine.stages import (
    UNIT,
    Matches,
    Part,
    Pattern,
    Planner,
    Stage,
    Variant,
    all_patterns,
    ready,
    seen,
    variants,
)
from policycheck_engine.strata import recursive, strata
from policycheck_engine.values import Row, Value

Tables = Mapping[str, Iterable[Row]]

NESTED = Not | Either | Aggregate


def evaluate(program: Program, tables: Tables, wanted: Sequence[str]) -> dict[str, set[Row]]:
    """The facts of the wanted relations.

    `tables` has the rows of each base relation, in the order of its columns. Raises EvaluatorError when
    durable-rules does not do what it should, or cannot hold what it would have to.
    """
    world = World(program, tables)
    loops = recursive(program)
    for group in strata(program):
        if loops.isdisjoint(group):
            world.derive(group[0])
        elif not world.chain(group):
            world.derive_until_stable(group)
    return {name: set(world.facts[name]) for name in wanted}


class World:
    """Facts, and what rules make of them."""

    def __init__(self, program: Program, tables: Tables) -> None:
        self.program = program
        self.heads = program.heads
        self.facts: dict[str, dict[Row, None]] = {n: dict.fromkeys(rows) for n, rows in tables.items()}
        self.calendars: dict[str, Days | None] = {}
        self.planner = Planner(program.relations, lambda name: self.facts.get(name, {}), self.days)
        self.depth = count()

    def derive(self, head: str) -> None:
        """The rows of a relation that does not need itself."""
        self.facts[head] = {}
        for rule in self.heads[head]:
            self.facts[head] |= self.rows(rule)

    def derive_until_stable(self, group: Sequence[str]) -> None:
        """The rows of relations that need each other: again until nothing new comes."""
        grown = True
        while grown:
            grown = False
            for head in group:
                before = len(self.facts.setdefault(head, {}))
                for rule in self.heads[head]:
                    self.facts[head] |= self.rows(rule)
                self.planner.forget(head)
                grown = grown or len(self.facts[head]) > before

    def rows(self, rule: Rule) -> dict[Row, None]:
        """What one rule makes."""
        names = frozenset(v.name for _, term in rule.args for v in variables(term))
        found = self.solve(rule.body, UNIT, names)
        make = [self.planner.value(term, found.columns) for _, term in rule.args]
        return dict.fromkeys(tuple([value(row) for value in make]) for row in found.rows)

    def days(self, name: str) -> Days | None:
        """The days of a calendar; None when not all of them are known."""
        if name not in self.calendars:
            calendar = self.program.calendars[name]
            relation = self.program.relations[calendar.relation]
            place = relation.index(calendar.column)
            dates = [row[place] for row in self.facts[calendar.relation]]
            unknown = relation.missing or relation.doubtful or None in dates
            self.calendars[name] = None if unknown else Days(map(str, dates), calendar.by_week)
        return self.calendars[name]

    # Bodies

    def solve(self, body: Body, env: Matches, keep: frozenset[str]) -> Matches:
        """The matches of a body that go on from those before it, as the values of some variables."""
        left = self.planner.plain(body)
        while env.rows:
            before = len(left)
            stage, left = self.planner.stage(left, env, keep)
            env = self.joined(stage, keep | names_in(tuple(left)))
            env = self.with_nested(env, left, keep)
            if not left:
                return env
            if len(left) == before:
                raise ValueError(", ".join(sorted(names_in(tuple(left)) - set(env.columns))))
        return Matches(tuple(keep), ())

    def joined(self, stage: Stage, keep: Iterable[str]) -> Matches:
        """The matches of a stage, with what comes last in it."""
        for part in stage.parts:
            part.read()
        result = self.outcome(stage, set(keep))
        if all(part.rows for part in stage.parts[: stage.positive]):
            result.source = Join(stage, tuple(result.columns)).matches()
        self.finish(result, stage, set(keep))
        result.read()
        return Matches(tuple(result.columns), result.rows)

    def outcome(self, stage: Stage, keep: set[str]) -> Part:
        """What comes of the matches of a stage: those variables of its parts that are looked at later."""
        looked_at = keep | names_in(tuple(stage.last))
        positive = stage.parts[: stage.positive]
        return Part(None, list(dict.fromkeys(n for part in positive for n in part.columns if n in looked_at)))

    def finish(self, result: Part, stage: Stage, keep: set[str]) -> None:
        """Add what comes last in a stage."""
        for literal in stage.last:
            result.steps.append(self.planner.step(literal, result.columns))
            if isinstance(literal, Bind):
                result.columns.append(literal.var.name)
        result.keep(keep)

    def with_nested(self, env: Matches, left: list[Literal], keep: frozenset[str]) -> Matches:
        """Decide the nested bodies that can be decided now, and take them out of what is left."""
        while env.rows:
            known = set(env.columns)
            now = next((x for x in left if isinstance(x, NESTED) and ready(x, left, known)), None)
            if now is None:
                break
            left.remove(now)
            env = self.measured(now, env) if isinstance(now, Aggregate) else self.filtered(now, env)
            part = Part(None, list(env.columns), source=env.rows)
            part.keep(keep | names_in(tuple(left)))
            part.read()
            env = Matches(tuple(part.columns), part.rows)
        return env

    def filtered(self, literal: Literal, env: Matches) -> Matches:
        """The matches for which one of the bodies of a literal has a match, or none of them for `Not`."""
        cases = Cases(literal, env, f"#{next(self.depth)}")
        found: set[Value] = set()
        for body in nested(literal):
            found.update(row[0] for row in self.solve(body, cases.begin, frozenset({cases.number})).rows)
        wanted = not isinstance(literal, Not)
        return Matches(env.columns, [row for row in env.rows if (cases.of(row) in found) is wanted])

    def measured(self, literal: Aggregate, env: Matches) -> Matches:
        """The matches with the value of an aggregate."""
        cases = Cases(literal, env, f"#{next(self.depth)}")
        names = frozenset(v.name for term in taken(literal) for v in variables(term)) | {cases.number}
        bodies: list[dict[Value, set[Row]]] = []
        for body in nested(literal):
            found = self.solve(body, cases.begin, names)
            bodies.append({})
            if found.rows:
                make = [self.planner.value(term, found.columns) for term in taken(literal)]
                place = found.columns.index(cases.number)
                for row in found.rows:
                    bodies[-1].setdefault(row[place], set()).add(tuple([value(row) for value in make]))
        window = [self.planner.value(term, env.columns) for term in literal.window or ()]
        how = (literal.kind, literal.bound, literal.weight is not None, literal.unit)
        known: dict[int, Value] = {}
        rows = []
        for row in env.rows:
            case = cases.of(row)
            if case not in known:
                these, *rest = [each.get(case, set()) for each in bodies]
                ends = tuple([value(row) for value in window])
                known[case] = aggregated(*how, these, rest[0] if rest else (), ends, self.days)
            rows.append((*row, known[case]))
        return Matches((*env.columns, literal.into.name), rows)

    # Recursion

    def chain(self, group: Sequence[str]) -> bool:
        """Derive relations that need each other in one working memory, where what is derived is told as
        soon as it is; False when that cannot be, or is too much for one."""
        for head in group:
            self.facts[head] = {}
        staged = []
        for rule in (rule for head in group for rule in self.heads[head]):
            names = frozenset(v.name for _, term in rule.args for v in variables(term))
            stage, left = self.planner.stage(self.planner.plain(rule.body), UNIT, names)
            if left:
                return False
            staged.append((rule, stage))
        return Chain(self, group, staged).run()


class Cases:
    """The different cases in which a nested body is asked for, each with a number."""

    def __init__(self, literal: Literal, env: Matches, number: str) -> None:
        self.number = number
        names = seen(literal).needs
        self.places = [i for i, name in enumerate(env.columns) if name in names]
        rows = dict.fromkeys(self.key(row) for row in env.rows)
        self.numbers = {row: i for i, row in enumerate(rows)}
        columns = (number, *(env.columns[i] for i in self.places))
        self.begin = Matches(columns, [(i, *row) for row, i in self.numbers.items()])

    def key(self, row: Row) -> Row:
        return tuple([row[i] for i in self.places])

    def of(self, row: Row) -> int:
        """The number of the case of a match."""
        return self.numbers[self.key(row)]


class Chained:
    """A rule of relations that need each other."""

    def __init__(self, world: World, rule: Rule, stage: Stage, group: Sequence[str]) -> None:
        self.rule = rule
        self.stage = stage
        self.growing = [i for i, part in enumerate(stage.parts) if part.relation in group]
        keep = {v.name for _, term in rule.args for v in variables(term)}
        self.result = world.outcome(stage, keep)
        self.shape = Shape(stage, tuple(self.result.columns))
        world.finish(self.result, stage, keep)
        self.make = [world.planner.value(term, self.result.columns) for _, term in rule.args]
        self.seen: set[tuple[int, Row]] = set()

    def read(self) -> list[Variant] | None:
        """Read what is there already; the ways to match, or None when there may be too many, or when
        values would have to be in order that are not there yet."""
        compared = self.shape.compared
        if any(link.op not in ("=", "!=") for link in self.stage.links):
            return None
        if any(2 ** len(compared[i]) > MOST_VARIANTS for i in self.growing):
            return None
        patterns: list[Collection[Pattern]] = []
        for i, part in enumerate(self.stage.parts):
            if i in self.growing:
                patterns.append(all_patterns(len(compared[i])))
            else:
                part.read()
                patterns.append(self.shape.by_pattern(i, part.rows))
        return list(variants(self.stage, patterns, compared))

    def derived(self, match: Row) -> Row | None:
        """What a match makes, from the values of its columns."""
        found = self.result.grown(match)
        return None if found is None else tuple([value(found) for value in self.make])

    def facts(self, relation: str, row: Row) -> Iterator[tuple[int, Row]]:
        """The parts that a row of a relation that grows can stand in, with what it is there."""
        for i in self.growing:
            part = self.stage.parts[i]
            found = part.made_of(row) if part.relation == relation else None
            if found is not None and (i, found) not in self.seen:
                self.seen.add((i, found))
                yield i, found


class Chain:
    """Rules of relations that need each other, in one working memory: what they derive is told to it at
    once, and matches again."""

    def __init__(self, world: World, group: Sequence[str], staged: Sequence[tuple[Rule, Stage]]) -> None:
        self.world = world
        self.first = [rule for rule, stage in staged if not {p.relation for p in stage.parts} & {*group}]
        self.rules = [Chained(world, *one, group) for one in staged if one[0] not in self.first]
        self.codes: dict[tuple[int, Code], int] = {}
        self.numbers: defaultdict[Value, int] = defaultdict(count().__next__)
        self.told: list[Row] = []

    def run(self) -> bool:
        """Derive all there is; False when one working memory cannot do it."""
        ways: dict[str, tuple[Chained, Callable[[Sequence[Row]], Row]]] = {}
        definitions: dict[str, Any] = {}
        facts: list[str] = []
        for k, rule in enumerate(self.rules):
            found = rule.read()
            if found is None or len(ways) + len(found) > MOST_VARIANTS:
                return False
            for variant in found:
                own = {c: self.codes.setdefault((k, c), len(self.codes) + 1) for c, _ in tests_of(variant)}
                ways[name := f"v{len(ways)}"] = rule, rule.shape.values(variant)
                definitions[name] = rule.shape.rule(variant, own)
            for i in reversed(range(len(rule.stage.parts))):
                facts += self.coded(k, ((i, row) for row in rule.stage.parts[i].rows))
        new = [(rule.head, row) for rule in self.first for row in self.world.rows(rule)]
        with Memory(definitions) as memory:
            while True:
                for head, row in new:
                    self.world.facts[head][row] = None
                    for k, rule in enumerate(self.rules):
                        facts += self.coded(k, rule.facts(head, row))
                if len(self.told) > LIMIT:
                    return False
                if not facts:
                    return True
                new = []
                for start in range(0, len(facts), BATCH):
                    memory.tell(facts[start : start + BATCH])
                    for name, match in memory.heard():
                        rule, values = ways[name]
                        parts = [self.told[match[f"a{i}"]["id"]] for i in range(rule.stage.positive)]
                        made = rule.derived(values(parts))
                        if made is not None and made not in self.world.facts[rule.rule.head]:
                            new.append((rule.rule.head, made))
                facts = []

    def coded(self, k: int, rows: Iterable[tuple[int, Row]]) -> Iterator[str]:
        """Rows that some rule can match, as facts with numbers of their own."""
        shape = self.rules[k].shape
        for i, row in rows:
            key = i, shape.pattern(i, row)
            code = self.codes.get((k, key))
            if code is not None:
                yield from shape.facts(len(self.told), code, key, [row], self.numbers)
                self.told.append(row)
