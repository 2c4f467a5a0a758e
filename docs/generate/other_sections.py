"""The page "Fields of other records": exports, checks, environment and candidates."""

from docs.generate.sections import Page, Section
from remedis.conversion import agreement, convert
from remedis.data import judged_images
from remedis.data.checks import leaks
from remedis.evaluation import corrupted_scores
from remedis.finetuning import tuning_grid
from remedis.inference import embedding_archive
from remedis.suite import board_record, suite_record
from remedis.training import run_directory
from remedis.zoo import export, licences, run_record, seen_images

PATH = "reference/records.md"
ROOTS = (
    export.DescriptionRecord,
    run_directory.EnvironmentRecord,
    leaks.LeaksRecord,
    judged_images.JudgedRecord,
    run_record.RunRecord,
    seen_images.SeenRecord,
    tuning_grid.CandidateRecord,
    convert.ExportRecord,
    embedding_archive.ArchiveRecord,
    suite_record.SuiteRecord,
    board_record.BoardRecord,
    corrupted_scores.RobustnessRecord,
)


def page() -> Page:
    """Returns the page."""
    return Page(
        PATH,
        "Fields of other records",
        "The JSON files beside `results.json` in a run, and those in an export. [Files of a run]"
        "(run-files.md) says which files there are and who reads them; how to read the tables is "
        "said [on the page of results.json](results.md#reading).",
        ROOTS,
        _sections(),
    )


def _sections() -> list[Section]:
    return [
        Section(
            export.DescriptionRecord,
            "description",
            "remedis.json: what an export is",
            text="In every folder of a model. The model card `MODEL_CARD.md` says the same in "
            "words.",
        ),
        Section(
            export.PerformanceRecord,
            "performance",
            "The performance of a classifier",
            "`performance`",
            level=3,
        ),
        Section(
            export.PublishedRecord,
            "published checkpoint",
            "The published checkpoint of this name",
            "`record`",
            level=3,
        ),
        Section(
            licences.LicenceRecord,
            "licence",
            "One link of the licence chain",
            "`licences`",
            text="From the code over the weights to the data. [Licences](../licences.md) says what "
            "the links mean.",
            level=3,
        ),
        Section(
            run_record.RunRecord,
            "run record",
            "run.json: the run that made a classifier",
            text="In the export of a fine-tuning run, and in what `remedis calibrate` makes of it. "
            "`remedis.json` has calibration, thresholds and the licence chain. `remedis evaluate` "
            "shows these results beside new ones.",
        ),
        Section(
            run_record.LeakCounts, "leak counts", "The leak check in numbers", "`leaks`", level=3
        ),
        Section(
            run_record.SharedCount,
            "shared count",
            "What two splits share, in numbers",
            "`leaks.shared`",
            level=3,
        ),
        Section(
            seen_images.SeenRecord,
            "seen images",
            "seen.json: the images that a model has seen",
            text="In the export of a run. Whoever has this file can find out whether an image, a "
            "copy of it, or an id of a patient is among those that the model was trained, chosen "
            "or calibrated on. Delete it before you share the export if that is too much: see "
            "[Security](../security.md).",
        ),
        Section(
            judged_images.JudgedRecord,
            "judged images",
            "judged.json: the images that a run is tested on",
            text="In a run or a study. A later pretraining leaves these images and patients out "
            "(`config.leave_out`). It holds ids of patients: it is not for sharing.",
        ),
        Section(judged_images.JudgedSetRecord, "judged set", "One split", "`sets`", level=3),
        Section(
            leaks.LeaksRecord,
            "leaks",
            "leaks.json: whether splits share patients or images",
            text="In a fine-tuning run; of a study in `data/id/`, `data/ood/` and, of both "
            "hospitals, in `data/`. The `leaks.json` of a pretraining is "
            "[another one](results.md#unlabelled-data).",
        ),
        Section(leaks.Shared, "shared values", "Shared patients or images", "`overlaps`", level=3),
        Section(
            leaks.SharedLooks, "similar images", "Similar images", "`near_duplicates`", level=3
        ),
        Section(leaks.SharedIds, "similar ids", "Similar ids", "`similar_ids`", level=3),
        Section(
            run_directory.EnvironmentRecord,
            "environment",
            "environment.json: how a run was made",
            text="It has full paths: it is not for sharing.",
        ),
        Section(
            tuning_grid.CandidateRecord,
            "candidate",
            "candidate.json: one candidate of `config.select`",
            text="In `candidates/candidate-0/` and so on of a run; in `id/ARM/candidate-0/` of a "
            "study. A run with `config.select` has the files of its trainings there.",
        ),
        Section(
            None,
            "inputs",
            "inputs.json: what a run began with",
            text="By name, SHA-256 digests of the inputs: `data` (images, labels and splits), "
            "`weights`, of a pretraining also `probe`, of a study its data and settings. A run "
            "that is called again with other inputs stops.",
        ),
        Section(
            suite_record.SuiteRecord,
            "suite",
            "suite.json: the sets and arms of a suite",
            text="In the folder that `remedis suite` writes.",
        ),
        Section(suite_record.SetOfSuite, "set of a suite", "A set", "`sets`", level=3),
        Section(suite_record.ArmOfSuite, "arm of a suite", "An arm", "`arms`", level=3),
        Section(
            board_record.BoardRecord,
            "leaderboard",
            "board.json: the numbers of a leaderboard",
            text="In the folder that `remedis suite` writes. `leaderboard.html` shows them.",
        ),
        Section(board_record.BoardArm, "arm of a leaderboard", "An arm", "`arms.NAME`", level=3),
        Section(board_record.BoardSet, "set of a leaderboard", "A set", "`sets`", level=3),
        Section(board_record.Contest, "contest", "The arms in one set", "`contests`", level=3),
        Section(
            board_record.Standing,
            "standing",
            "An arm in one set",
            "`contests[].standings`",
            level=3,
        ),
        Section(
            board_record.Difference,
            "difference on a leaderboard",
            "The difference of two arms",
            "`contests[].differences`, `overall[].differences`",
            level=3,
        ),
        Section(
            board_record.OverallContest,
            "contest over sets",
            "The arms over sets",
            "`overall`",
            level=3,
        ),
        Section(
            board_record.OverallStanding,
            "standing over sets",
            "An arm over sets",
            "`overall[].standings`",
            level=3,
        ),
        Section(
            board_record.Tried, "tuning on a leaderboard", "What was tried", "`tuning`", level=3
        ),
        Section(
            corrupted_scores.RobustnessRecord,
            "robustness",
            "robustness.json: a classifier under corruptions of its images",
            text="In the folder that `remedis robustness` writes. `robustness.html` shows it.",
        ),
        Section(
            corrupted_scores.CellRecord,
            "corruption",
            "A corruption in one strength",
            "`cells`",
            level=3,
        ),
        Section(
            corrupted_scores.MetricRecord,
            "corrupted metric",
            "A metric on corrupted images",
            "`cells[].metrics.METRIC`",
            level=3,
        ),
        Section(
            corrupted_scores.MeasuredRecord,
            "corrupted value",
            "A metric of a label, or the mean",
            "`cells[].metrics.METRIC.mean`, `cells[].metrics.METRIC.labels.LABEL`",
            level=3,
        ),
        Section(
            corrupted_scores.ChangeRecord,
            "change by a corruption",
            "The change from the clean images",
            "`cells[].metrics.METRIC.mean.change`",
            level=3,
        ),
        Section(
            embedding_archive.ArchiveRecord,
            "archive",
            "archive.json: how an archive of embeddings was made",
            text="In the folder that `remedis embed --runner` writes.",
        ),
        Section(
            convert.ExportRecord,
            "export",
            "export.json: how an export agrees with its source",
            text="In the folder that `remedis export` writes, or beside its file as "
            "`FILE.export.json`.",
        ),
        Section(
            agreement.AgreementRecord,
            "agreement",
            "The differences on one kind of images",
            "`agreement`",
            level=3,
        ),
        Section(
            agreement.OutputDifference,
            "output difference",
            "The difference of one output",
            "`agreement[].outputs`",
            level=3,
        ),
    ]
