r"""Self-supervision on your own images: a directory with `manifest.csv`, no labels and no code.

    python pretrain/pretrain.py --config=configs/pretrain_own.py --workdir=runs/pretrain-mine \
        --config.checkpoint=saved_models/cxr-50x1-remedis-m --config.data=csv=/data/mine \
        --config.leave_out=runs/ood-mine

`manifest.csv` has the columns `path` (relative to the directory) and `patient_id`; whatever else it
has is not looked at, but for `split`: validation and test are left out. So are the images that a
run or a study named in `config.leave_out` is judged on, and those listed in a CSV file there; a
study that has not run yet has a directory after `finetune/ood_curves.py --list`. Several
directories, and published data beside yours: `--config.data='csv=/data/a; csv=/data/b'`.

A few labelled images tell how training goes, and choose the checkpoint that is kept:

        --config.probe.source=csv --config.probe.data_dir=/data/labelled \
        --config.probe.labels='("pneumonia",)'

What `config.leave_out` names is left out of them, too.

Few images need a batch that the memory holds, and an optimizer made for it. From random weights SGD
gained here in 3 epochs about what AdamW did in 14 (`docs/results.md`): `--config.batch_size=64
--config.optimizer=sgd --config.learning_rate=0.1 --config.learning_rate_batch=0
--config.method_options=temperature=0.2`.

Arguments, several as `:micle,50x1`: a method, `:simclr`, `:micle` (two images of one patient as the
two views), `:moco`, `:relic` or `:barlow_twins`, each with optimizer, rates, decay and length of
its own; `:50x1`, `:152x2` (no backbone but this one; the second in little memory); `:rehearsal`
(made-up images, a narrow backbone from random weights, minutes on 2 cores).

Expected: nobody but you can tell.
"""

import ml_collections

from configs import common_pretraining


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    config = common_pretraining.pretraining()
    # Suits images of any kind that have a right way up. For those without, such as pathology, add
    # quarter_turns(); for colour, colour_distortion(1.0) in the place of the last two.
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
    return common_pretraining.locked_pretraining(config, arg, rehearsal)
