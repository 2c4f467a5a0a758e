r"""Your data sets, two or more, and your checkpoints: which checkpoint for which data?

    python finetune/suite.py --config=configs/suite_own.py --workdir=runs/suite \
        --config.arms='remedis=saved_models/cxr-50x1-remedis-m; bit=bit:BiT-M-R50x1.npz' \
        --config.baseline=bit \
        --config.sets.north.labels='("pneumonia",)' \
        --config.sets.north.id_data_dir=/data/theirs \
        --config.sets.north.ood_data_dir=/data/mine \
        --config.sets.south.labels='("pneumonia",)' \
        --config.sets.south.id_data_dir=/data/theirs \
        --config.sets.south.ood_data_dir=/data/other_site

A set is a study of `configs/ood_own.py`: models are trained on the in-distribution data (ID) and
adapted to the out-of-distribution data (OOD). For other names, or more sets, copy this file and
change `SETS`. Arms, budgets and other shared keys (`configs/common_suite.py`) are set once. A key
of one set is written with its name: `--config.sets.north.image_size=96`. `--config.only=north` runs
one set alone.

Arguments: `:rehearsal` (two made-up data sets, random weights, probes, minutes on 2 cores).

Expected: depends on your data.
"""

import ml_collections

from configs import arguments, common_suite, ood_own
from remedis.data.label_names import LESIONS

SETS = ("north", "south")


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    of_studies = common_suite.argument_of_studies(arg)
    studies = {name: ood_own.get_config(of_studies) for name in SETS}
    if of_studies:
        skin = studies[SETS[-1]].unlock()
        skin.rehearsal, skin.labels = "skin", LESIONS[:2]
        skin.id_name, skin.ood_name = "made-up clinic A", "made-up clinic B"
    config = common_suite.suite(studies)
    return arguments.locked(config, arg, {"rehearsal": common_suite.rehearsal})
