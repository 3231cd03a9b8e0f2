"""The messages of ABCI 2.0 as classes: ``abci.Request``, ``abci.ResponseInfo``, ``abci.Timestamp`` and the others.

They live in a pool of their own, so that another library in the same process may have messages of the same names. An
enumeration of a file is an ``IntEnum``; the values of one inside a message are attributes of its class.

What is here for a type checker stands in ``abci.pyi``.
"""

from fujie.engine.cometbft._generated import FILE_DESCRIPTOR_SET
from fujie.engine.cometbft.classes import classes_in

globals().update(classes_in(FILE_DESCRIPTOR_SET))
