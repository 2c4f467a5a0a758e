r"""Your own images: a directory with `manifest.csv`, one row an image, no code.

    python finetune/finetune.py --config=configs/own_data.py --workdir=runs/mine \
        --config.checkpoint=saved_models/cxr-50x1-remedis-m --config.data_dir=/data/mine \
        --config.labels='("pneumonia",)' --config.image_size=224

`manifest.csv` has the columns `path` (relative to the directory), `patient_id`, and one a label: 1,
0, -1 for uncertain, nothing for unknown. If it has a column `split` (train, validation, test), that
is kept; else images are split by patient.

Exactly one of several labels is 1: add `--config.task=multi_class`.

Arguments, several as `:rehearsal,head_only`: `:50x1`, `:152x2` (no backbone but this one; the
second in little memory), `:head_only` (the head alone, solved on stored embeddings), `:rehearsal`
(made-up data, random weights, minutes on 2 cores).

Expected: nobody but you can tell.
"""

import ml_collections

from configs import common


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    config = common.finetuning()
    config.source = "csv"
    config.labels = ("label",)
    # Suits radiographs. For images without a right way up, such as pathology, add
    # flip_left_right().
    config.train_preprocess = (
        "random_resized_crop({size}, area=(0.6, 1.0)) | brightness(0.2) | contrast(0.2)"
    )
    rehearsal = common.rehearsal("csv", ("Cardiomegaly", "Pleural Effusion"))
    return common.locked(config, arg, rehearsal)
