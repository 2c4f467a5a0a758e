r"""CheXpert to ChestX-ray14: labelled patients needed, for five conditions.

    python finetune/ood_curves.py --config=configs/ood_cxr.py --workdir=runs/ood-cxr \
        --config.arms='remedis=saved_models/cxr-50x1-remedis-m; bit=bit:BiT-M-R50x1.npz' \
        --config.baseline=bit --config.id_data_dir=/data/CheXpert-v1.0-small \
        --config.ood_data_dir=/data/ChestX-ray14

Every arm is fine-tuned on CheXpert (`config.id`), scored there and zero-shot on the test patients
of ChestX-ray14, then adapted with 1 % to 100 % of its other patients (`config.ood`). All arms are
fine-tuned with the same grid, `config.select`, from which validation chooses. Keys of either side
are set as `--config.ood.batch_size=64`. `--config.target=0.85` adds this AUROC as a target.

Arguments: `:rehearsal` (two made-up hospitals, random weights, minutes on 2 cores).

Expected on the real data: not measured here; CheXpert and the weights are gated. Expected of
`:rehearsal`: the mean AUROC drops at the second hospital and recovers with labels in both modes,
which `tests/configs/test_ood_configs.py` checks.
"""

import ml_collections

from configs import common, common_study


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    inside = common.chest_xray("chexpert")
    common.reports(inside)
    # valid.csv is the test set; validation is a share of the patients of train.csv.
    inside.splits = ml_collections.ConfigDict({"train": 0.9, "validation": 0.1, "test": 0.0})
    config = common_study.ood(inside, common.chest_xray("chestxray14"))
    config.id_name, config.ood_name = "CheXpert", "ChestX-ray14"
    return common_study.locked_study(config, arg, common_study.ood_rehearsal("chest"))
