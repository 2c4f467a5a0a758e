"""What a run records about its model: architecture, weights, training, choice, software."""

from remedis.reporting.checklists.answers import (
    Answer,
    Part,
    counted,
    name,
    say,
    several,
    table,
    together,
    write,
)
from remedis.reporting.checklists.cited_records import (
    CONFIG,
    ENVIRONMENT,
    EXPORT,
    RESULTS,
    SUMMARY,
    Field,
    Keys,
    Records,
    place,
)
from remedis.reporting.run_info import FINE_TUNING, STUDY
from remedis.zoo.provenance import FROZEN, Provenance

_MOST_STEPS = 10  # of a lineage of weights


def weights(records: Records) -> Answer:
    """Returns where the weights come from, back to the first ones."""
    if records.kind == STUDY:
        arms = records.value(SUMMARY, "arms") or ()
        return together(
            _lineage(records, SUMMARY, ("arms", arm, "provenance"), name(SUMMARY, "arms", arm))
            for arm in arms
        )
    if records.kind == EXPORT:
        lineage = _lineage(records, records.description, ("provenance",))
        return random_weights(records) + lineage
    lineage = _lineage(records, RESULTS, ("checkpoint",))
    return together([random_weights(records), lineage, _start(records)])


def random_weights(records: Records) -> Answer:
    """Returns that no pretrained weights went into the run, if so."""
    words = "RANDOM WEIGHTS: no pretrained checkpoint went into "
    random = records.filled(RESULTS, "random_weights")
    if records.kind == EXPORT:
        random = _first_origin(records)
    arms = [
        say(f"{words}arm ", name(SUMMARY, "arms", arm), ".", cites=[untrained])
        for arm in records.value(SUMMARY, "arms") or ()
        if (untrained := records.filled(SUMMARY, "arms", arm, "random_weights"))
    ]
    return together([say(f"{words}this model.", cites=[random]), *arms])


def _first_origin(records: Records) -> Field | None:
    """Returns the origin of an export's first weights if a training began with random ones."""
    keys: Keys = ("provenance",)
    if not Provenance.from_json(records.value(records.description, *keys)).random:
        return None
    while records.value(records.description, *keys, "parent"):
        keys = (*keys, "parent")
    return records.field(records.description, *keys, "origin")


def _lineage(records: Records, file: str, keys: Keys, arm: Field | None = None) -> Answer:
    """Returns the description of weights and of those that they were trained from.

    Args:
      records: of the run.
      file: that has it.
      keys: of the provenance.
      arm: of a study, named before each sentence.
    """
    found = []
    of: Part = ["Arm ", arm, ": "] if arm else ""
    for step in range(_MOST_STEPS):
        description = records.field(file, *keys, "description")
        if description is None:
            break
        found.append(say(of, "Trained from: " if step else "Weights: ", description))
        frozen = records.filled(file, *keys, "details", FROZEN)
        found.append(say(of, "That training left ", counted(frozen, "variable"), " as they were."))
        digest, origin = records.field(file, *keys, "sha256"), records.field(file, *keys, "file")
        if digest is not None and origin is not None:
            found.append(
                say(of, "Read from ", origin.base_name(), ", SHA-256 ", digest.code(), ".")
            )
        keys = (*keys, "parent")
    return together(found)


def _start(records: Records) -> Answer:
    if records.kind != FINE_TUNING or not records.contents.get(CONFIG):
        return Answer()
    deviation = records.filled(CONFIG, "head_stddev")
    if deviation is not None:
        return say("The head starts from normal numbers of standard deviation ", deviation, ".")
    method = records.field(CONFIG, "method")
    if method is None or method.value != "finetune":
        return Answer()
    return say("The head starts from zeros.", cites=[method])


# Keys of a training: what they are, and the values at which they do nothing.
_SETTINGS: dict[str, tuple[str, tuple[object, ...]]] = {
    "method": ("what is trained (`finetune`: all layers; `probe`: the head alone)", ()),
    "optimizer": ("optimiser", ()),
    "learning_rate": ("learning rate", ()),
    "learning_rate_batch": ("batch size that this rate is for; it scales with the batch", (0,)),
    "learning_rates": ("factors of the rate by layer", ()),
    "layers": ("which layers train", ("all",)),
    "schedule": ("schedule of the rate", ()),
    "batch_size": ("batch size", ()),
    "accumulate": ("micro-batches per step", (1,)),
    "momentum": ("momentum", ()),
    "weight_decay": ("weight decay", ()),
    "decay_to": ("what the decay draws weights to", ("zero",)),
    "clip_norm": ("largest norm of the gradients", (0,)),
    "ema": ("decay of averaged weights", (0,)),
    "class_weights": ("class weights", ("none",)),
    "focal_gamma": ("gamma of the focal loss", (0,)),
    "balance": ("column whose values are drawn equally often", ()),
    "patience": ("evaluations without a better one before the training ends", (0,)),
    "precision": ("precision of activations", ()),
    "distribution": ("distribution over devices", ("none",)),
    "seed": ("seed", ()),
    "temperature": ("temperature", ()),
    "method_options": ("options of the method", ()),
}
# Of these, a probe that is solved in closed form uses none.
_OF_STEPS = set(_SETTINGS) - {"method", "class_weights", "balance", "distribution", "seed"}


def training(records: Records) -> Answer:
    """Returns settings and length of the training."""
    if records.kind == STUDY:
        tried = say("Values that were tried: ", records.filled(CONFIG, "select"), ".")
        return together([tried, *(_settings(records, side) for side in ("id", "ood"))])
    found = [_settings(records, "")]
    if not found[0].said:
        found.append(
            write("Take the settings of the training from the run that trained the model.")
        )
    if records.value(RESULTS, "schedule"):
        found.append(
            say(
                "After a linear warm-up of ",
                counted(records.field(RESULTS, "schedule", "warmup"), "step"),
                " the rate is ",
                records.field(RESULTS, "schedule", "learning_rate"),
                " and follows the schedule ",
                records.field(RESULTS, "schedule", "kind"),
                ".",
            )
        )
        drops = records.filled(RESULTS, "schedule", "drops")
        found.append(
            say("It falls to a tenth after each of these shares of the steps: ", drops, ".")
        )
        mixup = records.filled(RESULTS, "schedule", "mixup")
        found.append(say("Images are mixed in pairs (MixUp, alpha ", mixup, ")."))
    steps = records.field(RESULTS, "steps")
    found.append(say("The training took ", counted(steps, "step"), "."))
    # Older runs name operations that a probe does not use.
    if records.value(CONFIG, "method") != "probe" and not records.value(RESULTS, "probe"):
        spec = records.field(RESULTS, "preprocess", "train")
        found.append(say("Augmentation: ", spec and spec.code(), "."))
    found.append(_penalties(records))
    found.append(say("Method of pretraining: ", records.field(RESULTS, "method"), "."))
    return together(found)


def _settings(records: Records, side: str) -> Answer:
    where: Keys = (side,) if side else ()
    probe = records.value(CONFIG, "method") == "probe"
    rows: list[list[Part | None]] = []
    for key, (words, off) in _SETTINGS.items():
        value = records.field(CONFIG, *where, key)
        unused = probe and key in _OF_STEPS
        if value is not None and value.value != "" and value.value not in off and not unused:
            rows.append([words, value])
    if not rows:
        return Answer()
    caption: list[Part | None] = ["Settings; those that are off are left out."]
    if side:
        caption = ["Settings on ", records.field(SUMMARY, "data", side, "name"), "."]
    return table(["setting", "value"], rows, [place(CONFIG, where)], *caption)


def _penalties(records: Records) -> Answer:
    found: list[Part] = [
        [name(RESULTS, *penalty.keys), ": ", penalty]
        for penalty in records.each(RESULTS, "probe", "penalties")
    ]
    if not found or isinstance(records.value(RESULTS, "probe"), list):
        return Answer()
    return say(
        "The head is a logistic regression on stored embeddings, solved to the optimum; penalty "
        "per label: ",
        several(found[:20]),
        ".",
        sources=[place(RESULTS, ("probe", "penalties"))],
    )


def selection(records: Records) -> Answer:
    """Returns how the final model was chosen, and among how many."""
    found = [say(records.field(RESULTS, "selection", "note"))]
    # A pretraining without labels has no probes that choose a step.
    judged = records.evaluated or records.value(RESULTS, "probe")
    best = records.field(RESULTS, "best_step") if judged else None
    found.append(
        say(
            "Kept are the weights of step ",
            best,
            " of ",
            records.field(RESULTS, "steps"),
            ", the best on the validation split.",
        )
    )
    names = list(records.each(RESULTS, "tuning", "names"))
    if names:
        rows: list[list[Part | None]] = []
        for i, candidate in enumerate(names[:40]):
            score = records.field(RESULTS, "tuning", "scores", i)
            rows.append([candidate, score.decimals(4) if score is not None else "diverged"])
        chosen = records.value(RESULTS, "tuning", "chosen")
        caption: list[Part] = [
            "Several settings were trained; validation chose ",
            names[chosen],
            ".",
        ]
        header = ["candidate", "validation score"]
        found.append(table(header, rows, [place(RESULTS, ("tuning",))], *caption))
    elif records.kind == FINE_TUNING and records.value(CONFIG, "method") == "finetune":
        found.append(
            say(
                "One setting was trained, once, with the seed ",
                records.field(CONFIG, "seed"),
                ".",
            )
        )
    for mode in records.value(SUMMARY, "tuning") or ():
        found.append(say(records.field(SUMMARY, "tuning", mode, "budget")))
        found.append(say(records.field(SUMMARY, "tuning", mode, "rule")))
    return together(found)


def ensembling(records: Records) -> Answer:
    """Returns that one model is evaluated."""
    one = records.field(CONFIG, "method") or records.field(RESULTS, "model")
    if one is None or not records.evaluated:
        return Answer()
    return say("Not applicable: the scores are those of one model, not of several.", cites=[one])


def imbalance(records: Records) -> Answer:
    """Returns class weights, balanced drawing and the focal loss."""
    keys = ("class_weights", "balance", "focal_gamma")
    values = {key: records.field(CONFIG, key) for key in keys}
    weighted, balance, gamma = (values[key] for key in keys)
    if weighted is None:
        return Answer()
    found = [
        say("Positives weigh as much as negatives in the loss (class weights: ", weighted, ").")
        if weighted.value != "none"
        else say("The loss has no class weights.", cites=[weighted])
    ]
    if balance is not None and balance.value:
        found.append(say("Training draws the values of ", balance, " equally often."))
    if gamma is not None and gamma.value:
        found.append(say("The loss is focal, gamma ", gamma, "."))
    return together(found)


def software(records: Records) -> Answer:
    """Returns versions of packages and Python, the system, and the commit of the code."""
    file, key = (ENVIRONMENT, "versions")
    if not records.value(file, key):
        file, key = (records.description, "software")
    versions: list[Part] = [
        [name(file, key, *version.keys[1:]), " ", version] for version in records.each(file, key)
    ]
    commit = records.field(ENVIRONMENT, "git_commit")
    return together(
        [
            say("Packages: ", several(versions) if versions else None, "."),
            say(
                "Python ",
                records.field(ENVIRONMENT, "python"),
                " on ",
                records.field(ENVIRONMENT, "platform"),
                ".",
            ),
            say("Commit of the code: ", commit and commit.code(), "."),
        ]
    )


def compute(records: Records) -> Answer:
    """Returns the processors of the machine; devices and durations are not recorded."""
    found = say(
        "The machine had ", counted(records.field(ENVIRONMENT, "processors"), "processor core"), "."
    )
    minutes = records.field(SUMMARY, "minutes")
    found += say("All models of the study took ", minutes and minutes.decimals(0), " minutes.")
    return found + write("Name the accelerator, if there was one, and the time the training took.")


def code(records: Records) -> Answer:
    """Returns the command of the run, and the version of the code."""
    command = records.filled(ENVIRONMENT, "command")
    return say("The run was made by: ", command and command.command(), ".") + _version(records)


def availability(records: Records) -> Answer:
    """Returns the version of the code, where the trained model is, and the terms that bind it."""
    found = [_version(records)]
    if records.kind == FINE_TUNING:
        kind = records.field(records.description, "kind")
        found.append(say("The trained model is in `export/` of the run.", cites=[kind]))
    return together([*found, _terms(records)])


def _version(records: Records) -> Answer:
    commit = records.field(ENVIRONMENT, "git_commit")
    software = (ENVIRONMENT, "versions") if records.contents.get(ENVIRONMENT) else None
    place_of_version = software or (records.description, "software")
    found = [
        say("Version of the package remedis: ", records.field(*place_of_version, "remedis"), "."),
        say("Commit of the code: ", commit and commit.code(), "."),
    ]
    return together(found)


def _terms(records: Records) -> Answer:
    """Returns the terms of code, weights and data that went into the model, as recorded."""
    found = []
    for i in range(len(records.value(records.description, "licences") or ())):
        at = (records.description, "licences", i)
        terms, where = (records.filled(*at, key) for key in ("terms", "where"))
        found.append(
            say(
                "Terms of ",
                records.field(*at, "name"),
                " (",
                records.field(*at, "kind"),
                "): ",
                terms or "not named",
                " (",
                records.field(*at, "status"),
                [", ", where] if where else "",
                ").",
            )
        )
    return together(found)
