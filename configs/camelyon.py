r"""Camelyon17 as WILDS packs it: tumour in a patch, tested on centres that are not in training.

    python finetune/finetune.py --config=configs/camelyon.py --workdir=runs/camelyon \
        --config.checkpoint=saved_models/path-50x1-remedis-m \
        --config.data_dir=/data/camelyon17_v1.0

The split is WILDS' official one out of distribution: test is centre 2, validation centre 1,
training the other three. Other centres, whose numbers are not comparable with published ones:
`--config.source_options='validation_centres=(0,); test_centres=(3, 4)'`.

Arguments, several as `:rehearsal,head_only`: `:50x1`, `:152x2` (accept this backbone only; the
second trains in little memory), `:head_only` (the head alone, solved on stored embeddings),
`:released` (trained as by REMEDIS' released code), `:notebook` (the head alone, trained as in its
notebook; `configs/common_released.py` has numbers and sources of both), `:rehearsal` (made-up data,
random weights, minutes on 2 cores).

Expected on Camelyon17-WILDS: not measured here. WILDS reports accuracy; each centre has ten slides
of ten patients or fewer, so that intervals, which resample patients, are wide.
"""

import ml_collections

from configs import common


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    config = common.pathology("wilds_camelyon17")
    config.source_options = "validation_centres=(1,); test_centres=(2,)"
    return common.locked(config, arg, common.rehearsal("wilds_camelyon17", config.labels))
