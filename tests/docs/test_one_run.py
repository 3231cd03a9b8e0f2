"""What a page shows comes from one run: heights do not fall, a block has one time, a name has one id.

Read from the pages as they stand. That every id agrees with every other is checked where a page is run
(``several_runs`` in ``tests/docs/session.py``).
"""

import re

import pytest

from tests.docs.pages import TWINS, read_page, taught

PAGES = [*taught(), *(read_page(chinese) for _, chinese in TWINS)]

NEWEST = re.compile(r"verified here: under block ([0-9,]+)|^ +height +([0-9,]+)$", re.MULTILINE)
HEADER = re.compile(r"under block ([0-9,]+) of ([0-9-]{10} [0-9:]{8} UTC)")
CHAIN = re.compile(r"\b([a-z]+)-([0-9a-f]{32})\b")
WALLET = re.compile(r"^(?:Opened wallet|Wallet) (\S+)\n +id +([0-9a-f]{32})$", re.MULTILINE)
PAID = re.compile(r"^Paid .* from (\S+) to (\S+)\n +transaction +([0-9a-f]{64})$", re.MULTILINE)
RECEIPT = re.compile(
    r"^ +transaction +([0-9a-f]{64})\n(?: .*\n)*? +payer +([0-9a-f]{32})\n +payee +([0-9a-f]{32})$", re.MULTILINE
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_heights_of_the_page_do_not_fall(page):
    heights = [_number(newest or height) for newest, height in NEWEST.findall(_shown(page))]
    assert heights == sorted(heights), f"make docs-fill PAGES={page.name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_block_of_the_page_has_one_time_and_a_later_one_no_earlier(page):
    seen = {(_number(height), time) for height, time in HEADER.findall(_shown(page))}
    assert len({height for height, _ in seen}) == len(seen), f"make docs-fill PAGES={page.name}"
    times = [time for _, time in sorted(seen)]
    assert times == sorted(times), f"make docs-fill PAGES={page.name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_wallet_or_chain_of_the_page_has_one_id(page):
    named = _named(_shown(page))
    assert len({name for name, _ in named}) == len(named), f"make docs-fill PAGES={page.name}: {sorted(named)}"


def test_readme_and_tutorial_show_heights_and_wallets():
    for english, _ in TWINS:
        shown = _shown(read_page(english))
        assert len(NEWEST.findall(shown)) > 5
        assert {kind for (kind, _), _ in _named(shown)} == {"wallet", "chain"}


def test_two_ids_for_one_wallet_are_found():
    receipt = f"  transaction  {'ab' * 32}\n  result  carried out\n    payer  {'cd' * 16}\n    payee  {'ef' * 16}\n"
    shown = f"Opened wallet anna\n  id  {'01' * 16}\nPaid 1 from anna to ben\n  transaction  {'ab' * 32}\n{receipt}"
    assert _named(shown) == {
        (("wallet", "anna"), "01" * 16),
        (("wallet", "anna"), "cd" * 16),
        (("wallet", "ben"), "ef" * 16),
    }


def _shown(page):
    return "".join(block.text for block in page.blocks if block.language == "console")


def _number(text):
    return int(text.replace(",", ""))


def _named(shown):
    """Return what stands for a name: ((kind, name), id). A receipt names its wallets by the payment that it proves."""
    parties = {transaction: (payer, payee) for payer, payee, transaction in PAID.findall(shown)}
    named = {(("chain", name), chain) for name, chain in CHAIN.findall(shown)}
    named |= {(("wallet", name), wallet) for name, wallet in WALLET.findall(shown)}
    for transaction, payer, payee in RECEIPT.findall(shown):
        for name, wallet in zip(parties.get(transaction, ()), (payer, payee), strict=False):
            named.add((("wallet", name), wallet))
    return named
