"""The Model Facts label, one page about a model for clinicians, of 2020."""

from remedis.reporting.checklists import (
    data_facts,
    group_facts,
    label_facts,
    model_facts,
    result_facts,
    testing_place_facts,
    training_facts,
)
from remedis.reporting.checklists.guideline import Guideline, Item

_HEAD, _MECHANISM = "Model name, locale and version", "Mechanism of risk score calculation"
_PERFORMANCE, _USE = "Validation and performance", "Uses and directions"
_WARNINGS, _OTHER = "Warnings", "Other information"

_ITEMS = (
    Item(
        "name",
        _HEAD,
        "Name, place and version of the model.",
        (model_facts.named, training_facts.availability),
        "State the place where the model would be used, and dates of approval and last update.",
    ),
    Item(
        "summary",
        "Summary",
        "What the model predicts, from what, made by whom and when.",
        (label_facts.labels,),
        "Write two sentences for a clinician, with the developers and the years of the data.",
    ),
    Item(
        "outcome",
        _MECHANISM,
        "Outcome and output.",
        (label_facts.labels, label_facts.label_policies, result_facts.choice_notes),
        "Define each outcome in clinical terms.",
    ),
    Item(
        "target-population",
        _MECHANISM,
        "Target population.",
        author="State for which patients the model is meant.",
    ),
    Item(
        "time",
        _MECHANISM,
        "When the prediction is made.",
        author="State at which step of care the model would run.",
    ),
    Item(
        "input",
        _MECHANISM,
        "Source and type of the input.",
        (model_facts.input_images,),
        "State modality, views and the system that the images come from.",
    ),
    Item(
        "training-data",
        _MECHANISM,
        "Place and time of the training data.",
        (data_facts.source, data_facts.counts),
        "State hospitals and dates.",
    ),
    Item(
        "model-type",
        _MECHANISM,
        "Type of the model.",
        (model_facts.model, training_facts.weights),
    ),
    Item(
        "performance",
        _PERFORMANCE,
        "Performance where the model was developed.",
        (testing_place_facts.results, result_facts.operating_points, result_facts.calibration),
    ),
    Item(
        "external",
        _PERFORMANCE,
        "Performance at other places.",
        (testing_place_facts.external,),
    ),
    Item(
        "subgroups",
        _PERFORMANCE,
        "Performance in groups of patients.",
        (group_facts.subgroups,),
    ),
    Item(
        "use",
        _USE,
        "Benefits, use case, and how to use the output.",
        (result_facts.thresholds,),
        "State the benefit, the decision that the output supports, and how. Until it is tested "
        "prospectively: research use only, no output guides care.",
    ),
    Item(
        "before-use",
        _USE,
        "What must be done before the model is used.",
        author="State local tests, training of users and approval that must come first. "
        "`remedis evaluate` and `remedis calibrate` test and fit the model to local images.",
    ),
    Item(
        "risks",
        _WARNINGS,
        "Risks, and settings and decisions that the model is not for.",
        (data_facts.made_up, training_facts.random_weights, group_facts.limitations),
        "State what happens to a patient if the output is wrong, and where it must not be used. "
        "remedis is research software, not a diagnostic device.",
    ),
    Item(
        "generality",
        _WARNINGS,
        "Clinical rationale and generality.",
        (data_facts.seen_before,),
        "State that the output gives no reason, and where performance may differ: other scanners, "
        "patients, prevalence.",
    ),
    Item(
        "stop",
        _WARNINGS,
        "When to stop using it.",
        author="State what is monitored, by whom, and at which result use ends.",
    ),
    Item(
        "more",
        _OTHER,
        "Publications, trials, related models, contact.",
        (training_facts.code,),
        "Cite publications and trials, and name whom to ask.",
    ),
)

GUIDELINE = Guideline(
    name="model-facts",
    title="Model Facts label, 2020 (17 entries)",
    citation="Sendak MP, Gao M, Brajer N, Balu S. Presenting machine learning model information to "
    "clinical end users with model facts labels. npj Digital Medicine 3:41 (2020), DOI "
    "10.1038/s41746-020-0253-3.",
    numbering="The sections follow the article's list of sections as other public texts repeat it; "
    "the article itself was not read. The label has no item numbers; the names of the entries and "
    "their division are ours. Compare with the published label.",
    items=_ITEMS,
)
