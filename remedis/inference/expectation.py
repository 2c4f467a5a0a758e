"""The images that a checkpoint expects, for the doctor."""

import pathlib

from remedis import files
from remedis.data.checks.doctor import Expectation
from remedis.zoo import names, records


def expectation(checkpoint: files.Path) -> Expectation:
    """Returns the images that a checkpoint folder, or the export of a run, expects.

    Raises:
      UserError: the folder holds no SavedModel, or is a run without an export.
    """
    from remedis.zoo import checkpoint as folders  # loads Keras
    from remedis.zoo import resolve

    description = folders.describe(resolve.export_folder(checkpoint))
    folder_name = pathlib.Path(checkpoint).resolve().name
    if description is None:
        published_name = folder_name
    else:
        published_name = (description.record or {}).get("name", description.name)
    known = published_name in names.NAMES
    data_type = names.parse(published_name).data_type if known else None
    return Expectation(
        name=folder_name,
        data_type=data_type,
        input_size=None if data_type is None else records.INPUT_SIZE[data_type],
        value_range=(0.0, 1.0) if description is None else description.value_range,
        labels=() if description is None else description.labels,
        random=description is not None and description.provenance.random,
    )
