"""The commands on embeddings: `embed`, `probe`."""

import argparse
import dataclasses
import logging
import os
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from remedis.cli import exit_status, output, shared_arguments
from remedis.errors import UserError, counted
from remedis.options import items, label_list, spelled

_LOG = logging.getLogger(__name__)


def add(commands: Any) -> None:
    """Adds the commands to the subparsers of the main command."""
    _add_embed(commands)
    _add_probe(commands)


def _add_embed(commands: Any) -> None:
    embed = commands.add_parser(
        "embed",
        help="computes the embedding of every image",
        description="Computes the embedding of every image and writes a file: ids, labels, "
        "embeddings, and a record of the checkpoint. The images need neither labels nor patients. "
        "A second run computes new images only.",
    )
    _add_checkpoint(embed)
    shared_arguments.add_images(embed)
    embed.add_argument(
        "--labels", metavar="A,B", help="label columns of one table, to be copied to the file"
    )
    embed.add_argument(
        "--allow-missing-patient-ids",
        action="store_true",
        help="with --labels: as config.allow_missing_patient_ids",
    )
    shared_arguments.add_backbone(embed, limited=False)
    embed.add_argument(
        "--out",
        required=True,
        metavar="FILE",
        help="name.parquet, .npz, .h5 or .zarr; with --runner, a folder",
    )
    _add_runner(embed)
    embed.set_defaults(run=_embed)


def _add_runner(embed: argparse.ArgumentParser) -> None:
    embed.add_argument(
        "--runner",
        metavar="NAME",
        help="for archives of millions of images: a runner of Apache Beam, such as DirectRunner. "
        "DATA is then one directory, --out a folder, and Beam's own options follow after --",
    )
    embed.add_argument(
        "--images-per-file",
        type=shared_arguments.positive,
        metavar="N",
        help="with --runner: images per file of the folder; 1024",
    )
    embed.set_defaults(runner_options=[])


def _add_probe(commands: Any) -> None:
    probe = commands.add_parser(
        "probe",
        help="measures the embeddings of a checkpoint on labelled data",
        description="Fits probes on the training split's embeddings, chooses on validation, and "
        "prints the AUROC on the test split, with intervals by patient. Label policies that are "
        "not named are those of the run of the checkpoint, if it has one.",
    )
    _add_checkpoint(probe)
    shared_arguments.add_data(probe)
    shared_arguments.add_backbone(probe)
    shared_arguments.add_splits(probe)
    shared_arguments.add_policies(probe)
    shared_arguments.add_judged_policies(probe, prefix="eval-")
    add = probe.add_argument
    add("--methods", default="linear,knn", metavar="A,B", help="linear, knn, few_shot; linear,knn")
    add(
        "--neighbours",
        type=shared_arguments.positive,
        default=20,
        metavar="K",
        help="neighbours of knn; 20",
    )
    add("--seed", type=int, default=0, help="of resamples and draws of patients; 0")
    add("--resamples", type=int, default=1000, metavar="N", help="behind intervals; 1000")
    output.add_table_arguments(probe)
    probe.set_defaults(run=_probe)


def _add_checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        help="a checkpoint folder, a run, bit:FILE.npz, release:DIR, scratch:50x1, or "
        "keras:DenseNet121:WEIGHTS_FILE",
    )


def _embedded(parsed: argparse.Namespace, manifest: Any, **gate: Any) -> Any:
    from remedis.inference.embed import embed

    return embed(
        parsed.checkpoint,
        manifest,
        parsed.store,
        **gate,
        preprocess=parsed.preprocess,
        embedding=parsed.embedding,
        batch_size=parsed.batch_size,
        max_bad_images=parsed.max_bad_images,
    )


def _embed(parsed: argparse.Namespace) -> int:
    if parsed.runner is not None:
        return _embed_archive(parsed)
    if parsed.images_per_file is not None:
        raise UserError(
            f"{spelled('images_per_file')} is for the folder that {spelled('runner')} writes; name "
            "a runner, such as DirectRunner, or leave the option out."
        )
    from remedis.api.embeddings import embed
    from remedis.data.checks import scan
    from remedis.reporting.notes import RANDOM_WEIGHTS

    embedded = embed(
        parsed.checkpoint,
        parsed.data,
        labels=None if parsed.labels is None else label_list(parsed.labels),
        source=parsed.source,
        options=shared_arguments.source_options(parsed),
        preprocess=parsed.preprocess,
        embedding=parsed.embedding,
        store=parsed.store,
        batch_size=parsed.batch_size,
        max_bad_images=parsed.max_bad_images,
        out=parsed.out,
    )
    images, channels = embedded.rows.shape
    different = embedded.scanned["sha256"].nunique()
    copies = f" ({different:,} different)" if different < images else ""
    _LOG.info(
        f"{os.fspath(parsed.out)}: embeddings of {counted(images, 'image')}{copies}, {channels:,} "
        "numbers each."
    )
    if embedded.provenance.random:
        print(RANDOM_WEIGHTS)
    return exit_status.of_images(len(embedded.bad), scan.bad_images_file(parsed.out))


def _embed_archive(parsed: argparse.Namespace) -> int:
    given = {
        "labels": parsed.labels,
        "option": parsed.option,
        "max_bad_images": parsed.max_bad_images,
        "allow_missing_patient_ids": parsed.allow_missing_patient_ids,
        "store": None if parsed.store == shared_arguments.STORE else parsed.store,
        "source": None if parsed.source == "csv" else parsed.source,
    }
    if named := [name for name, value in given.items() if value]:
        raise UserError(
            f"{spelled(named[0])} does not go with {spelled('runner', parsed.runner)}, which takes "
            "the images of one directory; leave one of them out."
        )
    if len(parsed.data) > 1:
        raise UserError(
            f"{spelled('runner', parsed.runner)} takes one directory, and got "
            f"{counted(len(parsed.data), 'path')}; name the directory that holds all images."
        )
    from remedis.api.embedding_archives import IMAGES_PER_FILE, embed_archive
    from remedis.data.checks import scan
    from remedis.reporting.notes import RANDOM_WEIGHTS

    embedded = embed_archive(
        parsed.checkpoint,
        parsed.data[0],
        parsed.out,
        runner=parsed.runner,
        runner_options=parsed.runner_options,
        preprocess=parsed.preprocess,
        embedding=parsed.embedding,
        batch_size=parsed.batch_size,
        images_per_file=parsed.images_per_file or IMAGES_PER_FILE,
        max_megapixels=parsed.max_megapixels,
    )
    _LOG.info(
        f"{os.fspath(parsed.out)}: embeddings of {counted(embedded.images, 'image')} "
        f"({embedded.new:,} new), {embedded.channels:,} numbers each, in rows/*.parquet."
    )
    if embedded.record["random_weights"]:
        print(RANDOM_WEIGHTS)
    return exit_status.of_images(embedded.unreadable, scan.bad_images_file(parsed.out))


def _probe(parsed: argparse.Namespace) -> int:
    from remedis.inference.probe_methods import check_methods

    methods = items(parsed.methods, ",")
    check_methods(methods)
    fractions = shared_arguments.fractions(parsed.splits or shared_arguments.DEFAULT_SPLITS)

    from remedis.data import label_policies, splits
    from remedis.inference import probe, run_policies
    from remedis.reporting import results_table

    run = run_policies.of_model(parsed.checkpoint)
    policies = run.for_source(parsed.source) if run else label_policies.LabelPolicies()
    named = {
        **shared_arguments.named_policies(parsed, "eval_"),
        **{k: v for k in ("uncertain", "unmentioned") if (v := getattr(parsed, k)) is not None},
    }
    policies = dataclasses.replace(policies, **named)
    manifest = label_policies.keep_found(shared_arguments.manifest(parsed))
    manifest = splits.ensure(
        label_policies.decide(manifest, policies.training),
        fractions,
        parsed.split_seed,
        parsed.split_unit,
        parsed.allow_missing_patient_ids,
        complete=parsed.complete_splits,
    )
    manifest = label_policies.decide_by_split(manifest, policies)
    embedded = _embedded(
        parsed,
        manifest.subset(manifest.table["split"].isin(splits.SPLITS)),
        gate=lambda images, scanned: probe.gate(
            images,
            scanned,
            allow_missing_patient_ids=parsed.allow_missing_patient_ids,
            allow_similar_ids=parsed.allow_similar_ids,
        ),
    )
    probed = probe.probe(
        embedded,
        methods,
        neighbours=parsed.neighbours,
        seed=parsed.seed,
        resamples=parsed.resamples,
    )
    titles = {"linear": "Linear probe", "knn": f"{parsed.neighbours} nearest neighbours"}
    results = {method: result.to_json() for method, result in probed.results.items()}
    report: list[RenderableType] = [
        results_table.results_report(
            result,
            random_weights=embedded.provenance.random,
            title=f"{titles[method]}, test split",
        )
        for method, result in results.items()
    ]
    tested = embedded.manifest.select("test")
    notes = list(label_policies.notes(tested, policies.evaluation))
    if run and (differs := run_policies.difference(policies.evaluation, run, tested)):
        notes.append(differs)
    report += map(output.line, notes)
    if probed.few_shot:
        report.append(
            Text("Few-shot probe, test split: mean AUROC [95 % interval] by patients per class")
        )
        report += [Text(f"{shots:5}  {found}") for shots, found in probed.few_shot.items()]
    values = {
        "split": "test",
        "random_weights": embedded.provenance.random,
        "results": results,
        "few_shot": probed.few_shot,
        "notes": notes,
    }
    output.show_table(parsed, Group(*report), values)
    return 0
