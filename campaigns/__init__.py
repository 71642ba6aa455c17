"""The right card at the right moment, and never one too many.

``decide.py`` is the flow: a phone's open visits and the live campaigns in, deliveries with reasons out.
``campaign.py`` holds what a marketer writes, ``coupon.py`` codes and their life. Nothing here sees radio.
"""
