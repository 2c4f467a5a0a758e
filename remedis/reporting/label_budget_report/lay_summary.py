"""What the answers mean and do not mean, in sentences for readers who do not train networks."""

from remedis.reporting.label_budget_report.answer_sentences import too_few
from remedis.reporting.label_budget_report.number_format import Fields, listed, percent
from remedis.reporting.label_budget_report.study_summary import (
    Study,
    all_random,
    budgets,
    chance,
    first_hospital,
    floors,
    hospital,
    metric,
    metric_name,
    mode_name,
    most_frequent,
    pool,
    random_arms,
    random_weights_note,
    trainings,
)

_ADAPTATIONS = {
    "probe": "its last layer alone (linear probe)",
    "finetune": "all of its layers (end-to-end fine-tuning)",
}


def meaning(study: Study) -> list[str]:
    """Returns what was compared, and the meaning of level, interval and multiple."""
    there, here, baseline = first_hospital(study), hospital(study), study["baseline"]
    adaptations = listed([_ADAPTATIONS[mode] for mode in study["modes"]], "or")
    sentences = [
        "An arm is a network with certain initial weights. Each arm is trained on images of "
        f"{there} and then adapted to {here}: labelled patients of {here} train {adaptations}. It "
        f"is tested on other patients of {here}.",
        "A labelled patient is a patient of whom an expert has labelled all images. Some labelled "
        "patients select the model and do not train it; they are counted.",
        _metric(study),
    ]
    if named := floors(study):
        verb = "is a floor" if len(named) == 1 else "are floors"
        sentences.append(
            f"{listed(named)} {verb} and no network: thumbnails and histograms of the images, with "
            "the probes, draws and tuning of every arm. An arm that does not lie above has not "
            "shown that it knows more than these."
        )
    sentences += [
        _level(level, study)
        for level in study["levels"]
        if level["headline"] and level["above_chance"] and level["gains"]
    ]
    answered = [a for a in study["answers"] if a["share_reached"] is not None]
    if any(answer.get("level_lowered") for answer in answered):
        sentences.append(
            f"Where an arm ends below {baseline}, the level is lower: the same share of the gain "
            "up to where the arm ends. Both can reach it."
        )
    if any(answer["fold"] for answer in study["answers"]):
        sentences.append(
            "'2.0 times fewer' means that the arm reaches the level with half of the labelled "
            f"patients that {baseline} needs for the same level."
        )
    measured = listed([f"{number:,}" for number in budgets(study)])
    sentences.append(
        f"The measured budgets are {measured} labelled patients. A number between them is "
        "interpolated by a smooth curve that never falls, and rounded up. It can differ from "
        "where the straight lines of the figure cross the level."
    )
    drawn = " and in the draws of labelled patients" if study["seeds"] > 1 else " alone"
    sentences.append(
        "A 95 % interval contains the values that fit the measurements. It covers chance in the "
        f"test patients{drawn}. A resample repeats the calculation on other random draws."
    )
    return sentences


def _metric(study: Study) -> str:
    """Returns the meaning of the metric."""
    top = metric(study).top
    if top is None:
        return (
            "AUROC is the probability that an image with a finding has a higher score than an "
            "image without it: 0.5 is chance, 1 is perfect."
        )
    first = "ranks first" if top == 1 else f"has among its first {top}"
    return (
        f"{metric_name(study).capitalize()} is the share of test images whose true class a model "
        f"{first}: {chance(study):.3f} is chance (by always naming {most_frequent(study)}), 1 is "
        "perfect."
    )


def warnings(study: Study) -> list[str]:
    """Returns what makes the numbers worthless or provisional, to be read before them."""
    found = []
    if study["rehearsal"]:
        found.append(
            "REHEARSAL: the images are drawn by a program. The numbers show that everything runs, "
            "and nothing about medicine."
        )
    if note := random_weights_note(study):
        found.append(note)
    done, planned = study["cells"]["done"], study["cells"]["planned"]
    if done < planned:
        found.append(f"UNFINISHED: {done:,} of {planned:,} cells are done; numbers will change.")
    if study["too_few_seeds"]:
        found.append(
            f"TOO FEW: {too_few(study)}, so that every comparison is provisional: intervals are "
            "too wide to say much, and no multiple is given."
        )
    return found


def _level(level: Fields, study: Study) -> str:
    """Returns the meaning of a share of the baseline's gain, with the numbers of one mode."""
    first = budgets(study)[0]
    before = f"{first:,}" if first else "none"
    share = percent(level["share_of_gain"])
    return (
        f"'{share} of the gain' ({mode_name(level['mode'])}): {study['baseline']} gains "
        f"{level['gain']['value']:+.3f} in {metric_name(study)} from {before} to all "
        f"{pool(study):,} labelled patients. The level, {level['level']['value']:.3f}, is {share} "
        "of the way."
    )


def no_meaning(study: Study) -> list[str]:
    """Returns what a reader might wrongly conclude from the answers."""
    here, test = hospital(study), study["data"]["ood"]["counts"].get("test", {}).get("patients")
    tested = f" and its {test:,} test patients" if test else ""
    sentences = [
        f"The numbers are no evidence of a benefit to patients: {metric_name(study)} ranks "
        f"{'images' if metric(study).top is None else 'classes'}, and no decision was tested.",
        f"They hold for {here}, its labels{tested}. Another hospital may need more patients, or "
        "fewer.",
        "'Not shown' does not mean 'no difference': more test patients or more seeds may show one.",
        "An arm's number belongs to how it was trained, too. Another recipe may need fewer.",
    ]
    random = random_arms(study)
    if all_random(study):
        sentences.append("No arm is pretrained: nothing here is about pretrained networks.")
    elif random:
        verbs = ("has", "it was") if len(random) == 1 else ("have", "they were")
        sentences.append(f"{listed(random)} {verbs[0]} random weights: {verbs[1]} not pretrained.")
    if "finetune" in study["modes"]:
        sentences.append(_trainings(study))
    return sentences


def _trainings(study: Study) -> str:
    there, count = first_hospital(study), trainings(study, "finetune")
    if count == 1:
        return (
            f"Each arm was trained once on {there} before fine-tuning. The "
            "difference that another training would make is in no interval."
        )
    return (
        f"Each arm was trained {count} times on {there} before fine-tuning. Intervals include the "
        "differences between trainings, on the same images."
    )
