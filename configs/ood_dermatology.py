r"""One clinic's photographs of skin to another's: patients needed for a top-3 accuracy.

    python finetune/ood_curves.py --config=configs/ood_dermatology.py \
        --workdir=runs/ood-dermatology \
        --config.arms='bit=bit:BiT-M-R50x1.npz; scratch=scratch:50x1' --config.baseline=scratch \
        --config.id_data_dir=/data/skin_there --config.ood_data_dir=/data/skin_here

Each directory has a `manifest.csv` as `configs/dermatology.py` describes it, with the same classes,
exactly one of which is 1 per image. Arms are compared by `config.metric`, the top-3 accuracy; with
`--config.metric=auroc` by the mean AUROC of each class against the rest. Validation chooses by the
same metric. Chance is the share of test images that always naming the three most frequent classes
gets right: no number of patients is given for an arm that is not shown to beat it.

A budget needs a patient of every class to train on in every draw; smaller ones are left out, and
rare classes make them large: merge these, or name fewer in `config.labels`.

Arms: `bit=` BiT's weights; `pretrained=runs/pretrain-skin` a run of `configs/pretrain_own.py` on
your unlabelled images. REMEDIS' release has no checkpoint for skin. `--list` prints how many
trainings there are, before any.

Arguments: `:152x2` (every arm trains in as little memory as the 152x2 needs), `:rehearsal` (two
made-up clinics, random weights, minutes on 2 cores).

Expected: depends on your data.
"""

import ml_collections

from configs import common, common_study


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    config = common_study.ood(common.dermatology(), common.dermatology())
    config.task, config.metric = "multi_class", "top_3_accuracy"
    config.id.stratify = config.ood.stratify = config.get_ref("labels")
    config.id_name = config.ood_name = ""

    def rehearsal(config: ml_collections.ConfigDict) -> None:
        common_study.ood_rehearsal("skin")(config)
        config.id_name, config.ood_name = "made-up clinic A", "made-up clinic B"

    return common_study.locked_study(config, arg, rehearsal)
