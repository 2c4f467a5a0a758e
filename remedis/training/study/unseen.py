"""What arms are judged on, none of their checkpoints may have been trained on."""

import ml_collections

from remedis.training.study import settings
from remedis.training.study.hospitals import Hospitals
from remedis.zoo.seen import Seen


def check(config: ml_collections.ConfigDict, hospitals: Hospitals) -> None:
    """Raises a UserError if a checkpoint says it has seen images of a test set."""
    tests = {
        "in-distribution": (hospitals.inside.test, hospitals.inside.hashes),
        "out-of-distribution": (hospitals.test, hospitals.hashes),
    }
    for name, checkpoint in settings.arms(config).items():
        seen = Seen.by(checkpoint)
        for title, (test, hashes) in tests.items():
            seen.check_unseen(
                test.table["path"].map(hashes),
                model=f"The arm {name} is {checkpoint}",
                tests=f"{title} test",
                workdir="WORKDIR_OF_THE_STUDY",
            )
