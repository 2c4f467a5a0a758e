r"""PatchCamelyon: tumour in the centre of a patch, official splits, all layers, BiT's HyperRule.

    python finetune/finetune.py --config=configs/patch_camelyon.py --workdir=runs/patch_camelyon \
        --config.checkpoint=saved_models/path-50x1-remedis-m --config.data_dir=/data/pcam

The directory holds the six files `camelyonpatch_level_2_split_*.h5`, unpacked.

Arguments, several as `:rehearsal,head_only`: `:50x1`, `:152x2` (accept this backbone only; the
second trains in little memory), `:head_only` (the head alone, solved on stored embeddings),
`:released` (trained as by REMEDIS' released code), `:notebook` (the head alone, trained as in its
notebook; `configs/common_released.py` has numbers and sources of both), `:rehearsal` (made-up data,
random weights, minutes on 2 cores).

Expected on PatchCamelyon: not measured here.

Patients are not recorded, so that every patch counts as a patient: the intervals treat patches of
one slide as independent and are too narrow.
"""

import ml_collections

from configs import common


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    config = common.pathology("patch_camelyon")
    config.allow_missing_patient_ids = True
    return common.locked(config, arg, common.rehearsal("patch_camelyon", config.labels))
