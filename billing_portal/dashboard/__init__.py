"""The pages of a customer: thin views, presenters that compose several apps, templates."""
