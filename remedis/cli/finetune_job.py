"""Fine-tunes a checkpoint as a config says; the docstrings of the configs have commands to copy.

remedis finetune --config=chexpert:rehearsal --workdir=runs/rehearsal

With config.distribution=multi_worker, start it in every worker, TF_CONFIG set. A lost worker has to
be started again, by the program or person that started it; the others wait for it, and all resume
from the last checkpoint.
"""

from collections.abc import Sequence

from absl import flags

from remedis.cli import jobs


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("workdir", None, "Directory of the run.", required=True, flag_values=values)


def _run(values: flags.FlagValues) -> None:
    # Imported late, so that a wrong flag is reported at once.
    from remedis.finetuning.finetune import finetune
    from remedis.reporting import run_report

    jobs.train(finetune, run_report.report, values.config, values.workdir)


JOB = jobs.Job(__doc__, _define, _run)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the job; returns its exit status."""
    return jobs.main(JOB, arguments)
