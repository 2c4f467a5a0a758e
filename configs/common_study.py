"""The keys of label-budget configs with their defaults, and their rehearsals."""

from collections.abc import Collection, Mapping

import ml_collections
from ml_collections import config_dict

from configs import arguments, common
from configs.arguments import Variant
from remedis.options import items

# Keys of a fine-tuning run that a study sets itself: per arm, or because only one value fits.
STUDY_SETS = (
    "checkpoint",
    "architecture",
    "rehearsal",
    "data_dir",
    "task",
    "method",
    "select",
    "max_megapixels",
    "seed",
    "distribution",
    "embeddings_dir",
    "calibration",
    "target_sensitivity",
    "resamples",
    "nested_resamples",
    "top_k",
)


def ood(
    inside: ml_collections.ConfigDict, outside: ml_collections.ConfigDict
) -> ml_collections.ConfigDict:
    """Returns every key of a label-budget study with its default.

    Args:
      inside: config of a fine-tuning run on the in-distribution (ID) data, as of `finetuning`.
      outside: the same for the out-of-distribution (OOD) data. Labels, image size, evaluation's
        preprocessing and the norm of the head are those of `inside`: the study has them once.
    """
    config = ml_collections.ConfigDict()
    # Start.
    config.title = ""  # title of the report; empty: made from config.ood_name
    config.rehearsal = ""  # pair of hospitals to make up in the run directory; empty for real data
    # Comparison.
    # Checkpoints, 'NAME=CHECKPOINT; ...': a folder, bit:FILE.npz, scratch:50x1 or keras:...; or
    # thumbnails:12, a floor without a network, for probes alone.
    config.arms = ""
    config.baseline = ""  # name of the arm that the others are compared with
    # Settings of memory that differ between arms, such as 'remedis: gradient_checkpointing=True,
    # accumulate=16'; no other keys: arms have everything else in common.
    config.arm_options = ""
    # Configs of the pretrainings that make arms, 'FOLDER=CONFIG; ...'. If the folder of an arm is
    # missing, the message names its config.
    config.pretrained_by = ""
    config.modes = ("probe", "finetune")  # ways to adapt an arm: one of them, or both
    # Data.
    # Name of the in-distribution data in the report; empty: that of the folder.
    config.id_name = inside.source
    # Name of the out-of-distribution data in the report; empty: that of the folder.
    config.ood_name = outside.source
    config.id_data_dir = ""  # directory of the in-distribution data
    config.ood_data_dir = ""  # directory of the out-of-distribution data
    # Further OOD sets, 'hospital B=/data/b; hospital C=/data/c': each is judged like the first one,
    # config.ood, from the same in-distribution models. Options are the keys in which a set differs
    # from config.ood: 'hospital B: sites=1; hospital C: source=mimic_cxr, batch_size=16'.
    config.further_ood = ""
    config.further_ood_options = ""  # 'NAME: KEY=VALUE, KEY=VALUE; ...', see config.further_ood
    config.id_sites = ""  # sites, such as '0, 3, 4': their images alone, split again; empty for all
    config.ood_sites = ""  # the same of the out-of-distribution data
    # Budgets. Numbers of labelled patients of the OOD data; none and all are always among them.
    config.budgets = "0, 1%, 5%, 10%, 20%, 33%, 50%, 100%"  # shares of the patients, or numbers
    config.seeds = 10  # draws of the patients, per budget
    config.validation_share = 0.25  # share of a budget's patients that choose the model
    config.seed = 0  # seed of the draws and the trainings
    # Tuning.
    # Every combination is trained, for every arm alike, in distribution and in every cell;
    # validation chooses, in cells beside the unchanged in-distribution model. Keys: layers,
    # decay_to, learning_rate, weight_decay, warmup_epochs, and one of steps, epochs, examples.
    # Among equal scores the first named wins.
    # The rates go from BiT's for pretrained weights, 0.003, to that for random weights in
    # benchmarks/finetuning_recipes.py, 1.6, in steps of less than a decade; they scale with the
    # batch as config.id.learning_rate does. Empty: no grid; set that rate, and config.ood's.
    config.select = "learning_rate=0.003,0.025,0.2,1.6"
    # Trainings per fine-tuned arm on ID data, with other seeds; budgets start from them in turn.
    # Intervals contain their variance. A study has many more cells: two more cost little.
    config.id_trainings = 3
    # Judgement.
    # or multi_class: labels are independent of each other; of classes exactly one is 1
    config.task = "multi_label"
    # By which arms are compared and chosen: auroc, the mean over the labels (of classes: each
    # against the rest); or, of multi_class, top_3_accuracy, top_1_accuracy and so on.
    config.metric = "auroc"
    # Questions.
    # Levels to reach: shares of what the baseline gains from no labels to all; first the headline.
    config.levels = (0.8, 0.5, 0.9)
    config.target = config_dict.placeholder(float)  # value of the metric: one more level to reach
    # 'ARM, MODE, BUDGET[, LABEL+LABEL]': the comparison with the baseline that is stated before
    # results are known, such as 'remedis, finetune, 10%'. The p-values of all others are adjusted.
    config.primary = ""
    config.minutes = config_dict.placeholder(float)  # minutes of an expert per labelled patient
    config.price = config_dict.placeholder(float)  # price per labelled patient
    config.extrapolate = False  # extend curves by a power law beyond the labelled patients
    config.resamples = 1000  # resamples of test patients and seeds, for intervals
    config.caveats = ()  # sentences of yours on the data, for the report
    config.max_megapixels = 40.0  # largest image in million pixels; larger ones are unreadable
    # Sides.
    for key in ("labels", "image_size", "eval_preprocess", "head_norm"):
        config[key] = inside[key]
        inside[key] = outside[key] = config.get_ref(key)
    # Data and fine-tuning of each side; fine-tuning on a budget is that of config.ood.
    config.id, config.ood = inside, outside
    for side in (inside, outside):
        side.learning_rate = config_dict.placeholder(float)  # in config.select, or here
        for key in STUDY_SETS:
            del side[key]
    return config


def r152x2(config: ml_collections.ConfigDict) -> None:
    """Trains every arm, at both hospitals, in as little memory as the 152x2 needs.

    Arms may be of other architectures, too. `config.arm_options` sets these keys for single arms.
    """
    for side in (config.id, config.ood):
        common.little_memory(side)


def of_pretrainings(stage: str, runs: Mapping[str, str], others: str = "") -> Variant:
    """Returns a variant whose arms are runs of a pretraining config.

    Args:
      stage: the config `configs/pretrain_STAGE.py`, which says what its runs are called.
      runs: argument of that config by name of the arm; empty for none.
      others: further arms, as in `config.arms`; the baseline is the last arm of all.
    """
    folders = {
        name: f"runs/pretrain-{stage}" + (f"-{argument.replace('_', '-')}" if argument else "")
        for name, argument in runs.items()
    }
    configs = {
        name: f"configs/pretrain_{stage}.py" + (f":{argument}" if argument else "")
        for name, argument in runs.items()
    }

    def change(config: ml_collections.ConfigDict) -> None:
        arms = [f"{name}={folder}" for name, folder in folders.items()] + items(others)
        config.arms = "; ".join(arms)
        config.baseline = arms[-1].partition("=")[0]
        config.pretrained_by = "; ".join(f"{folders[name]}={configs[name]}" for name in runs)

    return change


# Of arms with random weights in rehearsals: shallow, but not all alike.
DEPTHS = ("1-1-1-1", "1-2-1-1", "1-1-2-1", "2-1-1-1", "1-2-2-1", "2-2-1-1", "2-1-2-1")


def stand_ins(config: ml_collections.ConfigDict) -> None:
    """Puts random weights, named `stand-in-ARM`, in the place of every arm; solves probes alone."""
    names = [arm.partition("=")[0] for arm in items(config.arms)]
    config.arms = "; ".join(
        f"stand-in-{name}=scratch:{DEPTHS[i % len(DEPTHS)]}x0.5" for i, name in enumerate(names)
    )
    config.baseline = f"stand-in-{config.baseline}"
    config.pretrained_by = ""
    config.modes = ("probe",)


def ood_rehearsal(pair: str) -> Variant:
    """Returns a variant for two made-up hospitals and weights drawn at random: minutes on 2 cores.

    Args:
      pair: of hospitals, as in `remedis.label_budget.rehearsal`.
    """

    def change(config: ml_collections.ConfigDict) -> None:
        config.rehearsal = pair
        if config.pretrained_by:
            stand_ins(config)
        else:
            # One or two units per block: tracing 16 units takes longer than training these.
            config.arms = "deeper=scratch:1-2-2-1x0.5; shallow=scratch:1-1-1-1x0.5"
            config.baseline = "shallow"
        config.image_size = 48
        config.budgets = "0, 10%, 33%, 100%"
        config.seeds = 3
        config.resamples = 400
        config.select = "learning_rate=0.0005,0.002"
        # Random weights need an adaptive optimizer, and larger steps at first.
        for side, steps in ((config.id, 160), (config.ood, 60)):
            side.optimizer, side.schedule, side.learning_rate_batch = "adamw", "cosine", 0
            side.steps = steps
            side.accumulate = min(side.accumulate, 2)  # of `:152x2`
            side.evaluate_every = side.checkpoint_every = steps // 4
            # Augmentation evens out much of the difference between the made-up hospitals.
            side.train_preprocess = "resize({size})"

    return change


def locked_study(
    config: ml_collections.ConfigDict,
    arg: str | None,
    rehearsal: Variant,
    variants: Mapping[str, Variant] | None = None,
    exclusive: Collection[Collection[str]] = (),
) -> ml_collections.ConfigDict:
    """Returns a study's config with the variants named in `arg` applied, locked.

    Args:
      config: to change.
      arg: of the config; see `arguments.locked`.
      rehearsal: the variant of this name.
      variants: further ones that the config has.
      exclusive: groups of names; `arg` may have at most one name per group.
    """
    all_variants = {**(variants or {}), "152x2": r152x2, "rehearsal": rehearsal}
    return arguments.locked(config, arg, all_variants, exclusive)
