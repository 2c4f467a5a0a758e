"""Builds checkpoint folders that `hub.load` takes.

remedis build --model=cxr-50x1-remedis-m --weights=bit:BiT-M-R50x1.npz
remedis build --model=cxr-50x1-remedis-m --weights=release:DOWNLOADED_FOLDER
remedis build --model=cxr-50x1-remedis-m --weights=runs/pretraining
remedis build --all --weights=random:0     # for rehearsal; the folder's record says so
"""

import logging
import time
from collections.abc import Sequence

from absl import flags

from remedis import invocation
from remedis.api import early_checks
from remedis.cli import jobs
from remedis.errors import UserError
from remedis.models.architectures import Architecture
from remedis.progress import duration, progress
from remedis.zoo import names

_LOG = logging.getLogger(__name__)


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_multi_string(
        "model", [], "Checkpoint to build; may be repeated.", flag_values=values
    )
    flags.DEFINE_bool("all", False, "Build all eight checkpoints.", flag_values=values)
    flags.DEFINE_string(
        "weights",
        None,
        "bit:FILE.npz, release:DIR, random:SEED, or the folder of a run or of a checkpoint.",
        required=True,
        flag_values=values,
    )
    flags.DEFINE_string(
        "out", "saved_models", "Folder that receives the checkpoint folders.", flag_values=values
    )
    flags.DEFINE_enum(
        "graph",
        "ours",
        ["ours", "release"],
        "With release:DIR, whose graph to write.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "any-pixel-range",
        False,
        "Do not refuse images whose values cannot be in [0, 1]. The folder records it.",
        flag_values=values,
    )
    flags.DEFINE_bool("overwrite", False, "Replace folders that exist.", flag_values=values)


def _run(values: flags.FlagValues) -> None:
    if values.all == bool(values.model):
        raise UserError("Say either --model=NAME (repeatable) or --all.")
    models = names.NAMES if values.all else values.model
    for name in models:
        names.parse(name)  # all wrong names are reported before the first build
    early_checks.check_weights(values.weights)
    # Imported late, so that a wrong flag is reported at once.
    from remedis.zoo import builder, checkpoint, pixel_range

    for name in models:
        builder.check(name, values.weights)

    sizes = [Architecture.parse(names.parse(name).architecture).parameters(True) for name in models]
    begin = time.monotonic()
    any_range = values["any-pixel-range"].value
    with progress("Building", len(models)) as report:
        for done, name in enumerate(models, start=1):
            start = time.monotonic()
            _LOG.info(f"Building {name}, {sizes[done - 1]:,} parameters ...")
            folder = builder.build(
                name,
                values.weights,
                values.out,
                command=invocation.command(),
                keep_graph=values.graph == "release",
                pixel_range=pixel_range.ANY if any_range else pixel_range.CHECKED,
                overwrite=values.overwrite,
            )
            seconds = time.monotonic() - start
            description = checkpoint.describe(folder)
            assert description is not None
            # By parameters: the largest model takes many times as long as the smallest.
            expected = (time.monotonic() - begin) * sum(sizes[done:]) / sum(sizes[:done])
            report(done, "models", f"about {duration(expected)} left")
            _LOG.info(f"{folder}: {description.provenance.description} ({seconds:.0f} s)")


JOB = jobs.Job(__doc__, _define, _run, configured=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the job; returns its exit status."""
    return jobs.main(JOB, arguments)
