r"""Mammograms: cancer in a breast from each of its views, a table `manifest.csv`.

    python finetune/finetune.py --config=configs/mammography.py --workdir=runs/mammography \
        --config.checkpoint=bit:BiT-M-R50x1.npz --config.data_dir=/data/mammography

Layout: a directory with `manifest.csv` and the images (PNG, JPEG or DICOM). The table has the
columns `path` (relative to the directory), `patient_id`, `study_id`, `view` (such as L-CC; results
are also given per view) and `cancer`: 1 or 0, that of the breast, for each of its views. A column
`split` (train, validation, test) is kept. All views of a patient are on one side of a split.
Scores, AUROC and thresholds are per image: views are not combined to a score of the breast or the
patient; intervals count patients.

Where a data set has assessments in place of a diagnosis, such as BI-RADS, the label is a cut of
them, which is another question than cancer: name the column for what it is,
`--config.labels='("birads_4_or_5",)'`.

Terms: read those of the data at their source (CBIS-DDSM, VinDr-Mammo on PhysioNet); they differ in
what they allow.

REMEDIS: its release has models of public data for chest X-ray and pathology only, so that there is
no checkpoint of it for mammography. Start from BiT, or pretrain on unlabelled images of yours with
`configs/pretrain_own.py`. Size and augmentation are ours: 1,024 px, since signs are small; flips
left to right, since the label does not depend on the side (leave them out if yours does);
brightness and contrast. In little memory: `--config.gradient_checkpointing=True
--config.accumulate=16`, which gives the same gradients; `benchmarks/memory.py` measures.

Arguments, several as `:rehearsal,head_only`: `:50x1`, `:152x2` (accept this backbone only; the
second trains in little memory), `:head_only` (the head alone, solved on stored embeddings),
`:released` (trained as by REMEDIS' released code), `:notebook` (the head alone, trained as in its
notebook; `configs/common_released.py` has numbers and sources of both), `:rehearsal` (made-up data,
random weights, minutes on 2 cores).

Expected: not measured here.
"""

import ml_collections

from configs import common


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    config = common.finetuning()
    config.source = "csv"
    config.labels = ("cancer",)
    config.image_size = 1024
    config.train_preprocess = (
        "random_resized_crop({size}, area=(0.8, 1.0)) | flip_left_right() | rotate(10) | "
        "brightness(0.2) | contrast(0.2)"
    )
    return common.locked(config, arg, common.rehearsal("mammography", config.labels))
