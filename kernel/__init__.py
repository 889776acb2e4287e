"""The compiled part: reads receipts and adds up rows, on plain buffers, without knowing Python.

All that decides stays in Python (`streams.fold`); here is only what is done to each of millions of lines. Both
functions take memory in and give memory out, keep nothing between calls, and let go of the interpreter meanwhile.
"""
