r"""Two directories of yours, each with a `manifest.csv`, and no code: labelled patients needed.

    python finetune/ood_curves.py --config=configs/ood_own.py --workdir=runs/ood-mine \
        --config.arms='remedis=saved_models/cxr-50x1-remedis-m; scratch=scratch:50x1' \
        --config.baseline=scratch --config.labels='("pneumonia",)' \
        --config.id_data_dir=/data/theirs --config.ood_data_dir=/data/mine

Every arm is fine-tuned at each learning rate of `config.select`, which spans pretrained and random
weights, in distribution and on every budget; validation chooses. `--list` prints how many trainings
that is. A smaller grid costs less: `--config.select='learning_rate=0.003,1.6'`.

Both manifests have the columns that `configs/own_data.py` describes, with the same labels. If the
OOD manifest has a column `split`, everything is tested on its `test`, and budgets are drawn from
the rest.

Several hospitals are judged in one study, from the same in-distribution models:
`--config.further_ood='north=/data/north; south=/data/south'`. Keys in which one differs from
`config.ood`: `--config.further_ood_options='north: sites="1, 2", batch_size=16'`. The report has an
overview and one page per hospital.

Arguments: `:152x2` (every arm trains in as little memory as the 152x2 needs), `:rehearsal` (two
made-up hospitals, random weights, minutes on 2 cores).

Expected: depends on your data.
"""

import ml_collections

from configs import common, common_study


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    sides = []
    for _ in range(2):
        side = common.finetuning()
        side.source = "csv"
        side.labels = ("label",)
        # Suits radiographs. For images without a right way up, such as pathology, add
        # flip_left_right().
        side.train_preprocess = (
            "random_resized_crop({size}, area=(0.6, 1.0)) | brightness(0.2) | contrast(0.2)"
        )
        sides.append(side)
    config = common_study.ood(*sides)
    config.id_name = config.ood_name = ""

    def rehearsal(config: ml_collections.ConfigDict) -> None:
        common_study.ood_rehearsal("own")(config)
        config.id_name, config.ood_name = "made-up hospital A", "made-up hospital B"
        config.labels = ("Cardiomegaly", "Pleural Effusion")
        common.reports(config.id)

    return common_study.locked_study(config, arg, rehearsal)
