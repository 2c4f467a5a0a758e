"""What a run records about its data: origin, counts, labels, splits, leaks, preprocessing."""

from collections.abc import Sequence

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
    DESCRIPTION,
    EXPORT,
    LEAKS,
    RESULTS,
    SUMMARY,
    Field,
    Keys,
    Records,
    place,
)
from remedis.reporting.run_info import STUDY

_MOST_ROWS = 40  # of a table in the document; the file has all


def made_up(records: Records) -> Answer:
    """Returns that the data are made up, if they are."""
    return say(
        "MADE-UP DATA: this is a rehearsal. Its images are drawn by a program, and none of its "
        "numbers is about patients.",
        cites=[records.made_up],
    )


def source(records: Records) -> Answer:
    """Returns the name of the data."""
    if records.kind == STUDY:
        named = [records.field(SUMMARY, "data", side, "name") for side in ("id", "ood")]
        found = say(
            "The study uses the data of two places: ",
            named[0],
            " (in distribution: models are trained and tested on it) and ",
            named[1],
            " (out of distribution: models are adapted with few labels and tested on it).",
        )
    elif records.value(RESULTS, "model"):
        data = records.field(RESULTS, "data", "source")
        found = say("An exported model is scored on ", data and data.base_name(), ".")
    else:
        data = records.field(RESULTS, "data", "source")
        found = say("The data are read as ", data and data.base_name(), ".")
        found += _pretraining_sources(records)
        found += say("Options of the source: ", records.filled(CONFIG, "source_options"), ".")
    return together([made_up(records), found])


def _pretraining_sources(records: Records) -> Answer:
    given = [
        name(RESULTS, "data", "sources", key)
        for key in records.value(RESULTS, "data", "sources") or ()
    ]
    return say(
        "Pretraining sees ",
        counted(records.field(RESULTS, "data", "images"), "image"),
        " of ",
        counted(records.field(RESULTS, "data", "patients"), "patient"),
        " from ",
        several(given) if given else None,
        ".",
    )


def with_known_label(records: Records) -> list[Part]:
    """Returns how many of the evaluated images have a known label, unless all have."""
    of_export = records.kind == EXPORT
    at = (DESCRIPTION, "performance") if of_export else (RESULTS, records.split)
    images, labelled = (records.field(*at, key) for key in ("images", "labelled_images"))
    if images is None or labelled is None or labelled.value == images.value:
        return []
    return [", ", labelled, " of them with a known label"]


def tested_place(records: Records) -> list[Part]:
    """Returns the name of the evaluated split, or of the data that an exported model is scored on.

    All images of the latter are evaluated, whatever split they are assigned to.
    """
    data = records.field(RESULTS, "data", "source")
    if records.value(RESULTS, "model") and data:
        return [data.base_name()]
    return ["the ", name(RESULTS, records.split), " split"]


def counts(records: Records) -> Answer:
    """Returns images, patients, studies and positive images of each label, per split."""
    found = [_counts_table(records, *where) for where in _count_places(records)]
    if records.value(RESULTS, "split") and records.value(RESULTS, "model"):
        found.append(
            say(
                "The model is tested on the images that were scored, whatever split the data "
                "assign to them.",
                cites=[records.field(RESULTS, "split")],
            )
        )
    return together(found)


def _count_places(records: Records) -> list[tuple[str, Keys]]:
    if records.kind == STUDY:
        return [(SUMMARY, ("data", side, "counts")) for side in ("id", "ood")]
    if records.value(RESULTS, "data", "counts"):
        return [(RESULTS, ("data", "counts"))]
    return [(LEAKS, ("counts",))] if records.value(LEAKS, "counts") else []


def _counts_table(records: Records, file: str, keys: Keys) -> Answer:
    splits = list(records.value(file, *keys) or ())
    rows = list(dict.fromkeys(row for split in splits for row in records.value(file, *keys, split)))
    if not rows:
        return Answer()
    whole = ("images", "patients", "studies", "slides")
    body: list[list[Part | None]] = []
    for row in rows[:_MOST_ROWS]:
        first: Part = (
            row if row in whole else ["positive: ", _key(file, keys, splits, row, records)]
        )
        body.append([first, *(records.field(file, *keys, split, row) for split in splits)])
    header: list[Part] = ["number of", *(name(file, *keys, split) for split in splits)]
    caption: list[Part | None] = ["Images, patients and positive images per split."]
    if records.kind == STUDY:
        caption = ["Data of ", records.field(file, *keys[:-1], "name"), "."]
    more = Answer()
    if len(rows) > _MOST_ROWS:
        more = write(f"The table is cut; {place(file, keys)} has every label.")
    return table(header, body, [place(file, keys)], *caption) + more


def _key(file: str, keys: Keys, splits: Sequence[str], row: str, records: Records) -> Field:
    """Returns the name of a label, as the key of the first split that has it."""
    split = next(s for s in splits if row in records.value(file, *keys, s))
    return name(file, *keys, split, row)


def left_out(records: Records) -> Answer:
    """Returns how many images could not be read."""
    bad = records.field(RESULTS, "data", "bad_images")
    if bad is None:
        return Answer()
    if not bad.value:
        return say("No image was left out as unreadable.", cites=[bad])
    return say(
        counted(bad, "image could not be read and is", "images could not be read and are"),
        " left out; `bad_images.csv` in the run's directory lists each with the reason.",
    )


def eligibility(records: Records) -> Answer:
    """Returns the choices at the level of images; those at the level of patients are not known."""
    return together(
        [
            left_out(records),
            say(
                "Options that select images of the source: ",
                records.filled(CONFIG, "source_options"),
                ".",
            ),
            say(
                "Images of more than ",
                records.field(CONFIG, "max_megapixels"),
                " megapixels count as unreadable.",
            ),
        ]
    )


def partition(records: Records) -> Answer:
    """Returns how images were assigned to splits, as far as it is recorded."""
    if records.kind == STUDY:
        return say(
            "Labelled patients of the second place are drawn from its pool, ",
            records.field(SUMMARY, "seeds"),
            " times per budget; its test split is the same for all.",
        )
    shares: list[Part] = [
        [name(CONFIG, "splits", *share.keys[1:]), " ", share]
        for share in records.each(CONFIG, "splits")
    ]
    if not shares:
        return write(
            "State how images were assigned to partitions: take it from the run that trained the "
            "model."
        )
    return together(
        [
            say(
                "Rows to which the data assign a split keep it. Others are drawn at random, by ",
                records.field(CONFIG, "split_unit"),
                ", with the shares ",
                several(shares),
                " and the seed ",
                records.field(CONFIG, "split_seed"),
                ".",
            ),
            say("The draw keeps the shares of: ", records.filled(CONFIG, "stratify"), "."),
        ]
    ) + write(
        "State which splits are the data's own and which were drawn: the run does not record it."
    )


def disjoint(records: Records) -> Answer:
    """Returns the receipt of the leak check: what no two splits share."""
    if records.kind == STUDY:
        places: list[tuple[str, Keys]] = [
            (SUMMARY, ("data", side, "leaks")) for side in ("id", "ood")
        ]
        places += [(SUMMARY, ("between",))] if records.value(SUMMARY, "between") else []
    else:
        places = [(LEAKS, ())] if records.value(LEAKS) else []
    if not places:
        return write(
            "State at which level partitions are disjoint: take it from `leaks.json` of the run "
            "that trained the model, and say how overlap with these test images was excluded."
        )
    unit = records.field(CONFIG, "split_unit")
    found = say("Unit of the splits, where they are drawn: ", unit, ".")
    return together([found, *(_receipt(records, file, keys) for file, keys in places)])


def _receipt(records: Records, file: str, keys: Keys) -> Answer:
    ok = records.field(file, *keys, "ok")
    overlaps = records.value(file, *keys, "overlaps")
    unchecked = list(records.each(file, *keys, "unchecked"))
    where: list[Part] = []
    if records.kind == STUDY:
        title = records.field(file, *keys[:-1], "name") if keys[0] == "data" else None
        where = [" of ", title] if title else [" between the two places"]
    if ok is None or not ok.value or overlaps:
        found = [
            say(
                "The check for leaks",
                *where,
                " found ",
                records.field(file, *keys, "overlaps", i, "count"),
                " shared values of ",
                records.field(file, *keys, "overlaps", i, "column"),
                ".",
            )
            for i in range(len(overlaps or ()))
        ]
        return together(found)
    limit = ", as far as it could be checked" if unchecked else ""
    found = [
        say(
            "The check for leaks",
            *where,
            " passed: no two splits share a patient, a study, a slide or an identical image",
            f"{limit}.",
            cites=[ok],
        )
    ]
    near = records.field(file, *keys, "near_duplicates")
    if near is not None and not near.value and records.value(file, *keys, "near_complete"):
        found.append(say("No two images of different splits look the same.", cites=[near]))
    found += [say("Not checked: ", sentence) for sentence in unchecked]
    for i in range(len(records.value(file, *keys, "near_duplicates") or ())):
        pairs: Keys = (*keys, "near_duplicates", i)
        found.append(
            say(
                records.field(file, *pairs, "count"),
                " pairs of images look the same across the splits ",
                records.field(file, *pairs, "splits"),
                ".",
            )
            + write("Look at the pairs in the receipt, and state whether they are the same image.")
        )
    for i in range(len(records.value(file, *keys, "similar_ids") or ())):
        alike: Keys = (*keys, "similar_ids", i)
        found.append(
            say(
                records.field(file, *alike, "count"),
                " pairs of values of ",
                records.field(file, *alike, "column"),
                " differ in spelling only and count as different.",
            )
        )
    return together(found)


def seen_before(records: Records) -> Answer:
    """Returns what the starting weights, or the tested model, may have seen of the test images."""
    found = [say(note) for note in records.each(RESULTS, "data", "seen_by_checkpoint")]
    return together([*found, say(records.filled(RESULTS, "data", "warning"))])


def preprocessing(records: Records) -> Answer:
    """Returns the operations on images, in training and in evaluation."""
    found: list[Answer] = []
    # A probe embeds training images as they are evaluated; older runs name others.
    train = "evaluation" if records.value(RESULTS, "probe") else "train"
    for use, word in ((train, "Training"), ("evaluation", "Evaluation")):
        spec = records.field(RESULTS, "preprocess", use)
        found.append(say(f"{word} prepares each image by ", spec and spec.code(), "."))
    if isinstance(records.value(RESULTS, "preprocess"), str):
        spec = records.field(RESULTS, "preprocess")
        found.append(say("Pretraining makes each view by ", spec and spec.code(), "."))
    if records.kind == STUDY:
        for side in ("id", "ood"):
            for key, word in (("train_preprocess", "training"), ("eval_preprocess", "evaluation")):
                spec = records.field(CONFIG, side, key)
                found.append(
                    say(
                        records.field(SUMMARY, "data", side, "name"),
                        f", {word}: ",
                        spec and spec.code(),
                        ".",
                    )
                )
    described = records.field(DESCRIPTION, "preprocess")
    found.append(
        say("The exported model prepares each image by ", described and described.code(), ".")
    )
    if records.kind == STUDY:
        size = records.field(CONFIG, "image_size")
        found.append(say("There, `{size}` is ", size, " pixels."))
    return together(found)
