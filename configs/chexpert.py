r"""CheXpert: five conditions or all 14 labels, frontal films, all layers, BiT's HyperRule.

    python finetune/finetune.py --config=configs/chexpert.py --workdir=runs/chexpert \
        --config.checkpoint=saved_models/cxr-50x1-remedis-m \
        --config.data_dir=/data/CheXpert-v1.0-small

A baseline, DenseNet-121 as in CheXNet, with ImageNet weights from a file of yours:

    python finetune/finetune.py --config=configs/chexpert.py --workdir=runs/chexpert-densenet \
        --config.checkpoint=keras:DenseNet121:densenet121_weights_tf_dim_ordering_tf_kernels.h5 \
        --config.data_dir=/data/CheXpert-v1.0-small --config.optimizer=adamw \
        --config.learning_rate=0.0001 --config.learning_rate_batch=0

Arguments, several as `:rehearsal,head_only`: `:14` (all labels), `:50x1`, `:152x2` (accept this
backbone only; the second trains in little memory), `:head_only` (the head alone, solved on stored
embeddings), `:released` (trained as by REMEDIS' released code), `:notebook` (the head alone,
trained as in its notebook; `configs/common_released.py` has numbers and sources of both),
`:rehearsal` (made-up data of the five conditions, random weights, minutes on 2 cores).

Expected on CheXpert: not measured here; the data and the weights are gated. `:rehearsal` shows that
everything runs; its AUROC says nothing about radiographs.

Uncertain values in training: ones for Atelectasis and Edema, zeros for the others; unmentioned:
zeros. This is the usual choice; others are `ignore`, `zeros` and `ones`, for all labels or for one.
In validation, uncertain values are ignored (`config.eval_uncertain`); valid.csv has none.
"""

import ml_collections

from configs import common
from remedis.data.label_names import CHEXPERT, FIVE_CONDITIONS


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    config = common.chest_xray("chexpert")
    common.reports(config)
    # valid.csv is the test set; validation is a share of the patients of train.csv.
    config.splits = ml_collections.ConfigDict({"train": 0.9, "validation": 0.1, "test": 0.0})

    def all_labels(config: ml_collections.ConfigDict) -> None:
        config.labels = tuple(CHEXPERT.values())

    rehearsal = common.rehearsal("chexpert", FIVE_CONDITIONS)
    return common.locked(config, arg, rehearsal, {"14": all_labels})
