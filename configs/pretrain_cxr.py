r"""Self-supervision on radiographs: REMEDIS' second stage, from BiT to a checkpoint for CXR.

    python pretrain/pretrain.py --config=configs/pretrain_cxr.py --workdir=runs/pretrain-cxr \
        --config.checkpoint=bit:BiT-M-R50x1.npz --config.name=cxr-50x1-remedis-m \
        --config.data='mimic_cxr=/data/mimic-cxr-jpg-2.0.0; chexpert=/data/CheXpert-v1.0-small' \
        --config.source_options='mimic_cxr: views=all; chexpert: views=all'

The directory's `export` is a checkpoint as any other. Labels are not looked at. Validation and test
of sources with official splits are left out; what else an experiment will be judged on, of images
without a split for example, is named: a CSV file with `path` or `patient_id`, or the directory of
the run or study, which `finetune/ood_curves.py --list` makes before anything is trained:
`--config.leave_out='runs/ood-cxr; /data/mine/test.csv'`.

A probe on labelled images tells how training goes, and chooses the checkpoint that is kept:

        --config.probe.source=chexpert --config.probe.data_dir=/data/CheXpert-v1.0-small

SimCLR with the values released with REMEDIS; the loss is the mean over all views, half of the
released sum, which LARS evens out but for norms and biases.

Arguments, several as `:micle,50x1`: a method, `:simclr`, `:micle` (two images of one patient as the
two views), `:moco`, `:relic` or `:barlow_twins`, each with optimizer, rates, decay and length of
its own; `:50x1`, `:152x2` (no backbone but this one; the second in little memory); `:rehearsal`
(made-up radiographs, a narrow backbone from random weights, minutes on 2 cores).

Expected on MIMIC-CXR and CheXpert: not measured here; the data are gated. `:rehearsal` shows that
everything runs; its AUROC says nothing about radiographs.
"""

import ml_collections

from configs import common, common_pretraining
from remedis.data.labels import FIVE_CONDITIONS


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
    return common_pretraining.locked_pretraining(config, arg, rehearsal)
