"""Points: a double-entry ledger as pure rules.

``accounts.py`` what an account holds; ``transfers.py`` what moves points and what is asked for; ``rules.py`` a tenant's
settings; ``book.py`` the accounts at hand, moved by transfers; ``decide.py`` makes of an order a transfer or a refusal.
Nothing here knows a store or a place: a reason and a reference are what the till wrote.
"""
