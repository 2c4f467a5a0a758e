"""What arms are judged on, none of their checkpoints may have been trained on."""

import pathlib

import ml_collections

from remedis.errors import UserError
from remedis.training.study import settings
from remedis.training.study.hospitals import Hospitals
from remedis.zoo.seen import Seen


def check(config: ml_collections.ConfigDict, hospitals: Hospitals) -> None:
    """Raises a UserError if a checkpoint says it has seen images of a test set.

    Folders of our own runs say so, those of others cannot be asked. Unlabelled images count as
    well: what a network has looked at is not new to it.
    """
    tests = {
        "in-distribution": (hospitals.inside.test, hospitals.inside.hashes),
        "out-of-distribution": (hospitals.test, hospitals.hashes),
    }
    for name, checkpoint in settings.arms(config).items():
        seen = Seen.read(checkpoint) if pathlib.Path(checkpoint).is_dir() else None
        if seen is None:
            continue
        for title, (test, hashes) in tests.items():
            if count := seen.count(test.table["path"].map(hashes)):
                raise UserError(
                    f"The arm {name} is {checkpoint}, which was trained on {count:,} of the "
                    f"{len(test):,} {title} test images (its seen.json); train it without them: "
                    "pretraining leaves out what a study tests on by "
                    "--config.leave_out=WORKDIR_OF_THE_STUDY."
                )
