"""What identity has done; each event answers one operation."""

from fujie.core.room import Event
from fujie.core.units import Count, TimeMs
from fujie.modules.identity.records import AliasCode, EditionName, Identifier, Prefix, Rule, Scheme


class CodebookRegistered(Event, tag=2001):
    """An edition can be relied on."""

    edition: EditionName
    series: Scheme


class CodebookWithdrawn(Event, tag=2002):
    """An edition can no longer be relied on."""

    edition: EditionName


class Allocated(Event, tag=2003):
    """Identifiers were given out under ``namespace``, in the order of the items."""

    namespace: Prefix
    identifiers: tuple[Identifier, ...]


class Delegated(Event, tag=2004):
    """An identifier is a namespace, on terms of version ``number``."""

    prefix: Identifier
    rule: Rule
    number: Count


class RegistrarRotated(Event, tag=2005):
    """Another policy allocates under a prefix; its terms have version ``number``."""

    prefix: Prefix
    number: Count


class ControllersRotated(Event, tag=2006):
    """Another policy controls an identifier; its record has version ``number``."""

    identifier: Identifier
    number: Count


class RecordUpdated(Event, tag=2007):
    """A record was replaced by version ``number``."""

    identifier: Identifier
    number: Count


class Retired(Event, tag=2008):
    """An identifier is retired for ever, and ``aliases`` bindings ended with it."""

    identifier: Identifier
    aliases: Count


class Suspended(Event, tag=2009):
    """An identifier cannot act until it is restored."""

    identifier: Identifier


class Restored(Event, tag=2010):
    """An identifier may act again."""

    identifier: Identifier


class AliasBound(Event, tag=2011):
    """An outside code is bound to an identifier from ``since_ms`` on."""

    identifier: Identifier
    scheme: Scheme
    code: AliasCode
    since_ms: TimeMs


class AliasReleased(Event, tag=2012):
    """The binding of an outside code ended at ``until_ms``."""

    identifier: Identifier
    scheme: Scheme
    code: AliasCode
    until_ms: TimeMs
