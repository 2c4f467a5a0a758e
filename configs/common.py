"""What the configs share: the keys every fine-tuning config has, and the arguments they take."""

from collections.abc import Callable, Mapping

import ml_collections
from ml_collections import config_dict

from remedis.errors import unknown_choice

Variant = Callable[[ml_collections.ConfigDict], None]


def finetuning() -> ml_collections.ConfigDict:
    """Returns every key of a fine-tuning run with its default; configs set what is theirs."""
    config = ml_collections.ConfigDict()
    # What from.
    config.checkpoint = ""  # a checkpoint folder: ours, or the release as downloaded
    config.rehearsal = ""  # layout of data to make up in the run directory; none for real data
    # Data.
    config.source = ""  # a name in remedis.data.sources
    config.source_options = ""  # such as 'views=all; test_centres=(2, 3)'; see the source's file
    config.data_dir = ""
    config.labels = ()
    config.uncertain = "ignore"  # ignore, zeros or ones; 'zeros; Edema=ones' for exceptions
    config.unmentioned = "ignore"
    config.splits = ml_collections.ConfigDict({"train": 0.7, "validation": 0.1, "test": 0.2})
    config.split_seed = 0
    config.split_unit = "patient_id"  # or slide_id
    config.stratify = ()  # labels or columns of few values whose shares assigned splits shall have
    config.complete_splits = False  # assign images without a split though others have one
    config.allow_missing_patient_ids = False
    config.refuse_near_duplicates = False  # stop if images of two splits look the same
    config.balance = ""  # a label or column whose values training shall see equally often
    config.max_bad_images = 0.01  # share of unreadable images a run goes on with
    # Images.
    config.image_size = 448
    config.train_preprocess = "resize({size})"
    config.eval_preprocess = "resize({size})"
    config.cache_gb = 1.0  # memory for decoded images; changes speed, never numbers
    # Model and training.
    config.trainable = "all"  # or head
    config.head_norm = True
    config.batch_size = 32
    config.steps = config_dict.placeholder(int)  # none for the HyperRule's length
    config.learning_rate = 0.003  # of the HyperRule: at batch 512, in proportion to the batch
    config.momentum = 0.9
    config.seed = 0
    # When to look.
    config.evaluate_every = 100
    config.checkpoint_every = 100
    config.log_every = 10
    config.resamples = 1000  # of the patients, for intervals
    return config


def head_only(config: ml_collections.ConfigDict) -> None:
    """Trains the head on a frozen trunk; the rate is larger, since less can go wrong."""
    config.trainable = "head"
    config.learning_rate = 0.3


def rehearsal(layout: str) -> Variant:
    """Returns a variant for made-up data of a layout and random weights: minutes on 2 cores."""

    def change(config: ml_collections.ConfigDict) -> None:
        config.rehearsal = layout
        config.image_size = 32
        config.steps = 120
        # Random weights need larger steps than pretrained ones.
        config.learning_rate = 0.8
        config.evaluate_every = config.checkpoint_every = 40

    return change


def locked(
    config: ml_collections.ConfigDict, arg: str | None, variants: Mapping[str, Variant]
) -> ml_collections.ConfigDict:
    """Returns the config with the variants named in `arg` (`a` or `a,b`) applied, locked.

    Raises:
      UserError: an argument is not among `variants`.
    """
    for name in filter(None, (arg or "").split(",")):
        if name not in variants:
            raise unknown_choice("config argument", name, variants)
        variants[name](config)
    return config.lock()
