"""What the configs of label-budget studies share: their keys, and how they rehearse."""

import ml_collections
from ml_collections import config_dict

from configs.common import Variant
from remedis.errors import unknown_choice

# Keys of a fine-tuning run that a study sets itself: for an arm, or because only one value fits.
STUDY_SETS = (
    "checkpoint",
    "architecture",
    "rehearsal",
    "data_dir",
    "task",
    "method",
    "seed",
    "distribution",
    "embeddings_dir",
    "calibration",
    "target_sensitivity",
    "resamples",
)


def ood(
    inside: ml_collections.ConfigDict, outside: ml_collections.ConfigDict
) -> ml_collections.ConfigDict:
    """Returns every key of a label-budget study with its default.

    Args:
      inside: what a run on the in-distribution (ID) data would be told, as `finetuning` has it.
      outside: the same of the out-of-distribution (OOD) data. Labels, image size, evaluation's
        preprocessing and the norm of the head are those of `inside`: the study has them once.
    """
    config = ml_collections.ConfigDict()
    config.title = ""  # of the report; empty for one made of config.ood_name
    config.rehearsal = ""  # pair of hospitals to make up in the run directory; none for real data
    # What is compared.
    config.arms = ""  # 'NAME=CHECKPOINT; ...', each a folder, scratch:50x1, keras:DenseNet121:FILE
    config.baseline = ""  # name of the arm that the others are held against
    config.modes = ("probe", "finetune")  # how arms are adapted: one of them, or both
    # From where to where.
    config.id_name = inside.source
    config.ood_name = outside.source
    config.id_data_dir = ""
    config.ood_data_dir = ""
    config.id_sites = ""  # such as '0, 3, 4': only images of these, split anew; empty for all
    config.ood_sites = ""
    # How many labelled patients of the OOD data, none and all of them always among them.
    config.budgets = "0, 1%, 5%, 10%, 20%, 33%, 50%, 100%"  # shares or numbers
    config.seeds = 10  # draws of the patients
    config.validation_share = 0.25  # of a budget's patients, who choose the model and train none
    config.seed = 0
    # What is asked.
    config.target = config_dict.placeholder(float)  # mean AUROC to reach, beside the reference
    config.minutes = config_dict.placeholder(float)  # of an expert, to label a patient
    config.price = config_dict.placeholder(float)  # to label a patient
    config.extrapolate = False  # beyond all labelled patients, by a power law
    config.resamples = 1000  # of test patients and seeds, for intervals
    config.caveats = ()  # sentences for the report, of what you know about the data
    # What both share.
    for key in ("labels", "image_size", "eval_preprocess", "head_norm"):
        config[key] = inside[key]
        inside[key] = outside[key] = config.get_ref(key)
    # Data and fine-tuning of each; fine-tuning on a budget is that of config.ood.
    config.id, config.ood = inside, outside
    for part in (inside, outside):
        for key in STUDY_SETS:
            del part[key]
    return config


def ood_rehearsal(pair: str) -> Variant:
    """Returns a variant for two made-up hospitals and weights drawn at random: minutes on 2 cores.

    Args:
      pair: of hospitals, as in `remedis.label_budget.rehearsal`.
    """

    def change(config: ml_collections.ConfigDict) -> None:
        config.rehearsal = pair
        # A unit or two a block: a network of 16 takes longer to trace than these take to train.
        config.arms = "deeper=scratch:1-2-2-1x0.5; shallow=scratch:1-1-1-1x0.5"
        config.baseline = "shallow"
        config.image_size = 48
        config.budgets = "0, 10%, 33%, 100%"
        config.seeds = 3
        config.resamples = 400
        # Random weights need a method that makes its own step sizes, and larger steps at first.
        for part, steps in ((config.id, 160), (config.ood, 60)):
            part.optimizer, part.schedule = "adamw", "cosine"
            part.learning_rate, part.learning_rate_batch = 0.002, 0
            part.steps = steps
            part.evaluate_every = part.checkpoint_every = steps // 4
            # Augmentation makes up for much of what the made-up hospitals differ in.
            part.train_preprocess = "resize({size})"

    return change


def locked_study(
    config: ml_collections.ConfigDict, arg: str | None, rehearsal: Variant
) -> ml_collections.ConfigDict:
    """Returns a study's config, locked; `arg` is `rehearsal` or nothing.

    Raises:
      UserError: `arg` is something else.
    """
    for name in (name.strip() for name in (arg or "").split(",") if name.strip()):
        if name != "rehearsal":
            raise unknown_choice("config argument", name, ("rehearsal",))
        rehearsal(config)
    return config.lock()
