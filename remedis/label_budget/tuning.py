"""The tuning of the arms: the budget that all of them have, and what validation chose."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from remedis.errors import counted
from remedis.evaluation.l2sp import PENALTIES
from remedis.evaluation.label_budget import Cell
from remedis.evaluation.linear_probe import PENALTIES as ID_PENALTIES
from remedis.label_budget import finetune_arm, probe_arm
from remedis.label_budget.arm import InDistributionScores
from remedis.label_budget.cell_store import CellStore
from remedis.label_budget.settings import StudySettings

_RULE = (
    "The highest {metric} on the validation patients of the budget is chosen{over}; among equal "
    "ones the first, so that step 0, the in-distribution model as it is, stays unless a candidate "
    "is better.{without} In-distribution models are chosen on in-distribution validation{by}."
)


def rule(settings: StudySettings) -> str:
    """Returns how validation chooses, in sentences."""
    if settings.metric.top is None:
        return _RULE.format(
            metric="mean AUROC",
            over=", over the labels that have both classes there",
            without=" Where no label has both classes, step 0 stays.",
            by="",
        )
    by = ", and steps within a training, by the mean AUROC of each class against the others"
    return _RULE.format(metric=settings.metric.name, over="", without="", by=by)


def budget(settings: StudySettings, mode: str) -> str:
    """Returns a sentence on the tuning budget per arm in a mode."""
    if mode == "probe":
        return (
            f"Tuning, probe: {len(ID_PENALTIES)} penalties of the in-distribution probe, then "
            f"step 0 and {len(PENALTIES)} penalties per cell, the same for every arm."
        )
    trainings = settings.trainings(mode)
    return (
        f"Tuning, finetune: {settings.select.budget()} per cell, beside step 0, and per "
        f"in-distribution model, the same for every arm; "
        f"{counted(trainings, 'in-distribution model')} per arm."
    )


def caveats(settings: StudySettings, mode: str, cells: CellStore) -> list[str]:
    """Returns what a reader of the numbers has to know about trainings and tuning in a mode."""
    trainings = settings.trainings(mode)
    if mode == "probe":
        sentences = [
            "Linear probes use embeddings of the unchanged checkpoint, and are held to the "
            "in-distribution probe as strongly as validation selects. They are solved exactly: "
            "another training on the same images gives the same probe. Other random weights would "
            "give others; intervals do not contain this."
        ]
    elif trainings == 1:
        sentences = [
            "Each arm is fine-tuned once on the in-distribution data (config.id_trainings is 1): "
            "intervals do not contain the difference that another training of it would make."
        ]
    else:
        sentences = [
            f"Each arm is fine-tuned {trainings} times on the in-distribution data, with other "
            "seeds, which also draw the weights of arms that start from random ones; intervals "
            "contain this difference. Seed s of a budget starts from training s modulo "
            f"{trainings}."
        ]
    sentences.append(f"{budget(settings, mode)} {rule(settings)}")
    adapted = [cell for cell in cells if cell.mode == mode and cell.patients]
    choices = [cells.choice(cell) for cell in adapted]
    unranked = sum(choice is not None and not choice.ranked for choice in choices)
    if unranked:
        sentences.append(
            f"In {unranked:,} of {len(adapted):,} cells ({mode}) validation could not rank the "
            "candidates: the in-distribution model was kept."
        )
    unrecorded = sum(choice is None for choice in choices)
    if unrecorded:
        sentences.append(
            f"{unrecorded:,} of {len(adapted):,} cells ({mode}) were finished by an earlier "
            "version, which kept no record of their tuning; fine-tuning had no step 0."
        )
    return sentences


def summary(
    settings: StudySettings,
    cells: CellStore,
    models: Mapping[tuple[str, str], Sequence[InDistributionScores]],
) -> dict[str, Any]:
    """Returns the key `tuning` of `summary.json`, by mode.

    Args:
      settings: of the study.
      cells: the finished cells.
      models: scores of the in-distribution models by arm and mode, one per training.
    """
    names = {"probe": probe_arm.CANDIDATES, "finetune": finetune_arm.candidate_names(settings)}
    return {
        mode: {
            "grid": settings.select.text if mode == "finetune" else _penalties(),
            "budget": budget(settings, mode),
            "rule": rule(settings),
            "candidates": list(names[mode]),
            "arms": {
                name: _arm(names[mode], [c for c in cells if c[:2] == (name, mode)], cells)
                | {"id": [_model(i, one) for i, one in enumerate(models[name, mode])]}
                for name in settings.arms
                if mode in settings.modes_of(name)
            },
        }
        for mode in settings.modes
    }


def _penalties() -> str:
    id_text, ood_text = (",".join(f"{p:.2g}" for p in ps) for ps in (ID_PENALTIES, PENALTIES))
    return f"in distribution: penalty={id_text}; per cell: penalty={ood_text}"


def _model(training: int, scores: InDistributionScores) -> dict[str, Any]:
    return {"training": training, **(scores.tuning or {})}


def _arm(names: Sequence[str], own: Sequence[Cell], cells: CellStore) -> dict[str, Any]:
    """Returns what validation chose in the adapted cells of an arm in one mode."""
    found = [cells.choice(cell) for cell in own if cell.patients]
    choices = [choice for choice in found if choice is not None]
    return {
        "ood": [
            {
                "candidate": name,
                "score": _mean([choice.scores[i] for choice in choices]),
                "chosen": sum(choice.chosen == i for choice in choices),
            }
            for i, name in enumerate(names)
        ],
        "cells": len(choices),
        "unranked": sum(not choice.ranked for choice in choices),
        "unrecorded": len(found) - len(choices),
    }


def _mean(scores: Sequence[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return float(np.mean(known)) if known else None
