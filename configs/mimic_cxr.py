r"""MIMIC-CXR-JPG: five conditions, frontal films, official splits, all layers, BiT's HyperRule.

    python finetune/finetune.py --config=configs/mimic_cxr.py --workdir=runs/mimic_cxr \
        --config.checkpoint=saved_models/cxr-50x1-remedis-m \
        --config.data_dir=/data/mimic-cxr-jpg-2.0.0

The directory holds `files/` and the tables `mimic-cxr-2.0.0-{metadata,split,chexpert}.csv.gz`.
REMEDIS' checkpoints for radiographs were pretrained on these images, without labels: results here
are in-distribution.

Arguments, several as `:rehearsal,head_only`: `:50x1`, `:152x2` (accept this backbone only; the
second trains in little memory), `:head_only` (the head alone, solved on stored embeddings),
`:released` (trained as by REMEDIS' released code), `:notebook` (the head alone, trained as in its
notebook; `configs/common_released.py` has numbers and sources of both), `:rehearsal` (made-up data,
random weights, minutes on 2 cores).

Expected on MIMIC-CXR-JPG: not measured here; the data and the weights are gated.

All labels are mined from reports, also in the test split. Uncertain values in training: ones for
Atelectasis and Edema, zeros for the others; unmentioned: zeros, as for CheXpert. In validation and
test, uncertain values are ignored and studies without any label are left out; results show the
AUROC with uncertain values as negative and as positive beside it.
"""

import ml_collections

from configs import common
from remedis.data.label_names import FIVE_CONDITIONS


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    config = common.chest_xray("mimic_cxr")
    common.reports(config)
    return common.locked(config, arg, common.rehearsal("mimic_cxr", FIVE_CONDITIONS))
