r"""ChestX-ray14: the 14 findings, all layers, BiT's HyperRule.

    python finetune/finetune.py --config=configs/chestxray14.py --workdir=runs/chestxray14 \
        --config.checkpoint=saved_models/cxr-50x1-remedis-m --config.data_dir=/data/ChestX-ray14

Arguments, several as `:rehearsal,head_only`: `:50x1`, `:152x2` (accept this backbone only; the
second trains in little memory), `:head_only` (the head alone, solved on stored embeddings),
`:released` (trained as by REMEDIS' released code), `:notebook` (the head alone, trained as in its
notebook; `configs/common_released.py` has numbers and sources of both), `:rehearsal` (made-up data
of five of the findings, random weights, minutes on 2 cores). For "any finding" against "No Finding"
set `--config.labels='("No Finding",)'`: the AUROC of the one is that of the other.

Expected on ChestX-ray14: not measured here. Without the official lists of files in the directory
all images are split by patient, and the numbers are not comparable with published ones.
"""

import ml_collections

from configs import common
from remedis.data.label_names import CHESTXRAY14, FIVE_CONDITIONS


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    config = common.chest_xray("chestxray14")
    config.labels = tuple(name for name in CHESTXRAY14.values() if name != "No Finding")
    return common.locked(config, arg, common.rehearsal("chestxray14", FIVE_CONDITIONS))
