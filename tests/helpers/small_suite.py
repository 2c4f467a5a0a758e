"""Suites of tiny hospitals, and what two starts of one have alike."""

from small_study import small_config, summary_of

from configs import common_suite

ARMS = "one=scratch:1-1-1-1x0.5; two=scratch:1-1-2-1x0.5"
SPLITS = {"train": 0.4, "validation": 0.1, "test": 0.5}


def suite_config(sets, **changes):
    """The config of a suite of studies between tiny hospitals, of probes.

    Args:
      sets: directories of both hospitals, by name of the set.
      **changes: values of shared keys.
    """
    own = {"labels": ("square", "noise"), "target": None}
    studies = {
        name: small_config(hospitals, "unused", SPLITS, **own) for name, hospitals in sets.items()
    }
    config = common_suite.suite(studies)
    config.update(
        arms=ARMS,
        baseline="two",
        modes=("probe",),
        budgets="0, 50%, 100%",
        seeds=2,
        id_trainings=1,
        resamples=50,
    )
    config.update(changes)
    return config.lock()


def contents(folder):
    """What a suite is, without dates and durations."""
    studies = sorted((folder / "sets").glob("*"))
    return {
        **{
            study.name: (summary_of(study), (study / "curves.csv").read_bytes())
            for study in studies
            if (study / "summary.json").exists()
        },
        "suite": (folder / "suite.json").read_bytes(),
    }
