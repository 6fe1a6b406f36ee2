"""The six rules with pandas: `with_pandas.py OUTDIR` prints the findings, rule TAB key, sorted."""

import sys
from pathlib import Path
from time import perf_counter

import pandas as pd

BANNED = {"behaviour_control", "photocopying", "cutting_resources"}


def main() -> None:
    folder = Path(sys.argv[1])

    def read(name: str) -> pd.DataFrame:
        return pd.read_json(folder / f"{name}.ndjson", lines=True, dtype=False)

    deployments, lessons, classes = read("deployments"), read("lessons"), read("classes")
    sheets, logs, waivers = read("planning_sheets"), read("lesson_logs"), read("waivers")
    training, mentors, staff, covers = read("training"), read("mentors"), read("staff"), read("covers")
    began = perf_counter()
    found: list[tuple[str, str]] = []

    def pairs(rule: str, rows: pd.DataFrame) -> None:
        found.extend((rule, key) for key in rows["lesson"] + "|" + rows["mentor"])

    # R1
    waived = set(waivers.loc[waivers["rule"] == "R1", "lesson"])
    banned = logs["tasks"].map(lambda tasks: not BANNED.isdisjoint(tasks))
    pairs("R1", logs[banned & ~logs["lesson"].isin(waived)])
    # R2
    shared = sheets[sheets["has_targets"]].merge(lessons, left_on="lesson", right_on="id")
    ready = shared.loc[shared["shared_at"] < shared["starts_at"], ["lesson", "mentor"]].drop_duplicates()
    joined = deployments.merge(ready, how="left", on=["lesson", "mentor"], indicator=True)
    pairs("R2", joined[joined["_merge"] == "left_only"])
    # R3
    placed = lessons.merge(classes, left_on="class", right_on="id", suffixes=("", "_class"))
    first = training.groupby(["mentor", "topic"], as_index=False)["date"].min()
    first = first.rename(columns={"date": "first", "topic": "subject"})
    deployed = deployments.merge(placed, left_on="lesson", right_on="id")
    deployed = deployed.merge(first, how="left", on=["mentor", "subject"])
    pairs("R3", deployed[deployed["first"].isna() | (deployed["first"] >= deployed["date"])])
    # R4
    slot = ["date", "period", "subject", "key_stage"]
    supported = placed["id"].isin(set(deployments["lesson"]))
    highest = placed[supported].groupby(slot, as_index=False)["set_no"].min()
    beside = placed[~supported & (placed["ehcp_count"] > 0)].merge(highest, on=slot, suffixes=("", "_high"))
    found.extend(("R4", key) for key in beside.loc[beside["set_no_high"] < beside["set_no"], "id"])
    # R5
    given = logs.groupby("mentor")["feedback_given"].agg(["sum", "count"])
    found.extend(("R5", key) for key in given.index[given["sum"] * 10 < given["count"] * 9])
    # R6
    managers = covers.groupby("staff")["manager"].agg(list).to_dict()
    sendcos = set(staff.loc[staff["role"] == "SENDCO", "id"])
    for mentor in mentors["id"]:
        above: set[str] = set()
        ahead = list(managers.get(mentor, ()))
        while ahead:
            manager = ahead.pop()
            if manager not in above:
                above.add(manager)
                ahead += managers.get(manager, ())
        if above.isdisjoint(sendcos):
            found.append(("R6", mentor))
    print(perf_counter() - began, file=sys.stderr)
    sys.stdout.write("".join(f"{rule}\t{key}\n" for rule, key in sorted(found)))


if __name__ == "__main__":
    main()
