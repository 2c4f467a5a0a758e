"""The keys of fine-tuning configs with their defaults, and the arguments these configs take."""

from collections.abc import Mapping

import ml_collections
from ml_collections import config_dict

from configs import arguments, common_released
from configs.arguments import Variant
from remedis.data.label_names import FIVE_CONDITIONS, LESIONS


def finetuning() -> ml_collections.ConfigDict:
    """Returns every key of a fine-tuning run with its default; configs change some of them."""
    config = ml_collections.ConfigDict()
    # Start.
    config.checkpoint = ""  # a folder, a run, or another form of remedis/zoo/resolve.py
    config.architecture = ""  # the checkpoint must have it, such as 50x1; empty for any
    config.rehearsal = ""  # layout of data to make up in the run directory; empty for real data
    # Data.
    config.source = ""  # a name in remedis.data.sources
    config.source_options = ""  # such as 'views=all; test_centres=(2, 3)'; see the source's file
    config.data_dir = ""
    config.labels = ()
    config.uncertain = "ignore"  # ignore, zeros or ones; 'zeros; Edema=ones' for exceptions
    config.unmentioned = "ignore"  # empty labels of training
    # Labels of validation and test; empty for the policy of training.
    config.eval_uncertain = "ignore"
    config.eval_unmentioned = ""  # empty labels of images that have another label
    config.eval_unlabelled = "ignore"  # images without any label; zeros: negative for every label
    config.splits = ml_collections.ConfigDict({"train": 0.7, "validation": 0.1, "test": 0.2})
    config.split_seed = 0
    config.split_unit = "patient_id"  # or slide_id
    config.stratify = ()  # labels or columns of few values; assigned splits keep their shares
    config.complete_splits = False  # assign images without a split though others have one
    config.allow_missing_patient_ids = False
    config.allow_similar_ids = False  # P007, P7 and p007 are different patients; else refused
    config.refuse_near_duplicates = False  # stop if images of two splits look the same
    config.allow_similar_images = False  # else stop if many test images look like seen ones
    config.balance = ""  # a label or column; training sees its values equally often
    config.max_bad_images = 0.01  # largest share of unreadable images; more stop the run
    # Images.
    config.max_megapixels = 40.0  # of an image; larger ones are unreadable and are not decoded
    config.image_size = 448
    config.train_preprocess = "resize({size})"
    config.eval_preprocess = "resize({size})"
    config.cache_gb = 1.0  # memory for decoded images; changes speed, never numbers
    # Model.
    config.task = "multi_label"  # or multi_class: exactly one of the labels is 1
    config.method = "finetune"  # or probe: the head alone, solved exactly on stored embeddings
    config.head_norm = True
    # Of the normal numbers that the head's first weights are; unset: zeros, as in BiT.
    config.head_stddev = config_dict.placeholder(float)
    config.precision = "float32"  # or bfloat16, float16: of the activations in training
    config.gradient_checkpointing = False  # recompute activations instead of keeping them
    # Length: at most one of these is set (0 counts as unset); else the schedule has its own. That
    # of `hyperrule` is 500 steps of 512 images below 20,000 images (remedis/training/schedules.py).
    config.steps = config_dict.placeholder(int)
    config.epochs = config_dict.placeholder(float)
    config.examples = config_dict.placeholder(int)
    # Few images: the schedule's own length and its rate count with at most the images there are,
    # such as 500 epochs of 38 images; a training shorter than evaluate_every is evaluated 10 times.
    config.fit_to_data = True  # False: as in version 0.1
    # Values of learning_rate, weight_decay and one of steps, epochs, examples, such as
    # 'learning_rate=0.003,0.03; weight_decay=0,0.0001': every combination is trained, in place of
    # the values of these keys, and validation chooses. Among equal scores the first named wins.
    config.select = ""
    # Training.
    config.batch_size = 32  # of all workers together
    config.accumulate = 1  # micro-batches per step
    config.optimizer = "sgd"  # or adamw, lars, released_lars
    config.learning_rate = 0.003  # at a batch of `learning_rate_batch`; scales with the batch
    config.learning_rate_batch = 512  # 0: the rate does not scale
    config.learning_rates = ""  # factors by name: 'head/.*=10; block[12]/.*=0'; 0 freezes
    config.schedule = "hyperrule"  # or cosine, step, constant
    config.warmup = config_dict.placeholder(int)  # steps; unset: the schedule's own
    config.warmup_epochs = config_dict.placeholder(float)  # the same in epochs
    config.drops = (0.3, 0.6, 0.9)  # shares of a step schedule after which the rate is a tenth
    config.momentum = 0.9
    config.weight_decay = 0.0  # norms and biases do not decay; in released_lars, group norms do
    config.clip_norm = 0.0  # largest norm of all gradients together; 0: no limit
    config.ema = 0.0  # decay of the averaged weights, which are evaluated and kept; 0: none
    config.patience = 0  # training ends after this many evaluations without a better one; 0: never
    config.class_weights = "none"  # or balanced: positives weigh as much as negatives
    config.focal_gamma = 0.0  # of the focal loss; 0 for cross-entropy
    config.mixup = config_dict.placeholder(float)  # alpha; unset: the schedule's own
    config.seed = 0
    config.distribution = "none"  # or mirrored, multi_worker, tpu
    config.embeddings_dir = ""  # store of a probe's embeddings; empty: in the run directory
    # Intervals, in steps.
    config.evaluate_every = 100
    config.checkpoint_every = 100
    config.log_every = 10
    # Report.
    config.calibration = "platt"  # or temperature, none; multi_class has temperature for platt
    config.target_sensitivity = 0.9  # of one of the two thresholds chosen on validation
    config.resamples = 1000  # of the patients, for intervals
    # Of the AUROC: images, or patients: each has the same weight, shared equally by its images.
    config.weighting = "images"
    config.top_k = (1, 3)  # of multi_class: top-k accuracies, true class among the k most probable
    config.nested_resamples = 0  # 200: also intervals with the choice of threshold and calibration
    return config


def chest_xray(source: str) -> ml_collections.ConfigDict:
    """Returns the config of a source of radiographs, for the five conditions of REMEDIS."""
    config = finetuning()
    config.source = source
    config.labels = FIVE_CONDITIONS
    config.train_preprocess = "finetune_cxr({size})"
    return config


def reports(config: ml_collections.ConfigDict) -> None:
    """Sets the usual policies for labels that CheXpert's labeller mined from reports.

    In training, uncertain labels count as positive for Atelectasis and Edema and as negative for
    the others; unmentioned labels count as negative. In validation and test, uncertain labels are
    ignored and images without any label are left out.
    """
    config.uncertain = "zeros; Atelectasis=ones; Edema=ones"
    config.unmentioned = "zeros"


def pathology(source: str) -> ml_collections.ConfigDict:
    """Returns the config of a source of patches, for tumour, in the size of the released README."""
    config = finetuning()
    config.source = source
    config.labels = ("tumor",)
    config.image_size = 224
    config.train_preprocess = "finetune_pathology({size})"
    return config


def slides(source: str) -> ml_collections.ConfigDict:
    """Returns the config of a source of whole slides, for tumour in a tile.

    Which resolution REMEDIS used could not be read. 0.5 micrometres per pixel (20x) is our choice,
    and so is the number of tiles: a slide has some 10,000, most of them alike.
    """
    config = pathology(source)
    config.source_options = "mpp=0.5; size=224; tiles_per_slide=500"
    return config


def rehearse_slides(config: ml_collections.ConfigDict) -> None:
    """Cuts made-up slides into the patches that they consist of."""
    config.source_options = "mpp=0.5; size=96"


def dermatology() -> ml_collections.ConfigDict:
    """Returns the config of photographs of skin, one of HAM10000's classes each."""
    config = finetuning()
    config.source = "csv"
    config.labels = LESIONS
    config.task = "multi_class"
    config.stratify = config.get_ref("labels")  # rare classes are in every split
    config.train_preprocess = (
        "random_resized_crop({size}, area=(0.6, 1.0)) | quarter_turns() | flip_left_right() | "
        "brightness(0.2) | contrast(0.2) | saturation(0.2) | hue(0.03)"
    )
    return config


def head_only(config: ml_collections.ConfigDict) -> None:
    """Solves for the head alone, on embeddings that are computed once."""
    config.method = "probe"


def r50x1(config: ml_collections.ConfigDict) -> None:
    """Accepts no backbone but the 50x1."""
    config.architecture = "50x1"


def r152x2(config: ml_collections.ConfigDict) -> None:
    """Accepts no backbone but the 152x2, and trains it in little memory."""
    config.architecture = "152x2"
    little_memory(config)


def little_memory(config: ml_collections.ConfigDict) -> None:
    """Trains in as little memory as the 152x2 needs; numbers change by rounding alone."""
    # Activations fill the memory. Checkpointing keeps those of one unit instead of 50, and a
    # micro-batch has the pixels of two images at 448 px. The gradients are the whole batch's.
    config.gradient_checkpointing = True
    micro_batch = max(1, 2 * 448**2 // config.image_size**2)
    config.accumulate = max(1, config.batch_size // micro_batch)


ARCHITECTURES: Mapping[str, Variant] = {"50x1": r50x1, "152x2": r152x2}


def rehearsal(layout: str, labels: tuple[str, ...]) -> Variant:
    """Returns a variant for made-up data of a layout and random weights: minutes on 2 cores.

    Args:
      layout: of the data, as in `remedis.finetuning.rehearsal`.
      labels: those that the made-up images show.
    """

    def change(config: ml_collections.ConfigDict) -> None:
        config.rehearsal = layout
        config.labels = labels
        config.image_size = 32
        config.steps, config.epochs, config.warmup_epochs = 120, None, None
        config.batch_size, config.accumulate = 32, 1
        # Random weights need larger steps than pretrained ones. A training as released keeps its
        # optimizer and rate.
        if config.schedule == "hyperrule":
            config.learning_rate = 0.8
        config.evaluate_every = config.checkpoint_every = 40

    return change


def locked(
    config: ml_collections.ConfigDict,
    arg: str | None,
    rehearsal: Variant,
    extra: Mapping[str, Variant] | None = None,
) -> ml_collections.ConfigDict:
    """Returns a fine-tuning config with the variants named in `arg` applied, locked.

    Args:
      config: to change.
      arg: of the config; see `arguments.locked`.
      rehearsal: the variant of this name.
      extra: variants that only this config has.
    """
    variants = {
        **(extra or {}),
        **common_released.FINETUNING,
        **ARCHITECTURES,
        "head_only": head_only,
        "rehearsal": rehearsal,
    }
    trainings = [*common_released.FINETUNING, "head_only"]
    return arguments.locked(config, arg, variants, exclusive=[ARCHITECTURES, trainings])
