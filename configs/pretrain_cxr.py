r"""Self-supervised pretraining on radiographs: REMEDIS' second stage, BiT to a checkpoint for CXR.

    python pretrain/pretrain.py --config=configs/pretrain_cxr.py --workdir=runs/pretrain-cxr \
        --config.checkpoint=bit:BiT-M-R50x1.npz --config.name=cxr-50x1-remedis-m \
        --config.data='mimic_cxr=/data/mimic-cxr-jpg-2.0.0; chexpert=/data/CheXpert-v1.0-small' \
        --config.source_options='mimic_cxr: views=all; chexpert: views=all'

The directory's `export` is a checkpoint like any other. Labels are not used. Validation and test
splits of sources that have official ones are left out. Other images that an experiment will be
tested on have to be named: in a CSV file with `path` or `patient_id`, or by the directory of the
run or study, which `finetune/ood_curves.py --list` makes before anything is trained:
`--config.leave_out='runs/ood-cxr; /data/mine/test.csv'`.

A probe on labelled images monitors the training and chooses the checkpoint that is kept:

        --config.probe.source=chexpert --config.probe.data_dir=/data/CheXpert-v1.0-small

SimCLR has the numbers of REMEDIS' released code, with views and a LARS of ours: the films are
resized to 448 pixels first, rotation and elastic deformation are among the views, and norms do not
decay. The loss is the mean over all views, half of the released sum; LARS cancels the factor except
for norms and biases. `:released` has the release's own.

The augmentations are compared by one run each, and the runs by `configs/ood_cxr.py:augmentations`:

    python pretrain/pretrain.py --config=configs/pretrain_cxr.py:no_blur \
        --workdir=runs/pretrain-cxr-no-blur --config.checkpoint=bit:BiT-M-R50x1.npz \
        --config.data=chexpert=/data/CheXpert-v1.0-small

Arguments, several as `:micle,50x1`: a method, `:simclr`, `:micle` (two images of one patient as the
two views), `:moco`, `:relic` or `:barlow_twins`, each with its own optimizer, rates, decay and
length; `:released` (SimCLR with the views, the LARS and the loss of REMEDIS' released code, see
`configs/common_released.py`); `:no_equalisation`, `:no_elastic`, `:no_rotation`, `:no_crop`,
`:no_colour` and `:no_blur` (the views without one of them; they combine); `:50x1`, `:152x2` (accept
this backbone only; the second trains in little memory); `:rehearsal` (made-up radiographs, a narrow
backbone from random weights, minutes on 2 cores).

Expected on MIMIC-CXR and CheXpert: not measured here; the data are gated. `:rehearsal` shows that
everything runs; its AUROC says nothing about radiographs.
"""

import ml_collections

from configs import common, common_ablation, common_pretraining
from remedis.data.label_names import FIVE_CONDITIONS


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    config = common_pretraining.pretraining()
    config.probe.labels = FIVE_CONDITIONS
    common.reports(config.probe)
    rehearsal = common_pretraining.pretraining_rehearsal(
        "chexpert",
        FIVE_CONDITIONS,
        "random_resized_crop({size}, area=(0.3, 1.0)) | flip_left_right() | brightness(0.4) | "
        "contrast(0.4)",
    )
    return common_pretraining.locked_pretraining(config, arg, rehearsal, common_ablation.CXR)
