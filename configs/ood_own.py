r"""From one directory of yours to another: two `manifest.csv`, no code.

    python finetune/ood_curves.py --config=configs/ood_own.py --workdir=runs/ood-mine \
        --config.arms='remedis=saved_models/cxr-50x1-remedis-m; scratch=scratch:50x1' \
        --config.baseline=scratch --config.labels='("pneumonia",)' \
        --config.id_data_dir=/data/theirs --config.ood_data_dir=/data/mine

Both manifests are as `configs/own_data.py` says, with the same label columns. Where the OOD one has
a column `split`, its `test` is what everything is judged on, and the rest may be labelled.

Arguments: `:rehearsal` (two made-up hospitals, random weights, minutes on 2 cores).

Expected: nobody but you can tell.
"""

import ml_collections

from configs import common, common_study


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    parts = []
    for _ in range(2):
        part = common.finetuning()
        part.source = "csv"
        part.labels = ("label",)
        # Suits radiographs. For images without a right way up, such as pathology, add
        # flip_left_right().
        part.train_preprocess = (
            "random_resized_crop({size}, area=(0.6, 1.0)) | brightness(0.2) | contrast(0.2)"
        )
        parts.append(part)
    config = common_study.ood(*parts)
    config.id_name, config.ood_name = "the ID data", "the OOD data"

    def rehearsal(config: ml_collections.ConfigDict) -> None:
        common_study.ood_rehearsal("own")(config)
        config.labels = ("Cardiomegaly", "Pleural Effusion")
        common.reports(config.id)

    return common_study.locked_study(config, arg, rehearsal)
