"""CLAIM, the checklist for artificial intelligence in medical imaging, update of 2024."""

from remedis.reporting.checklists import (
    data_facts,
    group_facts,
    label_facts,
    model_facts,
    result_facts,
    tested_facts,
    testing_place_facts,
    training_facts,
)
from remedis.reporting.checklists.guideline import Guideline, Item

_DESIGN, _DATA, _REFERENCE = "Methods: design", "Methods: data", "Methods: reference standard"
_PARTITIONS, _TEST = "Methods: partitions", "Methods: testing data"
_MODEL, _TRAINING, _EVALUATION = "Methods: model", "Methods: training", "Methods: evaluation"
_RESULTS, _PERFORMANCE = "Results: data", "Results: performance"

_ITEMS = (
    Item(
        "1",
        "Title",
        "Name the kind of AI in the title.",
        author="Say in the title that the study uses deep learning, and for which task.",
    ),
    Item(
        "2",
        "Abstract",
        "Summarise design, methods, results and conclusions.",
        author="Write the abstract: design, data with their numbers, model, main result with its "
        "interval, conclusion, availability. Items 19, 22 and 37 hold numbers for it.",
    ),
    Item(
        "3",
        "Introduction",
        "Give the background and the intended use and role of the model.",
        author="State the clinical question, today's practice, and who would use the model's "
        "output at which step.",
    ),
    Item(
        "4",
        "Introduction",
        "State aims and hypotheses.",
        author="State the aims, and hypotheses if there were any before the data were seen.",
    ),
    Item(
        "5",
        _DESIGN,
        "Prospective or retrospective?",
        author="State whether data were collected before or after the study was planned.",
    ),
    Item(
        "6",
        _DESIGN,
        "State the goal of the study.",
        (label_facts.labels,),
        "State the goal: making a model, testing one, feasibility, comparison, non-inferiority.",
    ),
    Item(
        "7",
        _DATA,
        "Where do the data come from?",
        (data_facts.source,),
        "Name each data set with version, place, dates of acquisition, link and terms of use.",
    ),
    Item(
        "8",
        _DATA,
        "Which patients and images were included and excluded?",
        (data_facts.eligibility,),
        "State criteria for patients and examinations, and how those in the data were found.",
    ),
    Item(
        "9",
        _DATA,
        "How were images prepared?",
        (data_facts.preprocessing,),
        "State what was done to images before the run read them (export, conversion, masking).",
    ),
    Item(
        "10",
        _DATA,
        "Were parts of the data selected (regions, frames, patches), and by whom?",
        author="State how series, views, regions or patches were chosen from examinations, or that "
        "all were used.",
    ),
    Item(
        "11",
        _DATA,
        "How were data de-identified?",
        author="State how and by whom images and tables were de-identified, and by which standard.",
    ),
    Item(
        "12",
        _DATA,
        "How were missing data handled?",
        (label_facts.label_policies, data_facts.left_out),
        "State which further data were missing, such as ages or follow-up, and what was done.",
    ),
    Item(
        "13",
        _DATA,
        "How were images acquired?",
        author="State modality, manufacturers and models, protocols, and resolution of the images.",
    ),
    Item(
        "14",
        _REFERENCE,
        "How was the reference standard obtained?",
        (label_facts.labels,),
        "Define each label: who or what assigned it, from which information, by which rule. Item "
        "12 says what uncertain and empty labels count as.",
    ),
    Item(
        "15",
        _REFERENCE,
        "Why this reference standard?",
        author="Give the reason for this standard, its known errors, and the alternatives.",
    ),
    Item(
        "16",
        _REFERENCE,
        "Who made the annotations?",
        author="State number, qualification and training of the annotators, or the program that "
        "read reports.",
    ),
    Item(
        "17",
        _REFERENCE,
        "How was the test set annotated?",
        author="State how labels of the test set were made, with which software, and whether they "
        "differ from those of training.",
    ),
    Item(
        "18",
        _REFERENCE,
        "How much do annotators vary?",
        author="Give agreement between and within annotators, and how disagreement was resolved.",
    ),
    Item(
        "19",
        _PARTITIONS,
        "How were data assigned to partitions?",
        (data_facts.partition, data_facts.counts, training_facts.imbalance),
    ),
    Item(
        "20",
        _PARTITIONS,
        "At which level are partitions disjoint?",
        (data_facts.disjoint, data_facts.seen_before),
    ),
    Item(
        "21", _TEST, "How large was the test set meant to be, and why?", (tested_facts.test_size,)
    ),
    Item(
        "22",
        _MODEL,
        "Describe the model.",
        (model_facts.model, label_facts.labels, result_facts.thresholds),
    ),
    Item("23", _MODEL, "Which software, in which version?", (training_facts.software,)),
    Item("24", _MODEL, "How were parameters initialised?", (training_facts.weights,)),
    Item("25", _TRAINING, "How was the model trained?", (training_facts.training,)),
    Item("26", _TRAINING, "How was the final model chosen?", (training_facts.selection,)),
    Item("27", _TRAINING, "Were models combined?", (training_facts.ensembling,)),
    Item("28", _EVALUATION, "Which metrics measure performance?", (result_facts.metrics,)),
    Item(
        "29",
        _EVALUATION,
        "How are uncertainty and significance measured?",
        (result_facts.uncertainty,),
        "If models or readers are compared, state the test (`remedis compare` tests two runs).",
    ),
    Item(
        "30",
        _EVALUATION,
        "Is the result robust?",
        (group_facts.sensitivity_analyses, group_facts.subgroup_columns),
        "State other analyses of robustness, such as other seeds, noise or scanners, or that there "
        "were none.",
    ),
    Item(
        "31",
        _EVALUATION,
        "How are outputs explained?",
        author="State methods of explanation and how they were validated, or that none was used: "
        "the run computes none.",
    ),
    Item("32", _EVALUATION, "Test on internal data.", (testing_place_facts.internal,)),
    Item("33", _EVALUATION, "Test on external data.", (testing_place_facts.external,)),
    Item(
        "34",
        _EVALUATION,
        "Registration of a clinical trial.",
        author="Give registry and number if the study is a trial; else state that it is none.",
    ),
    Item(
        "35",
        _RESULTS,
        "How many patients or examinations were included and excluded?",
        (data_facts.made_up, data_facts.counts, data_facts.left_out),
        "Draw the flow from the source to these numbers, with each reason for exclusion.",
    ),
    Item(
        "36",
        _RESULTS,
        "Who are the patients of each partition?",
        (tested_facts.characteristics,),
    ),
    Item(
        "37",
        _PERFORMANCE,
        "Performance with its uncertainty.",
        (testing_place_facts.results, group_facts.subgroups),
    ),
    Item(
        "38",
        _PERFORMANCE,
        "Diagnostic accuracy and its precision.",
        (result_facts.operating_points, result_facts.calibration, result_facts.not_tested),
    ),
    Item("39", _PERFORMANCE, "Where is the model wrong?", (tested_facts.failures,)),
    Item(
        "40",
        "Discussion",
        "Limitations.",
        (data_facts.made_up, training_facts.random_weights, group_facts.limitations),
        "Discuss limits of data, reference standard, method and generality; the lines above must "
        "be among them.",
    ),
    Item(
        "41",
        "Discussion",
        "What follows for practice?",
        author="State intended use and clinical role, and what must be shown before any use. "
        "remedis is research software, not a diagnostic device.",
    ),
    Item(
        "42",
        "Other information",
        "Where are protocol and technical details?",
        (training_facts.code,),
        "Say where the protocol can be read. Publish the run's config.json and results.json after "
        "you have read them: they have names of folders.",
    ),
    Item(
        "43",
        "Other information",
        "Are software, model and data available?",
        (training_facts.availability,),
        "State where code, trained model and data can be had and on which terms. The terms of the "
        "first weights and of the data bind a model that was made from them.",
    ),
    Item(
        "44",
        "Other information",
        "Who paid for the study?",
        author="Name funders and their role, and other support.",
    ),
)

GUIDELINE = Guideline(
    name="claim",
    title="CLAIM, update of 2024 (44 items)",
    citation="Tejani AS, Klontzas ME, Gatti AA, Mongan JT, Moy L, Park SH, Kahn CE Jr. Checklist "
    "for Artificial Intelligence in Medical Imaging (CLAIM): 2024 Update. Radiology: Artificial "
    "Intelligence 6(4):e240300 (2024), DOI 10.1148/ryai.240300.",
    numbering="Numbers and subjects follow two public copies of the checklist in repositories, "
    "which agree; the article itself was not read. Compare with the published list before you "
    "submit.",
    items=_ITEMS,
)
