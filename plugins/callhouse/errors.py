"""The errors a user meets. Each says what happened, where, and what to do about it."""


class CallhouseError(Exception):
    """A failure somebody can act on.

    ``what`` happened, ``where`` (file, table, setting) and what to ``do``; ``exit_code`` is what the
    command ends with (README, "Exit codes").
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", do: str = "") -> None:
        self.what, self.where, self.do = what, where, do
        super().__init__(what + (f" [{where}]" if where else "") + (f" — {do}" if do else ""))


class ConfigError(CallhouseError):
    """A setting or a file of the config folder is missing or wrong."""

    exit_code = 2


class SourceError(CallhouseError):
    """A source's file or answer cannot be used; other sources go on."""

    exit_code = 3


class GateHeld(CallhouseError):
    """A critical rule failed: the day stays unpublished and the old figures visible."""

    exit_code = 4


class WarehouseError(CallhouseError):
    """The database cannot be reached, started or written."""

    exit_code = 5


class DeliveryError(CallhouseError):
    """A report could not be delivered."""

    exit_code = 6
