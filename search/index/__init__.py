"""All access to Elasticsearch.

Imported only where Elasticsearch is configured: the import of its client takes half a second and
thirty megabytes.
"""
