r"""CheXpert: five conditions, frontal films, all layers, BiT's HyperRule.

    python finetune/finetune.py --config=configs/chexpert.py --workdir=runs/chexpert \
        --config.checkpoint=saved_models/cxr-50x1-remedis-m \
        --config.data_dir=/data/CheXpert-v1.0-small

Arguments: `:rehearsal` (made-up data, random weights, minutes on 2 cores), `:head_only`; both as
`:rehearsal,head_only`.

Expected on CheXpert: not measured here; the data and the weights are gated. `:rehearsal` shows that
everything runs; its AUROC says nothing about radiographs.

Uncertain values: ones for Atelectasis and Edema, zeros for the other three; unmentioned: zeros.
That is what is widely copied; other choices are `ignore`, `zeros` and `ones`, for all or a label.
"""

import ml_collections

from configs import common


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    config = common.finetuning()
    config.source = "chexpert"
    config.labels = (
        "Atelectasis",
        "Cardiomegaly",
        "Consolidation",
        "Edema",
        "Pleural Effusion",
    )
    config.uncertain = "zeros; Atelectasis=ones; Edema=ones"
    config.unmentioned = "zeros"
    # valid.csv is the test set; the validation part is carved out of train.csv by patient.
    config.splits = ml_collections.ConfigDict({"train": 0.9, "validation": 0.1, "test": 0.0})
    config.train_preprocess = "finetune_cxr({size})"
    return common.locked(
        config,
        arg,
        {"rehearsal": common.rehearsal("chexpert"), "head_only": common.head_only},
    )
