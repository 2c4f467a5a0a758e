"""The loading of models for the engines, each as the commands that use it load it."""

import dataclasses
import hashlib
import importlib.util
import logging
import pathlib
import tempfile
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from remedis import files
from remedis.conversion import convert, formats, openvino_format
from remedis.conversion.formats import Run
from remedis.errors import UserError, first_line, shortened, unknown_choice
from remedis.inference import exported, heat_maps
from remedis.inference.exported import ExportedClassifier
from remedis.models.activation_maps import CAM
from remedis.options import spelled
from remedis.preprocess import Preprocess, parse
from remedis.preprocess.placement import placement
from remedis.serving.engine_names import AUTO, ENGINES, FROZEN, OPENVINO, SAVED_MODEL
from remedis.serving.served_facts import EMBEDDING, ServedFacts
from remedis.zoo import checkpoint, graphs, resolve, tensors
from remedis.zoo.export import DESCRIPTION, Description
from remedis.zoo.pixel_range import CHECKED, pixel_fault

_LOG = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]

_CLASSIFIER = "classifier"
# The memory of a network grows with the pixels. A resize in the preprocessing bounds them itself.
MOST_PIXELS = 1024 * 1024
_NOT_FINITE = "The model gives no finite numbers for an image of the request; send another image."
# Two sizes of images: if both become the same, all do.
_SIZES = ((96, 64), (61, 80))


@dataclasses.dataclass(frozen=True, eq=False)
class LoadedEngine:
    """A model that is loaded; an `Engine`.

    Attributes:
      name: of the engine.
      provenance: of the model.
      run: from images to outputs.
      pixel_range: of `remedis.zoo.pixel_range`, which images have.
      preprocess: from an image to the input of the network; None if it is not recorded.
      image_size: of its results, if all have the same.
      classifier: that has heat maps; None if there are none.
    """

    name: str
    provenance: ServedFacts
    run: Run
    pixel_range: str
    preprocess: Preprocess | None
    image_size: tuple[int, int] | None
    classifier: ExportedClassifier | None

    @property
    def labels(self) -> tuple[str, ...]:
        """Names in the order of the scores."""
        return self.provenance.labels

    @property
    def explains(self) -> bool:
        """Whether there are heat maps."""
        return self.classifier is not None

    def prepare(self, image: Floats) -> Floats:
        """Returns the input of the network, see `Engine.prepare`."""
        if self.preprocess is None:
            raise UserError(
                f"{self.provenance.model} records no preprocessing; send prepared images as "
                "numbers, or build the folder again."
            )
        prepared = _prepared(self.preprocess, image)
        self._check_size(*prepared.shape[:2])
        return prepared

    def predict(self, images: Floats) -> dict[str, np.ndarray]:
        """Returns the outputs, see `Engine.predict`."""
        self._check(images)
        found = self.run(images)
        outputs = {name: found[name] for name in self.provenance.outputs}
        if not all(np.isfinite(values).all() for values in outputs.values()):
            raise UserError(_NOT_FINITE)
        return outputs

    def explain(self, images: Floats, label: str) -> Floats:
        """Returns heat maps, see `Engine.explain`."""
        if self.classifier is None:
            raise UserError(
                f"The engine {self.name} has no heat maps of {self.provenance.model}; serve the "
                f"run or the classifier it was made from: {spelled('engine', SAVED_MODEL)}."
            )
        if label not in self.labels:
            raise unknown_choice("label", label, self.labels)
        self._check(images)
        compute = heat_maps.of_export(self.classifier)
        position = tf.constant(self.labels.index(label))
        cells: Floats = compute(tf.constant(images), position)[CAM].numpy()
        if not np.isfinite(cells).all():
            raise UserError(_NOT_FINITE)
        return cells

    def place(self, cells: Floats, height: int, width: int) -> Floats:
        """Returns a heat map in the image's pixels, see `Engine.place`."""
        assert self.classifier is not None
        assert self.provenance.preprocess is not None  # every classifier has one
        stride = heat_maps.choose(self.classifier, CAM).stride
        operations = parse(self.provenance.preprocess, deterministic=True)
        return placement(operations, height, width).to_image(cells, stride)

    def _check(self, images: Floats) -> None:
        """Raises a UserError for images that the network does not take."""
        if images.ndim != 4 or images.shape[3] != 3 or not images.size:
            raise UserError(
                f"The images have the shape {list(images.shape)}; expected [n, height, width, 3]."
            )
        self._check_size(*images.shape[1:3])
        if fault := pixel_fault(images, self.pixel_range):
            raise UserError(fault[0].upper() + fault[1:])

    def _check_size(self, height: int, width: int) -> None:
        """Raises a UserError for a large image, if the model does not set the size itself."""
        if self.image_size is None and height * width > MOST_PIXELS:
            raise UserError(
                f"The network would get {width:,} x {height:,} pixels; expected at most "
                f"{MOST_PIXELS:,} in all: send a smaller image, or serve a model with resize in "
                "its preprocessing."
            )


def load(path: pathlib.Path, engine: str) -> LoadedEngine:
    """Returns the model of an engine, see `remedis.serving.engines.open_engine`."""
    if engine == AUTO:
        record = _record(path)
        if record is None:
            loaded = _fastest(path)
        elif record["format"] in ENGINES:
            loaded = _export(path, record["format"])
        else:
            raise UserError(
                f"{path} is an export to {record['format']}, which no engine serves; expected a "
                f"run, a model's folder, or an export to {', '.join(ENGINES[1:])}."
            )
    else:
        loaded = _saved_model(path) if engine == SAVED_MODEL else _export(path, engine)
    if loaded.image_size is not None:
        # The first call prepares the graph. What fails now would fail for every request.
        try:
            loaded.predict(np.full((1, *loaded.image_size, 3), 0.5, np.float32))
        except UserError as error:
            raise UserError(
                f"{path} gives no finite numbers for a grey image; its weights are not those of a "
                "trained network: copy it again, or export it again."
            ) from error
    return loaded


def _saved_model(path: pathlib.Path) -> LoadedEngine:
    folder = resolve.export_folder(path)
    description = checkpoint.describe(folder)
    if description is None:
        raise UserError(
            f"{folder} has no {DESCRIPTION}: only folders that remedis wrote are served. Build a "
            "folder from it first: remedis build --weights=release:DIR."
        )
    sha256 = tensors.model_sha256(folder)
    if description.kind == _CLASSIFIER:
        classifier = exported.load(folder)
        signature = classifier.model.signatures["serving_default"]

        def scores(images: np.ndarray) -> dict[str, np.ndarray]:
            found = signature(images=tf.constant(images))
            return {name: values.numpy() for name, values in found.items()}

        explains = hasattr(classifier.model, "heat_maps")
        return _engine(
            SAVED_MODEL,
            description,
            sha256,
            scores,
            classifier.preprocess,
            classifier if explains else None,
        )
    signatures = getattr(graphs.load(folder), "signatures", {})
    if "embed" not in signatures:
        raise UserError(
            f"{folder} has the {DESCRIPTION} of a model, but its graph has no embed: the files are "
            "of different folders; copy the whole folder again."
        )
    run = _embeddings(signatures["embed"])
    return _engine(SAVED_MODEL, description, sha256, run, _recorded(description), None)


def _embeddings(embed: Callable[..., dict[str, tf.Tensor]]) -> Run:
    """Returns the embeddings alone; the map of a backbone, which nobody asks for, is large."""

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        return {EMBEDDING: embed(tf.constant(images))[EMBEDDING].numpy()}

    return run


def _fastest(path: pathlib.Path) -> LoadedEngine:
    """Returns a SavedModel whose outputs OpenVINO computes, where it is the fastest engine.

    Heat maps stay those of the SavedModel.
    """
    loaded = _saved_model(path)
    if importlib.util.find_spec(OPENVINO) is None or tf.config.list_physical_devices("GPU"):
        return loaded
    # Without errors if the engine still holds the files, as Windows has it.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        export = pathlib.Path(folder, "export")
        try:
            convert.convert(path, OPENVINO, export)
        except UserError as error:  # another package's network, or other outputs
            _LOG.info(f"OpenVINO does not compute this model: {error}")
            return loaded
        run = openvino_format.run(export, loaded.image_size)
    facts = dataclasses.replace(loaded.provenance, engine=OPENVINO)
    return dataclasses.replace(loaded, name=OPENVINO, provenance=facts, run=run)


def _record(path: pathlib.Path) -> convert.ExportRecord | None:
    """Returns the record of an export; None of anything else."""
    try:
        return convert.read(path)
    except OSError:
        return None


def _export(path: pathlib.Path, engine: str) -> LoadedEngine:
    record = _record(path)
    if record is None:
        raise UserError(
            f"{path} has no {formats.RECORD}, which remedis export writes; name an export, or "
            "leave out the engine."
        )
    if record["format"] != engine:
        raise UserError(
            f"{path} is an export to {record['format']}; expected one to {engine}: name the "
            "engine of its format."
        )
    description = Description.from_json(record["description"])
    preprocess = _recorded(description)
    if engine == FROZEN and description.kind != _CLASSIFIER:
        run = _embeddings(graphs.load(path).signatures["embed"])
    elif engine == OPENVINO:
        run = openvino_format.run(path, _fixed_size(preprocess))
    else:
        run = formats.get(engine).run(path)
    return _engine(engine, description, _sha256(path), run, preprocess, None)


def _engine(
    name: str,
    description: Description,
    sha256: str,
    run: Run,
    preprocess: Preprocess | None,
    classifier: ExportedClassifier | None,
) -> LoadedEngine:
    shared = description.shared()  # without paths of the machine that made it
    labels = shared.labels if shared.kind == _CLASSIFIER else ()
    facts = ServedFacts(
        model=shared.name,
        engine=name,
        weights_sha256=sha256,
        weights=shared.provenance.description,
        random_weights=shared.provenance.random,
        labels=labels,
        task=shared.task,
        preprocess=shared.preprocess,
        calibration=shared.calibration,
        thresholds=shared.thresholds,
    )
    size = _fixed_size(preprocess)
    return LoadedEngine(
        name, facts, run, shared.pixel_range or CHECKED, preprocess, size, classifier
    )


def _recorded(description: Description) -> Preprocess | None:
    if description.preprocess is None:
        return None
    return parse(description.preprocess, deterministic=True)


def _fixed_size(preprocess: Preprocess | None) -> tuple[int, int] | None:
    """Returns the size of all prepared images; None if it depends on the image."""
    if preprocess is None:
        return None
    found = set()
    for height, width in _SIZES:
        try:
            found.add(_prepared(preprocess, np.zeros((height, width, 3), np.float32)).shape[:2])
        except UserError:  # some operations refuse small images
            return None
    return found.pop() if len(found) == 1 else None


def _prepared(preprocess: Preprocess, image: Floats) -> Floats:
    try:
        prepared: Floats = preprocess(tf.constant(image)).numpy()
    except tf.errors.InvalidArgumentError as error:
        raise UserError(
            f"The preprocessing of the model refuses the image ({shortened(first_line(error))}); "
            "send another image."
        ) from error
    return prepared


def _sha256(path: pathlib.Path) -> str:
    """Returns the SHA-256 of an export's graph and weights.

    It is that of the file for an export of one file, `tensors.model_sha256` for a SavedModel, and
    the hash of the two files' hashes for OpenVINO.
    """
    if path.is_file():
        return files.sha256(path)
    if (path / "saved_model.pb").is_file():
        return tensors.model_sha256(path)
    digest = hashlib.sha256()
    for name in (openvino_format.GRAPH, openvino_format.WEIGHTS):
        digest.update(bytes.fromhex(files.sha256(path / name)))
    return digest.hexdigest()
