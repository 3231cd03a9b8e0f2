"""Fujie (符节): city identity, digital currency and chains for institutions on one verifiable ledger."""

__version__ = "0.1.0"
