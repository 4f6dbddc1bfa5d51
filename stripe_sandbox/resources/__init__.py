"""One module per resource; each has its routes in a list named ROUTES."""
