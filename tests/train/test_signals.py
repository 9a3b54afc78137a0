"""Signals before and after the steps of a run."""

import signal
from contextlib import suppress
from pathlib import Path

import pytest

from hypermagnetics.errors import InterruptedRunError
from hypermagnetics.train.signals import end_on_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_no_code_in_between_keeps_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    """Its handler raises wherever the program is, also where any error is passed over."""

    def passes_over_errors() -> None:
        with end_on_signals(tmp_path), suppress(Exception):
            signal.raise_signal(number)
            pytest.fail("the signal was lost")

    with pytest.raises(InterruptedRunError, match=rf"got {number.name} before or after its steps"):
        passes_over_errors()
    assert signal.getsignal(number) is signal.SIG_DFL
