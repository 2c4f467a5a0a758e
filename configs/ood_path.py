r"""A new laboratory: labelled patients needed to find metastases in tiles of lymph nodes.

`:camelyon16-17`: whole slides of Camelyon16 are in distribution, those of Camelyon17 out of
distribution. This is the pair of REMEDIS' pathology by accounts of the paper, whose methods could
not be read. The directories are the downloads as they are, zip files unpacked
(`remedis/data/sources/camelyon16.py` and `camelyon17.py`):

    python finetune/ood_curves.py --config=configs/ood_path.py:camelyon16-17 \
        --workdir=runs/ood-path-slides \
        --config.arms='remedis=saved_models/path-50x1-remedis-m; bit=bit:BiT-M-R50x1.npz' \
        --config.baseline=bit --config.id_data_dir=/data/CAMELYON16 \
        --config.ood_data_dir=/data/CAMELYON17

In distribution, test is the official one and validation a fifth of the training slides. Out of
distribution, the 100 training patients are split by patient, with the same shares in each centre:
50 may be labelled and 50 are tested. Tiles have 224 pixels at 0.5 micrometres per pixel; at most
500 positive and 500 negative ones per slide are used. Resolution, number and division are our
choices: those of the paper could not be read.

`:wilds`, the default: Camelyon17 as WILDS packs it, centres left out, in patches of 96 pixels. It
is another experiment than the paper's.

    python finetune/ood_curves.py --config=configs/ood_path.py --workdir=runs/ood-path \
        --config.arms='remedis=saved_models/path-50x1-remedis-m; bit=bit:BiT-M-R50x1.npz' \
        --config.baseline=bit --config.id_data_dir=/data/camelyon17_v1.0 \
        --config.ood_data_dir=/data/camelyon17_v1.0

Centres 0, 1, 3 and 4 are in distribution; centre 2, WILDS' test centre, is out of distribution.
Each side is split by patient, not as WILDS does. Other centres:
`--config.id_sites='0, 3, 4' --config.ood_sites='1, 2'`. A centre has ten slides of ten patients or
fewer, so that budgets are few patients with many patches each, and intervals, which resample
patients, are wide. Two centres are judged one by one, from the same in-distribution models, by

        --config.id_name='centres 0, 3, 4' --config.id_sites='0, 3, 4' \
        --config.further_ood='centre 1=/data/camelyon17_v1.0' \
        --config.further_ood_options='centre 1: sites=1'

Arguments, several as `:camelyon16-17,rehearsal`: `:camelyon16-17` or `:wilds`; `:152x2` (every arm
trains in as little memory as the 152x2 needs); `:rehearsal` (made-up centres, random weights,
minutes on 2 cores).

Expected on the real data: not measured here. Expected of the rehearsals, the arm `shallow`, AUROC
on the test sets; fine-tuning has three trainings in distribution. `:rehearsal` takes 14 minutes of
processor time, `:camelyon16-17,rehearsal` 8 minutes:

                   in distribution       zero-shot             all 11 patients
    probe          0.776 [0.710, 0.830]  0.580 [0.489, 0.665]  0.832 [0.743, 0.894]
    fine-tuning    0.991 [0.948, 0.999]  0.900 [0.694, 0.973]  0.988 [0.767, 1.000]

    camelyon16-17  in distribution       zero-shot             all 16 patients
    probe          0.726 [0.634, 0.801]  0.670 [0.533, 0.783]  0.676 [0.539, 0.788]
    fine-tuning    0.966 [0.860, 0.992]  0.897 [0.557, 0.984]  0.956 [0.803, 0.992]
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
    variants = {"wilds": lambda config: None, "camelyon16-17": _camelyon16_17}
    return common_study.locked_study(config, arg, _rehearsal, variants, exclusive=[variants])


def _camelyon16_17(config: ml_collections.ConfigDict) -> None:
    """Makes the study one of whole slides, from Camelyon16 to Camelyon17."""
    config.id_name, config.ood_name = "Camelyon16", "Camelyon17"
    config.id_sites = config.ood_sites = ""
    config.budgets = "0, 5, 10, 20, 100%"
    config.id.splits = ml_collections.ConfigDict({"train": 0.8, "validation": 0.2, "test": 0.0})
    config.ood.splits = ml_collections.ConfigDict({"train": 0.4, "validation": 0.1, "test": 0.5})
    config.caveats = (
        "Two of the five hospitals of Camelyon17 have also given the slides of Camelyon16.",
        "Patients of Camelyon17 are artificial, composed of lymph nodes of several real ones: "
        "neither splits nor intervals can go by real patients.",
    )
    for side, source in ((config.id, "camelyon16"), (config.ood, "camelyon17")):
        side.source = source
        side.source_options = common.slides(source).source_options
        side.stratify = ("tumor", "site")


def _rehearsal(config: ml_collections.ConfigDict) -> None:
    of_slides = config.id.source == "camelyon16"
    common_study.ood_rehearsal("camelyon16-17" if of_slides else "pathology")(config)
    # In small images the stain is almost all there is to learn from.
    config.image_size = 32
    config.budgets = "0, 2, 4, 100%"
    if of_slides:
        common.rehearse_slides(config.id)
        common.rehearse_slides(config.ood)
        shares = {"train": 0.5, "validation": 0.5, "test": 0.0}
        config.id.splits = ml_collections.ConfigDict(shares)
    else:
        shares = {"train": 0.4, "validation": 0.15, "test": 0.45}
        config.ood.splits = ml_collections.ConfigDict(shares)
    for side in (config.id, config.ood):
        side.train_preprocess = "resize({size}) | quarter_turns() | flip_left_right()"
