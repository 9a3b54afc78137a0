"""Networks of maps on one split, and their errors, from which a page chooses samples."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from hypermagnetics.data import Dataset
from hypermagnetics.evaluate.maps.baselines import Baseline, baselines_of
from hypermagnetics.evaluate.maps.fit import map_data_of
from hypermagnetics.evaluate.maps.measurement import frame_of_network, measure_maps
from hypermagnetics.evaluate.results.array_records import (
    ArrayDataset,
    ArrayEvaluation,
    ArraySubject,
)
from hypermagnetics.log import SILENT, Listener
from hypermagnetics.models import ArrayModel
from hypermagnetics.models.map_data import MapData, SourceMapData, hidden_sources


class EvaluatedNetwork(NamedTuple):
    """A network, and the baselines that stand beside it."""

    record: ArraySubject
    model: ArrayModel
    data: MapData
    baselines: tuple[Baseline, ...]


@dataclass
class MapSplit:
    """Networks of maps on one split, evaluated one after another."""

    about: ArrayDataset
    dataset: Dataset
    split: str
    metrics_only: bool = False
    """Whether no baselines stand beside the networks."""
    networks: list[EvaluatedNetwork] = field(default_factory=list)
    """Those that were evaluated."""
    sample_relative_l2: Float64[np.ndarray, " samples"] = field(default_factory=lambda: np.zeros(0))
    """Relative L2 error of each sample, of the first map of the first network."""
    _beside: list[Baseline] = field(default_factory=list)

    def evaluate(
        self, record: ArraySubject, model: ArrayModel, listener: Listener = SILENT
    ) -> list[ArrayEvaluation]:
        """Errors of a network, and of the baselines beside it that no network before it had.

        Args:
            record: The network.
            model: The network.
            listener: Receives the number of samples just predicted.
        """
        data = map_data_of(record, model, self.dataset, self.split)
        if isinstance(data, SourceMapData) and (
            sentence := hidden_sources(frame_of_network(model, data), data)
        ):
            listener.tell(sentence)
        baselines = () if self.metrics_only else self._new_baselines(record, model, data)
        found = measure_maps(model, data, listener, baselines)
        if not self.networks:
            self.sample_relative_l2 = found.sample_relative_l2
        self.networks.append(EvaluatedNetwork(record, model, data, baselines))
        return [
            ArrayEvaluation(
                subject=subject,
                dataset=self.about.name,
                split=self.split,
                num_samples=len(data.data),
                targets=None,
                jacobian=None,
                maps=maps,
            )
            for subject, maps in ((record.name, found.network), *found.baselines.items())
        ]

    def _new_baselines(
        self, record: ArraySubject, model: ArrayModel, data: MapData
    ) -> tuple[Baseline, ...]:
        """Baselines of a network, with names of their own where another one has theirs."""
        found = []
        for one in baselines_of(model.inputs, data):
            if one in self._beside:
                continue
            is_taken = one.name in {other.name for other in self._beside}
            found.append(replace(one, name=f"{one.name} for {record.name}") if is_taken else one)
            self._beside.append(one)
        return tuple(found)
