"""One module per service: its command line, its configuration, its folders."""
