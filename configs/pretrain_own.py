r"""Self-supervised pretraining on your own images: a directory with `manifest.csv`, no labels.

The first command lists the images that a study will test on, and the second leaves them out:

    python finetune/ood_curves.py --config=configs/ood_own.py --workdir=runs/ood-mine \
        --config.arms='remedis=saved_models/cxr-50x1-remedis-m; scratch=scratch:50x1' \
        --config.baseline=scratch --config.labels='("pneumonia",)' \
        --config.id_data_dir=/data/theirs --config.ood_data_dir=/data/mine --list
    python pretrain/pretrain.py --config=configs/pretrain_own.py --workdir=runs/pretrain-mine \
        --config.checkpoint=saved_models/cxr-50x1-remedis-m --config.data=csv=/data/mine \
        --config.leave_out=runs/ood-mine

`manifest.csv` has the columns `path` (relative to the directory) and `patient_id`. Of its other
columns only `split` is used: validation and test are left out. The test images of a run or a study
named in `config.leave_out`, and images listed in a CSV file named there, are left out, too. Several
directories, or published data beside yours: `--config.data='csv=/data/a; csv=/data/b'`. A directory
of images without a table is enough if no patients are known: add
`--config.allow_missing_patient_ids`.

A probe on a few labelled images monitors the training and chooses the checkpoint that is kept:

        --config.probe.source=csv --config.probe.data_dir=/data/labelled \
        --config.probe.labels='("pneumonia",)'

The images of `config.leave_out` are left out of them, too.

Few images need a batch that fits into memory, and an optimizer that suits it. The runs from random
weights in `docs/results.md` have these settings:
`--config.batch_size=64 --config.optimizer=sgd --config.learning_rate=0.1
--config.learning_rate_batch=0 --config.method_options=temperature=0.2`.

Arguments, several as `:micle,50x1`: a method, `:simclr`, `:micle` (two images of one patient as the
two views), `:moco`, `:relic` or `:barlow_twins`, each with its own optimizer, rates, decay and
length; `:released` (SimCLR with the views, the LARS and the loss of REMEDIS' released code, see
`configs/common_released.py`); `:no_crop` and `:no_colour` (the views without one of them); `:50x1`,
`:152x2` (accept this backbone only; the second trains in little memory); `:rehearsal` (made-up
images, a narrow backbone from random weights, minutes on 2 cores).

Expected: depends on your data.
"""

import ml_collections

from configs import common_ablation, common_pretraining


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    config = common_pretraining.pretraining()
    # Suits images of any kind that have a right way up. For those without, such as pathology, add
    # quarter_turns(); for colour images replace the last two by colour_distortion(1.0).
    config.preprocess = (
        "random_resized_crop({size}, area=(0.08, 1.0)) | flip_left_right() | brightness(0.8) | "
        "contrast(0.8)"
    )
    rehearsal = common_pretraining.pretraining_rehearsal(
        "csv",
        ("Cardiomegaly", "Pleural Effusion"),
        "random_resized_crop({size}, area=(0.3, 1.0)) | flip_left_right() | brightness(0.4) | "
        "contrast(0.4)",
    )
    return common_pretraining.locked_pretraining(config, arg, rehearsal, common_ablation.ANY_IMAGES)
