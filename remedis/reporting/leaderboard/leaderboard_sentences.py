"""The result of a suite in words: which arms are better beyond a tie, and which above the floor."""

from collections.abc import Sequence

from remedis.reporting.label_budget_report.number_format import listed, three_decimals
from remedis.reporting.label_budget_report.study_summary import mode_name
from remedis.reporting.leaderboard.leaderboard_tables import (
    better_than,
    budget_in_words,
    contests_of,
    entrants,
    headline,
    metric_in_words,
    name_of,
    overall_of,
    signed,
)
from remedis.reporting.notes import RANDOM_WEIGHTS
from remedis.suite.board_record import BoardRecord, Difference, OverallStanding

MIN_SEEDS = 5


def answers(board: BoardRecord) -> dict[str, list[str]]:
    """Returns the sentences of each mode that has a comparison, by the mode's name."""
    found = {mode_name(mode): _of_mode(board, mode) for mode in board["modes"]}
    return {mode: sentences for mode, sentences in found.items() if sentences}


def _of_mode(board: BoardRecord, mode: str) -> list[str]:
    budget = headline(board, mode)
    contests, overall = contests_of(board, mode, budget), overall_of(board, mode, budget)
    if overall is None or not contests:
        if not contests:
            return []
        return [
            f"No set has all arms yet, with {budget_in_words(budget)}: there is no comparison over "
            "sets."
        ]
    sets = overall["sets"]
    over = f"over {len(sets)} sets" if len(sets) > 1 else f"in {sets[0]}"
    if len(sets) < len(board["sets"]):
        of = f"of {len(board['sets'])} sets"
        over = f"over {len(sets)} {of}" if len(sets) > 1 else f"{over} alone {of}"
    sentences = []
    if overall["differences"] or len(overall["standings"]) == 1:
        order = entrants(board, mode)
        first = next(s for s in overall["standings"] if s["arm"] == order[0])
        value = three_decimals(first)
        has = "has the highest" if len(order) > 1 else "has a"
        mean = metric_in_words(board) + (f", averaged {over}" if len(sets) > 1 else f" {over}")
        sentences.append(
            f"With {budget_in_words(budget)}, {name_of(board, order[0])} {has} {mean}: {value}."
        )
        if len(order) > 1:
            sentences.append(_against_others(overall["differences"], order))
    else:
        sentences.append(
            f"With {budget_in_words(budget)}, {_best_by_rank(board, overall['standings'], over)} "
            "The metrics of the sets differ, so that they have no mean."
        )
    sentences += _by_set(board, mode, budget)
    sentences += _above_floor(board, mode, budget, overall["differences"])
    return sentences


def _best_by_rank(board: BoardRecord, standings: Sequence[OverallStanding], over: str) -> str:
    """Returns which arms have the best mean rank, and which others may have one as good."""
    least = min(s["mean_rank"] for s in standings)
    best = [s for s in standings if s["mean_rank"] == least]
    ranked = "; ".join(
        f"{s['mean_rank']:.1f} [{s['mean_rank_low']:.1f}, {s['mean_rank_high']:.1f}]" for s in best
    )
    names = listed([name_of(board, s["arm"]) for s in best])
    has = "has" if len(best) == 1 else "have"
    text = f"{names} {has} the best mean rank {over}: {ranked} of {len(standings)} arms."
    high = max(s["mean_rank_high"] for s in best)
    near = [s["arm"] for s in standings if s not in best and s["mean_rank_low"] < high]
    if near:
        text += f" The mean rank of {listed(near)} may be as good: the intervals overlap."
    return text


def _against_others(differences: Sequence[Difference], order: Sequence[str]) -> str:
    """Returns which arms the first is better than, and which it is tied with."""
    first, others = order[0], order[1:]
    beaten = set(better_than(differences, first))
    tied = [arm for arm in others if arm not in beaten]
    if not beaten:
        if all(one["tied"] for one in differences):
            return "No arm is shown to be better than another: all are tied."
        return f"It is tied with {listed(tied)}." if tied else ""
    text = f"It is better than {listed([arm for arm in others if arm in beaten])}"
    return f"{text}, and tied with {listed(tied)}." if tied else f"{text}, beyond a tie."


def _by_set(board: BoardRecord, mode: str, budget: str) -> list[str]:
    """Returns in which sets one arm is better than all others, if there are several sets."""
    contests = contests_of(board, mode, budget)
    if len(contests) < 2 or len(entrants(board, mode)) < 2:
        return []
    winners: dict[str, list[str]] = {}
    for name, contest in contests.items():
        alone = [s["arm"] for s in contest["standings"] if s["rank_high"] == 1]
        if alone and len(contest["standings"]) > 1:
            winners.setdefault(alone[0], []).append(name)
    if not winners:
        return ["In no single set is one arm better than all others beyond a tie."]
    said = [f"{arm} in {listed(names)}" for arm, names in winners.items()]
    rest = len(contests) - sum(map(len, winners.values()))
    text = f"Better than all others beyond a tie: {'; '.join(said)}."
    return [text + (f" In {rest} of {len(contests)} sets no arm is." if rest else "")]


def _above_floor(
    board: BoardRecord, mode: str, budget: str, differences: Sequence[Difference]
) -> list[str]:
    """Returns which arms are above the floor: over the sets, or without means in which sets."""
    order = entrants(board, mode)
    floors = [arm for arm in order if board["arms"][arm]["floor"]]
    networks = [arm for arm in order if arm not in floors]
    sentences = []
    for floor in floors if networks else ():
        begin = f"The floor, {floor}, is no network; "
        if differences:
            sides = {arm: _side(differences, arm, floor) for arm in networks}
            parts = [
                f"{where} {listed(arms)}"
                for side, where in ((1, "above it:"), (0, "tied with it:"), (-1, "below it:"))
                if (arms := [arm for arm in networks if sides[arm] == side])
            ]
            above = 1 in sides.values()
        else:
            contests = contests_of(board, mode, budget)
            of_arm = {
                arm: [n for n, c in contests.items() if _side(c["differences"], arm, floor) == 1]
                for arm in networks
            }
            parts = [f"{arm} is above it in {listed(of)}" for arm, of in of_arm.items() if of]
            above = bool(parts)
            parts = parts or ["no network is above it in any set"]
        sentences.append(f"{begin}{'; '.join(parts)}.")
        if not above:
            sentences.append(
                "No network has shown that it knows more than thumbnails show, with these labels."
            )
    return sentences


def _side(differences: Sequence[Difference], arm: str, floor: str) -> int | None:
    """Returns 1 for an arm above the floor, 0 for a tie, -1 below; None if it was not compared."""
    found = signed(differences, arm, floor)
    if found is None:
        return None
    return 0 if found["tied"] else 1 if found["value"] > 0 else -1


def warnings(board: BoardRecord) -> list[str]:
    """Returns what makes the numbers worthless or provisional, to be read before them."""
    found = []
    made_up = [of["name"] for of in board["sets"] if of["rehearsal"]]
    if made_up:
        which = "all sets are" if len(made_up) == len(board["sets"]) else f"{listed(made_up)} are"
        verb = which if len(made_up) > 1 or which.startswith("all") else f"{made_up[0]} is"
        found.append(
            f"REHEARSAL: {verb} drawn by a program. The numbers show that everything runs, and "
            "nothing about medicine."
        )
    random = [arm for arm, of in board["arms"].items() if of["random_weights"]]
    networks = [arm for arm, of in board["arms"].items() if not of["floor"]]
    if random and len(random) == len(networks):
        found.append(f"{RANDOM_WEIGHTS}.")
    elif random:
        found.append(f"RANDOM WEIGHTS, not pretrained: {listed(random)}.")
    found += [f"UNFINISHED. {sentence}" for sentence in board["left_out"]]
    few = sorted({of["seeds"] for of in board["sets"] if of["seeds"] < MIN_SEEDS})
    if few:
        found.append(
            f"TOO FEW: {few[0]} draws of labelled patients; with fewer than {MIN_SEEDS}, intervals "
            "are so wide that most arms are tied."
            if few[0] > 1
            else "TOO FEW: one draw of labelled patients; what another draw would change is in no "
            "interval."
        )
    return found


def caveats(board: BoardRecord) -> list[str]:
    """Returns what a reader might wrongly conclude."""
    sentences = [
        "Tied means that the interval of the difference holds 0: no difference is shown. It does "
        "not mean that the arms are equal; more test patients may show a difference.",
        "Intervals hold for these sets, their test patients and draws of their labelled patients. "
        "How another set, another pretraining or another recipe would rank the arms is in no "
        "interval.",
        "The mean over the sets gives each set the same weight, whatever its number of patients.",
        "In a mode, every arm has the same candidates, and validation chooses in the same way: see "
        "Tuning. Another tuning may rank the arms otherwise.",
    ]
    if len(board["arms"]) > 1:
        sentences.append(
            "The first arm is chosen by the numbers shown, on the test patients. Where arms are "
            "tied, its own number is too high on average: other patients would show less."
        )
    imported = [arm for arm, of in board["arms"].items() if of["imported"]]
    if imported:
        sentences.append(
            f"Predictions of others ({listed(imported)}) were neither trained nor tuned here, and "
            "have the same numbers at every budget. What they were trained on is not known: test "
            "images among it would make their numbers too good."
        )
    if unknown := [of["name"] for of in board["sets"] if of["without_patient"]]:
        sentences.append(
            f"In {listed(unknown)}, images without a known patient count as patients: if some are "
            "of one patient, intervals are too narrow."
        )
    if len({of["inside"] for of in board["sets"]}) < len(board["sets"]):
        sentences.append(
            "Some sets have the same in-distribution data: a lucky training would show in all of "
            "them. Intervals over sets count it if arms have several trainings; that of a single "
            "one is in no interval."
        )
    if len({of["outside"] for of in board["sets"]}) < len(board["sets"]):
        sentences.append(
            "Some sets have the same out-of-distribution data: their patients would favour an arm "
            "in all of them, so that these sets are hardly evidence of their own."
        )
    return sentences
