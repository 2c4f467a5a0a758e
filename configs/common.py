"""What the configs share: the keys every fine-tuning config has, and the arguments they take."""

from collections.abc import Callable, Mapping

import ml_collections
from ml_collections import config_dict

from remedis.data.labels import FIVE_CONDITIONS
from remedis.errors import UserError, unknown_choice

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
# Keys of a fine-tuning run that the probe of a pretraining has too, with the same defaults.
PROBE = (
    "source",
    "source_options",
    "data_dir",
    "labels",
    "task",
    "uncertain",
    "unmentioned",
    "splits",
    "split_seed",
    "split_unit",
    "stratify",
    "complete_splits",
    "allow_missing_patient_ids",
    "refuse_near_duplicates",
    "max_bad_images",
    "eval_preprocess",
)
Variant = Callable[[ml_collections.ConfigDict], None]


def finetuning() -> ml_collections.ConfigDict:
    """Returns every key of a fine-tuning run with its default; configs set what is theirs."""
    config = ml_collections.ConfigDict()
    # What from.
    config.checkpoint = ""  # a checkpoint folder, scratch:50x1, or keras:DenseNet121:WEIGHTS_FILE
    config.architecture = ""  # such as 50x1: what the checkpoint must be; empty for any
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
    # Model.
    config.task = "multi_label"  # or multi_class: exactly one of the labels is 1
    config.method = "finetune"  # or probe: the head alone, solved exactly on stored embeddings
    config.head_norm = True
    config.precision = "float32"  # or bfloat16, float16: of the activations while training
    config.rematerialise = False  # compute activations twice instead of keeping them
    # How long, of these at most one (0: none); none for the schedule's own length.
    config.steps = config_dict.placeholder(int)
    config.epochs = config_dict.placeholder(float)
    config.examples = config_dict.placeholder(int)
    # Training.
    config.batch_size = 32  # of all workers together
    config.accumulate = 1  # parts a batch is worked on in, one after the other
    config.optimizer = "sgd"  # or adamw, lars
    config.learning_rate = 0.003  # at a batch of `learning_rate_batch`, in proportion to the batch
    config.learning_rate_batch = 512  # 0: the rate is taken as it is
    config.learning_rates = ""  # factors by name: 'head/.*=10; block[12]/.*=0'; 0 freezes
    config.schedule = "hyperrule"  # or cosine, step, constant
    config.warmup = config_dict.placeholder(int)  # steps; none for the schedule's own
    config.drops = (0.3, 0.6, 0.9)  # shares of a step schedule after which the rate is a tenth
    config.momentum = 0.9
    config.weight_decay = 0.0  # norms and biases are left out
    config.clip_norm = 0.0  # largest norm of all gradients together; 0 for none
    config.ema = 0.0  # decay of the average of the weights that is evaluated and kept; 0 for none
    config.patience = 0  # evaluations in a row without a better one that end training; 0: none do
    config.class_weights = "none"  # or balanced: positives weigh as much as negatives
    config.focal_gamma = 0.0  # of the focal loss; 0 for cross-entropy
    config.mixup = config_dict.placeholder(float)  # alpha; none for the schedule's own
    config.seed = 0
    config.distribution = "none"  # or mirrored, multi_worker, tpu
    config.embeddings_dir = ""  # store of a probe's embeddings; empty for one in the run directory
    # When to look.
    config.evaluate_every = 100
    config.checkpoint_every = 100
    config.log_every = 10
    # What is reported.
    config.calibration = "platt"  # or temperature, none; multi_class has temperature for platt
    config.target_sensitivity = 0.9  # of one of the two thresholds chosen on validation
    config.resamples = 1000  # of the patients, for intervals
    return config


def pretraining() -> ml_collections.ConfigDict:
    """Returns every key of a self-supervised pretraining with its default, those of REMEDIS.

    Azizi et al. 2023, arXiv 2205.09723, as released: SimCLR with LARS, a rate of 0.3 at 256 images,
    batches of 512 for 100 epochs, of which 10 warm up.
    """
    config = ml_collections.ConfigDict()
    # What from.
    config.checkpoint = ""  # bit:FILE.npz, a checkpoint folder, or scratch:50x1
    config.architecture = ""  # such as 50x1: what the checkpoint must be; empty for any
    config.rehearsal = ""  # layout of images to make up in the run directory; none for real ones
    # Images; their labels are not looked at.
    config.data = ""  # 'csv=/data/mine; chestxray14=/data/ChestX-ray14', a source each
    config.source_options = ""  # such as 'chexpert: views=all'; see the source's file
    config.leave_out = ""  # 'FILE.csv; DIRECTORY': lists, and runs and studies that will judge
    config.leave_out_splits = ("validation", "test")  # of sources that have splits
    config.allow_missing_patient_ids = False
    config.max_bad_images = 0.01  # share of unreadable images a run goes on with
    config.image_size = 224
    config.preprocess = "contrastive_cxr({size})"  # of each of the two views
    config.cache_gb = 1.0  # memory for decoded images; changes speed, never numbers
    # Method.
    config.method = "simclr"  # or micle, moco, relic, barlow_twins
    config.method_options = ""  # such as 'temperature=0.2; widths=(512, 128)'; see its file
    config.partners = "patient_id"  # or study_id: whose other image is the second view in MICLe
    config.precision = "float32"  # or bfloat16, float16: of the activations while training
    config.rematerialise = False  # compute activations twice instead of keeping them
    # How long, of these one; 0 is none.
    config.steps = config_dict.placeholder(int)
    config.epochs = config_dict.placeholder(float)
    config.examples = config_dict.placeholder(int)
    # Training.
    config.batch_size = 512  # of all workers together
    config.accumulate = 1  # parts a batch is worked on in; every image still meets all others
    config.optimizer = "lars"  # or sgd, adamw
    config.learning_rate = 0.3  # at a batch of `learning_rate_batch`, in proportion to the batch
    config.learning_rate_batch = 256  # 0: the rate is taken as it is
    config.learning_rates = ""  # factors by name: 'projection/.*=10; block[12]/.*=0'; 0 freezes
    config.schedule = "cosine"  # or constant
    config.warmup = config_dict.placeholder(int)  # steps
    config.warmup_epochs = config_dict.placeholder(float)  # the same in epochs
    config.momentum = 0.9
    config.weight_decay = 1e-6  # norms and biases are left out
    config.clip_norm = 0.0  # largest norm of all gradients together; 0 for none
    config.seed = 0
    config.distribution = "none"  # or mirrored, multi_worker, tpu
    config.stop_on_collapse = True
    # When to look.
    config.evaluate_every = 500
    config.checkpoint_every = 500
    config.log_every = 10
    # By what: a linear probe on labelled images, which chooses the checkpoint that is kept. Without
    # config.probe.source there is none, and the last checkpoint is.
    whole = finetuning()
    config.probe = ml_collections.ConfigDict({key: whole[key] for key in PROBE})
    # What it is called.
    config.name = ""  # such as cxr-50x1-remedis-m; empty for the name of the run's directory
    return config


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


def chest_xray(source: str) -> ml_collections.ConfigDict:
    """Returns the config of a source of radiographs, for the five conditions of REMEDIS."""
    config = finetuning()
    config.source = source
    config.labels = FIVE_CONDITIONS
    config.train_preprocess = "finetune_cxr({size})"
    return config


def reports(config: ml_collections.ConfigDict) -> None:
    """Sets what is widely done with labels mined from reports by CheXpert's labeller.

    What is uncertain counts as positive for Atelectasis and Edema and as negative for the others;
    what is not mentioned counts as negative.
    """
    config.uncertain = "zeros; Atelectasis=ones; Edema=ones"
    config.unmentioned = "zeros"


def pathology(source: str) -> ml_collections.ConfigDict:
    """Returns the config of a source of patches, for tumour, in REMEDIS' size for pathology."""
    config = finetuning()
    config.source = source
    config.labels = ("tumor",)
    config.image_size = 224
    config.train_preprocess = "finetune_pathology({size})"
    return config


def head_only(config: ml_collections.ConfigDict) -> None:
    """Solves for the head alone, on embeddings that are computed once."""
    config.method = "probe"


def r50x1(config: ml_collections.ConfigDict) -> None:
    """Takes no trunk but the 50x1."""
    config.architecture = "50x1"


def r152x2(config: ml_collections.ConfigDict) -> None:
    """Takes no trunk but the 152x2, and trains it in little memory."""
    if config.architecture:
        raise UserError(f"The config arguments {config.architecture} and 152x2 exclude each other.")
    config.architecture = "152x2"
    # Activations are what fills the memory: of one unit at a time, instead of 50, and of a part of
    # the batch with the pixels of two images at 448 px. The gradients are those of the whole batch.
    config.rematerialise = True
    part = max(1, 2 * 448**2 // config.image_size**2)
    config.accumulate = max(1, config.batch_size // part)


def rehearsal(layout: str, labels: tuple[str, ...]) -> Variant:
    """Returns a variant for made-up data of a layout and random weights: minutes on 2 cores.

    Args:
      layout: of the data, as in `remedis.training.rehearsal`.
      labels: those that the made-up images show.
    """

    def change(config: ml_collections.ConfigDict) -> None:
        config.rehearsal = layout
        config.labels = labels
        config.image_size = 32
        config.steps = 120
        # Random weights need larger steps than pretrained ones.
        config.learning_rate = 0.8
        config.evaluate_every = config.checkpoint_every = 40

    return change


def ood_rehearsal(pair: str) -> Variant:
    """Returns a variant for two made-up hospitals and weights drawn at random: minutes on 2 cores.

    Args:
      pair: of hospitals, as in `remedis.training.study.rehearsal`.
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


def lars(config: ml_collections.ConfigDict) -> None:
    """Trains as REMEDIS did: LARS, for 100 epochs of which 10 warm up."""
    config.epochs, config.warmup_epochs = 100.0, 10.0


def moco(config: ml_collections.ConfigDict) -> None:
    """Trains as MoCo-v2 (arXiv 2003.04297) does: SGD on batches of 256 for 200 epochs."""
    config.epochs, config.warmup = 200.0, 0
    config.batch_size = config.learning_rate_batch = 256
    config.optimizer, config.learning_rate, config.weight_decay = "sgd", 0.03, 1e-4


def relic(config: ml_collections.ConfigDict) -> None:
    """Trains as RELIC (arXiv 2010.07922) does: LARS with a weight decay of 1.5e-6."""
    lars(config)
    config.weight_decay = 1.5e-6


def barlow_twins(config: ml_collections.ConfigDict) -> None:
    """Trains as Barlow Twins (arXiv 2103.03230) do: LARS, norms and biases at a rate of 0.0048."""
    lars(config)
    config.learning_rate = 0.2
    config.learning_rates = f".*/(gamma|beta|bias)={0.0048 / config.learning_rate:g}"


# How each method trains; its own settings are the defaults of `remedis.selfsup`.
METHODS: Mapping[str, Variant] = {
    "simclr": lars,
    "micle": lars,
    "moco": moco,
    "relic": relic,
    "barlow_twins": barlow_twins,
}
# Settings of a rehearsal: a temperature for small batches, a queue and heads for few images.
REHEARSED = {
    "simclr": "temperature=0.2",
    "micle": "temperature=0.2",
    "moco": "queue=256",
    "relic": "temperature=0.2; widths=(512, 128)",
    "barlow_twins": "widths=(256, 256, 256)",
}


def pretraining_rehearsal(layout: str, labels: tuple[str, ...], preprocess: str) -> Variant:
    """Returns a variant for made-up images and a narrow trunk from random weights: minutes.

    Args:
      layout: of the images, as in `remedis.training.rehearsal`; they are probed too.
      labels: those that the made-up images show.
      preprocess: of each view: milder than for real images, which are many more.
    """

    def change(config: ml_collections.ConfigDict) -> None:
        config.rehearsal = config.probe.source = layout
        config.probe.labels = labels
        config.probe.splits = ml_collections.ConfigDict(
            {"train": 0.5, "validation": 0.3, "test": 0.2}
        )
        config.checkpoint = f"scratch:{config.architecture or '50x0.5'}"
        config.image_size = 48
        config.preprocess = preprocess
        config.method_options = REHEARSED[config.method]
        config.epochs, config.warmup, config.warmup_epochs = 10.0, None, 1.0
        config.batch_size = 32
        config.optimizer, config.learning_rate, config.learning_rates = "adamw", 0.001, ""
        config.learning_rate_batch = 0
        config.evaluate_every = config.checkpoint_every = 40

    return change


def locked_pretraining(
    config: ml_collections.ConfigDict, arg: str | None, rehearsal: Variant
) -> ml_collections.ConfigDict:
    """Returns a pretraining's config with the variants named in `arg` applied, locked.

    Args:
      config: to change.
      arg: names, `a` or `a,b` in any order: a method, an architecture, `rehearsal`.
      rehearsal: what `rehearsal` does; it has the last word.

    Raises:
      UserError: an argument is none of these, or two exclude each other.
    """
    choices = (*METHODS, "50x1", "152x2", "rehearsal")
    asked = [name.strip() for name in (arg or "").split(",") if name.strip()]
    for name in asked:
        if name not in choices:
            raise unknown_choice("config argument", name, choices)
    methods = [name for name in METHODS if name in asked] or [config.method]
    if len(methods) > 1:
        raise UserError(f"The config arguments {methods[0]} and {methods[1]} exclude each other.")
    config.method = methods[0]
    METHODS[config.method](config)
    if "50x1" in asked:
        r50x1(config)
    if "152x2" in asked:
        r152x2(config)
        config.accumulate = min(config.batch_size, 2 * config.accumulate)  # for the two views
    if "rehearsal" in asked:
        config.accumulate = 1
        rehearsal(config)
    return config.lock()


def locked(
    config: ml_collections.ConfigDict,
    arg: str | None,
    rehearsal: Variant,
    own: Mapping[str, Variant] | None = None,
) -> ml_collections.ConfigDict:
    """Returns the config with the variants named in `arg` applied, locked.

    Args:
      config: to change.
      arg: names of variants, `a` or `a,b` in any order.
      rehearsal: what `rehearsal` does; it has the last word.
      own: variants that only this config has.

    Raises:
      UserError: an argument is not among the variants, or two exclude each other.
    """
    variants = {
        **(own or {}),
        "50x1": r50x1,
        "152x2": r152x2,
        "head_only": head_only,
        "rehearsal": rehearsal,
    }
    asked = [name.strip() for name in (arg or "").split(",") if name.strip()]
    for name in asked:
        if name not in variants:
            raise unknown_choice("config argument", name, variants)
    for name, change in variants.items():
        if name in asked:
            change(config)
    return config.lock()
