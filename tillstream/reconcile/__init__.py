"""The proof: everything computed again from the log by plain batch code, and compared row by row.

Shares no folding code with `streams`; what a valid receipt is, both ask `schemas`.
"""
