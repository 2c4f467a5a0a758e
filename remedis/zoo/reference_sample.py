"""`reference.npz` of an export: embeddings and logits of some test patients, without ids.

A later `remedis evaluate` compares new images with them (drift). The patients are drawn at random,
with one image each, and stand in random order. The file has no id, label or path. An embedding is
still made of one image: whoever has that image and the model can find out whether it is among them,
and a decoder may draw a coarse picture of it. So a run keeps few (`config.reference_patients`), and
`remedis pack` leaves the file out unless asked for it.
"""

import dataclasses
import os
import pathlib

import numpy as np
import numpy.typing as npt

from remedis import files
from remedis.errors import Damaged
from remedis.npz_files import DamagedNpz, NpzFile
from remedis.zoo.export import REFERENCE as FILE

_ADVICE = "copy the export again, or remove the file: the model works without it"


@dataclasses.dataclass(frozen=True, eq=False)
class ReferenceSample:
    """Embeddings and logits of patients that neither trained nor chose a classifier.

    Attributes:
      embeddings: [n, C] float32, the export's output `embedding`, one row per patient.
      logits: [n, labels] float32, before calibration, in the order of the export's labels.
      data: name of the data, such as `the test split of nih`.
      population: number of patients that the sample was drawn from.
    """

    embeddings: npt.NDArray[np.float32]
    logits: npt.NDArray[np.float32]
    data: str
    population: int

    def __len__(self) -> int:
        """Number of patients."""
        return len(self.embeddings)

    def write(self, folder: files.Path) -> None:
        """Writes the sample into the folder of an export."""
        with (
            files.whole_file(pathlib.Path(folder, FILE)) as temporary,
            open(temporary, "wb") as file,
        ):
            np.savez(
                file,
                embedding=self.embeddings,
                logits=self.logits,
                data=np.array(self.data),
                population=np.array(self.population),
            )

    @classmethod
    def read(
        cls, folder: files.Path, labels: int, channels: int | None
    ) -> "ReferenceSample | None":
        """Returns the sample of an export; None if it has none.

        Args:
          folder: of the export.
          labels: number of its labels.
          channels: of its embedding; None if not known.

        Raises:
          UserError: the file is damaged, or of another model.
        """
        file = pathlib.Path(folder, FILE)
        if not os.path.lexists(file):
            return None
        try:
            with NpzFile(file) as arrays:
                embeddings = arrays.expect("embedding", "f", (None, channels))
                logits = arrays.expect("logits", "f", (len(embeddings), labels))
                population = int(arrays.expect("population", "i", ())[()])
                return cls(embeddings, logits, arrays.text("data"), population)
        except (OSError, DamagedNpz) as error:
            raise Damaged(f"{file} is damaged ({error}); {_ADVICE}.") from error
