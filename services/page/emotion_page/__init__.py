"""Serves the built page: plain files over HTTP, behind Envoy, which adds the headers."""
