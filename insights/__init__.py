"""The questions a mall asks of its people, with definitions anyone can check. Sees stores, never radio.

Reports come with the lake they are computed from; until then the live numbers of the demo are counted by
``runtime/demo_board.py`` from the records.
"""
