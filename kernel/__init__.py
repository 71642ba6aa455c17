"""What two packages share and neither owns: distinct id types, the clock, the root of all errors.

Under 200 lines in all; a thing that one package alone needs lives in that package.
"""
