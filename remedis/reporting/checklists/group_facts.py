"""What a run records about groups of patients, and about how sure its answers are."""

from remedis.reporting.checklists.answers import (
    Answer,
    Part,
    estimate,
    name,
    say,
    several,
    table,
    together,
    write,
)
from remedis.reporting.checklists.cited_records import RESULTS, Records, place

NO_GROUPS = (
    "The records hold no results of subgroups: `remedis evaluate` computes them where the data "
    "have columns sex, age, view or site with several values; else state why groups were not "
    "examined."
)
_RATES = ("auroc", "sensitivity", "specificity")


def subgroups(records: Records) -> Answer:
    """Returns performance of each group of patients or images, and the gaps between groups."""
    columns = records.value(RESULTS, records.split, "subgroups")
    if not columns:
        return write(NO_GROUPS)
    found = []
    for column, labels in columns.items():
        label = "mean" if "mean" in labels else next(iter(labels))
        found.append(_groups(records, column, label))
    return together(found)


def _groups(records: Records, column: str, label: str) -> Answer:
    keys = (records.split, "subgroups", column, label)
    rows: list[list[Part | None]] = []
    for group, of in records.value(RESULTS, *keys, "groups").items():
        at = (*keys, "groups", group)
        cells = [estimate(records, RESULTS, *at, rate) if rate in of else None for rate in _RATES]
        patients = records.field(RESULTS, *at, "auroc", "patients")
        rows.append([name(RESULTS, *at), *cells, patients])
    title = name(RESULTS, records.split, "subgroups", column)
    what: Part = "mean over labels" if label == "mean" else ["label ", name(RESULTS, *keys)]
    header = ["group", "AUROC", "sensitivity", "specificity", "patients"]
    caption: list[Part] = ["Groups of ", title, ", ", what]
    caption.append(" (sensitivity and specificity at Youden's threshold):")
    found = [table(header, rows, [place(RESULTS, keys)], *caption)]
    gap = (RESULTS, *keys, "gaps", "auroc")
    value, low, high = (records.field(*gap, end) for end in ("value", "low", "high"))
    found.append(
        say(
            "Largest difference of the AUROC between groups of ",
            title,
            ": ",
            value and value.decimals(3),
            " (",
            low and low.decimals(3),
            " to ",
            high and high.decimals(3),
            ").",
        )
    )
    return together(found)


NO_SITES = (
    "The records hold no results per site: `remedis evaluate` computes them where the data have a "
    "column site with several values; else say that the data are of one place."
)


def sites(records: Records) -> Answer:
    """Returns that performance was computed per site, if the data have several."""
    if not _has_sites(records):
        return write(NO_SITES)
    column = name(RESULTS, records.split, "subgroups", "site")
    return say("Performance is computed for each ", column, " of the data.")


def site_results(records: Records) -> Answer:
    """Returns performance per site, if the data have several."""
    if not _has_sites(records):
        return write(NO_SITES)
    labels = records.value(RESULTS, records.split, "subgroups", "site")
    return _groups(records, "site", "mean" if "mean" in labels else next(iter(labels)))


def _has_sites(records: Records) -> bool:
    return bool(records.value(RESULTS, records.split, "subgroups", "site"))


def subgroup_columns(records: Records) -> Answer:
    """Returns the columns by which groups were evaluated."""
    columns = records.value(RESULTS, records.split, "subgroups")
    if not columns:
        return write(NO_GROUPS)
    named = [name(RESULTS, records.split, "subgroups", column) for column in columns]
    return say(
        "Performance was computed for the groups of each of these columns of the data: ",
        several(named),
        ". No column was chosen after results were seen: of sex, age, view and site, all that the "
        "data have are used.",
    )


def sensitivity_analyses(records: Records) -> Answer:
    """Returns the AUROC under each meaning of uncertain labels, and other such analyses."""
    found = []
    ways = (records.split, "uncertain_labels")
    if records.value(RESULTS, *ways):
        rows: list[list[Part | None]] = []
        for label in list(records.value(RESULTS, *ways, "labels"))[:40]:
            at = (*ways, "labels", label)
            cells = [estimate(records, RESULTS, *at, way) for way in ("ignore", "zeros", "ones")]
            rows.append([name(RESULTS, *at), *cells])
        header = ["label", "ignored", "as negative", "as positive"]
        caption = "AUROC by what uncertain labels count as:"
        found.append(table(header, rows, [place(RESULTS, ways)], caption))
    note = records.field(RESULTS, records.split, "nested", "note")
    found.append(say("Intervals were also computed by a nested bootstrap: ", note))
    return together(found)


def ties(records: Records) -> Answer:
    """Returns the labels for which images of both classes have the same score."""
    found: list[Part] = []
    for label, of in (records.value(RESULTS, records.split, "ties") or {}).items():
        if of["images"]:
            images = records.field(RESULTS, records.split, "ties", label, "images")
            assert images is not None
            found.append([name(RESULTS, records.split, "ties", label), ": ", images])
    if not found:
        return Answer()
    return say("Images whose score an image of the other class has, too: ", several(found), ".")


def limitations(records: Records) -> Answer:
    """Returns what limits the numbers, as far as the run knows."""
    found = [say("WARNING: ", w) for w in records.each(RESULTS, records.split, "warnings")]
    found += [say(caveat) for caveat in records.each("summary.json", "caveats")]
    found += [say("Not checked: ", u) for u in records.each("leaks.json", "unchecked")]
    for label, of in (records.evaluated.get("labels") or {}).items():
        if of["value"] is None:
            keys = (records.split, "labels", label)
            reason = records.field(RESULTS, *keys, "reason")
            found.append(
                say("The AUROC of ", name(RESULTS, *keys), " is not estimable: ", reason, ".")
            )
    found.append(say(records.field(RESULTS, records.split, "note")))
    found.append(say(records.field("remedis.json", "performance", "note")))
    return together(found)
