r"""Your own images: a table with one row per image, no code.

    python finetune/finetune.py --config=configs/own_data.py --workdir=runs/mine \
        --config.checkpoint=saved_models/cxr-50x1-remedis-m --config.data_dir=/data/mine \
        --config.labels=pneumonia --config.image_size=224

`data_dir` is a CSV file, or a directory with `manifest.csv`. The columns are `path` (relative to
the directory of the file), `patient_id`, and one per label: 1, 0, -1 for uncertain, empty for
unknown. A column `split` (train, validation, test) is kept if there is one; else images are split
by patient. `remedis manifest TABLE --out manifest.csv` makes such a file from a table with other
names and values; `--config.source_options` lets the source read that table itself, see
`remedis/data/sources/csv_manifest.py`.

If exactly one of several labels is 1, add `--config.task=multi_class`.

The length follows from the number of training images (BiT's HyperRule): 500 steps of 512 images, or
of all images if there are fewer, so that 38 images are seen 500 times. Below 20,000 images that is
256,000 images at most. The run says steps, epochs and the expected time. `--config.epochs=50`,
`--config.steps` or `--config.examples` set another length, `--config.patience=5` ends it early.

Arguments, several as `:rehearsal,head_only`: `:50x1`, `:152x2` (accept this backbone only; the
second trains in little memory), `:head_only` (the head alone, solved on stored embeddings),
`:released` (trained as by REMEDIS' released code), `:notebook` (the head alone, trained as in its
notebook; `configs/common_released.py` has numbers and sources of both), `:rehearsal` (made-up data,
random weights, minutes on 2 cores).

Expected: depends on your data.
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
