"""Who may read what over HTTP: one rule for each route, and what each rule means for each kind of reader.

The table of docs/spec/09-http.md is compared with this one, and a test asks every route as every kind of reader. The rules
themselves are carried out where the answer is made: ``engine.reading.may_read`` for queries, ``reader.access`` for lists and
streams.
"""

from enum import Enum


class Rule(Enum):
    """What decides about a route: on a public chain, and on a restricted one for a stranger, a party and an auditor.

    A *party* is a holder or account that is concerned: it holds or serves the wallet, or is named by the transaction.
    Another holder or account is answered as a stranger who has shown a credential.
    """

    ANYONE = "anyone", "all", "all", "all", "all"
    KNOWER = "whoever knows the id", "all", "all", "all", "all"
    QUERY = "the audience of each query", "all", "what anyone may read", "its own", "what auditors may read"
    PARTY = "holder, institution, auditor", "all", "nothing", "its own", "all"
    LISTED = "parties and auditors", "all", "none of the transactions", "its own", "all"
    FOUND = "parties and auditors, wallets only", "all", "no wallets", "its own wallets", "all"
    WHOLE = "whoever may have the whole chain", "all", "nothing", "nothing", "all"
    METRICS = "whoever may scrape", "all", "nothing", "with a key of scope metrics", "with a key of scope metrics"
    SELF = "about the asker alone", "all", "all", "all", "all"

    def __init__(self, title: str, public: str, stranger: str, party: str, auditor: str) -> None:
        self.title = title
        self.public = public
        self.stranger = stranger
        self.party = party
        self.auditor = auditor
