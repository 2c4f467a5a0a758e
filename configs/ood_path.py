r"""Camelyon17 as WILDS packs it, centres left out: labelled patients needed of a new laboratory.

    python finetune/ood_curves.py --config=configs/ood_path.py --workdir=runs/ood-path \
        --config.arms='remedis=saved_models/path-50x1-remedis-m; bit=bit:BiT-M-R50x1.npz' \
        --config.baseline=bit --config.id_data_dir=/data/camelyon17_v1.0 \
        --config.ood_data_dir=/data/camelyon17_v1.0

Centres 0, 1, 3 and 4 are in distribution; centre 2, WILDS' test centre, is out of distribution.
Each side is split by patient, not as WILDS does. Other centres:
`--config.id_sites='0, 3, 4' --config.ood_sites='1, 2'`. A centre has ten slides of ten patients or
fewer, so that budgets are few patients with many patches each, and intervals, which resample
patients, are wide.

Arguments: `:rehearsal` (made-up centres, random weights, minutes on 2 cores).

Expected on the real data: not measured here. Expected of `:rehearsal`, which takes 14 minutes of
processor time, the arm `shallow`, AUROC on the test sets; fine-tuning has three trainings in
distribution:

                   in distribution       zero-shot             all 11 patients
    probe          0.776 [0.710, 0.830]  0.580 [0.489, 0.665]  0.832 [0.743, 0.894]
    fine-tuning    0.991 [0.948, 0.999]  0.900 [0.694, 0.973]  0.988 [0.767, 1.000]
"""

import ml_collections

from configs import common, common_study


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    inside, outside = (common.pathology("wilds_camelyon17") for _ in range(2))
    config = common_study.ood(inside, outside)
    config.id_name, config.ood_name = "centres 0, 1, 3, 4", "centre 2"
    config.id_sites, config.ood_sites = "0, 1, 3, 4", "2"
    config.budgets = "0, 2, 3, 100%"
    config.ood.splits = ml_collections.ConfigDict({"train": 0.2, "validation": 0.2, "test": 0.6})
    # Keeps the shares of centres to within a patient: an interval needs five in the test set.
    config.ood.stratify = ("site",)

    def rehearsal(config: ml_collections.ConfigDict) -> None:
        common_study.ood_rehearsal("pathology")(config)
        # In small images the stain is almost all there is to learn from.
        config.image_size = 32
        config.budgets = "0, 2, 4, 100%"
        shares = {"train": 0.4, "validation": 0.15, "test": 0.45}
        config.ood.splits = ml_collections.ConfigDict(shares)
        for side in (config.id, config.ood):
            side.train_preprocess = "resize({size}) | quarter_turns() | flip_left_right()"

    return common_study.locked_study(config, arg, rehearsal)
