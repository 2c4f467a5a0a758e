"""Measures how many labelled patients of another hospital a checkpoint needs.

remedis ood-curves --config=ood_cxr:rehearsal --workdir=runs/ood-rehearsal

The docstrings of the configs ood_* have commands to copy. Killed at any moment, the same command
resumes. `--list` prints what is finished and how long the rest may take. Several processes, or
machines that see one directory, share the work by `--shard=1/4`, `--shard=2/4`, ...; when they are
done, the command without it merges their results. While they run, `--merge` merges what is
finished: the arms that have all of their cells in a mode.
"""

import os
import pathlib
from collections.abc import Iterator, Sequence

from absl import flags

from remedis.cli import jobs
from remedis.errors import UserError


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "workdir", None, "Directory of the study.", required=True, flag_values=values
    )
    flags.DEFINE_string(
        "shard", None, "Share of the cells to compute, such as 1/4.", flag_values=values
    )
    flags.DEFINE_bool("list", False, "Print what would run, and run nothing.", flag_values=values)
    flags.DEFINE_bool(
        "merge", False, "Merge the finished cells, also while shards run.", flag_values=values
    )


def _run(values: flags.FlagValues) -> None:
    # Imported late, so that a wrong flag is reported at once.
    from remedis import label_budget
    from remedis.label_budget.settings import Shard
    from remedis.reporting import label_budget_report
    from remedis.training import determinism

    shard = None if values.shard is None else Shard.parse(values.shard)
    if values["list"].value:
        print(label_budget.list_cells(values.config, values.workdir, shard))
        return
    check_merge(values.merge, shard is not None)
    with determinism.prepared():
        if values.merge:
            label_budget.merge(values.config, values.workdir)
        elif not label_budget.run(values.config, values.workdir, shard):
            return
    report = label_budget_report.write(values.workdir)
    print(*_answers(values.workdir), f"Report: {report}", sep="\n")


def check_merge(merge: bool, sharded: bool) -> None:
    """Raises a UserError for a job that is to merge and to compute a shard."""
    if merge and sharded:
        raise UserError(
            "--merge computes no cells, and --shard computes a share of them; start one process "
            "with --shard and another with --merge."
        )


def _answers(workdir: str) -> Iterator[str]:
    """Yields the answers of a finished study; those of several sets with the name of each."""
    from remedis.api.run_records import load_study
    from remedis.label_budget import summary_record

    folder = pathlib.Path(workdir)
    if not os.path.lexists(folder / summary_record.SETS):
        yield from load_study(folder).answers()
        return
    *sets, last = summary_record.read_sets(folder)["sets"]
    for one in sets:
        yield f"Out-of-distribution set {one['name']}:"
        yield from load_study(folder / one["directory"]).answers()[:-1]  # the last is for all
    yield f"Out-of-distribution set {last['name']}:"
    yield from load_study(folder / last["directory"]).answers()


JOB = jobs.Job(__doc__, _define, _run)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the job; returns its exit status."""
    return jobs.main(JOB, arguments)
