r"""CheXpert to ChestX-ray14: labelled patients needed, for five conditions.

    python finetune/ood_curves.py --config=configs/ood_cxr.py --workdir=runs/ood-cxr \
        --config.arms='remedis=saved_models/cxr-50x1-remedis-m; bit=bit:BiT-M-R50x1.npz' \
        --config.baseline=bit --config.id_data_dir=/data/CheXpert-v1.0-small \
        --config.ood_data_dir=/data/ChestX-ray14

Every arm is fine-tuned on CheXpert (`config.id`), scored there and zero-shot on the test patients
of ChestX-ray14, then adapted with 1 % to 100 % of its other patients (`config.ood`). All arms are
fine-tuned with the same grid, `config.select`, from which validation chooses. Keys of either side
are set as `--config.ood.batch_size=64`. `--config.target=0.85` adds this AUROC as a target.

The arguments, several as `:methods,152x2`:

- `:two_hospitals`: MIMIC-CXR is a second out-of-distribution set, judged from the same models; its
  directory is named by `--config.further_ood=MIMIC-CXR=/data/mimic-cxr-jpg-2.0.0`. The released
  checkpoints were pretrained on images of MIMIC-CXR, without labels: to them it is no new hospital.
- `:methods`: the arms are SimCLR, MoCo, RELIC and Barlow Twins, pretrained by
  `configs/pretrain_cxr.py` and its arguments, against BiT. Run this config with `--list` first:
  it writes `judged.json`, whose images the pretrainings leave out
  (`--config.leave_out=WORKDIR_OF_THE_STUDY`), and prints the commands of those that are missing.
- `:augmentations`: the arms are SimCLR pretrained without one group of augmentations each, against
  all of them.
- `:152x2`: trains every arm in as little memory as the 152x2 needs. For single arms:
  `--config.arm_options='remedis: gradient_checkpointing=True, accumulate=16'`.
- `:rehearsal`: made-up hospitals, random weights, minutes on 2 cores. Arms of `:methods` and
  `:augmentations` are then random weights under the name `stand-in-...`.

Expected on the real data: not measured here; CheXpert and the weights are gated. Expected of
`:rehearsal`: the mean AUROC drops at the second hospital and recovers with labels in both modes,
which `tests/configs/test_ood_configs.py` checks.
"""

import ml_collections

from configs import common, common_ablation, common_study

PRETRAINED_ON_MIMIC = (
    "REMEDIS' released checkpoints for radiographs were pretrained on images of MIMIC-CXR, "
    "without labels: to such an arm MIMIC-CXR is no new hospital."
)
METHODS = {"simclr": "", **{name: name for name in ("moco", "relic", "barlow_twins")}}


def two_hospitals(config: ml_collections.ConfigDict) -> None:
    """Adds MIMIC-CXR as a further out-of-distribution set, its labels as usual."""
    policies = common.finetuning()
    common.reports(policies)
    config.further_ood_options = (
        f'MIMIC-CXR: source=mimic_cxr, uncertain="{policies.uncertain}", '
        f'unmentioned="{policies.unmentioned}"'
    )
    config.caveats = (*config.caveats, PRETRAINED_ON_MIMIC)


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    inside = common.chest_xray("chexpert")
    common.reports(inside)
    # valid.csv is the test set; validation is a share of the patients of train.csv.
    inside.splits = ml_collections.ConfigDict({"train": 0.9, "validation": 0.1, "test": 0.0})
    config = common_study.ood(inside, common.chest_xray("chestxray14"))
    config.id_name, config.ood_name = "CheXpert", "ChestX-ray14"
    arms = {
        "methods": common_study.of_pretrainings("cxr", METHODS, "bit=bit:BiT-M-R50x1.npz"),
        "augmentations": common_study.of_pretrainings(
            "cxr", {**{name: name for name in common_ablation.CXR}, "all": ""}
        ),
    }
    return common_study.locked_study(
        config,
        arg,
        common_study.ood_rehearsal("chest"),
        {"two_hospitals": two_hospitals, **arms},
        [arms],
    )
