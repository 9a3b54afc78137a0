"""Optional packages: each belongs to an extra of this one, and is imported where it is used."""

import importlib.util

from hypermagnetics.errors import HypermagneticsError

EXTRAS = {
    "dask_jobqueue": "cluster",
    "distributed": "cluster",
    "fmm3dpy": "peers",
    "jax_finufft": "nufft",
    "magpylib": "peers",
    "mlflow": "tracking",
    "obstore": "stores",
    "optuna": "sweep",
    "pyarrow": "hub",
    "pyvista": "view3d",
    "tensorboardX": "tracking",
    "vtkmodules": "view3d",
    "wandb": "tracking",
    "xarray": "xarray",
}
"""The extra of each optional package, by the name that is imported."""


def is_installed(package: str) -> bool:
    """Whether an optional package can be imported."""
    return importlib.util.find_spec(package) is not None


def how_to_install(package: str) -> str:
    """Command that installs an optional package."""
    return f"pip install 'hypermagnetics[{EXTRAS[package]}]'"


def refuse_missing(
    package: str, use: str, error: type[HypermagneticsError] = HypermagneticsError
) -> None:
    """Refuse to go on without an optional package.

    Args:
        package: The package, by the name that is imported.
        use: What needs it, for the message, with its key of a recipe in parentheses.
        error: Class of the error.

    Raises:
        HypermagneticsError: If it is not installed.
    """
    if not is_installed(package):
        raise error(
            f"{use} must have the package {package}; got an environment without it. "
            f"Run {how_to_install(package)}."
        )
