"""Views, one module per page of the navigation: parse, call one service, render."""
