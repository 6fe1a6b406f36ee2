"""The order in which relations are derived: each after those it needs, and after all that it negates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from policycheck_engine.problems import Origin
from policycheck_engine.program import Aggregate, Atom, Body, Either, Not, Program


class Edge(Struct, frozen=True):
    """A rule for `head` reads `needs`; `against` when through negation or an aggregate."""

    head: str
    needs: str
    against: bool
    origin: Origin


def edges(program: Program) -> Iterator[Edge]:
    """What each derived relation reads."""
    for rule in program.rules:
        for name, against, origin in reads(rule.body):
            yield Edge(rule.head, name, against, origin or rule.origin)


def reads(body: Body, against: bool = False) -> Iterator[tuple[str, bool, Origin]]:
    """The relations a body reads: name, whether through negation or an aggregate, and where."""
    for literal in body:
        match literal:
            case Atom():
                yield literal.relation, against, literal.origin
            case Not():
                yield from reads(literal.body, True)
            case Either():
                for inner in literal.bodies:
                    yield from reads(inner, against)
            case Aggregate():
                yield from reads(literal.body, True)
                yield from reads(literal.against, True)


def strata(program: Program) -> list[tuple[str, ...]]:
    """The derived relations in groups that need each other, each group after all that it reads."""
    derived = {rule.head: None for rule in program.rules}
    graph: dict[str, list[str]] = {head: [] for head in derived}
    for edge in edges(program):
        if edge.needs in derived:
            graph[edge.head].append(edge.needs)
    return components(graph)


def components(graph: dict[str, list[str]]) -> list[tuple[str, ...]]:
    """Tarjan's strongly connected components, each after those it points to; no recursion, so any depth."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    on_path: set[str] = set()
    found: list[tuple[str, ...]] = []
    for root in graph:
        if root in number:
            continue
        work = [(root, iter(graph[root]))]
        number[root] = low[root] = len(number)
        path.append(root)
        on_path.add(root)
        while work:
            node, successors = work[-1]
            for successor in successors:
                if successor not in number:
                    number[successor] = low[successor] = len(number)
                    path.append(successor)
                    on_path.add(successor)
                    work.append((successor, iter(graph[successor])))
                    break
                if successor in on_path:
                    low[node] = min(low[node], number[successor])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    group = path[path.index(node) :]
                    del path[path.index(node) :]
                    on_path.difference_update(group)
                    found.append(tuple(group))
    return found


def circles(program: Program) -> list[list[Edge]]:
    """The circles that go through negation or an aggregate, one for each bad edge, each as its edges."""
    every = list(edges(program))
    by_head: dict[str, list[Edge]] = {}
    for edge in every:
        by_head.setdefault(edge.head, []).append(edge)
    group_of = {name: group for group in strata(program) for name in group}
    found = []
    for edge in every:
        if edge.against and group_of.get(edge.head) is not None and edge.needs in group_of[edge.head]:
            found.append([edge, *way(by_head, edge.needs, edge.head)])
    return found


def way(by_head: dict[str, list[Edge]], start: str, goal: str) -> list[Edge]:
    """The shortest chain of edges from one relation to another."""
    if start == goal:
        return []
    came: dict[str, Edge] = {}
    queue = [start]
    for node in queue:
        for edge in by_head.get(node, ()):
            if edge.needs not in came and edge.needs != start:
                came[edge.needs] = edge
                queue.append(edge.needs)
    chain: list[Edge] = []
    while goal != start:
        chain.append(came[goal])
        goal = came[goal].head
    return chain[::-1]


def recursive(program: Program) -> set[str]:
    """The derived relations that need themselves."""
    own = {edge.head for edge in edges(program) if edge.head == edge.needs}
    return own | {name for group in strata(program) if len(group) > 1 for name in group}


def needed(program: Program, wanted: Iterable[str]) -> Program:
    """The part of a program that the wanted relations rest on."""
    heads = program.heads
    queue, seen = list(wanted), set(wanted)
    while queue:
        for rule in heads.get(queue.pop(), ()):
            for name, _, _ in reads(rule.body):
                if name not in seen:
                    seen.add(name)
                    queue.append(name)
    calendars = {c.relation for c in program.calendars.values()}
    return replace(
        program,
        relations={n: r for n, r in program.relations.items() if n in seen or n in calendars},
        rules=tuple(rule for rule in program.rules if rule.head in seen),
    )
