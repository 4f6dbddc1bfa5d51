"""Tests of the client against the real portal, over HTTP, with trouble on the way."""
