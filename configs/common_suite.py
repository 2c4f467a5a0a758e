"""The keys of suite configs with their defaults, and what their studies have in common."""

from collections.abc import Mapping

import ml_collections

from remedis.options import items

# Keys of a study that have one value in a suite. They are references: a value that is set in the
# suite, or in one of its sets, holds for all sets.
SHARED = (
    *("arms", "baseline", "arm_options", "pretrained_by", "modes"),
    *("budgets", "seeds", "validation_share", "seed"),
    *("select", "id_trainings", "levels", "resamples"),
)


def suite(sets: Mapping[str, ml_collections.ConfigDict]) -> ml_collections.ConfigDict:
    """Returns every key of a suite with its default.

    Args:
      sets: the config of a study, as `common_study.ood` makes it, by the name of the set: letters,
        digits and underscores.
    """
    config = ml_collections.ConfigDict()
    # Start.
    config.title = ""  # title of the leaderboard; empty: made from the names of the sets
    # Comparison.
    # Checkpoints, 'NAME=CHECKPOINT; ...', as in a study. Added are random=scratch:ARCHITECTURE of
    # the first arm, unless an arm has random weights, and the floor thumbnails=thumbnails:12.
    config.arms = ""
    # Others' predictions on the test images of a set, 'NAME: SET=DIR, SET=DIR; NAME: ...'; DIR is
    # what remedis import-predictions writes. They are rows of the leaderboard, and not adapted.
    config.predictions = ""
    config.baseline = "random"  # name of the arm that the others are compared with in each study
    # Settings of memory that differ between arms, as in a study.
    config.arm_options = ""
    # Configs of the pretrainings that make arms, 'FOLDER=CONFIG; ...'. If the folder of an arm is
    # missing, the message names its config.
    config.pretrained_by = ""
    config.modes = ("probe", "finetune")  # ways to adapt an arm: one of them, or both
    # Budgets.
    # Shares of the OOD patients, or numbers; none and all are always among them.
    config.budgets = "0, 10%, 100%"
    config.seeds = 10  # draws of the patients, per budget
    config.validation_share = 0.25  # share of a budget's patients that choose the model
    config.seed = 0  # seed of the draws and the trainings
    # Tuning.
    # As in a study: every combination is trained, for every arm alike, and validation chooses.
    config.select = "learning_rate=0.003,0.025,0.2,1.6"
    config.id_trainings = 3  # trainings per fine-tuned arm on ID data, with other seeds
    # Judgement.
    # Levels to reach, as in a study, for the report of each set; first the headline.
    config.levels = (0.8, 0.5, 0.9)
    config.resamples = 1000  # resamples of test patients and seeds, for intervals
    # Sets.
    config.only = ""  # names of sets, 'north, south', without the others; empty for all
    # Per set, the keys of a study that are not shared, such as config.sets.NAME.id_data_dir.
    config.sets = ml_collections.ConfigDict()
    for name, study in sets.items():
        study.unlock()
        for key in SHARED:
            study[key] = config.get_ref(key)
        config.sets[name] = study
    return config


def rehearsal(config: ml_collections.ConfigDict) -> None:
    """Compares random weights by probes alone: minutes on 2 cores.

    Args:
      config: of a suite whose studies are rehearsals.
    """
    config.arms = "deeper=scratch:1-2-2-1x0.5; wider=scratch:1-1-1-1x1; random=scratch:1-1-1-1x0.5"
    config.modes = ("probe",)
    config.budgets = "0, 33%, 100%"
    config.seeds = 3
    config.select = "learning_rate=0.0005,0.002"
    config.resamples = 400


def argument_of_studies(arg: str | None) -> str:
    """Returns the argument of the studies of a suite: whether they are rehearsals."""
    return "rehearsal" if "rehearsal" in items(arg or "", ",") else ""
