"""Looking ahead: which rules the chain has decided on that this program does not have, long before it has to stop for them."""

import logging
from collections.abc import Container

from fujie.core.state import StateRead
from fujie.machine.schedule import ComingRules, Schedule, lacking_text
from fujie.modules.membership import queries as membership
from fujie.modules.membership import state_keys

log = logging.getLogger(__name__)


class RulesWatch:
    """Told of every block by the one thread that commits them; any thread may read ``lacking``."""

    def __init__(self, schedule: Schedule, state: StateRead, height: int) -> None:
        """``state`` always shows what is committed, and that is block ``height`` now."""
        self._schedule = schedule
        self._state = state
        self.lacking: tuple[ComingRules, ...] = ()  # decided for blocks to come, in the order of their heights
        self._look(height)

    def require(self, height: int) -> None:
        """Raise ``UnknownRules`` when this program lacks the rules of block ``height``: before anything is started for it."""
        self._schedule.active(self._state, height)

    def after(self, height: int, changed: Container[str]) -> None:
        """Look again, if block ``height`` has changed what is decided. ``changed``: the paths that it wrote."""
        if any(path in changed for path in self._paths):
            self._look(height)

    def _look(self, height: int) -> None:
        rooms = membership.room_names(self._state)
        self._paths = [state_keys.ROOMS_KEY.path, *(state_keys.rules(room).path for room in rooms)]
        lacking = self._schedule.lacking(self._state, height)
        if lacking and lacking != self.lacking:
            log.warning("%s", lacking_text(lacking[0], height))
        self.lacking = lacking
