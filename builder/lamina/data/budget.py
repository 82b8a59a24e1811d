"""How much one archive may ask for: memory and time in proportion to its size on the disk."""

from __future__ import annotations

import attrs

from lamina.errors import BadInput
from lamina.limits import Allowance


@attrs.define(eq=False)
class Budget:
    """What one archive may ask for over all its parts together; `packed` is its own size in bytes.

    A part that an image uses twice counts twice, one that is read again does not.
    """

    packed: int
    _spent: dict[Allowance, int] = attrs.field(factory=dict)

    def spend(self, allowance: Allowance, amount: int, where: object) -> None:
        """Raises BadInput when the archive has asked for more than it may."""
        spent = self._spent[allowance] = self._spent.get(allowance, 0) + amount
        if spent > allowance.of(self.packed):
            raise BadInput(where, allowance.message(self.packed), allowance.remedy)


@attrs.define(eq=False)
class Meter:
    """Counts over one operation on layers, which may come from an archive with a budget or be our own.

    The same archive may be used by many operations, each of which starts from zero.
    """

    allowance: Allowance
    used: int = 0

    def count(self, amount: int, budget: Budget | None, where: object) -> None:
        """Raises BadInput when that is too much for the archive of this layer, or for any."""
        self.used += amount
        packed = budget.packed if budget else None
        if self.used > self.allowance.of(packed):
            raise BadInput(where, self.allowance.message(packed), self.allowance.remedy)
