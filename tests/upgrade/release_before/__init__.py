"""The unchanged migrations of the previous release, in apps with that release's labels.

They create the database that the current `migrate` upgrades. At each release, replace the copies
by the migrations of that release.
"""
