"""Everything that talks to Elasticsearch.

Imported only where there is one: its client takes half a second and some thirty megabytes.
"""
