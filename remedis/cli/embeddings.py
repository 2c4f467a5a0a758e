"""The commands on embeddings: `embed`, `probe`."""

import argparse
import os
from typing import Any

from remedis.cli import arguments, output


def add(commands: Any) -> None:
    """Adds the commands to a parser's."""
    embed = commands.add_parser(
        "embed",
        help="computes the embedding of every image",
        description="Computes the embedding of every image and writes a table: ids, labels, "
        "embeddings.",
    )
    _add_checkpoint(embed)
    arguments.add_data(embed)
    arguments.add_backbone(embed)
    embed.add_argument("--out", required=True, metavar="FILE", help="name.parquet or name.npz")
    embed.set_defaults(run=_embed)

    probe = commands.add_parser(
        "probe",
        help="says what a checkpoint's embeddings are worth on labelled data",
        description="Fits probes on the training split's embeddings, chooses on validation, and "
        "prints the AUROC on the test split, with intervals by patient.",
    )
    _add_checkpoint(probe)
    arguments.add_data(probe)
    arguments.add_backbone(probe)
    arguments.add_splits(probe)
    arguments.add_policies(probe)
    add = probe.add_argument
    add("--methods", default="linear,knn", metavar="A,B", help="linear, knn, few_shot; linear,knn")
    add("--neighbours", type=arguments.positive, default=20, metavar="K", help="of knn; 20")
    add("--seed", type=int, default=0, help="of resamples and draws of patients; 0")
    add("--resamples", type=int, default=1000, metavar="N", help="behind intervals; 1000")
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
    from remedis.inference import embed
    from remedis.reporting.notes import RANDOM_WEIGHTS

    embed.check_out(parsed.out)
    embedded = _embedded(parsed, arguments.manifest(parsed))
    embed.write(embedded, parsed.out)
    images, channels = embedded.rows.shape
    print(f"{os.fspath(parsed.out)}: embeddings of {images:,} images, {channels:,} numbers each.")
    if embedded.provenance.random:
        print(RANDOM_WEIGHTS)
    return 0


def _probe(parsed: argparse.Namespace) -> int:
    from remedis.data import labels, splits
    from remedis.inference import probe as probe_command
    from remedis.reporting import results_table

    methods = [method.strip() for method in parsed.methods.split(",")]
    probe_command.check_methods(methods)
    manifest = arguments.manifest(parsed)
    manifest = labels.apply_policies(
        manifest,
        uncertain=labels.policies(parsed.uncertain or "ignore", manifest.labels),
        unmentioned=labels.policies(parsed.unmentioned or "ignore", manifest.labels),
    )
    manifest = splits.ensure(
        manifest,
        arguments.fractions(parsed.splits or "train=0.7,validation=0.1,test=0.2"),
        parsed.split_seed,
        parsed.split_unit,
        parsed.allow_missing_patient_ids,
    )
    embedded = _embedded(
        parsed,
        manifest.subset(manifest.table["split"].isin(splits.SPLITS)),
        gate=lambda images, scanned: probe_command.gate(
            images, scanned, parsed.allow_missing_patient_ids
        ),
    )
    probed = probe_command.probe(
        embedded,
        methods,
        neighbours=parsed.neighbours,
        seed=parsed.seed,
        resamples=parsed.resamples,
    )
    titles = {"linear": "Linear probe", "knn": f"{parsed.neighbours} nearest neighbours"}
    for method, result in probed.results.items():
        output.show(
            results_table.results_report(
                result.to_json(),
                random_weights=embedded.provenance.random,
                title=f"{titles[method]}, test split",
            )
        )
    if probed.few_shot:
        print("Few-shot probe, test split: mean AUROC [95 % interval] by patients a class")
        for shots, estimate in probed.few_shot.items():
            print(f"{shots:5}  {estimate}")
    return 0
