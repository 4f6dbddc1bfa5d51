"""The demo's past months in seconds: a virtual clock, the real services, the sandbox Stripe.

Nothing here inserts a row that a service would have written: customers add cards, subscribe, top
up and call through the same functions as the dashboard, the API and the scheduled jobs.
"""
