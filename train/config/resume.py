"""Keys of a recipe that a resumed run may change, by a mark beside each of them."""

from collections.abc import Iterator, Mapping

from hypermagnetics.config import Config


class _MayChange:
    """Type of the mark."""


MAY_CHANGE = _MayChange()
"""Mark of a key that no step depends on, in its `Annotated`; of a section, for all of its keys."""

_ABSENT = object()
"""Value of a key that a table lacks; null is a value, as of an optimiser's argument."""


def changeable_keys(schema: type[Config], above: str = "") -> Iterator[str]:
    """Yield the keys with the mark, below those of their sections; dots separate tables."""
    for name, field in schema.model_fields.items():
        if MAY_CHANGE in field.metadata:
            yield above + name
        elif isinstance(field.annotation, type) and issubclass(field.annotation, Config):
            yield from changeable_keys(field.annotation, f"{above}{name}.")


def changed_keys(before: Config, now: Config) -> tuple[str, ...]:
    """Keys without the mark whose values differ, the innermost that both recipes have."""
    return tuple(_differences(_kept(before), _kept(now), ""))


def _kept(config: Config) -> dict[str, object]:
    """Values of the keys without the mark."""
    values = {
        name: getattr(config, name)
        for name, field in type(config).model_fields.items()
        if MAY_CHANGE not in field.metadata
    }
    return {name: _without_marked(value) for name, value in values.items()}


def _without_marked(value: object) -> object:
    if isinstance(value, Config):
        return _kept(value)
    if isinstance(value, Mapping):
        return {name: _without_marked(inner) for name, inner in value.items()}
    return value


def _differences(
    before: Mapping[str, object], now: Mapping[str, object], above: str
) -> Iterator[str]:
    for name in dict.fromkeys((*before, *now)):
        first, second = before.get(name, _ABSENT), now.get(name, _ABSENT)
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            yield from _differences(first, second, f"{above}{name}.")
        elif first != second:
            yield above + name
