"""[objective] of kind "fisher": Fisher information, and the scale of the summaries."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from hypermagnetics.config import Config, Positive, refusal


class LogDet(Config):
    """w (ln det C)²: the gentlest that holds the scale of the covariance C of the summaries."""

    kind: Literal["log-det"] = "log-det"
    """Kind of scale: w (ln det C)², the gentlest that holds the covariance C of the summaries."""
    weight: Positive = 0.1
    """Weight w."""


class IMNN(Config):
    """The regulariser of information maximising neural networks (IMNN), to compare with them.

    r L with L = |C - 1| + |C⁻¹ - 1|, norms of Frobenius, and r = s L / (L + exp(-a L)), where
    a = -ln(e (s - 1) + e² / (1 + e)) / e.
    """

    kind: Literal["imnn"] = "imnn"
    """Kind of scale: r (|C - 1| + |C⁻¹ - 1|), norms of Frobenius, that of information maximising
    neural networks, to compare with them; r fades where C is near 1."""
    strength: Positive = 10.0
    """Strength s, which is lambda there."""
    epsilon: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Closeness e of C to 1 at which the regulariser fades."""

    @model_validator(mode="after")
    def _rate_is_known(self) -> "IMNN":
        if not self.argument > 0:
            rule = "be such that epsilon (strength - 1) + epsilon² / (1 + epsilon) is positive"
            raise refusal("strength", rule, self.strength, "Raise it.")
        return self

    @property
    def argument(self) -> float:
        """Argument of the logarithm in the rate a."""
        return self.epsilon * (self.strength - 1) + self.epsilon**2 / (1 + self.epsilon)


Scale = LogDet | IMNN

_KINDS = ("log-det", "imnn")


def _from_name(value: object) -> object:
    """A name alone is the scale of that kind with its defaults."""
    return {"kind": value} if isinstance(value, str) else value


ScaleConfig = Annotated[Scale, Field(discriminator="kind"), BeforeValidator(_from_name)]
"""A scale in a recipe: a table with its `kind`, or a name alone."""


class FisherConfig(Config):
    """Fisher information that summaries of readings keep about parameters, made large.

    The loss is -ln det F plus a term for the scale of the summaries, which F does not know. It is a
    function of sums over all samples of the training split.
    """

    kind: Literal["fisher"]
    """Kind of the objective."""
    scale: ScaleConfig = LogDet()
    """Term that holds the scale of the summaries: "log-det", or "imnn"."""

    @property
    def names_of_losses(self) -> tuple[str, ...]:
        """None: it has no terms."""
        return ()

    @property
    def names_of_physics(self) -> tuple[str, ...]:
        """None: it has no terms."""
        return ()

    @property
    def weights(self) -> dict[str, float]:
        """None: it has no terms."""
        return {}
