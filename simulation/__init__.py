"""A deterministic simulation: years of business and of bad luck, in minutes, from one seed.

The real services, tasks and webhook receivers run in one process against the sandbox Stripe, with a
virtual clock and one source of chance. Whatever may happen does: see docs/simulation.md. The
invariants hold after each step, and in the end no baisa is missing. The same seed is the same run.
"""
