r"""Your own images: a directory with `manifest.csv`, one row an image, no code.

    python finetune/finetune.py --config=configs/own_data.py --workdir=runs/mine \
        --config.checkpoint=saved_models/cxr-50x1-remedis-m --config.data_dir=/data/mine \
        --config.labels='("pneumonia",)' --config.image_size=224

`manifest.csv` has the columns `path` (relative to the directory), `patient_id`, and one a label: 1,
0, -1 for uncertain, nothing for unknown. If it has a column `split` (train, validation, test), that
is kept; else images are split by patient.

Arguments: `:rehearsal`, `:head_only`.
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

    def rehearsal(config: ml_collections.ConfigDict) -> None:
        common.rehearsal("csv")(config)
        config.labels = ("Cardiomegaly", "Pleural Effusion")

    return common.locked(config, arg, {"rehearsal": rehearsal, "head_only": common.head_only})
