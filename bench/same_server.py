"""Gunicorn's settings for another project: the product's, without its checks at the start."""

from runpy import run_path

from bench.processes import ROOT

_CHECKS = "on_starting"

globals().update({
    name: value
    for name, value in run_path(str(ROOT / "gunicorn.conf.py")).items()
    if not name.startswith("_") and name != _CHECKS
})  # fmt: skip
