"""The rehearsals of configs that tests run to their ends, as (name, argument) of the config.

The tests in `tests/configs` run them. `tests/test_experiments.py` requires one per command of
`docs/experiments.md`. All but the quick ones are marked `guarantee`.
"""

import itertools
import pathlib

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
_SHARED = ("__init__", "arguments", "common")


def _names(prefix: str) -> list[str]:
    return sorted(path.stem for path in CONFIGS.glob(f"{prefix}*.py"))


PRETRAINING_NAMES = _names("pretrain_")
STUDY_NAMES = _names("ood_")
SUITE_NAMES = _names("suite_")
FINETUNING_NAMES = [
    name
    for name in _names("")
    if not name.startswith(_SHARED) and name not in (*PRETRAINING_NAMES, *STUDY_NAMES, *SUITE_NAMES)
]
METHODS = ("simclr", "micle", "moco", "relic", "barlow_twins")
ABLATIONS = ("no_equalisation", "no_elastic", "no_rotation", "no_crop", "no_colour", "no_blur")

# One trains and one solves for the head; the others differ from these in their data alone.
FINETUNING_QUICK = [("chexpert", "rehearsal"), ("camelyon", "rehearsal,head_only")]
FINETUNING = [
    *FINETUNING_QUICK,
    *((name, "rehearsal") for name in FINETUNING_NAMES if name != "chexpert"),
    ("chexpert", "released,rehearsal"),
    ("camelyon", "released,rehearsal"),
    ("chexpert", "notebook,rehearsal"),
    ("patch_camelyon", "notebook,rehearsal"),
    ("camelyon16", "released,rehearsal"),
]
PRETRAINING = [
    *itertools.product(PRETRAINING_NAMES, ["rehearsal"]),
    *(("pretrain_cxr", f"{method},rehearsal") for method in METHODS),
    *((name, "released,rehearsal") for name in PRETRAINING_NAMES),
    *(("pretrain_cxr", f"{argument},rehearsal") for argument in ABLATIONS),
]
STUDIES_QUICK = [("ood_path", "rehearsal")]
STUDIES = [
    *STUDIES_QUICK,
    *((name, "rehearsal") for name in STUDY_NAMES if name != "ood_path"),
    ("ood_path", "camelyon16-17,rehearsal"),
    ("ood_cxr", "methods,rehearsal"),
    ("ood_cxr", "augmentations,rehearsal"),
    ("ood_cxr", "two_hospitals,rehearsal"),
    ("ood_own", "152x2,rehearsal"),
]
SUITES = [*itertools.product(SUITE_NAMES, ["rehearsal"])]
EVERY = [*FINETUNING, *PRETRAINING, *STUDIES, *SUITES]
