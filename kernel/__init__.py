"""What packages share and none owns: distinct id types, the clock, the root of all errors, how kernels are compiled.

Under 200 lines in all; a thing that one package alone needs lives in that package.
"""
