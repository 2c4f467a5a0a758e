r"""ChestX-ray14: the 14 findings, all layers, BiT's HyperRule.

    python finetune/finetune.py --config=configs/chestxray14.py --workdir=runs/chestxray14 \
        --config.checkpoint=saved_models/cxr-50x1-remedis-m --config.data_dir=/data/ChestX-ray14

Arguments: `:rehearsal`, `:head_only`. For "any finding" v "No Finding" set
`--config.labels='("No Finding",)'`: the AUROC of the one is that of the other.

Expected on ChestX-ray14: not measured here. Without the official lists of files in the directory
all images are split by patient, and no published number is comparable.
"""

import ml_collections

from configs import common


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    config = common.finetuning()
    config.source = "chestxray14"
    config.labels = (
        "Atelectasis",
        "Cardiomegaly",
        "Pleural Effusion",
        "Infiltration",
        "Mass",
        "Nodule",
        "Pneumonia",
        "Pneumothorax",
        "Consolidation",
        "Edema",
        "Emphysema",
        "Fibrosis",
        "Pleural Thickening",
        "Hernia",
    )
    config.train_preprocess = "finetune_cxr({size})"

    def rehearsal(config: ml_collections.ConfigDict) -> None:
        common.rehearsal("chestxray14")(config)
        # The made-up data draw these five only.
        config.labels = (
            "Atelectasis",
            "Cardiomegaly",
            "Consolidation",
            "Edema",
            "Pleural Effusion",
        )

    return common.locked(config, arg, {"rehearsal": rehearsal, "head_only": common.head_only})
