"""All measurements in one run, and what became of them: JSON, plots, docs/performance.md."""
