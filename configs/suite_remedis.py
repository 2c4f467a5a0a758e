r"""Radiographs, tissue and skin: which checkpoint is the best for which task of REMEDIS?

    python finetune/suite.py --config=configs/suite_remedis.py --workdir=runs/suite-remedis \
        --config.arms='remedis=saved_models/cxr-50x1-remedis-m; bit=bit:BiT-M-R50x1.npz' \
        --config.baseline=bit --config.only='chest, chest_mimic' \
        --config.sets.chest.id_data_dir=/data/CheXpert-v1.0-small \
        --config.sets.chest.ood_data_dir=/data/ChestX-ray14 \
        --config.sets.chest_mimic.id_data_dir=/data/CheXpert-v1.0-small \
        --config.sets.chest_mimic.ood_data_dir=/data/mimic-cxr-jpg-2.0.0

The sets are studies of other configs, which describe their data:

- `chest`: CheXpert to ChestX-ray14, `configs/ood_cxr.py`;
- `chest_mimic`: CheXpert to MIMIC-CXR, on whose images the released checkpoints were pretrained;
- `lymph_nodes`: centres of Camelyon17 in patches, `configs/ood_path.py`;
- `slides`: whole slides of Camelyon16 to Camelyon17, `configs/ood_path.py:camelyon16-17`;
- `skin`: one clinic's photographs to another's, `configs/ood_dermatology.py`.

`config.only` names the sets whose data are at hand. A key of one set is written with its name:
`--config.sets.skin.image_size=224`. Shared keys (`configs/common_suite.py`) are set once.

Arguments: `:rehearsal` (all five sets made up, random weights, probes, minutes on 2 cores).

Expected on the real data: not measured here; most of the data and the weights are gated.
"""

import ml_collections

from configs import arguments, common, common_suite, ood_cxr, ood_dermatology, ood_path


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    of_studies = common_suite.argument_of_studies(arg)
    slides = ",".join(filter(None, ("camelyon16-17", of_studies)))
    config = common_suite.suite(
        {
            "chest": ood_cxr.get_config(of_studies),
            "chest_mimic": _chest_mimic(of_studies),
            "lymph_nodes": ood_path.get_config(of_studies),
            "slides": ood_path.get_config(slides),
            "skin": ood_dermatology.get_config(of_studies),
        }
    )
    return arguments.locked(config, arg, {"rehearsal": common_suite.rehearsal})


def _chest_mimic(arg: str) -> ml_collections.ConfigDict:
    config = ood_cxr.get_config(arg).unlock()
    config.ood_name, config.ood.source = "MIMIC-CXR", "mimic_cxr"
    common.reports(config.ood)
    config.caveats = (ood_cxr.PRETRAINED_ON_MIMIC,)
    if config.rehearsal:
        config.rehearsal = "chest-mimic"
    return config
