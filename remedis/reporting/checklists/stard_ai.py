"""STARD-AI, the guideline for studies of diagnostic accuracy with AI, of 2025."""

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

_PATIENTS, _DATA, _TEST = "Methods: participants", "Methods: data set", "Methods: tests"
_ANALYSIS, _RESULTS, _TESTS = "Methods: analysis", "Results: participants", "Results: tests"
_OTHER = "Other information"

_ITEMS = (
    Item(
        "1",
        "Title",
        "Say that the study is about the accuracy of an AI test, and name a measure of accuracy.",
        author="Put both into the title or the abstract, such as the AUROC of item 31.",
    ),
    Item(
        "2",
        "Abstract",
        "Structured summary.",
        author="Write it by STARD for Abstracts: design, methods, results, conclusions.",
    ),
    Item(
        "3",
        "Introduction",
        "Background, intended use of the test, new or established, place in the workflow.",
        author="State the clinical question, the use of the test and its place in the workflow.",
    ),
    Item(
        "4",
        "Introduction",
        "Objectives and hypotheses.",
        author="State objectives, and hypotheses made before results were known.",
    ),
    Item(
        "5",
        "Methods",
        "Prospective or retrospective.",
        author="State whether data were collected before or after the tests were planned.",
    ),
    Item(
        "6",
        "Methods",
        "Ethical approval.",
        author="Name the committee and its decision, or why none was needed.",
    ),
    Item(
        "7",
        _PATIENTS,
        "Inclusion and exclusion, of participants and of data, in order.",
        (data_facts.eligibility,),
        "List the criteria for participants and for images separately, in the order of use.",
    ),
    Item(
        "8",
        _PATIENTS,
        "On what basis participants were found.",
        author="State how they were found: symptoms, earlier tests, a registry.",
    ),
    Item(
        "9",
        _PATIENTS,
        "Where and when participants were found.",
        author="State setting, places and dates.",
    ),
    Item(
        "10",
        _PATIENTS,
        "Consecutive, random or convenience series.",
        author="State which it is. The run sees the images of its table and not how they came "
        "there.",
    ),
    Item(
        "11",
        _DATA,
        "Source of the data, and whether collected in routine, for the study or open.",
        (data_facts.source,),
        "State which of these it is, with version and link.",
    ),
    Item(
        "12",
        _DATA,
        "Who annotated the data and how.",
        author="State experience and background of annotators, and whether they annotated in care "
        "or afterwards.",
    ),
    Item(
        "13",
        _DATA,
        "Devices that captured the data; software of the test with versions.",
        (training_facts.software,),
        "State manufacturer and model of the devices, and what the software is intended for.",
    ),
    Item(
        "14",
        _DATA,
        "Acquisition protocol and preprocessing.",
        (data_facts.preprocessing,),
        "State the acquisition protocol and steps before the run.",
    ),
    Item(
        "15a",
        _TEST,
        "The index test, so that others can repeat it.",
        (model_facts.model, label_facts.labels, training_facts.availability),
    ),
    Item(
        "15b",
        _TEST,
        "Development of the index test: training, validation, testing, external evaluation, sizes.",
        (
            data_facts.counts,
            data_facts.partition,
            data_facts.disjoint,
            data_facts.seen_before,
            training_facts.weights,
            training_facts.training,
            training_facts.selection,
            testing_place_facts.external,
        ),
    ),
    Item(
        "15c",
        _TEST,
        "Thresholds of the index test and their reason; set before or explored.",
        (result_facts.thresholds, result_facts.choice_notes),
        "Give the reason for the threshold that you use, and say whether it was set before results "
        "were known.",
    ),
    Item(
        "15d",
        _TEST,
        "End users and their expertise.",
        author="State who would use the test and which expertise it takes.",
    ),
    Item(
        "16a",
        _TEST,
        "The reference standard, so that others can repeat it.",
        (label_facts.labels, label_facts.label_policies),
        "Define each label: who or what assigned it, from which information.",
    ),
    Item(
        "16b",
        _TEST,
        "Reason for the reference standard.",
        author="Give the reason, and the alternatives.",
    ),
    Item(
        "16c",
        _TEST,
        "Categories of the reference standard and their reason; set before or explored.",
        (label_facts.label_policies,),
        "State how findings became positive or negative, and whether that was set before.",
    ),
    Item(
        "17a",
        _TEST,
        "What was known to those who performed the index test.",
        (model_facts.input_images,),
        "State whether anyone who ran or read the test knew clinical data or the reference.",
    ),
    Item(
        "17b",
        _TEST,
        "What was known to those who assessed the reference standard.",
        author="State whether they knew clinical data or the model's output.",
    ),
    Item(
        "18",
        _ANALYSIS,
        "Methods to estimate or compare accuracy.",
        (result_facts.metrics, result_facts.uncertainty),
    ),
    Item(
        "19",
        _ANALYSIS,
        "Indeterminate results of either test.",
        (label_facts.label_policies, model_facts.always_a_result, group_facts.ties),
    ),
    Item(
        "20",
        _ANALYSIS,
        "Missing results of either test.",
        (data_facts.left_out, label_facts.label_policies),
        "State which participants lacked one of the tests before the run, and why.",
    ),
    Item(
        "21",
        _ANALYSIS,
        "Variability of accuracy; planned or explored.",
        (group_facts.subgroup_columns, group_facts.sensitivity_analyses),
        "Say which of these analyses were planned before results were known.",
    ),
    Item(
        "22",
        _ANALYSIS,
        "Intended sample size.",
        (tested_facts.test_size,),
    ),
    Item(
        "23",
        _ANALYSIS,
        "Analysis of errors, bias and fairness.",
        (group_facts.subgroup_columns,),
        "State which groups were compared for fairness and why these, or why none were.",
    ),
    Item(
        "24",
        _RESULTS,
        "Flow of participants, as a diagram.",
        (data_facts.made_up, data_facts.counts, data_facts.left_out),
        "Draw the diagram from the source to these numbers.",
    ),
    Item(
        "25",
        _RESULTS,
        "Characteristics of training, validation and test sets.",
        (tested_facts.characteristics,),
    ),
    Item(
        "26a",
        _RESULTS,
        "Severity among those with the condition.",
        author="Give the distribution of severity: labels of a run have no severity.",
    ),
    Item(
        "26b",
        _RESULTS,
        "Other diagnoses among those without the condition.",
        author="Give them: a run knows its own labels only.",
    ),
    Item(
        "27",
        _RESULTS,
        "Time and treatment between both tests.",
        author="State the time between image and reference standard, and treatments between.",
    ),
    Item(
        "28",
        _RESULTS,
        "Does the test set represent those for whom the test is meant?",
        (data_facts.counts,),
        "Compare the prevalence in the test set with that of the intended population.",
    ),
    Item(
        "29",
        _RESULTS,
        "For external evaluation: how do its data differ from the others?",
        (testing_place_facts.differences,),
    ),
    Item(
        "30",
        _TESTS,
        "Cross-tabulation of both tests.",
        (tested_facts.cross_tabulation,),
    ),
    Item(
        "31",
        _TESTS,
        "Accuracy with its precision.",
        (
            testing_place_facts.results,
            result_facts.operating_points,
            result_facts.calibration,
            group_facts.subgroups,
        ),
    ),
    Item(
        "32",
        _TESTS,
        "Adverse events of either test.",
        author="State adverse events, or that the test was run on stored images.",
    ),
    Item(
        "33",
        "Discussion",
        "Limitations: bias, uncertainty, generality.",
        (data_facts.made_up, training_facts.random_weights, group_facts.limitations),
        "Discuss them; the lines above must be among them.",
    ),
    Item(
        "34",
        "Discussion",
        "Implications for practice, intended use and role.",
        author="State them, and what must be shown before any use. remedis is research software, "
        "not a diagnostic device.",
    ),
    Item(
        "35",
        "Discussion",
        "Ethics of using the test, and fairness.",
        author="Discuss ethics and fairness; item 31 has the results of groups, if any.",
    ),
    Item(
        "36", _OTHER, "Registration.", author="Give number and register, or say that there is none."
    ),
    Item("37", _OTHER, "Protocol.", author="Say where the full protocol can be read."),
    Item("38", _OTHER, "Funding.", author="Name funders and their role."),
    Item("39", _OTHER, "Commercial interests.", author="State them, or that there are none."),
    Item(
        "40a",
        _OTHER,
        "Availability of data and code, and restrictions.",
        (training_facts.code, training_facts.availability),
        "Say where data and code can be had, and what restricts their use.",
    ),
    Item(
        "40b",
        _OTHER,
        "Are outputs stored, and can others audit them?",
        (tested_facts.stored,),
        "Say who can see the stored outputs.",
    ),
)

GUIDELINE = Guideline(
    name="stard-ai",
    title="STARD-AI, 2025 (40 items in 48 parts)",
    citation="Sounderajah V, Guni A, Liu X, et al. The STARD-AI reporting guideline for diagnostic "
    "accuracy studies using artificial intelligence. Nature Medicine 31:3283-3289 (2025), DOI "
    "10.1038/s41591-025-03953-8.",
    numbering="Numbers and subjects follow one public copy of the article's table in a repository, "
    "which says that it was compared with the table; the article itself was not read. Compare with "
    "the published list before you submit.",
    items=_ITEMS,
)
