r"""From CheXpert to ChestX-ray14: how many labelled patients, for five conditions.

    python finetune/ood_curves.py --config=configs/ood_cxr.py --workdir=runs/ood-cxr \
        --config.arms='remedis=saved_models/cxr-50x1-remedis-m; bit=saved_models/bit-m' \
        --config.baseline=bit --config.id_data_dir=/data/CheXpert-v1.0-small \
        --config.ood_data_dir=/data/ChestX-ray14

Every arm is fine-tuned on CheXpert (`config.id`), scored there and zero-shot on the test patients
of ChestX-ray14, then adapted with 1 % to 100 % of its other patients (`config.ood`). Keys of
either are set as `--config.ood.steps=200`. `--config.target=0.85` asks for that AUROC as well.

Arguments: `:rehearsal` (two made-up hospitals, random weights, minutes on 2 cores).

Expected on the real data: not measured here; CheXpert and the weights are gated. Of `:rehearsal`,
the arm `narrow`, mean AUROC in distribution, zero-shot and with all 301 patients, one run each:
about 0.72, 0.52 and 0.68 by probe (config.seed 5), 0.76, 0.69 and 0.85 by fine-tuning (0), with
an interval of some 0.03 to 0.04 to either side.
"""

import ml_collections

from configs import common


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    inside = common.chest_xray("chexpert")
    common.reports(inside)
    # valid.csv is the test set; the validation part is carved out of train.csv by patient.
    inside.splits = ml_collections.ConfigDict({"train": 0.9, "validation": 0.1, "test": 0.0})
    config = common.ood(inside, common.chest_xray("chestxray14"))
    config.id_name, config.ood_name = "CheXpert", "ChestX-ray14"
    return common.locked_study(config, arg, common.ood_rehearsal("chest"))
