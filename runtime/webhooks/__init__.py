"""Webhooks: a tenant's events posted to an address of its own, signed after Standard Webhooks 1.0.

Main flow: ``worker.py`` follows the events and decides when, ``sending.py`` makes one attempt, ``names.py`` looks
its host up, ``addresses.py`` says where nothing is sent, ``signing.py`` signs, ``desk.py`` answers the HTTP layer.
"""
