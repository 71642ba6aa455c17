"""The one flow: decode -> locate -> members -> scenes -> campaigns -> replies.

``run_batch.py`` is that line, pure; the HTTP API, ``atrium replay`` and the simulator are its drivers and call
nothing else. ``answers.py`` writes replies in the wire format, ``ports.py`` says what a driver must bring.
"""
