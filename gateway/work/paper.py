"""The press that prints paper: a rescue key, and sign-in codes. What is stored of it is only hashes and a slot."""

from dataclasses import dataclass

from gateway.core import paper
from gateway.core.model import AccountId
from gateway.store.accounts import Paper as StoredPaper
from gateway.vault import keys
from gateway.work.outcomes import Paper


@dataclass(frozen=True, slots=True)
class Printed:
    """New paper: as its owner sees it, once, and as the database keeps it."""

    paper: Paper
    stored: StoredPaper


def print_paper(account: AccountId, identity: str, *, with_codes: bool = False) -> Printed:
    """Make a new rescue key for an account's identity, and ten new sign-in codes if asked for."""
    key = keys.new_paper_key()
    codes = tuple(keys.new_paper_key() for _ in range(paper.CODES)) if with_codes else None
    slot = keys.seal_rescue_slot(identity, key, account)
    hashes = None if codes is None else tuple(keys.paper_hash(code) for code in codes)
    shown = Paper(paper.grouped(key), tuple(paper.grouped(code) for code in codes or ()))
    return Printed(shown, StoredPaper(keys.paper_hash(key), slot, hashes))
