r"""Self-supervised pretraining on patches of slides: REMEDIS' second stage, BiT to pathology.

    python pretrain/pretrain.py --config=configs/pretrain_path.py --workdir=runs/pretrain-path \
        --config.checkpoint=bit:BiT-M-R50x1.npz --config.name=path-50x1-remedis-m \
        --config.data='slides=/data/tcga; wilds_camelyon17=/data/camelyon17_v1.0'

The directory's `export` is a checkpoint like any other. Labels are not used. Validation and test
splits of sources that have official ones are left out. Other images that an experiment will be
tested on have to be named, as in `configs/pretrain_cxr.py`: `--config.leave_out=runs/ood-path`.

A probe on labelled patches monitors the training and chooses the checkpoint that is kept:

        --config.probe.source=wilds_camelyon17 --config.probe.data_dir=/data/camelyon17_v1.0

REMEDIS was trained on 50 million patches of 29,018 slides of TCGA (the release's README). The
length, 100 epochs, is the released code's default; how long it was trained is not in the release.

Arguments, several as `:moco,50x1`: a method, `:simclr`, `:micle` (two patches of one patient as the
two views), `:moco`, `:relic` or `:barlow_twins`, each with its own optimizer, rates, decay and
length; `:released` (SimCLR with the views, the LARS and the loss of REMEDIS' released code, see
`configs/common_released.py`); `:no_rotation`, `:no_crop`, `:no_colour` and `:no_blur` (the views
without one of them; they combine); `:50x1`, `:152x2` (accept this backbone only; the second trains
in little memory); `:rehearsal` (made-up patches, a narrow backbone from random weights, minutes on
2 cores).

Expected on TCGA: not measured here. `:rehearsal` shows that everything runs; its AUROC says nothing
about tissue.
"""

import ml_collections

from configs import common_ablation, common_pretraining


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    config = common_pretraining.pretraining()
    config.preprocess = "contrastive_pathology({size})"
    config.probe.labels = ("tumor",)
    rehearsal = common_pretraining.pretraining_rehearsal(
        "wilds_camelyon17",
        ("tumor",),
        "quarter_turns() | random_resized_crop({size}, area=(0.3, 1.0)) | flip_left_right() | "
        "colour_distortion(0.5)",
    )
    return common_pretraining.locked_pretraining(config, arg, rehearsal, common_ablation.PATHOLOGY)
