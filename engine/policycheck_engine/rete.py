"""Stages in the rete of durable-rules: its rulesets and working memories, and what is wrong with them.

Its traps, and what is done about each (tests/test_durable.py shows them on durable-rules itself):

- A negated fact that comes after the positive one leaves the match as it is. Negated facts are told first,
  and nothing that is negated is derived in the same memory.
- A fact is known by a 32-bit hash of its id, or else of its content; the second of two with one hash is
  refused, in whatever relation. Ids are small whole numbers: no two of them have one hash, up to `LIMIT`.
- A batch tells of one fact only what became of it, and the last one covers up the others; what comes after
  a fact that cannot be read is dropped. Only facts that a rule can match are told, so that a batch is taken
  as a whole or is an error, and each memory is asked at the end how many facts it holds.
- One fact never fills two places of a match, unless the rule says `dist: 0`. Every rule does.
- 1 is the same as "1", and not as 1.0; null is the same as null; a text is compared as it was written.
  Values are told as whole numbers of our own: one for each value, in the order of the values where that
  matters, none for an unknown one.
- Facts with different `sid` never meet, and the alias `s` is something else. Columns are x0, x1 and so on,
  parts a0, a1.
- When the last of several tests fails, durable-rules reads on past the end of its rule, which can end the
  process. The last test is one that never fails.
- An action that raises is swallowed; one that takes ten seconds ends the run without a word; and what is
  told while another thread acts, such as the host's own, is left to that thread. There are no actions, no
  host and no threads here: matches are fetched.
- A ruleset that is deleted keeps the memory of its facts, and to delete facts that nothing was done with
  frees a wild pointer. The facts are deleted first, and each memory begins with one that is acted on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

try:
    import durable_rules_engine as core
except ImportError as error:
    raise ImportError(
        "durable-rules cannot be imported. It is built where it is installed, which needs a C compiler and "
        "Python 3.11 or 3.12: pip install 'policycheck[durable]'"
    ) from error

from policycheck_engine.problems import EvaluatorError
from policycheck_engine.stages import Pattern, Stage, Test, Variant, variants
from policycheck_engine.values import Row, Value

SMALL = 4_000
"""Stages with more facts are split; this is where it was fastest."""

LIMIT = 50_000
"""The most facts that one working memory holds, where a stage cannot be split: each takes 7 kB. What was
found with four times as many was still right; see docs/engines.md."""

MOST_VARIANTS = 16
"""The most rules in one ruleset."""

BATCH = 1_000
"""Facts are told, and matches fetched, so many at a time."""


Code = tuple[int, Pattern]
"""A part of a stage, and which of its compared columns are known."""


class Shape:
    """A stage as durable-rules is told of it."""

    OPERATORS: Mapping[str, str] = {"!=": "$neq", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}

    def __init__(self, stage: Stage, columns: tuple[str, ...]) -> None:
        self.stage = stage
        self.columns = columns
        self.compared = stage.compared()
        self.places = [
            [part.columns.index(n) for n in names]
            for part, names in zip(stage.parts, self.compared, strict=True)
        ]

    def pattern(self, i: int, row: Row) -> Pattern:
        """Which of the compared columns of a row are known."""
        return tuple([row[p] is not None for p in self.places[i]])

    def by_pattern(self, i: int, rows: list[Row]) -> dict[Pattern, list[Row]]:
        """The rows of a part by which of their compared columns are known."""
        if not rows or all(row[p] is not None for p in self.places[i] for row in rows):
            return {(True,) * len(self.places[i]): rows} if rows else {}
        found: dict[Pattern, list[Row]] = {}
        for row in rows:
            found.setdefault(self.pattern(i, row), []).append(row)
        return found

    def rule(self, variant: Variant, code: Mapping[Code, int]) -> dict[str, Any]:
        """The rule for one way to match; parts without a code are left out of it."""
        parts: list[dict[str, Any]] = []
        for i, (pattern, tests) in enumerate(variant.parts):
            if (i, pattern) in code:
                parts.append({f"a{i}": self.conditions(i, code[i, pattern], tests)})
        for k, (n, pattern, tests) in enumerate(variant.absent):
            parts.append({f"n{k}$not": self.conditions(n, code[n, pattern], tests)})
        return {"all": parts, "cap": BATCH, "dist": 0}

    def conditions(self, i: int, code: int, tests: Sequence[Test]) -> dict[str, Any]:
        """What a fact must be to stand in one place of a rule. When the last of several tests fails,
        durable-rules reads on past the end of its rule; so the last one is one that never fails."""
        conditions: list[dict[str, Any]] = [{"r": code}]
        for name, op, (part, other) in tests:
            to = {self.column(i, name): {f"a{part}": self.column(part, other)}}
            conditions.append(to if op == "=" else {self.OPERATORS[op]: to})
        if tests:
            conditions.append({"$neq": {"r": {f"a{tests[0][2][0]}": "r"}}})
        return {"$and": conditions}

    def column(self, i: int, name: str) -> str:
        return f"x{self.stage.parts[i].columns.index(name)}"

    def facts(
        self, start: int, code: int, key: Code, rows: Sequence[Row], numbers: Mapping[Value, int]
    ) -> list[str]:
        """Rows as facts, numbered from a start on."""
        i, pattern = key
        places = [p for p, known in zip(self.places[i], pattern, strict=True) if known]
        text = '{"id":%d,"r":' + str(code) + "".join(f',"x{p}":%d' for p in places) + "}"
        return [text % (n, *[numbers[row[p]] for p in places]) for n, row in enumerate(rows, start)]

    def values(self, variant: Variant) -> Callable[[Sequence[Row]], Row]:
        """From the rows of a match, the values of the columns: of a variable in several parts the first
        that is known."""
        found: list[tuple[int, int]] = []
        for name in self.columns:
            having = [
                i for i, part in enumerate(self.stage.parts[: self.stage.positive]) if name in part.columns
            ]
            known = [
                i
                for i in having
                if name in self.compared[i] and variant.parts[i][0][self.compared[i].index(name)]
            ]
            i = (known or having)[0]
            found.append((i, self.stage.parts[i].columns.index(name)))
        return lambda rows: tuple([rows[i][p] for i, p in found])


class Join:
    """A stage whose rows are all there."""

    def __init__(self, stage: Stage, columns: tuple[str, ...]) -> None:
        self.shape = Shape(stage, columns)
        found = [self.shape.by_pattern(i, part.rows) for i, part in enumerate(stage.parts)]
        self.rows: dict[Code, list[Row]] = {
            (i, pattern): rows for i, own in enumerate(found) for pattern, rows in own.items()
        }
        self.variants = list(variants(stage, found, self.shape.compared))

    def matches(self) -> Iterator[Row]:
        """The values of the columns in each match."""
        some: list[Variant] = []
        for variant in self.variants:
            told = self.told(variant)
            if len(told) < 2:
                yield from self.alone(variant, told)
            elif size(told) > SMALL:
                for piece in self.pieces(variant, told):
                    yield from self.run([variant], piece)
            else:
                some.append(variant)
        while some:
            rows: dict[Code, list[Row]] = {}
            now: list[Variant] = []
            while some and len(now) < MOST_VARIANTS and size(rows | self.told(some[-1])) <= SMALL:
                now.append(some.pop())
                rows |= self.told(now[-1])
            yield from self.run(now, rows)

    def told(self, variant: Variant) -> dict[Code, list[Row]]:
        """The facts that a variant is about, without single rows that are tied to nothing: there is
        nothing to match in them."""
        codes = [(i, pattern) for i, (pattern, _) in enumerate(variant.parts)]
        absent = [(n, pattern) for n, pattern, _ in variant.absent]
        tied = [code for code in codes if self.shape.places[code[0]] or len(self.rows[code]) > 1]
        if absent and not tied:
            tied = codes[:1]
        return {code: self.rows[code] for code in [*tied, *absent]}

    def alone(self, variant: Variant, told: Mapping[Code, list[Row]]) -> Iterator[Row]:
        """The matches where there is at most one part with more than one row."""
        make = self.shape.values(variant)
        rows = [self.rows[i, pattern][0] for i, (pattern, _) in enumerate(variant.parts)]
        if not told:
            yield make(rows)
        for (i, _), found in told.items():
            for rows[i] in found:
                yield make(rows)

    def run(self, some: Sequence[Variant], rows: Mapping[Code, list[Row]]) -> Iterator[Row]:
        """The matches in one working memory."""
        positive = self.shape.stage.positive
        order = sorted(rows, key=lambda code: (code[0] < positive, -code[0]))
        code = {key: i for i, key in enumerate(order, 1)}
        numbers = self.numbers(some, rows)
        rules, make = {}, {}
        for k, variant in enumerate(some):
            rules[f"v{k}"] = self.shape.rule(variant, code)
            untold = [self.rows[i, pattern][0] for i, (pattern, _) in enumerate(variant.parts)]
            make[f"v{k}"] = self.shape.values(variant), untold
        told: list[Row] = []
        with Memory(rules) as memory:
            for key in order:
                for start in range(0, len(rows[key]), BATCH):
                    batch = rows[key][start : start + BATCH]
                    memory.tell(self.shape.facts(len(told), code[key], key, batch, numbers))
                    told += batch
                    if key[0] >= positive:
                        continue
                    for name, match in memory.heard():
                        values, matched = make[name]
                        for place, fact in match.items():
                            matched[int(place[1:])] = told[fact["id"]]
                        yield values(matched)

    def numbers(self, some: Sequence[Variant], rows: Mapping[Code, list[Row]]) -> dict[Value, int]:
        """A number for each value that is compared; in the order of the values where that matters."""
        places = self.shape.places
        values = dict.fromkeys(row[p] for (i, _), found in rows.items() for row in found for p in places[i])
        values.pop(None, None)
        found: Iterable[Value] = values
        if any(
            op not in ("=", "!=") for variant in some for _, tests in tests_of(variant) for _, op, _ in tests
        ):
            found = sorted(values, key=lambda value: (isinstance(value, str), value))
        return {value: i for i, value in enumerate(found)}

    # What is too much for one working memory

    def pieces(self, variant: Variant, told: dict[Code, list[Row]]) -> Iterator[dict[Code, list[Row]]]:
        """The facts in pieces that are small enough, so that each match is in one of them: split by a
        variable that they share where there is one, else by halves of the largest part."""
        whole = size(told)
        if whole <= SMALL:
            yield told
            return
        largest = max((c for c in told if c[0] < self.shape.stage.positive), key=lambda c: len(told[c]))
        split: list[dict[Code, list[Row]]] = []
        for places in sorted(self.ties(variant), key=lambda t: -sum(len(told[c]) for c in t if c in told)):
            if largest in places:
                split = split_by(told, places, 2 + whole // SMALL)
                break
        if not split or max(map(size, split)) > 0.9 * whole:
            half = len(told[largest]) // 2
            if whole <= LIMIT and (not half or half < whole // 4):
                yield told
                return
            if not half:
                raise EvaluatorError(
                    f"durable-rules would have to hold {whole:,} facts at once, and is trusted with "
                    f"{LIMIT:,}: use --engine memory or duckdb"
                )
            split = [told | {largest: told[largest][:half]}, told | {largest: told[largest][half:]}]
        for piece in split:
            if all(piece[code] for code in told if code[0] < self.shape.stage.positive):
                yield from self.pieces(variant, piece)

    def ties(self, variant: Variant) -> list[dict[Code, int]]:
        """The places of columns that are equal in each match of a variant."""
        found: list[dict[tuple[Code, str], None]] = []
        for code, tests in tests_of(variant):
            for name, op, (part, other) in tests:
                if op != "=":
                    continue
                to = ((part, variant.parts[part][0]), other)
                tied = next((tie for tie in found if to in tie), None)
                if tied is None:
                    found.append(tied := {to: None})
                tied[code, name] = None
        return [
            {code: self.shape.stage.parts[code[0]].columns.index(name) for code, name in tie} for tie in found
        ]


def tests_of(variant: Variant) -> Iterator[tuple[Code, tuple[Test, ...]]]:
    """Each kind of facts that a variant looks at, with its tests."""
    yield from (((i, pattern), tests) for i, (pattern, tests) in enumerate(variant.parts))
    yield from (((n, pattern), tests) for n, pattern, tests in variant.absent)


def size(rows: Mapping[Code, list[Row]]) -> int:
    """How many facts these are."""
    return sum(map(len, rows.values()))


def split_by(
    told: dict[Code, list[Row]], places: Mapping[Code, int], number: int
) -> list[dict[Code, list[Row]]]:
    """Facts in so many pieces by the value at a place; those that have no such place go into each."""
    split = [dict(told) for _ in range(number)]
    for code, place in places.items():
        if code in told:
            for piece in split:
                piece[code] = []
            for row in told[code]:
                split[hash((number, row[place])) % number][code].append(row)
    return split


class Memory:
    """A ruleset of durable-rules with its working memory."""

    def __init__(self, rules: Mapping[str, Any]) -> None:
        whole = {**rules, "mark": {"all": [{"m": {"r": 0}}], "cap": 1}}
        self.state = 0
        self.count = 0
        with told_of_errors():
            self.handle = core.create_ruleset("stage", json.dumps(whole))

    def __enter__(self) -> Memory:
        self.mark("begin")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.mark("end")
        finally:
            core.delete_state(self.handle, "0")
            core.delete_ruleset(self.handle)

    def tell(self, facts: Sequence[str]) -> None:
        """Tell of facts, each of which some rule can match."""
        self.count += len(facts)
        with told_of_errors():
            refused, self.state = core.assert_facts(self.handle, f"[{','.join(facts)}]")
        if refused:
            raise EvaluatorError(FAILED.format(f"a fact was refused (code {refused})"))

    def heard(self) -> Iterator[tuple[str, dict[str, dict[str, int]]]]:
        """What has matched since: the name of a rule, and the fact for each of its parts."""
        with told_of_errors():
            begun = core.start_action_for_state(self.handle, self.state)
            found = begun and begun[1]
        while found:
            ((name, matches),) = json.loads(found).items()
            for match in matches:
                yield name, match
            with told_of_errors():
                found = core.complete_and_start_action(self.handle, self.state)

    def mark(self, name: str) -> None:
        """See that the memory works, and holds all that it was told."""
        self.tell([f'{{"id":"{name}","r":0}}'])
        found: list[object] = [match.get("m", {}).get("id") for _, match in self.heard()]
        held = core.get_facts(self.handle, "0").count('"r":')
        if found != [name] or held != self.count:
            raise EvaluatorError(FAILED.format(f"it was told {self.count:,} facts and holds {held:,}"))


FAILED = "durable-rules did not do what it should: {}; use --engine memory or duckdb"


@contextmanager
def told_of_errors() -> Iterator[None]:
    """What durable-rules raises, as an EvaluatorError."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise EvaluatorError(FAILED.format(error)) from error
