"""policycheck test."""

from __future__ import annotations

from typing import Annotated

import typer

from policycheck.commands.shared import FOUND


def test(
    policy: Annotated[str, typer.Argument(help="Id, id@version or folder of a policy.")],
    section: Annotated[list[str] | None, typer.Option(help="Only the rules of this section.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this rule or clause.")] = None,
) -> int:
    """Run the examples of a policy's rules and the scenarios beside it."""
    from policycheck.policy.compile import check_whole
    from policycheck.policy.find import find_pack
    from policycheck.policy.load import load_policy
    from policycheck.run import chosen_rules
    from policycheck.trials import example_trials, lacking_examples, scenario_trials

    failed = held = 0
    for _, folder in find_pack(policy, None).versions:
        loaded = load_policy(folder)
        check_whole(loaded)
        rules = chosen_rules(loaded, section or [], only or [])
        trials = [lacking_examples(loaded, rules), example_trials(loaded, rules)]
        if not section and not only:
            trials.append(scenario_trials(loaded))
        for trial in (t for some in trials for t in some):
            if not trial.wrong:
                held += 1
                continue
            failed += 1
            typer.echo(f"{trial.place}: {trial.name}")
            for line in trial.wrong:
                typer.echo(f"    {line}")
    typer.echo(f"{held:,} held, {failed:,} did not")
    return FOUND if failed else 0
