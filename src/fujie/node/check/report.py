"""What a check collects: findings, bounded, and how much was looked at."""

from typing import Final

from fujie.core.finding import Finding

FINDINGS_MAX: Final = 1_000  # kept; a store in pieces would otherwise fill the memory with its own description


class Report:
    """Findings in the order in which they were made, and counts of what was checked."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.found = 0
        self.records = 0
        self.old_versions = 0
        self.entries = 0
        self.blocks = 0
        self.height = 0
        self.chain_id = ""
        self.proven = True  # whether the newest state stands under a signed header already

    def find(self, name: str, place: str, detail: str) -> None:
        """Keep a finding: what must hold, where it does not, and what stands there."""
        self.found += 1
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(name, place, detail))
