"""How much one archive may ask for: memory and time in proportion to its size on the disk."""

from __future__ import annotations

import attrs

from lamina.errors import BadInput
from lamina.limits import Allowance


@attrs.define(eq=False)
class Budget:
    """Counts what one archive asks for, over all its parts. `packed` is the size of the archive itself, in bytes.

    A part that an image uses twice counts twice. A part that is read again does not.
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
    """Counts what one operation asks for, over all its layers. Another operation on the same archive starts from zero.

    A layer comes from an archive, which has a budget, or is made by Lamina.
    """

    allowance: Allowance
    used: int = 0

    def count(self, amount: int, budget: Budget | None, where: object) -> None:
        """Raises BadInput: the total exceeds the limit for the archive of this layer, or without one the maximum."""
        self.used += amount
        packed = budget.packed if budget else None
        if self.used > self.allowance.of(packed):
            raise BadInput(where, self.allowance.message(packed), self.allowance.remedy)
