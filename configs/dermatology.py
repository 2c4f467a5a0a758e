r"""Photographs of skin with one diagnosis each: top-3 accuracy, a table `manifest.csv`.

    python finetune/finetune.py --config=configs/dermatology.py --workdir=runs/dermatology \
        --config.checkpoint=bit:BiT-M-R50x1.npz --config.data_dir=/data/skin

Layout: a directory with `manifest.csv` and the images. The table has the columns `path` (relative
to the directory), `patient_id`, and one column per class with exactly one 1 per row; a column
`split` (train, validation, test) is kept. The classes here are those of HAM10000: akiec, bcc, bkl,
df, mel, nv and vasc. Its metadata have no patients, but the column `lesion_id`; several images show
one lesion. In Python:

    table = pandas.read_csv("HAM10000_metadata.csv")
    classes = pandas.get_dummies(table["dx"]).astype(int)
    table["path"], table["patient_id"] = "images/" + table["image_id"] + ".jpg", table["lesion_id"]
    table[["path", "patient_id"]].join(classes).to_csv("manifest.csv", index=False)

Then intervals count lesions, and two lesions of one person may be in two splits. Name other classes
by `--config.labels='("eczema", "psoriasis", "acne", "other")'`. Images in folders of their classes
need no table: `--config.source=folder`, with the pattern of the patient in the names of the files,
`--config.source_options='patient_pattern=^(\d+)_'`.

Results: accuracy, top-3 accuracy (`config.top_k`), balanced accuracy, and AUROC of each class
against the rest.

Terms: read those of the data at their source (HAM10000 and other collections of the ISIC Archive,
Fitzpatrick17k, PAD-UFES-20); they differ in what they allow.

REMEDIS: its release has models of public data for chest X-ray and pathology only, so that there is
no checkpoint of it for skin. Start from BiT, or pretrain on unlabelled images of yours with
`configs/pretrain_own.py`. Size and augmentation are ours: any orientation, changes of colour as
between cameras.

Arguments, several as `:rehearsal,head_only`: `:50x1`, `:152x2` (accept this backbone only; the
second trains in little memory), `:head_only` (the head alone, solved on stored embeddings),
`:released` (trained as by REMEDIS' released code), `:notebook` (the head alone, trained as in its
notebook; `configs/common_released.py` has numbers and sources of both), `:rehearsal` (made-up data,
random weights, minutes on 2 cores).

Expected: not measured here.
"""

import ml_collections

from configs import common
from remedis.data.label_names import LESIONS


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    config = common.dermatology()
    return common.locked(config, arg, common.rehearsal("skin", LESIONS))
