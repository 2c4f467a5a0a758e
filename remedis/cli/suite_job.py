"""Compares checkpoints on many data sets, each a label-budget study.

remedis suite --config=suite_remedis:rehearsal --workdir=runs/suite-rehearsal

Every set has the same arms, modes, budgets and seeds. A set whose data are at fault is left out and
named, and the exit status is 3. If the command is killed, the same command resumes. After arms,
budgets, seeds or sets were added, it runs the new cells only. `--list` prints what is finished and
how long the rest may take. Several processes, or machines that see one directory, share the work by
`--shard=1/4`, `--shard=2/4`, ...; when they are done, the command without it merges their results.
While they run, `--merge` merges what is finished: in each set, the arms that have all of their
cells in a mode; it writes their leaderboard.
"""

from collections.abc import Sequence

from absl import flags

from remedis.cli import exit_status, jobs
from remedis.cli.ood_curves_job import check_merge


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "workdir", None, "Directory of the suite.", required=True, flag_values=values
    )
    flags.DEFINE_string(
        "shard", None, "Share of the cells to compute, such as 1/4.", flag_values=values
    )
    flags.DEFINE_bool("list", False, "Print what would run, and run nothing.", flag_values=values)
    flags.DEFINE_bool(
        "merge", False, "Merge the finished cells, also while shards run.", flag_values=values
    )


def _run(values: flags.FlagValues) -> int:
    # Imported late, so that a wrong flag is reported at once.
    from remedis import suite
    from remedis.label_budget import shard_locks
    from remedis.label_budget.settings import Shard
    from remedis.reporting import label_budget_report, leaderboard
    from remedis.suite import board, suite_record
    from remedis.training import determinism

    shard = None if values.shard is None else Shard.parse(values.shard)
    if values["list"].value:
        print(suite.list_cells(values.config, values.workdir, shard))
        return 0
    check_merge(values.merge, shard is not None)
    with determinism.prepared():
        if values.merge:
            result = suite.merge(values.config, values.workdir)
        else:
            result = suite.run(values.config, values.workdir, shard)
    for name in result.studies:
        report = label_budget_report.write(f"{values.workdir}/{suite_record.directory(name)}")
        print(f"Report of {name}: {report}")
    if result.studies:
        left_out = [*result.faults.values(), *result.unfinished]
        settings = result.settings
        given = (settings.title, left_out, settings.predictions)
        # One process at a time, so that the files of a leaderboard belong together.
        with shard_locks.merging_at_the_end(values.workdir):
            board.write(result.studies, values.workdir, *given)
            page = leaderboard.write(values.workdir)
        for mode, sentences in leaderboard.answers(values.workdir).items():
            print(f"{mode}: {' '.join(sentences)}")
        print(f"Leaderboard: {page}")
    return exit_status.INCOMPLETE if result.faults else 0


JOB = jobs.Job(__doc__, _define, _run)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the job; returns its exit status."""
    return jobs.main(JOB, arguments)
