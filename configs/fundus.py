r"""Fundus photographs: diabetic macular edema and retinopathy, a table `manifest.csv`.

    python finetune/finetune.py --config=configs/fundus.py --workdir=runs/fundus \
        --config.checkpoint=bit:BiT-M-R50x1.npz --config.data_dir=/data/fundus

Layout: a directory with `manifest.csv` and the images. The table has the columns `path` (relative
to the directory), `patient_id` (both eyes of a patient are one patient), and one column per label:
1, 0, -1 for uncertain, empty for unknown; a column `split` (train, validation, test) is kept. The
labels here are `diabetic_macular_edema` and `referable_retinopathy`, cuts of the grades of your
data, such as a retinopathy grade of 2 or more; say in your paper where the cut is. If the data have
one of the two, name it: `--config.labels='("referable_retinopathy",)'`. A grade as classes:
`--config.task=multi_class --config.labels='("grade0", "grade1", "grade2", "grade3", "grade4")'`,
with one column per grade; the order of the grades is not used.

Terms: read those of the data at their source (EyePACS, IDRiD, Messidor-2); they differ in what they
allow.

REMEDIS: its release has models of public data for chest X-ray and pathology only, so that there is
no checkpoint of it for the fundus. Start from BiT, or pretrain on unlabelled images of yours with
`configs/pretrain_own.py`. Size and augmentation are ours: flips (a left eye looks like a right one)
and rotation by up to 30 degrees; the border of the photograph is not cut off.

Arguments, several as `:rehearsal,head_only`: `:50x1`, `:152x2` (accept this backbone only; the
second trains in little memory), `:head_only` (the head alone, solved on stored embeddings),
`:released` (trained as by REMEDIS' released code), `:notebook` (the head alone, trained as in its
notebook; `configs/common_released.py` has numbers and sources of both), `:rehearsal` (made-up data,
random weights, minutes on 2 cores).

Expected: not measured here.
"""

import ml_collections

from configs import common
from remedis.data.label_names import SIGNS


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    config = common.finetuning()
    config.source = "csv"
    config.labels = SIGNS
    config.train_preprocess = (
        "random_resized_crop({size}, area=(0.85, 1.0)) | flip_left_right() | flip_up_down() | "
        "rotate(30) | brightness(0.2) | contrast(0.2) | saturation(0.1)"
    )
    return common.locked(config, arg, common.rehearsal("fundus", SIGNS))
