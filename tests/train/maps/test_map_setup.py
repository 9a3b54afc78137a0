"""What a training of maps refuses and warns of, with the number or the name that would do."""

import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from recording import Recording
from refused import refused
from small_maps import map_recipe, maps_of_arrays, maps_of_sources
from tiny_datasets import small_dataset

from hypermagnetics.data import Dataset
from hypermagnetics.data.array_import import import_arrays, inputs_and_targets
from hypermagnetics.errors import DatasetError, HypermagneticsError, RecipeError
from hypermagnetics.models import ArrayInputs
from hypermagnetics.train.devices import AnyDeviceBatch, Devices
from hypermagnetics.train.feed import read_blocks
from hypermagnetics.train.setup import Setup, make_setup

PLAIN = "data.augment=[]"
NET = 'model={name="conv",channels=[4]}'
TURN = 'data.augment=["quarter-turn"]'


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """On a grid of 13 x 13 points with a halo of 1."""
    return maps_of_sources(tmp_path_factory.mktemp("discs") / "data", halo=1)


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Imported maps of 8 x 6 points, open."""
    return maps_of_arrays(tmp_path_factory.mktemp("arrays"), sides=(8, 6))


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "a halo too small": ((NET,), "at most 1, as the grid has a halo of 1; got 2"),
    "a padding too large": ((NET, "data.crop={size=6,pad=3}"), "a padding of 2 points"),
    "a padding too small": ((NET, "data.crop={size=6,pad=1}"), "a padding of 2 points"),
    "a stride": (("map.stride=5",), "must be a multiple of 5; got 13 points along an axis"),
    "a stride of crops": (
        ("map.stride=4", "data.crop={size=8}"),
        "Take 5 or 9 for the data.crop.size",
    ),
    "padding off the stride": (
        ("map.stride=4", "data.crop={size=7,pad=3}"),
        "a multiple of the stride, 4; got 3",
    ),
    "a grid off the stride": (
        ("map.stride=5", "data.crop={size=6}"),
        "must be a multiple of 5; got 13 points along an axis (map.stride). Take 11 or 16",
    ),
    "crops smaller than the stride": (
        ("map.stride=4", "data.crop={size=1,pad=0}"),
        "from points of one lattice; got crops of 1 points",
    ),
    "arrays of sources": (("data.input=field",), "which map.input names; got 'field'"),
    "imported maps": (('map.input=["inputs"]',), "magnetisation, potential or field; got 'inputs'"),
    "two kinds of maps": (('map.input=["inputs","potential"]',), "'inputs' alone"),
    "no maps": (("map.input=[]",), "names of maps, each once"),
    "the same map twice": (('map.target=["potential","potential"]',), "each once"),
    "a map of nothing": (('map.target=["energy"]',), "map.target"),
    "a periodic edge": (("map.boundary=periodic",), "that of the dataset, 'open'; got 'periodic'"),
    "vectors of sources": (
        ('map.vectors=["inputs"]',),
        "left out for a dataset of sources",
    ),
    "points": (("data.points_per_step=3",), "data.points_per_step must be left out"),
    "noise": (("data.noise={std=0.1}",), "data.noise must be left out"),
    "medians": (("normalisation.scales=median",), "normalisation.scales must be left out"),
    "outside": (("outside=warn",), "outside must be left out"),
    "rotations": (('data.augment=["rotation"]',), "keep the points of a grid; got 'rotation'"),
    "scaling": (('data.augment=["scaling"]',), "keep the spacing of a grid; got 'scaling'"),
    "terms of fields": (('objective.terms={field={of="field"}}',), "must have terms of 'map'"),
    "a map that is not given": (
        ('objective.terms.map.quantity="field"',),
        "one that the network gives, potential",
    ),
    "a model of sources": (('model={name="hyper_layer"}',), "network from maps to maps"),
    "no table": (("map=null",), "must have a table [map]"),
    "an even kernel": (("model.kernel=4",), "an odd number"),
    "a slope of gelu": (
        (NET, "model.slope=0.2"),
        'unless model.activation is "leaky_relu"',
    ),
    "a kernel of fields": (
        ('model={name="fft",start="exact"}', 'map.input=["potential"]'),
        'must be "zero" unless',
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_maps_that_do_not_fit_are_refused(
    discs: Dataset, case: tuple[tuple[str, ...], str]
) -> None:
    changes, said = case
    with refused(HypermagneticsError, said):
        make_setup(map_recipe(PLAIN, *changes), discs)


OF_ARRAYS: dict[str, tuple[tuple[str, ...], str]] = {
    "a raster without bodies": (('map.input=["magnetisation"]',), "as it has no bodies"),
    "symmetries of unknown arrays": (('data.augment=["reflection"]',), "map.vectors must name"),
    "three components": (
        ('map.vectors=["targets"]', 'data.augment=["reflection"]'),
        "got 'targets' of 1 channels",
    ),
    "quarter turns of a strip": ((TURN, "map.vectors=[]"), "as many points along each axis"),
    "crops of a strip": (("data.crop={size=4}",), "as many points along each axis"),
    "time": (('data.augment=["time-reversal"]',), "nothing is known of their sources"),
    "a spectrum of a strip": (("objective.terms.map.loss=spectral",), "as many points along each"),
}


@pytest.mark.parametrize("case", OF_ARRAYS.values(), ids=OF_ARRAYS)
def test_imported_maps_that_do_not_fit_are_refused(
    arrays: Dataset, case: tuple[tuple[str, ...], str]
) -> None:
    changes, said = case
    with refused(RecipeError, said):
        make_setup(map_recipe("map={}", PLAIN, *changes), arrays)


def test_open_imported_maps_have_no_padding(tmp_path: Path) -> None:
    """Of crops, or of a network that takes points away; periodic ones have."""
    square = maps_of_arrays(tmp_path / "open")
    for changes in ((NET,), ("data.crop={size=4,pad=2,start=2,stop=3}",)):
        with refused(RecipeError, "Imported maps that are open must be read without padding"):
            make_setup(map_recipe("map={}", PLAIN, *changes), square)
    periodic = maps_of_arrays(tmp_path / "periodic", boundary="periodic")
    assert frame_pad(make_setup(map_recipe("map={}", PLAIN, NET), periodic)) == 2
    with refused(RecipeError, "map.stride must be 1 for periodic maps"):
        make_setup(map_recipe("map={stride=7}", PLAIN), periodic)


@pytest.mark.slow
def test_the_unit_of_imported_targets_has_no_mean(tmp_path: Path) -> None:
    """A potential is known up to a constant."""
    random = np.random.default_rng(0)
    for name, mean in (("m", 0.0), ("q", 1000.0)):
        np.save(tmp_path / f"{name}.npy", mean + random.normal(size=(20, 1, 6, 6)))
    import_arrays(
        inputs_and_targets(tmp_path / "m.npy", tmp_path / "q.npy"),
        tmp_path / "data",
        samples_per_block=4,
    )
    setup = make_setup(
        map_recipe("map={}", PLAIN, "objective.loss=mse"), Dataset.open(tmp_path / "data")
    )
    losses = setup.objective(setup.new_model(), batch_of(setup))
    assert 0.5 < float(losses.total) < 5


def test_points_of_another_kind_are_no_map(tiny: Dataset) -> None:
    with refused(DatasetError, "must be on a regular grid"):
        make_setup(map_recipe(PLAIN), tiny)


def test_dipoles_have_no_raster(tmp_path: Path) -> None:
    dipoles = small_dataset(
        tmp_path / "data",
        'grid={kind="regular",half_width=2.0,resolution=4}',
        'sources={body={kind="dipole"},moment={distribution="normal",std=1.0},'
        'position={distribution="normal",std=5.0}}',
    )
    with refused(RecipeError, "bodies with an inside; got dipole"):
        make_setup(map_recipe(PLAIN), dipoles)


@pytest.mark.parametrize(
    ("inputs", "targets", "said"),
    [((2, 6, 6), (5,), "must have shape (channels, x, y)"), ((2, 6, 6), (1, 5, 6), "same points")],
)
def test_arrays_that_are_no_maps_are_refused(
    tmp_path: Path, inputs: tuple[int, ...], targets: tuple[int, ...], said: str
) -> None:
    random = np.random.default_rng(0)
    for name, shape in (("m", inputs), ("q", targets)):
        np.save(tmp_path / f"{name}.npy", random.normal(size=(20, *shape)))
    import_arrays(
        inputs_and_targets(tmp_path / "m.npy", tmp_path / "q.npy"),
        tmp_path / "data",
        samples_per_block=4,
    )
    with refused(DatasetError, said):
        make_setup(map_recipe("map={}", PLAIN), Dataset.open(tmp_path / "data"))


def batch_of(setup: Setup) -> AnyDeviceBatch:
    """The maps of the first step."""
    batch = read_blocks(setup.train, setup.schedule.blocks(0), setup.schedule.points(0))
    return setup.phases[0].method.augment(Devices.local(1).take(batch), jnp.asarray(0))


def told(dataset: Dataset, *changes: str) -> list[str]:
    listener = Recording()
    make_setup(map_recipe(PLAIN, *changes), dataset, listener)
    return listener.told


@pytest.mark.slow
def test_sources_that_the_map_does_not_show_are_warned_of(discs: Dataset, tmp_path: Path) -> None:
    """Beyond the edge of the whole map, or of crops; not where all are inside."""
    assert told(discs) == []
    (crops,) = told(discs, "data.crop={size=8,pad=1}")
    assert crops.startswith("Crops do not show the magnetisation outside")
    assert told(discs, "data.crop={size=8,pad=1}", 'map.input=["potential"]') == []
    beyond = maps_of_sources(tmp_path / "data", "sources.position.half_width=3.6")
    (edge,) = told(beyond)
    assert "the map ends at 3.25 m" in edge
    assert "errors of about 5 % follow" in edge
    potential = 'map.input=["potential"]'
    (zeros,) = told(discs, "data.crop={size=8}", potential)
    assert zeros.startswith("Crops without padding end with zeros")


WITH_A_HALO = """
import equinox as eqx
import jax.numpy as jnp
from hypermagnetics.config import Config
from hypermagnetics.models import ArrayInputs, ArrayModel


class Settings(Config):
    kernel: int = 3
    beyond: int = 0


class Net(ArrayModel):
    layer: eqx.nn.Conv
    config: Settings = eqx.field(static=True)
    inputs: ArrayInputs = eqx.field(static=True)

    def __init__(self, inputs, key, kernel=3, beyond=0):
        self.inputs, self.config = inputs, Settings(kernel=kernel, beyond=beyond)
        channels = inputs.input.shape[0], inputs.target.shape[0]
        self.layer = eqx.nn.Conv2d(*channels, kernel, key=key, dtype=jnp.float32)

    def apply(self, values):
        side = self.config.beyond // 2
        return self.layer(jnp.pad(values, ((0, 0), (side, side), (side, side))))
"""


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A user's network of one valid convolution, in a module of its own."""
    (tmp_path / "valid_net.py").write_text(WITH_A_HALO)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "valid_net", raising=False)
    return "valid_net:Net"


def frame_pad(setup: Setup) -> int:
    assert isinstance(setup.inputs, ArrayInputs)
    assert setup.inputs.map is not None
    return setup.inputs.map.pad


@pytest.mark.slow
def test_the_padding_of_whole_maps_is_what_the_network_eats(discs: Dataset, net: str) -> None:
    """Of a shipped network, and of a user's, by the shape that it gives."""
    assert frame_pad(make_setup(map_recipe(PLAIN), discs)) == 0
    one = map_recipe(PLAIN, 'model={name="conv",channels=[]}')
    assert frame_pad(make_setup(one, discs)) == 1
    of_user = map_recipe(PLAIN, f'model={{name="{net}"}}')
    assert frame_pad(make_setup(of_user, discs)) == 1
    wide = map_recipe(PLAIN, f'model={{name="{net}",settings={{kernel=5}}}}')
    with refused(RecipeError, "at most 1, as the grid has a halo of 1; got 2"):
        make_setup(wide, discs)
    crop = map_recipe(PLAIN, f'model={{name="{net}"}}', "data.crop={size=5,pad=0}")
    with refused(RecipeError, "must have a padding of 1 points", "got 0"):
        make_setup(crop, discs)
    off = map_recipe(PLAIN, f'model={{name="{net}"}}', "map.stride=4")
    with refused(HypermagneticsError, "must give"):
        make_setup(off, discs)
    more = map_recipe(PLAIN, f'model={{name="{net}",settings={{beyond=4}}}}')
    with refused(RecipeError, "got 1 more at each side"):
        make_setup(more, discs)
