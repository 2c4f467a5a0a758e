"""TRIPOD+AI, the guideline for studies of prediction models, of 2024."""

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

_METHODS, _ANALYSIS = "Methods", "Methods: analysis"
_OPEN, _RESULTS, _DISCUSSION = "Open science", "Results", "Discussion"

_ITEMS = (
    Item(
        "1",
        "Title",
        "Say that a prediction model is developed or evaluated, for whom and which outcome.",
        (label_facts.labels,),
        "Name target population, outcome, and whether the model is developed, evaluated or both.",
    ),
    Item(
        "2",
        "Abstract",
        "Write the abstract by the guideline's own list for abstracts.",
        author="Use the list TRIPOD+AI for Abstracts, which is published with the guideline.",
    ),
    Item(
        "3a",
        "Introduction",
        "Clinical context, diagnosis or prognosis, reason for the model, existing models.",
        author="State the context, why a model is needed, and cite models that exist.",
    ),
    Item(
        "3b",
        "Introduction",
        "Target population, purpose in care, intended users.",
        author="State for whom the model is meant, at which step of care, and who would use it.",
    ),
    Item(
        "3c",
        "Introduction",
        "Known health inequalities between groups.",
        author="State what is known about inequalities between sociodemographic groups here.",
    ),
    Item(
        "4",
        "Introduction",
        "Objectives: development, evaluation or both.",
        author="State the objectives. A fine-tuning run develops a model and tests it once.",
    ),
    Item(
        "5a",
        _METHODS,
        "Sources of the data for development and for evaluation, and how representative they are.",
        (data_facts.source, testing_place_facts.external),
        "State kind of study or registry, why these data, and whom they represent.",
    ),
    Item(
        "5b",
        _METHODS,
        "Dates of the data.",
        author="Give first and last date of inclusion, and the end of follow-up if there is one.",
    ),
    Item(
        "6a",
        _METHODS,
        "Setting, number and place of centres.",
        author="State the kind of care, and number and location of the centres.",
    ),
    Item(
        "6b",
        _METHODS,
        "Eligibility.",
        (data_facts.eligibility,),
        "State the criteria for patients, in the order in which they were applied.",
    ),
    Item(
        "6c",
        _METHODS,
        "Treatments.",
        author="State treatments that patients had received, and how they were handled.",
    ),
    Item(
        "7",
        _METHODS,
        "Preprocessing and quality checks, and whether they were alike for all groups.",
        (data_facts.preprocessing, data_facts.left_out, data_facts.disjoint),
        "State steps before the run, and whether images of any group were prepared differently.",
    ),
    Item(
        "8a",
        _METHODS,
        "Outcome, time horizon, and how it was assessed.",
        (label_facts.labels, label_facts.label_policies),
        "Define each label, how and when it was assessed, why it was chosen, and whether it was "
        "assessed alike in all groups.",
    ),
    Item(
        "8b",
        _METHODS,
        "Who assessed the outcome, if by judgement.",
        author="State qualification and demographics of those who assessed it, or the program.",
    ),
    Item(
        "8c",
        _METHODS,
        "Blinding of the outcome's assessment.",
        author="State whether those who assessed it knew other data, such as the model's output.",
    ),
    Item(
        "9a",
        _METHODS,
        "Choice of predictors before modelling.",
        (model_facts.input_images,),
        "State why the image is the predictor, and that no other predictor enters.",
    ),
    Item(
        "9b",
        _METHODS,
        "Definition and measurement of predictors.",
        (model_facts.input_images,),
        "State how and when images were acquired: modality, devices, protocol.",
    ),
    Item(
        "9c",
        _METHODS,
        "Who measured predictors, if by judgement.",
        author="State who acquired or selected images where that takes judgement; else that none "
        "does.",
    ),
    Item(
        "10",
        _METHODS,
        "Sample size, for development and for evaluation.",
        (data_facts.counts, tested_facts.test_size),
        "State how the size for development was arrived at, and why it suffices.",
    ),
    Item(
        "11",
        _METHODS,
        "Missing data.",
        (label_facts.label_policies, data_facts.left_out),
        "State which other data were missing, and the reasons for leaving any out.",
    ),
    Item(
        "12a",
        _ANALYSIS,
        "Use of the data: partitions for development and evaluation.",
        (data_facts.partition, data_facts.disjoint),
    ),
    Item(
        "12b",
        _ANALYSIS,
        "Handling of predictors: scaling, transformation.",
        (data_facts.preprocessing,),
    ),
    Item(
        "12c",
        _ANALYSIS,
        "Type of model, building steps, tuning, internal validation.",
        (
            model_facts.model,
            training_facts.weights,
            training_facts.training,
            training_facts.selection,
            training_facts.ensembling,
        ),
        "Give the reason for this type of model.",
    ),
    Item(
        "12d",
        _ANALYSIS,
        "Heterogeneity between clusters, such as hospitals.",
        (group_facts.sites,),
        "State how differences between hospitals or countries were handled, or that there is one.",
    ),
    Item(
        "12e",
        _ANALYSIS,
        "Measures and plots of performance.",
        (result_facts.metrics, result_facts.uncertainty),
        "Give the reason for the measures that you report, and name the plots (`roc.png`, "
        "`reliability.png`, `subgroups.png`).",
    ),
    Item(
        "12f",
        _ANALYSIS,
        "Updating of the model after evaluation, such as recalibration.",
        (result_facts.recalibration,),
        "State any update of the model after this, or that there was none.",
    ),
    Item(
        "12g",
        _ANALYSIS,
        "How predictions were computed.",
        (model_facts.predictions_by,),
    ),
    Item(
        "13",
        _METHODS,
        "Class imbalance: methods and later recalibration.",
        (training_facts.imbalance, result_facts.choice_notes),
    ),
    Item(
        "14",
        _METHODS,
        "Approaches to fairness.",
        (group_facts.subgroup_columns,),
        "State what was done so that the model is fair, and why; the run compares groups and "
        "changes nothing for them.",
    ),
    Item(
        "15",
        _METHODS,
        "Output of the model, and how thresholds were chosen.",
        (label_facts.labels, result_facts.choice_notes, result_facts.thresholds),
        "Give the reason for the threshold that you use.",
    ),
    Item(
        "16",
        _METHODS,
        "Differences between development and evaluation data.",
        (data_facts.counts, data_facts.seen_before),
        "State differences in setting, eligibility, outcome and predictors, or that both are "
        "splits of one data set.",
    ),
    Item(
        "17",
        _METHODS,
        "Ethical approval and consent.",
        author="Name the committee and its decision, and consent or its waiver.",
    ),
    Item(
        "18a",
        _OPEN,
        "Funding.",
        author="Name the funders and their role.",
    ),
    Item(
        "18b",
        _OPEN,
        "Conflicts of interest.",
        author="Declare conflicts of interest of all authors.",
    ),
    Item(
        "18c",
        _OPEN,
        "Protocol.",
        author="Say where the protocol is, or that there was none.",
    ),
    Item(
        "18d",
        _OPEN,
        "Registration.",
        author="Give register and number, or say that the study was not registered.",
    ),
    Item(
        "18e",
        _OPEN,
        "Availability of data.",
        author="Say who can get the data, where, and on which terms.",
    ),
    Item(
        "18f",
        _OPEN,
        "Availability of code.",
        (training_facts.code,),
        "Say where this version of the code, config.json and your own changes can be had.",
    ),
    Item(
        "19",
        "Patients and the public",
        "Involvement of patients and the public.",
        author="Describe it, or say that there was none.",
    ),
    Item(
        "20a",
        _RESULTS,
        "Flow of participants, with and without the outcome.",
        (data_facts.made_up, data_facts.counts, data_facts.left_out),
        "Draw the flow from the source to these numbers.",
    ),
    Item(
        "20b",
        _RESULTS,
        "Characteristics of participants, missing data, differences between groups.",
        (tested_facts.characteristics,),
    ),
    Item(
        "20c",
        _RESULTS,
        "Comparison of evaluation data with development data.",
        (data_facts.counts,),
        "Compare demographics and predictors of both; the run counts outcomes only.",
    ),
    Item(
        "21",
        _RESULTS,
        "Participants and outcomes in each analysis.",
        (data_facts.counts, tested_facts.test_size_alone),
    ),
    Item(
        "22",
        _RESULTS,
        "The full model, so that others can use it, and restrictions.",
        (model_facts.model, training_facts.availability),
        "Say where the model can be had, and which terms of weights and data bind it.",
    ),
    Item(
        "23a",
        _RESULTS,
        "Performance with intervals, also of subgroups.",
        (
            testing_place_facts.results,
            result_facts.calibration,
            result_facts.operating_points,
            group_facts.subgroups,
        ),
    ),
    Item(
        "23b",
        _RESULTS,
        "Heterogeneity of performance between clusters.",
        (group_facts.site_results,),
    ),
    Item(
        "24",
        _RESULTS,
        "Results of updating the model.",
        (result_facts.recalibration,),
        "Give the updated model and its performance, or say that it was not updated.",
    ),
    Item(
        "25",
        _DISCUSSION,
        "Interpretation, with fairness, objectives and earlier studies.",
        author="Interpret the results against objectives and earlier studies; discuss differences "
        "between groups.",
    ),
    Item(
        "26",
        _DISCUSSION,
        "Limitations.",
        (data_facts.made_up, training_facts.random_weights, group_facts.limitations),
        "Discuss representativeness, sample size, overfitting and missing data; the lines above "
        "must be among them.",
    ),
    Item(
        "27a",
        _DISCUSSION,
        "Poor or missing input when the model is used.",
        author="State how poor or missing images are found and handled. The exported model refuses "
        "pixels that cannot be an image, and judges no quality.",
    ),
    Item(
        "27b",
        _DISCUSSION,
        "What users must do, and which expertise they need.",
        author="State who selects the images, who reads the output, and which expertise it takes.",
    ),
    Item(
        "27c",
        _DISCUSSION,
        "Next steps, with applicability and generality.",
        author="State what must be studied next, such as tests at other places and in care.",
    ),
)

GUIDELINE = Guideline(
    name="tripod-ai",
    title="TRIPOD+AI, 2024 (27 main items in 52 parts)",
    citation="Collins GS, Moons KGM, Dhiman P, et al. TRIPOD+AI statement: updated guidance for "
    "reporting clinical prediction models that use regression or machine learning methods. BMJ "
    "385:e078378 (2024), DOI 10.1136/bmj-2023-078378.",
    numbering="Numbers and subjects follow two public copies of the checklist of 11 January 2024 "
    "in repositories, which agree; the article itself was not read. Compare with the published "
    "list before you submit.",
    items=_ITEMS,
)
